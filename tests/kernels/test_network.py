"""The whole network on every build: shapes, parameters, and the forward pass."""

import numpy as np
import pytest
import reference
from kernel_case import assert_close, assert_same_bits, batch_sizes
from network_case import (
    DIGITS,
    LEVELS,
    OFF_TABLE,
    activations,
    check_gradients,
    default_theta,
    gradient,
    oracle_layers,
    oracle_scores,
    pack,
    parameters,
    pixels,
    scores,
    targets,
    unpack,
)
from numpy.linalg import norm
from numpy.testing import assert_array_equal

from lenet_c.core.engine import Net

# --- Net: shapes and parameters


def test_parameters_are_those_of_the_specification():
    shapes = {name: shape for name, (_, shape) in DIGITS.parameters.items()}
    assert list(shapes.items()) == list(reference.shapes().items())
    assert DIGITS.size == 61_750
    assert DIGITS.links == 60


@pytest.mark.parametrize("classes", [2, 10, 26, 1000])
def test_parameters_fill_the_buffer_without_gaps(classes):
    net = Net((28, 28), 2, classes, LEVELS)
    end = 0
    for offset, shape in net.parameters.values():
        assert offset == end
        end += int(np.prod(shape))
    assert end == net.size == 61_750 + 85 * (classes - 10)


def test_shapes_of_the_layers():
    assert DIGITS.shapes == {
        "input": (1, 32, 32), "c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10),
        "s4": (16, 5, 5), "c5": (120, 1, 1), "f6": (84, 1, 1), "output": (10, 1, 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("image", "border"),
    [((27, 28), 2), ((28, 27), 2), ((28, 28), 1), ((31, 40), 0), ((0, 0), 16), ((-1, 60), 20)],
)
def test_inputs_below_32_x_32_are_rejected(image, border):
    with pytest.raises(
        ValueError, match=rf"images of {image[0]} x {image[1]} .* border of {border}"
    ):
        Net(image, border, 10, LEVELS)


def test_other_bad_networks_are_rejected():
    with pytest.raises(ValueError, match="border of -1"):
        Net((40, 40), -1, 10, LEVELS)
    for classes in (1, 0, -3):
        with pytest.raises(ValueError, match="2 classes or more"):
            Net((28, 28), 2, classes, LEVELS)
    for length in (0, 95, 97):
        with pytest.raises(ValueError, match=f"table: expected 96 bytes, got {length}"):
            Net((28, 28), 2, 10, LEVELS, bytes(length))


def test_links_follow_the_table():
    assert Net((28, 28), 2, 10, LEVELS, bytes(96)).links == 0
    assert Net((28, 28), 2, 10, LEVELS, bytes([1] * 96)).links == 96
    table = reference.TABLE.T.astype(np.uint8).tobytes()
    assert Net((28, 28), 2, 10, LEVELS, table).links == 60


# --- forward


def test_forward_is_the_oracles(engine):
    for n in [*batch_sizes(engine), 37, 600]:
        got = scores(engine, pixels(n))[:, 0]
        assert_close(got, oracle_scores(n), engine.dtype, f"{n} images")


def test_every_layer_is_the_oracles(engine):
    for n in batch_sizes(engine):
        outs, layers = activations(engine, pixels(n)), oracle_layers(n)
        assert list(outs) == list(layers)
        for name, out in outs.items():
            want = layers[name].pre_activation if name == "output" else layers[name].activation
            assert_close(out, want.reshape(out.shape), engine.dtype, f"{name} of {n} images")
        assert_same_bits(outs["output"][:, :, 0, 0], scores(engine, pixels(n))[:, 0])


@pytest.mark.parametrize(
    ("height", "width", "border"),
    [(36, 40, 0), (45, 33, 0), (36, 40, 2), (45, 33, 2), (32, 47, 0), (35, 35, 0), (29, 61, 2)],
)
def test_larger_inputs_give_larger_maps(engine, height, width, border):
    net = Net((height, width), border, 10, LEVELS)
    n = 3
    images, layers = pixels(n, height, width), oracle_layers(n, height, width, border)
    outs = activations(engine, images, net)
    for name, out in outs.items():
        want = layers[name].pre_activation if name == "output" else layers[name].activation
        assert_close(out, want.reshape(out.shape), engine.dtype, name)
    _, rows, columns = net.shapes["output"]
    assert (rows, columns) == ((height + 2 * border - 28) // 4, (width + 2 * border - 28) // 4)
    positions = outs["output"].reshape(n, 10, -1).transpose(0, 2, 1)
    assert_same_bits(scores(engine, images, net), np.ascontiguousarray(positions))


def test_each_output_of_a_larger_input_is_that_of_its_crop(engine):
    """SPEC section 7, bit for bit: output [r, c] reads [4r : 4r+32, 4c : 4c+32]."""
    images = pixels(2, 43, 50)
    large = Net((43, 50), 0, 10, LEVELS)
    small = Net((32, 32), 0, 10, LEVELS)
    _, rows, columns = large.shapes["output"]
    assert (rows, columns) == (3, 5)
    got = scores(engine, images, large).reshape(2, rows, columns, 10)
    for r in range(rows):
        for c in range(columns):
            crop = np.ascontiguousarray(images[:, 4 * r : 4 * r + 32, 4 * c : 4 * c + 32])
            want = scores(engine, crop, small)[:, 0]
            assert_same_bits(np.ascontiguousarray(got[:, r, c]), want, f"output {r}, {c}")


@pytest.mark.parametrize("levels", [LEVELS, (0.0, 1.0), (1.0, -1.0)])
def test_bytes_and_numbers_give_the_same_bits(engine, levels):
    net = Net((28, 28), 2, 10, levels)
    images = pixels(37)
    images[0] = np.arange(784).reshape(28, 28) % 256  # every byte
    numbers = images.astype(engine.dtype) / np.array(255, engine.dtype)
    assert_same_bits(scores(engine, images, net), scores(engine, numbers, net))
    ours, theirs = (gradient(engine, x, targets(37), net) for x in (images, numbers))
    assert_same_bits(ours[0], theirs[0])
    assert ours[1:] == theirs[1:]
    want = reference.network_forward(parameters(), reference.to_input(images, 2, levels))
    got = scores(engine, images, net)[:, 0]
    assert_close(got, want["output"].pre_activation, engine.dtype)


@pytest.mark.parametrize("classes", [2, 3, 13, 47])
def test_any_number_of_classes(engine, classes):
    net = Net((28, 28), 2, classes, LEVELS)
    params, n = parameters(classes), engine.lanes + 1
    theta, labels = pack(params, net, engine), targets(n, classes)
    x = reference.to_input(pixels(n), 2, LEVELS)
    want = reference.network_forward(params, x)["output"].pre_activation
    assert_close(scores(engine, pixels(n), net, theta)[:, 0], want, engine.dtype)
    loss, gradients = reference.network_loss_and_gradients(params, x, labels)
    got, total, _ = gradient(engine, pixels(n), labels, net, theta)
    check_gradients(got, gradients, engine.dtype, net)
    assert_close(total, n * loss, engine.dtype, "loss")


def test_another_table(engine):
    """No link at all is the oracle without C3's weights; all 96 are Table I and some zeros."""
    params = dict(parameters())
    net = Net((28, 28), 2, 10, LEVELS, bytes(96))
    want = reference.network_forward(
        params | {"c3.weight": np.zeros((16, 6, 5, 5))}, reference.to_input(pixels(3))
    )
    got = scores(engine, pixels(3), net, pack(params, net, engine))[:, 0]
    assert_close(got, want["output"].pre_activation, engine.dtype)
    got = unpack(gradient(engine, pixels(3), targets(3), net)[0])
    assert_array_equal(got["c3.weight"], 0)
    assert_array_equal(got["c1.weight"], 0)
    assert norm(got["c3.bias"]) > 0

    full = Net((28, 28), 2, 10, LEVELS, bytes([1] * 96))  # zeros where Table I has none
    assert_close(scores(engine, pixels(3), full), scores(engine, pixels(3)), engine.dtype)
    got = unpack(gradient(engine, pixels(3), targets(3), full)[0])
    linked, off = got["c3.weight"][~OFF_TABLE], got["c3.weight"][OFF_TABLE]
    want = unpack(gradient(engine, pixels(3), targets(3))[0])["c3.weight"][~OFF_TABLE]
    assert_close(linked, want, engine.dtype)
    assert norm(off) > 0.1 * norm(linked)


def test_weights_off_the_table_are_not_read(engine):
    theta = default_theta(engine)
    want, want_gradient = scores(engine, pixels(9)), gradient(engine, pixels(9), targets(9))[0]
    unpack(theta)["c3.weight"][OFF_TABLE] = np.nan
    assert_same_bits(scores(engine, pixels(9), theta=theta), want)
    got = gradient(engine, pixels(9), targets(9), theta=theta)[0]
    assert_same_bits(got, want_gradient)


def test_sizes_beyond_31_bits():
    """Offsets of parameters are counted in 64 bits; sides whose sum wraps are refused."""
    classes = 30_000_000
    assert Net((28, 28), 2, classes, LEVELS).size == DIGITS.size + 85 * (classes - 10)
    rbf = Net((28, 28), 2, classes, LEVELS, loss="map")
    assert rbf.size == rbf.trained + 84 * classes
    side, border = 2**31 - 2, 2**30 + 17  # side + 2 border = 32 modulo 2^32
    with pytest.raises(ValueError, match=f"images of {side} x {side} with a border of {border}"):
        Net((side, side), border, 10, LEVELS)
