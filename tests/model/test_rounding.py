"""The floating-point environment of the caller: left as found, and the pool's threads follow it."""

import contextlib
import ctypes
import ctypes.util
import functools
import os
import platform
import sys

import numpy as np
import pytest
from numerics_case import model_on
from places import CASES
from thread_case import run, sample

from lenet_c import LeNet5
from lenet_c.network.scores import scores_of

glibc_x86_64 = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="reads MXCSR by glibc's fenv"
)
MODES = {"nearest": 0, "down": 0x2000, "up": 0x4000, "zero": 0x6000, "flush": 0x8040}
CONTROL = 0xFFC0  # of MXCSR: all but what has happened so far


@functools.cache
def libm():
    return ctypes.CDLL(ctypes.util.find_library("m"))


def mxcsr():
    environment = (ctypes.c_uint32 * 8)()
    assert not libm().fegetenv(environment)
    return environment[7] & CONTROL


@contextlib.contextmanager
def mode(name):
    """Run with another rounding, or with denormals flushed to zero and taken for zero."""
    environment, before = (ctypes.c_uint32 * 8)(), (ctypes.c_uint32 * 8)()
    libm().fegetenv(before)
    libm().fegetenv(environment)
    environment[7] |= MODES[name]
    libm().fesetenv(environment)
    try:
        yield
    finally:
        libm().fesetenv(before)


def everything(model):
    """Call all that computes; return the bits of what it gave."""
    images, labels = sample(40)
    found = [model.predict_proba(images[0]), model.predict_proba(images, threads=2)]
    found += [
        model.scan(np.tile(images[0], (3, 3)), threads=2),
        *model.activations(images).values(),
    ]
    found += model.loss_and_gradients(images, labels)[1].values()
    found += [parts["input"] for parts in model.sensitivities(images[:2], labels[:2]).values()]
    other = LeNet5.__new__(LeNet5)
    other.__setstate__(model.__getstate__())
    other._parameters.engine = model._parameters.engine
    other.fit(images, labels, epochs=1, threads=2, progress=False)
    other.fit(images, labels, epochs=1, batch_size=1, learning_rate=0.01, progress=False)
    other.fit(images, labels, epochs=1, augment="elastic", threads=2, progress=False)
    if model.config.output == "rbf":
        other.fit(images[:8], labels[:8], epochs=1, optimizer="sdlm", progress=False)
    return [a.tobytes() for a in (*found, *other.parameters().values())]


@glibc_x86_64
@pytest.mark.parametrize("preset", ["softmax", "lecun1998"])
@pytest.mark.parametrize("name", MODES)
def test_rounding_and_flushing_are_left_as_found(engine, preset, name):
    model, before = model_on(engine, preset), mxcsr()
    with mode(name):
        inside = mxcsr()
        assert inside == before | MODES[name]
        under = everything(model)
        assert mxcsr() == inside
    assert mxcsr() == before
    assert (under == everything(model)) == (name in ("nearest", "flush"))


@glibc_x86_64
@pytest.mark.parametrize("name", MODES)
def test_the_threads_of_the_pool_compute_as_their_caller(engine, name):
    """They were started under another mode, which would be theirs for ever."""
    images = sample()[0]
    model = model_on(engine, "mnist28", 1e-15 if engine.dtype == "float32" else 1e-140)
    first = {k: a for k, a in model.parameters().items() if k.startswith("c1")}
    model.set_parameters({k: a * (1e-25 if engine.dtype == "float32" else 1e-170)
                          for k, a in first.items()})  # fmt: skip
    model.predict_proba(images, threads=4)
    usual, parameters = model.activations(images)["c1"], model._parameters
    assert 0 < usual.max() < np.finfo(engine.dtype).smallest_normal
    with mode(name):
        one = scores_of(parameters, images, 1, parameters.weights)
        four = scores_of(parameters, images, 4, parameters.weights)
        assert one.tobytes() == four.tobytes()
        assert (model.activations(images)["c1"].max() == 0) == (name == "flush")


POOL = """
import numpy as np
import test_rounding as case
from lenet_c import LeNet5
from lenet_c.core import choose
images = case.sample()[0]
model = case.model_on(choose.default())
want = model.predict_proba(images, threads=1)
with case.mode({name!r}):
    model.predict_proba(images, threads=4)
    odd = model.predict_proba(images, threads=1)
assert model.predict_proba(images, threads=4).tobytes() == want.tobytes()
assert case.mxcsr() == 0x1f80, hex(case.mxcsr())
print((odd == want).all())
"""


@glibc_x86_64
@pytest.mark.parametrize("name", MODES)
def test_a_pool_that_was_started_under_another_mode(name):
    """A caller who rounds otherwise gets other last digits, and nobody after him does."""
    path = os.pathsep.join(
        [os.path.dirname(__file__), str(CASES), os.environ.get("PYTHONPATH", "")]
    )
    same = run(POOL.format(name=name), PYTHONPATH=path)
    assert same == f"{name in ('nearest', 'flush')}\n"
