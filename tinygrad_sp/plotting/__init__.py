"""Pictures of functions and of gradient checks, by Matplotlib (the extra ``plot``), imported when one is drawn.

- ``curves``: a function and its derivatives, sampled and broken where they jump; needs NumPy only.
- ``figure``: axes, curves on them, and files that come out the same every time.
- ``function``, ``check``: what to draw, `plot` and `plot_gradcheck`.
"""

from .check import plot_gradcheck as plot_gradcheck
from .function import plot as plot
