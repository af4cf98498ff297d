"""Data that vanish, losses that are not finite: what is kept and said."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from resume_case import sample
from training_case import Wrapped

import lenet_c
from lenet_c import LeNet5, Recipe, datasets, idx

SOURCE = str(Path(lenet_c.__file__).parents[1])


# --- data that vanish

MAPPED = """\
import os, sys
import numpy as np
from lenet_c import LeNet5
images = np.load("images.npy", mmap_mode="r")

def fault(model, record):
    if record.epoch == 2:
        os.unlink("images.npy") if sys.argv[1] == "unlink" else os.truncate("images.npy", 4096)

LeNet5(seed=3).fit(images, np.arange(len(images)) % 10, epochs=4, checkpoint="x", threads=1,
                   callbacks=[fault])
"""


@pytest.mark.parametrize("fault", ["unlink", "truncate"])
def test_mapped_data_that_vanish(fault, tmp_path):
    """Unlinked, they are there as long as they are mapped; cut off, the system ends the process."""
    np.save(tmp_path / "images.npy", np.resize(sample()[0], (500, 28, 28)))
    done = subprocess.run(
        [sys.executable, "-c", MAPPED, fault], cwd=tmp_path, env=os.environ | {"PYTHONPATH": SOURCE}
    )
    assert (done.returncode == 0) == (fault == "unlink")
    assert len(LeNet5.load(tmp_path / "x").history) == (4 if fault == "unlink" else 2)


def test_data_that_are_cut_off_or_gone(tmp_path):
    images, labels = sample()
    for split in ("train", "t10k"):
        idx.write(tmp_path / f"{split}-images-idx3-ubyte.gz", images)
        idx.write(tmp_path / f"{split}-labels-idx1-ubyte.gz", labels)
    cut = tmp_path / "train-images-idx3-ubyte.gz"
    whole = cut.read_bytes()
    for rest in (whole[:-2000], gzip.compress(gzip.decompress(whole)[:-1]), whole[:1], b""):
        cut.write_bytes(rest)
        with pytest.raises(lenet_c.FormatError, match=cut.name):
            datasets.load_mnist("train", tmp_path)
    cut.unlink()
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        datasets.load_mnist("train", tmp_path)


# --- a loss that is not finite


@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "sdlm"])
def test_a_loss_that_is_not_finite(optimizer, batch_size, tmp_path, monkeypatch):
    """In the third epoch, on every schedule of the kernels: the second one's weights are kept."""
    rates, steps = Recipe.rates, -(-90 // batch_size)

    def growing(self, first, count, total, epochs=1):
        factor = np.where(np.arange(first, first + count) < 2 * steps, 1.0, 1e38)
        return rates(self, first, count, total, epochs) * factor

    monkeypatch.setattr(Recipe, "rates", growing)
    model, good = LeNet5(seed=3), []
    words = r"in epoch 3: the weights of epoch 2 are kept; try a lower learning rate \(it was"
    with pytest.raises(FloatingPointError, match=words):
        model.fit(
            *sample(), epochs=4, batch_size=batch_size, optimizer=optimizer,
            checkpoint=tmp_path / "x",
            callbacks=[lambda model, record: good.append(model._parameters.theta.tobytes())],
        )  # fmt: skip
    assert len(good) == len(model.history) == model._parameters.epochs == 2
    saved = LeNet5.load(tmp_path / "x")
    assert model._parameters.theta.tobytes() == good[1] == saved._parameters.theta.tobytes()


def test_ctrl_c_where_weights_are_not_finite(tmp_path, monkeypatch):
    model, good = LeNet5(seed=3), []

    class Overflowing(Wrapped):
        def train(self, *given):
            result = self.engine.train(*given)
            if good:
                model._parameters.theta[0] = np.nan
                raise KeyboardInterrupt
            return result

    monkeypatch.setattr(model._parameters, "engine", Overflowing(model._parameters.engine))
    with pytest.raises(KeyboardInterrupt):
        model.fit(
            *sample(), checkpoint=tmp_path / "x",
            callbacks=[lambda model, record: good.append(model._parameters.theta.tobytes())],
        )  # fmt: skip
    assert [model._parameters.theta.tobytes()] == good
    assert LeNet5.load(tmp_path / "x") == model
