"""JAX as a contestant: one jitted step a batch, and a scan over updates from single images."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from contestants import TABLE, A, S, prepare
from jax import lax

A, S = float(A), float(S)
MASK = np.float32(TABLE)[:, :, None, None]
DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def _squash(u):
    return A * jnp.tanh(S * u)


def batch_network(p, x):
    """Return the logits of x (n, 1, 32, 32): XLA's convolutions, channels last."""
    y = x.reshape(-1, 32, 32, 1)
    for c, s in (("c1", "s2"), ("c3", "s4")):
        w = p[f"{c}.weight"] * MASK if c == "c3" else p[f"{c}.weight"]
        w = w.transpose(2, 3, 1, 0)
        u = lax.conv_general_dilated(y, w, (1, 1), "VALID", dimension_numbers=DIMENSIONS)
        y = _squash(u + p[f"{c}.bias"])
        n, rows, columns, maps = y.shape
        total = y.reshape(n, rows // 2, 2, columns // 2, 2, maps).sum((2, 4))
        y = _squash(total * p[f"{s}.coefficient"] + p[f"{s}.bias"])
    return _full_layers(p, y.transpose(0, 3, 1, 2).reshape(-1, 400))


def single_network(p, x):
    """Return the logits (1, 10) of x (1, 1, 32, 32): im2col and plain matrix products.

    In a scan XLA's convolutions are several times slower than this.
    """
    y = x[0]
    for c, s in (("c1", "s2"), ("c3", "s4")):
        w = p[f"{c}.weight"] * MASK if c == "c3" else p[f"{c}.weight"]
        maps, side = len(y), y.shape[1] - 4
        taps = [y[:, u : u + side, v : v + side] for u in range(5) for v in range(5)]
        columns = jnp.stack(taps, 1).reshape(25 * maps, side * side)
        y = w.reshape(len(w), -1) @ columns + p[f"{c}.bias"][:, None]
        y = _squash(y).reshape(-1, side, side)
        total = y[:, ::2, ::2] + y[:, 1::2, ::2] + y[:, ::2, 1::2] + y[:, 1::2, 1::2]
        y = _squash(total * p[f"{s}.coefficient"][:, None, None] + p[f"{s}.bias"][:, None, None])
    return _full_layers(p, y.reshape(1, 400))


def _full_layers(p, y):
    y = _squash(y @ p["c5.weight"].reshape(120, 400).T + p["c5.bias"])
    y = _squash(y @ p["f6.weight"].T + p["f6.bias"])
    return y @ p["output.weight"].T + p["output.bias"]


def _step(network, rate, momentum, state, inputs, targets):
    def loss(params):
        log_p = jax.nn.log_softmax(network(params, inputs))
        return -jnp.take_along_axis(log_p, targets[:, None], 1).mean()

    params, velocity = state
    gradient = jax.grad(loss)(params)
    if momentum:
        gradient = velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, gradient)
    return jax.tree.map(lambda w, g: w - rate * g, params, gradient), velocity


class Jitted:
    """JAX, a step or a prediction jitted, the state donated."""

    name = "jax"
    packages = ("jax", "jaxlib")
    works, single = ("train", "predict"), None

    def __init__(self, params, threads):
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_cpu_enable_async_dispatch", threads > 1)  # the faster way each
        self.params = {name: jnp.array(value) for name, value in params.items()}
        self.steps = {}

    def _jitted(self, rate, momentum):
        """Return the update: state, inputs, targets -> state."""
        step = partial(_step, batch_network, rate, momentum)
        return self.steps.setdefault((rate, momentum), jax.jit(step, donate_argnums=0))

    def _state(self, momentum):
        velocity = jax.tree.map(jnp.zeros_like, self.params) if momentum else {}
        return self.params, velocity

    def predicting(self, images):
        x = jnp.asarray(prepare(images))
        predict = jax.jit(lambda p, x: jax.nn.softmax(batch_network(p, x)))
        return lambda: np.asarray(predict(self.params, x))

    def training(self, images, labels, batch, rate, momentum, epochs=1):
        x, labels = prepare(images), labels.astype(np.int32)
        cuts = [slice(i, i + batch) for i in range(0, len(x), batch)]
        batches = [(jnp.asarray(x[cut]), jnp.asarray(labels[cut])) for cut in cuts] * epochs
        step = self._jitted(rate, momentum)
        self.params, velocity = self._state(momentum)

        def run():
            nonlocal velocity
            state = self.params, velocity
            for inputs, targets in batches:
                state = step(state, inputs, targets)
            self.params, velocity = jax.block_until_ready(state)

        return run

    def parameters(self):
        return {name: np.array(value) for name, value in self.params.items()}


class Scan(Jitted):
    """JAX, a scan over updates from one image each."""

    name = "jax-scan"
    works, single = ("train",), True

    def training(self, images, labels, batch, rate, momentum, epochs=1):
        x = jnp.asarray(prepare(images)[:, None])
        labels = jnp.asarray(labels.astype(np.int32)[:, None])
        step = partial(_step, single_network, rate, momentum)

        @partial(jax.jit, donate_argnums=0)
        def scan(state, x, labels):
            return lax.scan(lambda state, pair: (step(state, *pair), None), state, (x, labels))[0]

        self.params, velocity = self._state(momentum)

        def run():
            nonlocal velocity
            for _ in range(epochs):
                self.params, velocity = scan((self.params, velocity), x, labels)
            jax.block_until_ready(self.params)

        return run


CONTESTANTS = (Jitted, Scan)
