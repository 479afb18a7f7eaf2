"""What an op says of its tangent is what its rule says, transposed: of every op that says something."""

import warnings

import numpy as np
import pytest

from tinygrad_sp.graph import OPS
from tinygrad_sp.testing.ops import examples
from tinygrad_sp.transforms.forward_rules import TANGENTS
from tinygrad_sp.transforms.pushing import pushed, transposed

_HERMITIAN = np.array([[3.0, 0.4, -0.2], [0.4, 2.0, 0.3], [-0.2, 0.3, 1.0]])
_PREPARED = {"Cholesky": {"upper": False}, "Eigh": {"uplo": "L"}, "Eigvalsh": {"uplo": "L"}, "Eigvals": {}}
_UNDETERMINED = {"Eig", "_EigOfValues"}  # vectors up to a phase: a cotangent of them alone is refused
_REFUSE_TIES = {"QR", "RFactor", "SVD", "Slogdet", "Sqrtm", "SolveTriangular", "Solve", *_PREPARED}


def _cases(scipy):
    for op in OPS:
        if type(op).__module__.startswith("tinygrad_sp.scipy.") != scipy:
            continue
        if op.own or op.name in _UNDETERMINED or not (op in TANGENTS or hasattr(op, "tangent") or hasattr(op, "push")):
            continue
        prepared = [(_HERMITIAN, _PREPARED[op.name])] if op.name in _PREPARED else None
        if op.name == "SVD":
            prepared = [((3, 3), {"full": False}), ((2, 4), {"full": False})]
        for i, example in enumerate(examples(op, cases=prepared)):
            yield pytest.param(op, example, id=f"{op.name}-{i}")


def _direction(op, a, rng):
    t = rng.normal(size=a.shape).astype(a.dtype)
    if a.dtype.kind == "c":
        t = t + (1j * rng.normal(size=a.shape)).astype(a.dtype)
    return t + np.conj(np.swapaxes(t, -1, -2)) if op.name in _PREPARED and op.name != "Eigvals" else t


def _kinds(op, arrays):
    """As drawn; with ties, zeros and negative zeros; in single precision; complex."""
    yield "plain", arrays
    rounded = [np.where(a == 1, -0.0, np.round(a * 2) / 2) if a.dtype.kind == "f" and a.ndim else a for a in arrays]
    if op.name not in _REFUSE_TIES:
        yield "ties", rounded
    yield "single", [a.astype(np.float32) if a.dtype.kind == "f" else a for a in arrays]
    if op.name in ("Eigh", "SVD"):
        return  # complex vectors are determined up to a phase, and the rule minds
    wide = [a + 0.25j * a[::-1] if a.dtype.kind == "f" and a.ndim else a for a in arrays]
    if op.name in _PREPARED:
        wide = [a + np.triu(0.1j * a, 1) - np.tril(0.1j * a, -1) for a in arrays]
    yield "complex", wide


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("op", "example"), list(_cases(scipy=False)))
def test_it_is_the_rule_transposed(op, example):
    rng = np.random.default_rng(5)
    for kind, arrays in _kinds(op, [np.asarray(a) for a in example.arrays]):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                wanted_value = op.forward(*arrays, **example.params)
        except (TypeError, np.exceptions.ComplexWarning):
            continue  # not of complex numbers, or not in this precision
        varied = [a.dtype.kind in "fc" and i >= getattr(op, "conditions", 0) for i, a in enumerate(arrays)]
        tangents = [_direction(op, a, rng) if v else None for a, v in zip(arrays, varied, strict=True)]
        several = [[t if i == k else None for i, t in enumerate(tangents)] for k in range(len(arrays)) if varied[k]]
        for some in [*several, tangents] if len(several) > 1 else several:
            value, moved = pushed(op, arrays, some, example.params, False)
            _, wanted = transposed(op, arrays, some, example.params)
            _same(value, wanted_value, kind)
            _same(moved, wanted, kind)


def _same(found, wanted, kind):
    if type(found) is not tuple:
        found, wanted = (found,), (wanted,)
    for a, b in zip(found, wanted, strict=True):
        if a is None or b is None:
            assert not np.any(a) and not np.any(b), kind
            continue
        eps = np.finfo(np.asarray(b).dtype).eps
        scale = np.max(np.abs(b), initial=0.0, where=np.isfinite(b))
        np.testing.assert_allclose(a, b, rtol=1e4 * eps, atol=1e3 * eps * scale, err_msg=kind)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_it_is_the_rule_transposed_where_scipy_computes():
    pytest.importorskip("scipy")
    pytest.importorskip("tinygrad_sp.scipy.linalg")  # only here: other tests walk all ops that are there
    for case in _cases(scipy=True):
        test_it_is_the_rule_transposed(*case.values)
