"""SciPy's functions with their derivatives, under SciPy's names: ``special``, ``linalg``, ``signal``.

The ufuncs of ``scipy.special`` may be called by their own names, ``scipy.special.erf(t)``: NumPy's protocol leads
here.  SciPy's other functions make plain arrays of their arguments and so can't take a Tensor; call those of
``tinygrad_sp.scipy`` instead.  SciPy is imported when one of the three modules is, not before.

>>> import tinygrad_sp as tg
>>> from tinygrad_sp.scipy import linalg
>>> x = tg.Tensor([[0.0, 1.0], [0.0, 0.0]])
>>> tg.sum(linalg.expm(x)).item()
3.0
"""
