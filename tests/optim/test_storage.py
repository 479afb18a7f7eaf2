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
