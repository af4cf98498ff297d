"""Arrays of other libraries: PyTorch, dask, pandas, and whatever knows DLPack alone."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import lenet_c
from lenet_c import Distortion, LeNet5, layers

CPU, GPU = (1, 0), (2, 0)  # DLPack's numbers of devices


class DLPack:
    """An array that knows DLPack and nothing else."""

    def __init__(self, array, device=CPU):
        self.array, self.device = array, device

    def __dlpack__(self, **options):
        if self.device != CPU:
            raise BufferError("cannot leave its GPU")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device


def torch_tensor(array):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(array)


def torch_view(array):
    """Every second of a larger tensor."""
    torch = pytest.importorskip("torch")
    return torch.from_numpy(array.repeat(2, axis=0))[::2]


def dask_array(array):
    dask = pytest.importorskip("dask.array")
    return dask.from_array(array, chunks=(5, *array.shape[1:]))


def jax_array(array):
    jax = pytest.importorskip("jax.numpy")
    return jax.asarray(array)


def data_frame(array):
    """A row for each image; of labels a series."""
    pandas = pytest.importorskip("pandas")
    if array.ndim == 1:
        return pandas.Series(array)
    return pandas.DataFrame(array.reshape(len(array), -1))


KINDS = [DLPack, torch_tensor, torch_view, dask_array, jax_array, data_frame]


@pytest.fixture(scope="module")
def digits():
    images, labels = lenet_c.datasets.load_sample("train")
    return images[:64].copy(), labels[:64].astype(np.int32)


@pytest.mark.parametrize("form", ["uint8", "float32"])
@pytest.mark.parametrize("wrap", KINDS)
def test_images_and_labels(digits, wrap, form):
    images, labels = digits
    if form == "float32":
        images = images.astype(np.float32) / 255
    weights = np.linspace(0, 1, 64).astype(np.float32)
    want, got = LeNet5(seed=1), LeNet5(seed=1)
    want.fit(images, labels, epochs=1, sample_weight=weights)
    foreign, foreign_labels = wrap(images), wrap(labels)
    history = got.fit(
        foreign,
        foreign_labels,
        epochs=1,
        sample_weight=wrap(weights),
        validation=(foreign, foreign_labels),
    )
    assert got == want
    assert history[0].validation_error is not None
    assert_array_equal(got.predict(foreign), want.predict(images))
    assert_array_equal(got.predict_proba(foreign), want.predict_proba(images))
    assert got.evaluate(foreign, foreign_labels) == want.evaluate(images, labels)
    assert got.partial_fit(foreign, foreign_labels) == want.partial_fit(images, labels)
    assert lenet_c.train(foreign, foreign_labels, epochs=0).config.classes == labels.max() + 1


@pytest.mark.parametrize("wrap", [DLPack, torch_tensor])
def test_everything_else_that_takes_arrays(digits, wrap):
    image = digits[0][0]
    model = LeNet5(seed=2)
    line = np.hstack([image, image])
    assert_array_equal(model.scan(wrap(np.vstack([line, line]))), model.scan(np.vstack([line] * 2)))
    assert model.read(wrap(line)) == model.read(line)
    elastic = Distortion.of("elastic")
    assert_array_equal(elastic.apply(wrap(digits[0]), seed=3), elastic.apply(digits[0], seed=3))
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6)
    assert_array_equal(
        layers.activation_forward(wrap(x), "tanh"), layers.activation_forward(x, "tanh")
    )
    other = LeNet5(seed=3)
    other.set_parameters({name: wrap(value) for name, value in model.parameters().items()})
    assert other == model


def test_a_frame_of_floats_and_labels_that_are_names():
    pandas = pytest.importorskip("pandas")
    images, labels = lenet_c.datasets.load_sample("train")
    names = pandas.Series([f"class {label}" for label in labels[:64]])
    model = lenet_c.train(data_frame(images[:64]), names, epochs=1)
    assert model.config.class_names == tuple(f"class {k}" for k in range(10))


def test_results_go_the_other_way(digits):
    torch = pytest.importorskip("torch")
    model = LeNet5(seed=4)
    p = model.predict_proba(digits[0])
    tensor = torch.from_dlpack(p)
    tensor[0, 0] = 7
    assert p[0, 0] == 7
    assert_array_equal(torch.from_numpy(model.predict(digits[0])), model.predict(digits[0]))


def test_tensors_with_gradients(digits):
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(digits[0] / np.float32(255)).requires_grad_()
    with pytest.raises(TypeError, match=r"images: expected an array .*tensor\.detach\(\)"):
        LeNet5().predict(x)
    assert LeNet5(seed=1).predict(x.detach()).shape == (64,)


@pytest.mark.parametrize("what", ["images", "labels", "sample_weight"])
def test_what_is_not_in_memory(digits, what):
    given = dict(zip(("images", "labels", "sample_weight"), [*digits, np.ones(64)], strict=True))
    given[what] = DLPack(given[what], GPU)
    with pytest.raises(TypeError, match=f"{what}: expected an array of numbers .*GPU"):
        LeNet5().fit(**given, epochs=1)


def test_types_that_numpy_has_not(digits):
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"images: expected an array of numbers .*BFloat16"):
        LeNet5().predict(torch.zeros(2, 28, 28, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match=r"images: expected an array of numbers .*Sparse"):
        LeNet5().predict(torch.zeros(2, 28, 28).to_sparse())
    with pytest.raises(TypeError, match=r"images: expected an array of numbers .*meta"):
        LeNet5().predict(torch.zeros(2, 28, 28, device="meta"))


def test_nothing_is_written_into_them(digits):
    torch = pytest.importorskip("torch")
    x, y = torch.from_numpy(digits[0].copy()), torch.from_numpy(digits[1].copy())
    LeNet5().fit(x, y, epochs=1, augment="affine")
    assert_array_equal(x.numpy(), digits[0])
    assert_array_equal(y.numpy(), digits[1])
