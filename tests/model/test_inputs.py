"""What users may hand in, in every form."""

import numpy as np
import pytest
from input_case import assert_same, digits
from numpy.testing import assert_array_equal

from lenet_c import LeNet5


@pytest.fixture(scope="module")
def model():
    return LeNet5(seed=4)


# --- forms of images


class Wrapped:
    """Something that is no array and knows how to become one."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)


class Subclass(np.ndarray):
    pass


def strided(images):
    wide = np.full((2 * len(images), 28, 3, 28, 2), 77, images.dtype)
    wide[::2, :, 1, :, 0] = images
    return wide[::2, :, 1, :, 0]


def locked(images):
    images = images.copy()
    images.flags.writeable = False
    return images


def unaligned(images):
    raw = np.zeros(images.nbytes + 1, np.uint8)
    odd = raw[1:].view(images.dtype).reshape(images.shape)
    odd[...] = images
    return odd


FORMS = {
    "(n, 784)": lambda x: x.reshape(-1, 784),
    "(n, 1, 28, 28)": lambda x: x[:, None],
    "(n, 32, 32)": lambda x: np.pad(x, ((0, 0), (2, 2), (2, 2))),
    "(n, 1024)": lambda x: np.pad(x, ((0, 0), (2, 2), (2, 2))).reshape(-1, 1024),
    "(n, 1, 32, 32)": lambda x: np.pad(x, ((0, 0), (2, 2), (2, 2)))[:, None],
    "list of lists": lambda x: x.tolist(),
    "list of arrays": list,
    "tuple": tuple,
    "__array__": Wrapped,
    "memoryview": memoryview,
    "subclass": lambda x: x.view(Subclass),
    "read-only": locked,
    "bytes": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "Fortran order": np.asfortranarray,
    "negative strides": lambda x: x[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "transposed": lambda x: x.transpose(0, 2, 1).copy().transpose(0, 2, 1),
    "strided": strided,
    "strided (n, 784)": lambda x: np.repeat(x.reshape(-1, 784), 2, axis=1)[:, ::2],
}
INTEGERS = ["u2", "u4", "u8", "i2", "i4", "i8", ">u2", ">i4", ">i8"]


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(model, form, dtype):
    images = digits()[0]
    images = images if dtype == "uint8" else images.astype(dtype) / 255
    want = model.predict_proba(images)
    given = FORMS[form](images)
    assert_same(model.predict_proba(given), want)
    assert_same(model.predict(given), want.argmax(1))


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4", ">f8", ">i8"])
def test_memory_of_any_alignment_and_byte_order(model, dtype):
    images = digits()[0].astype(dtype)
    images = images / 255 if images.dtype.kind == "f" else images
    images = unaligned(images.astype(dtype))
    assert not images.flags.aligned
    assert_same(model.predict_proba(images), model.predict_proba(digits()[0]))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_of_any_type_are_0_to_255(model, dtype):
    images = digits()[0]
    assert images.max() == 255
    assert_same(model.predict_proba(images.astype(dtype)), model.predict_proba(images))


def test_small_signed_integers(model):
    images = np.minimum(digits()[0], 127)
    assert_same(model.predict_proba(images.astype(np.int8)), model.predict_proba(images))


def test_booleans_are_background_and_full_ink(model):
    ink = digits()[0] > 127
    assert_same(model.predict_proba(ink), model.predict_proba(ink.astype(np.uint8) * 255))
    assert_same(model.predict_proba(ink), model.predict_proba(ink.astype(np.float32)))


@pytest.mark.parametrize(
    ("dtype", "given"),
    [
        ("float32", np.float32),
        ("float32", np.float64),
        ("float32", np.longdouble),
        ("float64", np.float64),
        ("float64", np.longdouble),
    ],
)
def test_bytes_and_255ths_give_the_same_bits(dtype, given):
    """Every grey level, from every type that is as wide as the model's."""
    model = LeNet5(seed=2, dtype=dtype)
    images = np.random.default_rng(0).permuted(np.resize(np.arange(256), (9, 784)), axis=1)
    images = images.astype(np.uint8)
    assert len(np.unique(images)) == 256
    want = model.predict_proba(images)
    assert_same(model.predict_proba(images.astype(given) / given(255)), want)


def test_half_precision(model):
    images = digits()[0] / np.float32(255)
    got = model.predict_proba(images.astype(np.float16))
    assert_same(got, model.predict_proba(images.astype(np.float16).astype(np.float32)))


def test_memory_mapped_files(model, tmp_path):
    images = digits()[0]
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert_same(model.predict_proba(mapped), model.predict_proba(images))
    raw = np.memmap(tmp_path / "images.raw", np.float64, "w+", shape=images.shape)
    raw[...] = images / 255
    assert_same(model.predict_proba(raw), model.predict_proba(images))


@pytest.mark.parametrize("n", [1, 2, 28, 32, 784, 1024])
@pytest.mark.parametrize("side", [28, 32])
def test_any_number_of_flat_images(model, n, side):
    """A batch of as many images as an image has rows, or pixels, is no other form."""
    images = np.resize(digits()[0], (n, 28, 28))
    images = np.pad(images, ((0, 0), *((side // 2 - 14,) * 2,) * 2))
    want = model.predict_proba(images)
    assert_same(model.predict_proba(images.reshape(n, -1)), want)


@pytest.mark.parametrize("n", [1, 28, 32])
def test_any_number_of_square_images(model, n):
    images = np.resize(digits()[0], (n, 28, 28))
    want = np.resize(model.predict_proba(digits()[0]), (n, 10))
    assert_same(model.predict_proba(images), want)
    assert_same(model.predict_proba(np.pad(images, ((0, 0), (2, 2), (2, 2)))), want)


def test_border_may_hold_ink(model):
    images = np.pad(digits()[0], ((0, 0), (2, 2), (2, 2)))
    moved = np.roll(images, 3, axis=2)
    assert not np.array_equal(model.predict_proba(moved), model.predict_proba(images))


def test_image_size_follows_the_border():
    images = digits()[0]
    small, whole = LeNet5(border=4), LeNet5(border=0)
    cut = images[:, 2:-2, 2:-2]
    padded = np.pad(cut, ((0, 0), (4, 4), (4, 4)))
    assert_same(small.predict_proba(cut), whole.predict_proba(padded))
    assert_same(small.predict_proba(padded), whole.predict_proba(padded))
    with pytest.raises(ValueError, match=r"expected \(n, 24, 24\).*got \(12, 28, 28\)"):
        small.predict(images)
    with pytest.raises(ValueError, match=r"expected \(n, 32, 32\).*got \(12, 28, 28\)"):
        whole.predict(images)


# --- one image

ONE = {
    "(28, 28)": lambda x: x,
    "(784,)": lambda x: x.ravel(),
    "(32, 32)": lambda x: np.pad(x, 2),
    "(1024,)": lambda x: np.pad(x, 2).ravel(),
    "rows": lambda x: x.tolist(),
    "numbers": lambda x: x.ravel().tolist(),
    "floats": lambda x: x / 255,
    "transposed": lambda x: x.T.copy().T,
    "__array__": Wrapped,
}


@pytest.mark.parametrize("form", ONE)
def test_one_image_gives_results_without_the_first_axis(model, form):
    images = digits()[0]
    one = ONE[form](images[3])
    assert_same(model.predict_proba(one), model.predict_proba(images)[3])
    label = model.predict(one)
    assert np.ndim(label) == 0
    assert isinstance(label, np.int64)
    assert label == model.predict(images)[3]
    for name, array in model.activations(one).items():
        assert_same(array, model.activations(images)[name][3])


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 784), (1, 1, 28, 28), (1, 32, 32)])
def test_a_batch_of_one_keeps_its_axis(model, shape):
    assert model.predict(np.zeros(shape, np.uint8)).shape == (1,)
    assert model.predict_proba(np.zeros(shape, np.uint8)).shape == (1, 10)


def test_one_image_with_its_label(model):
    images, labels = digits()
    want = model.loss_and_gradients(images[:1], labels[:1])
    got = model.loss_and_gradients(images[0], labels[0])
    assert got[0] == want[0]
    assert all(got[1][name].tobytes() == g.tobytes() for name, g in want[1].items())
    assert model.evaluate(images[0], int(labels[0])).images == 1
    assert LeNet5(seed=4).partial_fit(images[0], labels[0]) == want[0]


# --- labels

LABELS = {
    "list": lambda y: y.tolist(),
    "tuple": lambda y: tuple(y.tolist()),
    "int8": lambda y: y.astype(np.int8),
    "uint64": lambda y: y.astype(np.uint64),
    "big-endian": lambda y: y.astype(">i4"),
    "read-only": locked,
    "strided": lambda y: np.repeat(y, 3)[1::3],
    "__array__": Wrapped,
    "whole floats": lambda y: y.astype(np.float64),
}


@pytest.mark.parametrize("form", LABELS)
def test_every_form_of_labels(model, form):
    images, labels = digits()
    want = model.evaluate(images, labels)
    got = model.evaluate(images, LABELS[form](labels))
    assert (got.loss, got.error_rate) == (want.loss, want.error_rate)
    assert_array_equal(got.confusion, want.confusion)


# --- nothing is written into what was given


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
@pytest.mark.parametrize("model_dtype", ["float32", "float64"])
@pytest.mark.parametrize("writeable", [True, False])
def test_arrays_of_the_caller_stay_as_they_are(dtype, model_dtype, writeable):
    images, labels = digits()
    images = images / np.dtype(dtype).type(255) if "f" in dtype else images
    given = {
        "images": np.array(images, dtype),
        "labels": np.array(labels, np.int64),
        "weight": np.linspace(1, 2, len(labels)).astype(model_dtype),
    }
    before = {name: array.tobytes() for name, array in given.items()}
    for array in given.values():
        array.flags.writeable = writeable
    x, y = given["images"], given["labels"]
    model = LeNet5(dtype=model_dtype)
    model.predict(x)
    model.predict_proba(x)
    model.activations(x)
    model.evaluate(x, y)
    model.score(x, y)
    model.loss_and_gradients(x, y)
    model.partial_fit(x, y)
    model.fit(x, y, epochs=1, validation=(x, y), sample_weight=given["weight"])
    assert {name: array.tobytes() for name, array in given.items()} == before


def test_parameters_given_stay_as_they_are_and_apart():
    model = LeNet5()
    given = model.parameters()
    given["f6.bias"].flags.writeable = False
    model.set_parameters(given)
    before = {name: array.copy() for name, array in given.items()}
    model.fit(*digits(), epochs=1)
    for name, array in given.items():
        assert_array_equal(array, before[name], name)
        assert not np.array_equal(array, model.parameters()[name]), name
