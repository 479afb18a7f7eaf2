"""Training: optimizers, learning-rate schedules, clipping, SciPy's minimizers and a progress bar.

Parameters are Tensors in nested dicts, lists and tuples; there is no class of modules.

>>> import tinygrad_sp as tg
>>> params = {"w": tg.Tensor([1.0, -2.0]), "b": tg.Tensor(0.5)}
>>> opt = tg.optim.SGD(params, lr=0.1)
>>> loss = (params["w"] ** 2).sum() + params["b"] ** 2
>>> loss.backward()
>>> opt.step()
>>> opt.zero_grad()
>>> params["w"]
Tensor([ 0.8, -1.6], requires_grad=True)
"""

from .clipping import clip_grad_norm as clip_grad_norm
from .clipping import clip_grad_value as clip_grad_value
from .minimize import minimize as minimize
from .optimizers import SGD as SGD
from .optimizers import Adam as Adam
from .optimizers import AdamW as AdamW
from .optimizers import RMSprop as RMSprop
from .parameters import parameters as parameters
from .progress import progress as progress
from .schedules import cosine as cosine
from .schedules import exponential as exponential
from .schedules import step as step
from .schedules import warmup as warmup
