"""What the tests of the one-image schedule share: networks, its order of the parameters, calls."""

import numpy as np
from network_case import LEVELS, pack, parameters
from pass_case import train
from variant_case import images_of, labels_of, model_on

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


def _others():
    """Yield the arguments of networks of other sizes: rows, columns, classes, table, the rest."""
    subsampling = ("trainable", "average", "max", "lp", "stochastic")
    tables, classes = list(TABLES), (2, 10, 17, 40)
    curves = [("scaled_tanh", 1.7159, 2 / 3, 0.0), ("tanh", 0.5, 0.5, 0.5), ("relu", 1.0, 1.0, 0.0)]
    number = 0
    for k in range(1, 6):
        least = 4 * k + 12
        for rows, columns in [(0, 0), (1, 0), (2, 3), (3, 1), (4, 0), (9, 14)]:
            kind = subsampling[number % 5]
            fields = {
                "c5_kernel": k,
                "subsampling": kind,
                "p": 3.0,
                "activation": curves[1 + number % 2 if kind == "stochastic" else number % 3],
                "head": "global_average" if number % 7 == 3 else "full",
                "output_activation": number % 4 == 1,
            }
            yield least + rows, least + columns, classes[number % 4], tables[number % 3], fields
            number += 1
    yield 32, 32, 17, "full", {"c5_kernel": 4, "subsampling": "max"}  # four outputs
    yield 64, 80, 10, "table 1", {}
    yield 32, 33, 10, "table 1", {}


OTHER_NETS = {f"{h} x {w}, {c}, {t}, {f}": (h, w, c, t, f) for h, w, c, t, f in _others()}


def other_net(name):
    """Return the network of one of OTHER_NETS, and the name of its table."""
    height, width, classes, table, fields = OTHER_NETS[name]
    linked = TABLES[table]
    linked = None if linked is None else linked.T.astype(np.uint8).tobytes()
    return Net((height, width), 0, classes, LEVELS, linked, **fields), table


def random_theta(engine, net, table, seed=5):
    """Return flat parameters, 0 off the table (a name, or 6 x 16)."""
    theta = np.random.default_rng(seed).uniform(-0.2, 0.2, net.size).astype(engine.dtype)
    offset, shape = net.parameters["c3.weight"]
    theta[offset : offset + np.prod(shape)].reshape(shape)[off_table(table)] = 0
    return theta


def off_table(table):
    """Return bool (16, 6, 5, 5), True where C3 has no weight. table: a name, or bool (6, 16)."""
    if isinstance(table, np.ndarray):
        return np.broadcast_to(~table.T[:, :, None, None], (16, 6, 5, 5))
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


def no_scores(engine, net, images):
    classes, rows, columns = net.shapes["output"]
    return np.full((len(images), rows * columns, classes), np.nan, engine.dtype)


def block_scores(engine, net, theta, images):
    """Return (n, positions, classes), written over NaN."""
    out = no_scores(engine, net, images)
    engine.scores(net, theta, images, out, 1)
    return out


def online_scores(engine, net, theta, images):
    """Return (n, positions, classes), written over NaN."""
    out = no_scores(engine, net, images)
    engine.online_scores(net, to_packed(engine, net, theta), images, out)
    return out


def online_gradient(engine, net, theta, images, labels):
    """Return the sum of the images' gradients in the order of theta, the loss, the errors."""
    packed = aligned(engine, engine.online_size(net))
    weights = to_packed(engine, net, theta)
    loss, errors = engine.online_gradient(net, weights, images, labels, packed)
    return to_flat(engine, net, packed), loss, errors


class Presented:
    """Parameters of a kind of model, trained by an engine on images in an order."""

    def __init__(self, engine, kind, rule):
        model = model_on(engine, kind)
        self.engine, self.net, self.views_of = engine, model._parameters.net, model._parameters
        self.images, self.labels = images_of(kind, 19), labels_of(kind, 19)
        self.order = np.array([3, 4, 4, 18, 0, 7])
        self.theta = model._parameters.theta.copy()
        self.start = self.theta.astype(np.float64)
        self.state1, self.state2 = np.zeros_like(self.theta), np.zeros_like(self.theta)
        self.momentum, self.rate, decay = 0.0, 1e-3, 0.0
        if rule == "momentum and decay":
            self.momentum, decay = 0.9, 0.01
        if rule == "adamw":
            self.momentum, decay = 0.9, 0.1
        if rule == "sdlm":
            self.state2[:] = np.random.default_rng(4).uniform(0, 2e-3, len(self.theta))
            self.state2[self.net.trained :] = 0
        name = rule if rule in ("adamw", "sdlm") else "sgd"
        self.rule = {"rule": name, "weight_decay": decay, "beta2": 0.99, "epsilon": 1e-3}

    def views(self):
        return self.views_of.views(self.theta)

    def steps(self, batch):
        n = len(self.order) // batch
        return np.full(n, self.rate), np.full(n, self.momentum)

    def train(self, batch, **options):
        """Return loss and errors of one call."""
        return train(
            self.engine, self.net, self.theta, self.images, self.labels, None, self.order, batch,
            self.rule, *self.steps(batch), self.state1, self.state2, step=40, draw=5, **options,
        )  # fmt: skip

    def train_in_blocks(self, batch, draws=None):
        """Return loss and errors; the gradients are those of blocks, one call an update."""
        total, wrong = 0.0, 0
        for i in range(len(self.order) // batch):
            g = np.zeros_like(self.theta)
            order = self.order[i * batch : (i + 1) * batch]
            loss, errors = train(
                self.engine, self.net, self.theta, self.images, self.labels, None, order, batch,
                gradient=g, step=40 + i, draw=5, draws=draws,
            )  # fmt: skip
            self.engine.update(
                self.net, self.theta, g, self.rule, self.rate, self.momentum, self.state1,
                self.state2, 40 + i,
            )  # fmt: skip
            total, wrong = total + loss, wrong + errors
        return total, wrong
