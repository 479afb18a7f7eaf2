"""Saving and loading parameters: nested dicts and lists of Tensors in ``.npz`` and ``.safetensors`` files.

A file holds the arrays, named "0", "1", ..., and a JSON text of the containers around them.  It is
written under another name and renamed when it is complete; nothing is pickled.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import zipfile
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .tensor import Tensor

FORMATS = (".npz", ".safetensors")
TEXT = "tinygrad_sp"  # the name of the JSON text in a file
Arrays = dict[str, Any]


def save(path: str | os.PathLike[str], params: Any) -> None:
    """Save nested dicts, lists and tuples of Tensors; `load` gives them back.

    Parameters
    ----------
    path : path ending in ".npz" or ".safetensors"
        An older file is replaced in one step, when the new one is complete.
    params : tree of Tensors, arrays, numbers, strings and None
        An optimizer's ``state()`` is one.  The keys of dicts are strings or integers.

    Raises
    ------
    ValueError
        For another ending.
    TypeError
        For what can't be saved: other objects and keys; complex128 and longdouble as safetensors.
    FileNotFoundError
        If there is no such folder.
    ImportError
        For ".safetensors" if safetensors is not installed.

    Examples
    --------
    >>> import tempfile, tinygrad_sp as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.save(folder + "/model.npz", {"w": tg.Tensor([1.0, 2.0]), "layers": [tg.Tensor(3.0)], "epoch": 7})
    ...     tg.load(folder + "/model.npz")
    {'w': Tensor([1., 2.], requires_grad=True), 'layers': [Tensor(3., requires_grad=True)], 'epoch': 7}
    """
    path = _checked(path, "save")
    arrays: Arrays = {}
    text = json.dumps(_describe(params, arrays, "params"))
    _replace(path, _npz(arrays, text) if path.suffix == ".npz" else _safetensors(arrays, text))


def load(path: str | os.PathLike[str]) -> Any:
    """Load what `save` saved: the same containers, values, dtypes, and variables as variables.

    Parameters
    ----------
    path : path ending in ".npz" or ".safetensors"

    Returns
    -------
    tree
        Of Tensors where Tensors were saved, of arrays where arrays were.

    Raises
    ------
    ValueError
        If the file is incomplete or damaged, or was not written by `save`.
    FileNotFoundError, ImportError
    """
    path = _checked(path, "load")
    data = path.read_bytes()
    arrays, text = _read_npz(path, data) if path.suffix == ".npz" else _read_safetensors(path, data)
    try:
        return _rebuild(json.loads(text), arrays)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _foreign(path) from error


def _checked(path: str | os.PathLike[str], name: str) -> Path:
    path = Path(path)
    if path.suffix not in FORMATS:
        raise ValueError(f"{name}: {path.name!r} ends in {path.suffix!r}; write a name ending in .npz or .safetensors")
    return path


def _foreign(path: Path) -> ValueError:
    return ValueError(
        f"load: {path.name!r} was not written by tg.save: it lacks the containers' description; save it with tg.save"
    )


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"load: {path.name!r} is incomplete, damaged or no {path.suffix} file ({error})")


def _describe(tree: Any, arrays: Arrays, where: str) -> list[Any]:
    """Return what JSON can hold of a tree, and put its arrays aside."""
    if isinstance(tree, dict):
        if bad := [key for key in tree if type(key) not in (str, int)]:
            raise TypeError(f"save: {where} has the key {bad[0]!r}; write strings or integers")
        return ["dict", [[key, _describe(part, arrays, f"{where}[{key!r}]")] for key, part in tree.items()]]
    if type(tree) in (list, tuple):
        return [type(tree).__name__, [_describe(part, arrays, f"{where}[{i}]") for i, part in enumerate(tree)]]
    if tree is None or type(tree) in (bool, int, float, str):
        return ["value", tree]
    if not isinstance(tree, (Tensor, np.ndarray, np.generic)) or tree.dtype.kind not in "biufc":
        kind = f"{type(tree).__name__}{f' of dtype {tree.dtype}' if hasattr(tree, 'dtype') else ''}"
        raise TypeError(f"save: {where} is of type {kind}; write Tensors, numbers, dicts and lists")
    kind = "array"
    if isinstance(tree, Tensor):
        kind = "variable" if tree.requires_grad else "constant"
        tree = tree.detach().numpy()
    arrays[str(len(arrays))] = np.asarray(tree)
    return [kind, str(len(arrays) - 1)]


def _rebuild(described: Any, arrays: Arrays) -> Any:
    kind, content = described
    if kind == "dict":
        return {key: _rebuild(part, arrays) for key, part in content}
    if kind in ("list", "tuple"):
        return (list if kind == "list" else tuple)(_rebuild(part, arrays) for part in content)
    if kind == "value":
        return content
    if kind == "array":
        return arrays[content]
    return Tensor(arrays[content], requires_grad={"variable": True, "constant": False}[kind])


def _replace(path: Path, data: bytes) -> None:
    """Write a file beside the path, then give it the name: a reader sees the old file or the new one."""
    path = path.resolve()  # of a link, the file it points to
    if not path.parent.is_dir():
        raise FileNotFoundError(f"save: there is no folder {str(path.parent)!r}: make it first")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _npz(arrays: Arrays, text: str) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{TEXT: np.frombuffer(text.encode(), np.uint8)}, **arrays)
    return buffer.getvalue()


def _read_npz(path: Path, data: bytes) -> tuple[Arrays, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)), np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError) as error:
        raise _damaged(path, error) from error
    if TEXT not in arrays:
        raise _foreign(path)
    return arrays, arrays.pop(TEXT).tobytes().decode(errors="replace")


def _need_safetensors() -> Any:
    try:
        import_module("safetensors.numpy")
    except ImportError:
        raise ImportError(
            "save, load: a .safetensors file needs safetensors: pip install 'tinygrad_sp[train]'"
        ) from None
    return import_module("safetensors")


def _safetensors(arrays: Arrays, text: str) -> bytes:
    library = _need_safetensors()
    for array in arrays.values():
        if array.dtype in (np.complex128, np.longdouble, np.clongdouble) and array.dtype != np.float64:
            raise TypeError(f"save: safetensors has no dtype {array.dtype}: write a name ending in .npz")
    contiguous = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    data: bytes = library.numpy.save(contiguous, metadata={TEXT: text})
    return data


def _read_safetensors(path: Path, data: bytes) -> tuple[Arrays, str]:
    library = _need_safetensors()
    try:
        arrays: Arrays = library.numpy.load(data)
        size = int.from_bytes(data[:8], "little")  # the header is JSON, after its length
        text = json.loads(data[8 : 8 + size]).get("__metadata__", {}).get(TEXT)
    except (library.SafetensorError, ValueError, KeyError) as error:
        raise _damaged(path, error) from error
    if text is None:
        raise _foreign(path)
    return arrays, text
