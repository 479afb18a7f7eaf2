"""JAX on the CPU in double precision where the data are: op by op, and compiled as a whole.

Constants are arguments of what is compiled, and the loss is a result: otherwise the compiler would fold them away.
"""

from __future__ import annotations

from typing import Any

from ..cases import Array, Case
from .base import Framework, Runner


class Jax(Framework):
    name = "jax"
    imports = "import jax"
    on_numpy = False

    def __init__(self) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        jnp = jax.numpy
        self.jax: Any = jax
        self.exp, self.sin, self.tanh, self.sqrt, self.sum = jnp.exp, jnp.sin, jnp.tanh, jnp.sqrt, jnp.sum
        self.softplus, self.relu, self.log_softmax = jax.nn.softplus, jax.nn.relu, jax.nn.log_softmax
        self.logsumexp, self.solve = jax.nn.logsumexp, jnp.linalg.solve

    def variable(self, array: Array) -> Any:
        return self.jax.numpy.asarray(array)

    constant = variable

    def compiled(self, function: Any) -> Any:
        """Op by op: nothing is compiled."""
        return function

    def conv2d(self, x: Any, w: Any) -> Any:
        return self.jax.lax.conv(x, w, (1, 1), "VALID")

    def max_pool2d(self, x: Any, size: int) -> Any:
        window = (1, 1, size, size)
        lax = self.jax.lax
        return lax.reduce_window(x, -float("inf"), lax.max, window, window, "VALID")

    def gradient(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)
        positions = tuple(range(len(leaves)))
        function = self.jax.value_and_grad(lambda *arrays: case.loss(self, *arrays), positions)
        function = self.compiled(function)
        ready = self.jax.block_until_ready
        return lambda: list(ready(function(*leaves, *constants))[1])

    def hessian(self, case: Case) -> Runner:
        (x,), _ = self.arguments(case)
        function = self.compiled(self.jax.hessian(lambda x: case.loss(self, x)))
        return lambda: [self.jax.block_until_ready(function(x))]

    def hvp(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)
        vectors = [self.constant(v) for v in case.vectors]
        jax = self.jax

        def product(leaves: Any, constants: Any, vectors: Any) -> Any:
            gradient = jax.grad(lambda leaves: case.loss(self, *leaves, *constants))
            return jax.jvp(gradient, (leaves,), (vectors,))[1]

        function = self.compiled(product)
        return lambda: list(jax.block_until_ready(function(leaves, constants, vectors)))

    def jvp(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)
        vectors = [self.constant(v) for v in case.vectors]
        jax = self.jax

        def push(leaves: Any, constants: Any, vectors: Any) -> Any:
            return jax.jvp(lambda *leaves: case.loss(self, *leaves, *constants), leaves, vectors)

        function = self.compiled(push)
        return lambda: [jax.block_until_ready(function(leaves, constants, vectors))[1]]


class JaxCompiled(Jax):
    name = "jax-jit"
    eager = False

    def compiled(self, function: Any) -> Any:
        return self.jax.jit(function)
