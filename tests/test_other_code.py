"""Code that nobody here wrote, differentiated by handing it Tensors.

SciPy's functions for standard arrays (``SCIPY_ARRAY_API=1``), array-api-extra, einops and opt_einsum, each checked
at first and second order against differences.  SciPy reads its switch when it is imported, so all calls are made
in a process of their own: this file run as a program.  What a library refuses stands in REFUSED, with the reason.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]

# name: (packages needed, expression in the arrays x (3, 4), v (5,), w (5,), q (1, 4))
CALLS = {
    "scipy.special.logsumexp": ("scipy", "special.logsumexp(x, axis=1)"),
    "scipy.special.softmax": ("scipy", "special.softmax(x, axis=1)"),
    "scipy.special.log_softmax": ("scipy", "special.log_softmax(x, axis=0)"),
    "scipy.stats.skew": ("scipy", "stats.skew(x, axis=1)"),
    "scipy.stats.kurtosis": ("scipy", "stats.kurtosis(x, axis=1)"),
    "scipy.stats.moment": ("scipy", "stats.moment(x, 3)"),
    "scipy.stats.zscore": ("scipy", "stats.zscore(x, axis=1)"),
    "scipy.stats.gmean": ("scipy", "stats.gmean(x, axis=0)"),
    "scipy.stats.hmean": ("scipy", "stats.hmean(x, axis=0)"),
    "scipy.stats.pmean": ("scipy", "stats.pmean(x, 3, axis=0)"),
    "scipy.stats.circmean": ("scipy", "stats.circmean(v)"),
    "scipy.stats.sem": ("scipy", "stats.sem(x, axis=0)"),
    "scipy.stats.kstat": ("scipy", "stats.kstat(v, 3)"),
    "scipy.stats.gstd": ("scipy", "stats.gstd(v)"),
    "scipy.stats.lmoment": ("scipy", "stats.lmoment(v)"),
    "scipy.stats.quantile": ("scipy", "stats.quantile(v, 0.3)"),
    "scipy.signal.hilbert": ("scipy", "signal.hilbert(v)"),
    "scipy.signal.fftconvolve": ("scipy", "signal.fftconvolve(v, w)"),
    "scipy.signal.freqz": ("scipy", "signal.freqz(v, worN=4)[1]"),
    "scipy.signal.resample": ("scipy", "signal.resample(v, 7)"),
    "scipy.integrate.trapezoid": ("scipy", "integrate.trapezoid(x, dx=0.5)"),
    "scipy.integrate.cumulative_simpson": ("scipy", "integrate.cumulative_simpson(x)"),
    "scipy.fft.fft": ("scipy", "fft.fft(v)"),
    "scipy.optimize.rosen": ("scipy", "optimize.rosen(v)"),
    "scipy.cluster.vq.whiten": ("scipy", "cluster.vq.whiten(x)"),
    "scipy Rotation": ("scipy", "spatial.transform.Rotation.from_quat(q).as_matrix()"),
    "array_api_extra.cov": ("array_api_extra", "xpx.cov(x)"),
    "array_api_extra.kron": ("array_api_extra", "xpx.kron(x, v)"),
    "array_api_extra.pad": ("array_api_extra", "xpx.pad(x, 2)"),
    "array_api_extra.apply_where": ("array_api_extra", "xpx.apply_where(x > 1, x, tg.log, tg.sqrt)"),
    "array_api_extra.at": ("array_api_extra", "xpx.at(x)[x > 1].multiply(3.0, copy=True)"),
    "einops.array_api.rearrange": ("einops", "einops.array_api.rearrange(x, 'a (b c) -> c a b', b=2)"),
    "einops.array_api.reduce": ("einops", "einops.array_api.reduce(x, 'a (b c) -> a c', 'mean', b=2)"),
    "opt_einsum.contract": ("opt_einsum", "opt_einsum.contract('ab,cb,c->a', x, x, x[:, 0])"),
}
REFUSED = {
    "scipy.stats.entropy": ("scipy", "stats.entropy(v)", "its special functions call np.asarray"),
    "scipy.stats.ttest_rel": ("scipy", "stats.ttest_rel(v, w)", "its p-value needs such a special function"),
    "scipy.signal.convolve": ("scipy", "signal.convolve(v, w)", "method='auto' measures arrays; fftconvolve works"),
    "scipy.integrate.simpson": ("scipy", "integrate.simpson(x)", "written for np.asarray only"),
    "scipy.ndimage.gaussian_filter": ("scipy", "ndimage.gaussian_filter(x, 1.0)", "compiled; a plain array goes in"),
    "scipy.fft.dct": ("scipy", "fft.dct(v)", "compiled; a plain array goes in"),
    "einops.rearrange": ("einops", "einops.rearrange(x, 'a b -> b a')", "einops.array_api is for standard arrays"),
}


def arrays():
    rng = np.random.default_rng(0)
    return {"x": rng.uniform(0.5, 2, (3, 4)), "v": rng.uniform(0.5, 2, 5), "w": rng.uniform(0.5, 2, 5)} | {
        "q": np.array([[1.0, 2.0, 3.0, 4.0]])
    }


def modules():
    """Import what is installed."""
    found = {}
    for name, package in (("xpx", "array_api_extra"), ("opt_einsum", "opt_einsum"), ("einops", "einops.array_api")):
        if importlib.util.find_spec(package.partition(".")[0]):
            found[name] = __import__(package) if name != "xpx" else importlib.import_module(package)
    if importlib.util.find_spec("scipy"):
        for part in "special stats signal integrate fft optimize cluster.vq spatial.transform ndimage".split():
            importlib.import_module(f"scipy.{part}")
            found[part.partition(".")[0]] = getattr(sys.modules["scipy"], part.partition(".")[0])
    return found


def called(expression, known):
    """Check one call; return "ok", or the error."""
    import re

    import tinygrad_sp as tg
    from tests.directional import check, leaves_of

    names = [n for n in arrays() if re.search(rf"(?<![\w.']){n}(?![\w(='])", expression)]
    values = [arrays()[n] for n in names]

    def f(*given):
        return eval(expression, {"np": np, "tg": tg, **known, **dict(zip(names, given, strict=True))})

    try:
        result = f(*map(tg.Tensor, values))
        if not any(getattr(y, "node", None) is not None for y in leaves_of(result)):
            return f"silent: {result!r:.80}"
        check(f, values)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


def main():
    import warnings

    warnings.simplefilter("ignore")
    sys.path.insert(0, str(ROOT))
    known = modules()
    wanted = {name: call[1] for name, call in {**CALLS, **REFUSED}.items() if importlib.util.find_spec(call[0])}
    print(json.dumps({name: called(expression, known) for name, expression in wanted.items()}))


@pytest.fixture(scope="module")
def results():
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    run = subprocess.run([sys.executable, __file__], capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", CALLS)
def test_differentiated(name, results):
    if name not in results:
        pytest.skip(f"{CALLS[name][0]} is not installed")
    assert results[name] == "ok"


@pytest.mark.parametrize("name", REFUSED)
def test_refused_aloud(name, results):
    if name not in results:
        pytest.skip(f"{REFUSED[name][0]} is not installed")
    assert "a Tensor that is being differentiated" in results[name] or "Tensor type unknown" in results[name]


if __name__ == "__main__":
    main()
