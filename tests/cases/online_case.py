"""What the tests of the online schedule share: networks, its order of the parameters, calls."""

import numpy as np
from network_case import LEVELS, pack, parameters

from lenet_c.core.engine import Net

RANDOM = np.random.default_rng(3).random((6, 16)) < 0.5
STEPS = 6
MOMENTA = np.array([0.9, 0.8, 0.5, 0.0, 0.85, 0.9])
# name -> momenta, weight decay
RULES = {
    "plain": (np.zeros(STEPS), 0.0),
    "decay": (np.zeros(STEPS), 0.01),
    "momentum": (MOMENTA, 0.0),
    "momentum at last": (MOMENTA * (np.arange(STEPS) > 3), 0.0),  # cut at 4: plain steps, then not
    "momentum and decay": (MOMENTA, 0.01),
}
TABLES = {"table 1": None, "full": np.ones((6, 16), bool), "random": RANDOM}


def network(classes=10, table="table 1", image=28, border=2, levels=LEVELS):
    """Return a network whose input is 32 x 32."""
    linked = TABLES[table]
    linked = None if linked is None else linked.T.astype(np.uint8).tobytes()
    return Net((image, image), border, classes, levels, linked)


def off_table(table):
    """Return bool (16, 6, 5, 5), True where C3 has no weight."""
    if TABLES[table] is None:
        return parameters()["c3.weight"] == 0
    return np.broadcast_to(~TABLES[table].T[:, :, None, None], (16, 6, 5, 5))


def draw(engine, classes=10, table="table 1"):
    """Return flat parameters, 0 off the table."""
    params = dict(parameters(classes))
    if TABLES[table] is not None:
        w = np.random.default_rng(4).uniform(-0.2, 0.2, (16, 6, 5, 5)).astype(np.float32)
        params["c3.weight"] = np.where(off_table(table), 0, w.astype(np.float64))
    return pack(params, network(classes, table), engine)


def aligned(engine, size, fill=0):
    """Return (size,) that begins on a cache line."""
    item = np.dtype(engine.dtype).itemsize
    raw = np.empty(size * item + 64, np.uint8)
    start = -raw.ctypes.data % 64
    array = raw[start : start + size * item].view(engine.dtype)
    array[:] = fill
    return array


def to_packed(engine, net, theta):
    packed = aligned(engine, engine.online_size(net))
    engine.online_move(net, packed, theta)
    return packed


def to_flat(engine, net, packed):
    theta = np.full(net.size, np.nan, engine.dtype)
    engine.online_move(net, packed, theta, True)
    return theta


def padding(engine, net):
    """Return bool (online_size,), True where no parameter stands."""
    return to_packed(engine, net, np.ones(net.size, engine.dtype)) == 0


def online_scores(engine, net, theta, images):
    """Return (n, 1, classes), written over NaN."""
    out = np.full((len(images), 1, net.shapes["output"][0]), np.nan, engine.dtype)
    engine.online_scores(net, to_packed(engine, net, theta), images, out)
    return out


def online_gradient(engine, net, theta, images, labels):
    """Return the sum of the images' gradients in the order of theta, the loss, the errors."""
    packed = aligned(engine, engine.online_size(net))
    weights = to_packed(engine, net, theta)
    loss, errors = engine.online_gradient(net, weights, images, labels, packed)
    return to_flat(engine, net, packed), loss, errors
