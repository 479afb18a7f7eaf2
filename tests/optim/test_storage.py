"""What is saved comes back; what is damaged is refused; an older file survives."""

import os
import sys

import numpy as np
import pytest

import tinygrad_sp as tg

ENDINGS = ["npz", "safetensors"]
DTYPES = ["bool", "int8", "int64", "uint16", "float16", "float32", "float64", "complex64"]
TREE = {"w": tg.Tensor([[1.0, np.nan]]), "l": [tg.Tensor(3.0), (tg.zeros((0, 2)), None)], 3: "text", "n": np.inf}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(tmp_path, ending, dtype):
    for array in (np.arange(6).reshape(2, 3).T.astype(dtype), np.ones((), dtype), np.zeros((0, 3), dtype)):
        tg.save(tmp_path / f"x.{ending}", [tg.Tensor(array)])
        (found,) = tg.load(tmp_path / f"x.{ending}")
        assert found.dtype == dtype and found.shape == array.shape
        assert found.detach().numpy().tobytes() == array.tobytes()


def test_wide_dtypes(tmp_path):
    for dtype in (np.longdouble, np.complex128, np.clongdouble):
        tg.save(tmp_path / "x.npz", tg.Tensor([1.5, 2], dtype=dtype))
        assert tg.load(tmp_path / "x.npz").dtype == dtype
    with pytest.raises(TypeError, match=r"complex128: write a name ending in .npz"):
        tg.save(tmp_path / "x.safetensors", tg.Tensor(1j))


@pytest.mark.parametrize("ending", ENDINGS)
def test_containers_come_back(tmp_path, ending):
    tg.save(tmp_path / f"x.{ending}", TREE)
    found = tg.load(tmp_path / f"x.{ending}")
    assert repr(found) == repr(TREE) and found["w"].requires_grad and not found["l"][1][0].requires_grad
    assert os.listdir(tmp_path) == [f"x.{ending}"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_half_written_files_are_refused(tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    tg.save(path, TREE)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match="is incomplete, damaged or no"):
            tg.load(path)


def test_foreign_files_are_refused(tmp_path):
    from safetensors.numpy import save_file

    np.savez(tmp_path / "x.npz", a=np.ones(2))
    save_file({"a": np.ones(2)}, tmp_path / "x.safetensors")
    for name in ("x.npz", "x.safetensors"):
        with pytest.raises(ValueError, match=r"was not written by tg.save"):
            tg.load(tmp_path / name)
    np.savez(tmp_path / "x.npz", a=np.array([object()]))
    with pytest.raises(ValueError, match="damaged"):
        tg.load(tmp_path / "x.npz")


@pytest.mark.parametrize("bad", [{"a": object()}, {1.5: 1.0}, {"a": np.array(["x"])}])
def test_a_failed_save_leaves_the_old_file(tmp_path, bad):
    tg.save(tmp_path / "x.npz", 1)
    with pytest.raises(TypeError, match="save: params"):
        tg.save(tmp_path / "x.npz", bad)
    assert tg.load(tmp_path / "x.npz") == 1


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    def full(_file):
        raise OSError("no space")

    tg.save(tmp_path / "x.npz", 1)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        tg.save(tmp_path / "x.npz", 2)
    assert tg.load(tmp_path / "x.npz") == 1 and os.listdir(tmp_path) == ["x.npz"]


def test_other_endings_and_a_missing_package(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"ending in .npz or .safetensors"):
        tg.save(tmp_path / "x.pkl", 1)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"pip install 'tinygrad_sp\[train\]'"):
        tg.save(tmp_path / "x.safetensors", 1)


def test_no_flipped_bit_of_an_npz_file_goes_unseen(tmp_path):
    path = tmp_path / "x.npz"
    tg.save(path, [tg.Tensor([1.5, 2.5]), {"a": "text"}])
    data, wanted = path.read_bytes(), repr(tg.load(path))
    for place in range(len(data)):
        for bit in (0, 3, 5):  # of the zip flags, 0 says encrypted and 5 patched
            path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
            try:
                assert repr(tg.load(path)) == wanted  # a date, say
            except ValueError as error:
                assert str(error).startswith("load: 'x.npz' ")


@pytest.mark.skipif(os.name != "posix", reason="permissions and links are POSIX's")
def test_permissions_and_links_are_those_of_an_ordinary_write(tmp_path):
    path, link = tmp_path / "x.npz", tmp_path / "link.npz"
    (tmp_path / "ordinary").write_bytes(b"")
    tg.save(path, 1)
    assert path.stat().st_mode == (tmp_path / "ordinary").stat().st_mode
    path.chmod(0o640)
    link.symlink_to(path)
    tg.save(link, 2)
    assert link.is_symlink() and tg.load(path) == 2 and path.stat().st_mode & 0o777 == 0o640


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"save: there is no folder .*nowhere"):
        tg.save(tmp_path / "nowhere" / "x.npz", 1)
