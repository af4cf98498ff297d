"""One call of the kernels' training, with a Pass of its own."""


def train(
    engine, net, theta, images, labels, weight, order, batch, rule=None, rates=None, momenta=None,
    state1=None, state2=None, gradient=None, step=0, loss=0.0, **options,
):  # fmt: skip
    """Return the loss and the wrong labels of `Engine.train`; the arguments are also a `Pass`'s."""
    states = rule, state1, state2, gradient
    presented = engine.prepare(net, theta, images, labels, weight, *states, **options)
    return engine.train(presented, order, batch, rates, momenta, step, loss)
