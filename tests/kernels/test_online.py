"""The online schedule, one image at a time: the same bits as in blocks, gradients, arguments."""

import numpy as np
import pytest
import reference
from kernel_case import assert_close, assert_same_bits
from network_case import (
    DIGITS,
    LEVELS,
    OFF_TABLE,
    check_gradients,
    default_theta,
    gradient,
    oracle_gradients,
    oracle_scores,
    pixels,
    scores,
    targets,
    unpack,
)
from numpy.testing import assert_array_equal
from online_case import (
    TABLES,
    aligned,
    draw,
    network,
    off_table,
    online_gradient,
    online_scores,
    padding,
    to_flat,
    to_packed,
)

from lenet_c.core.engine import Net

CLASSES = pytest.mark.parametrize("classes", [2, 10, 16, 17, 33])
ANY_TABLE = pytest.mark.parametrize("table", list(TABLES))


# --- the order of the parameters


@CLASSES
def test_moving_there_and_back_loses_nothing(engine, classes):
    net = network(classes)
    theta = np.arange(1, net.size + 1).astype(engine.dtype)  # float32 holds them exactly
    packed = to_packed(engine, net, theta)
    assert_same_bits(to_flat(engine, net, packed), theta)
    assert np.count_nonzero(packed) == net.size
    assert_array_equal(np.sort(packed[packed != 0]), theta)


def test_moving_does_not_touch_the_padding(engine):
    packed = aligned(engine, engine.online_size(DIGITS), np.nan)
    engine.online_move(DIGITS, packed, default_theta(engine))
    assert_array_equal(np.isnan(packed), padding(engine, DIGITS))


def test_every_network_has_an_order_of_whole_vectors(engine):
    for height, width in [(32, 32), (33, 32), (36, 36), (60, 45)]:
        net = Net((height, width), 0, 10, LEVELS)
        assert engine.online_size(net) > net.size
        assert engine.online_size(net) % 16 == 0


def test_a_few_images_are_preferred_online(engine):
    """One image at a time up to half of the lanes; never with a single lane."""
    preferred = [n for n in range(1, 70) if engine.prefers_online(DIGITS, n)]
    assert preferred == list(range(1, engine.lanes // 2 + 1))


def test_small_batches_are_preferred_online(engine):
    """One image always; up to half of the lanes, with full tables 5/8."""
    for table, parts in [("table 1", 4), ("random", 4), ("full", 5)]:
        net = network(table=table)
        preferred = [n for n in range(1, 70) if engine.prefers_online_training(net, n)]
        assert preferred == list(range(1, max(1, parts * engine.lanes // 8) + 1)), table


# --- forward


@CLASSES
@ANY_TABLE
def test_scores_are_those_in_blocks(engine, classes, table):
    net, theta = network(classes, table), draw(engine, classes, table)
    images = pixels(engine.lanes + 1)
    numbers = images.astype(engine.dtype) / np.array(255, engine.dtype)
    want = scores(engine, images, net, theta)
    assert_same_bits(online_scores(engine, net, theta, images), want)
    assert_same_bits(online_scores(engine, net, theta, numbers), want)


@pytest.mark.parametrize("levels", [(-0.1, 1.175), (0.0, 1.0), (1.0, -1.0)])
@pytest.mark.parametrize(("image", "border"), [(28, 2), (30, 1), (32, 0)])
def test_scores_at_any_border_and_levels(engine, image, border, levels):
    net, theta = network(image=image, border=border, levels=levels), default_theta(engine)
    images = pixels(4, image, image)
    images[0].flat = np.arange(image * image) % 256  # every byte
    want = scores(engine, images, net, theta)
    assert_same_bits(online_scores(engine, net, theta, images), want)
    numbers = images.astype(engine.dtype) / np.array(255, engine.dtype)
    assert_same_bits(online_scores(engine, net, theta, numbers), want)


def test_scores_are_the_oracles(engine):
    got = online_scores(engine, DIGITS, default_theta(engine), pixels(37))[:, 0]
    assert_close(got, oracle_scores(37), engine.dtype)


def test_an_image_does_not_depend_on_the_one_before(engine):
    theta = default_theta(engine)
    numbers = pixels(5).astype(engine.dtype) / np.array(255, engine.dtype)
    want = online_scores(engine, DIGITS, theta, numbers)
    numbers[2, 14, 14] = np.nan
    got = online_scores(engine, DIGITS, theta, numbers)
    assert np.isnan(got[2]).all()
    others = np.arange(5) != 2
    assert_same_bits(got[others], want[others])
    online_scores(engine, DIGITS, np.full_like(theta, np.nan), numbers)  # NaN in the workspace
    assert_same_bits(online_scores(engine, DIGITS, theta, numbers)[others], want[others])


def test_enormous_numbers_saturate_as_in_blocks(engine):
    for name, (offset, _) in DIGITS.parameters.items():
        infinite = name.endswith("bias") and name != "output.bias"
        for value in [1e30, -1e30] + ([np.inf, -np.inf] if infinite else []):
            theta = default_theta(engine)
            theta[offset] = value
            want = scores(engine, pixels(2), theta=theta)
            got = online_scores(engine, DIGITS, theta, pixels(2))
            assert_same_bits(got, want, f"{name} {value}")


# --- gradients


def test_gradients_are_the_oracles(engine):
    for n in [1, 3, 37]:
        got, loss, errors = online_gradient(
            engine, DIGITS, default_theta(engine), pixels(n), targets(n)
        )
        mean, want = oracle_gradients(n)
        check_gradients(got, {name: n * value for name, value in want.items()}, engine.dtype)
        assert_close(loss, n * mean, engine.dtype, f"loss of {n} images")
        assert errors == np.sum(oracle_scores(n).argmax(1) != targets(n))


@CLASSES
@ANY_TABLE
def test_gradients_are_those_in_blocks(engine, classes, table):
    net, theta = network(classes, table), draw(engine, classes, table)
    n = 5
    images, labels = pixels(n), targets(n, classes)
    got, loss, errors = online_gradient(engine, net, theta, images, labels)
    block, block_loss, block_errors = gradient(engine, images, labels, net, theta)
    for name, value in unpack(got, net).items():
        assert_close(value, n * unpack(block, net)[name].astype(float), engine.dtype, name)
    assert_array_equal(unpack(got, net)["c3.weight"][off_table(table)], 0)
    assert_close(loss, block_loss, "float64", "loss")
    assert errors == block_errors


def test_gradients_are_derivatives_of_the_loss(float64_engine):
    theta, images, labels = default_theta(float64_engine), pixels(2), targets(2)
    got = online_gradient(float64_engine, DIGITS, theta, images, labels)[0]
    rng = np.random.default_rng(0)

    def cost():
        return online_gradient(float64_engine, DIGITS, theta, images, labels)[1]

    for name, (offset, shape) in DIGITS.parameters.items():
        indices = np.arange(np.prod(shape))
        if name == "c3.weight":
            indices = indices[~OFF_TABLE.ravel()]
        indices = offset + rng.choice(indices, min(6, len(indices)), replace=False)
        numeric = reference.numeric_gradient(cost, theta, indices)
        assert_close(got[indices], numeric, "central differences", name)


def test_gradients_are_added(engine):
    """In the order of the images: in one call or in several the same bits."""
    images, labels = pixels(5), targets(5)
    packed = to_packed(engine, DIGITS, default_theta(engine))
    whole, parts = (aligned(engine, len(packed)) for _ in range(2))
    loss, errors = engine.online_gradient(DIGITS, packed, images, labels, whole)
    first = engine.online_gradient(DIGITS, packed, images[:2], labels[:2], parts)
    second = engine.online_gradient(DIGITS, packed, images[2:], labels[2:], parts)
    assert_same_bits(parts, whole)
    assert_array_equal(whole[padding(engine, DIGITS)], 0)
    assert_close(first[0] + second[0], loss, "float64")
    assert first[1] + second[1] == errors
    assert_same_bits(to_flat(engine, DIGITS, packed), default_theta(engine))


@CLASSES
def test_loss_and_errors_of_single_images(engine, classes):
    """To the last bit: the scores are the same, and the sums of the softmax have one order."""
    net, theta = network(classes), draw(engine, classes)
    for image, label in zip(pixels(8)[:, None], targets(8, classes)[:, None], strict=True):
        got = online_gradient(engine, net, theta, image, label)
        assert got[1:] == gradient(engine, image, label, net, theta)[1:]


# --- no images, bad arguments


def test_no_images(engine):
    theta, none = default_theta(engine), np.zeros(0, np.int64)
    assert online_scores(engine, DIGITS, theta, pixels(0)).shape == (0, 1, 10)
    got, *result = online_gradient(engine, DIGITS, theta, pixels(0), none)
    assert result == [0, 0]
    assert_array_equal(got, 0)


def bad_packed(engine):
    """Yield arrays that are not in the order of the online schedule."""
    size = engine.online_size(DIGITS)
    other = np.float32 if engine.dtype == "float64" else np.float64
    shifted = aligned(engine, size + 1)[1:]
    assert shifted.ctypes.data % 64
    yield shifted
    yield aligned(engine, size - 1)
    yield aligned(engine, size + 16)
    yield aligned(engine, size).astype(other)
    yield aligned(engine, size)[None]
    yield aligned(engine, 2 * size)[::2]
    yield default_theta(engine)


def test_bad_packed_parameters(engine):
    theta, images, labels = default_theta(engine), pixels(2), targets(2)
    good = to_packed(engine, DIGITS, theta)
    out = np.zeros((2, 1, 10), engine.dtype)
    for bad in bad_packed(engine):
        for back in (False, True):
            with pytest.raises(ValueError, match=r"^packed: "):
                engine.online_move(DIGITS, bad, theta, back)
        with pytest.raises(ValueError, match=r"^packed: "):
            engine.online_scores(DIGITS, bad, images, out)
        with pytest.raises(ValueError, match=r"^packed: "):
            engine.online_gradient(DIGITS, bad, images, labels, good)
        with pytest.raises(ValueError, match=r"^gradient: "):
            engine.online_gradient(DIGITS, good, images, labels, bad)


def test_read_only_arrays_will_do_where_nothing_is_written(engine):
    theta, images, labels = default_theta(engine), pixels(2), targets(2)
    packed, out = to_packed(engine, DIGITS, theta), np.zeros((2, 1, 10), engine.dtype)
    frozen = [theta, images, labels, packed]
    for array in frozen:
        array.flags.writeable = False
    engine.online_scores(DIGITS, packed, images, out)
    assert_same_bits(out, scores(engine, images))
    engine.online_gradient(DIGITS, packed, images, labels, aligned(engine, len(packed)))
    engine.online_move(DIGITS, aligned(engine, len(packed)), theta)
    with pytest.raises(ValueError, match=r"^theta: .* writable"):
        engine.online_move(DIGITS, packed, theta, True)
    with pytest.raises(ValueError, match=r"^packed: .* writable"):
        engine.online_move(DIGITS, packed, theta)
    with pytest.raises(ValueError, match=r"^gradient: .* writable"):
        engine.online_gradient(DIGITS, packed, images, labels, packed)
    out.flags.writeable = False
    with pytest.raises(ValueError, match=r"^out: .* writable"):
        engine.online_scores(DIGITS, packed, images, out)


@pytest.mark.parametrize("label", [-1, 10, 2**40])
def test_labels_out_of_range(engine, label):
    packed = to_packed(engine, DIGITS, default_theta(engine))
    sums = aligned(engine, len(packed))
    with pytest.raises(ValueError, match=r"^labels: must be 0\.\.9"):
        engine.online_gradient(DIGITS, packed, pixels(2), np.array([3, label]), sums)
    assert not sums.any()
