"""Training on several ranks: threads that stand for them here, and MPI where it is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kernel_case import assert_same_bits
from rank_case import TIMEOUT, Communicator, World, on_ranks
from slow_case import few

import lenet_c
from lenet_c import LeNet5, Recipe

COUNT = 597  # the last batches have 21 images, 2 of small ones: fewer than ranks


@pytest.fixture(scope="module")
def sample():
    images, labels = lenet_c.datasets.load_sample("train")
    return images[:COUNT], labels[:COUNT]


KINDS = {
    "sgd": {},
    "adamw": {"optimizer": "adamw"},
    "sdlm": {"optimizer": Recipe("sdlm", samples=50), "batch_size": 5},
    "small batches": {"batch_size": 7, "learning_rate": 0.01},
    "distorted": {"augment": "affine"},
    "weights": {"sample_weight": np.arange(COUNT)},
}


RANKS = [(kind, size) for kind in KINDS for size in (1, 2, 3)]
QUICK = [
    ("sgd", 2),
    ("adamw", 3),
    ("sdlm", 2),
    ("small batches", 3),
    ("distorted", 3),
    ("weights", 1),
]


@pytest.mark.parametrize("kind_and_size", few(RANKS, QUICK), ids="{0[0]}-{0[1]}".format)
def test_ranks_give_the_weights_of_one(kind_and_size, sample):
    kind, size = kind_and_size
    options = {"epochs": 2, "seed": 5, **KINDS[kind]}
    alone = LeNet5(seed=1, dtype="float64")
    history = alone.fit(*sample, **options)

    def run(communicator):
        model = LeNet5(seed=1 + communicator.rank, dtype="float64")
        return model, model.fit(*sample, communicator=communicator, **options)

    for model, records in on_ranks(size, run):
        difference = np.abs(model._parameters.theta - alone._parameters.theta).max()
        assert difference < 1e-8  # rounding grows with 172 updates
        for got, want in zip(records, history, strict=True):
            assert got.loss == pytest.approx(want.loss, rel=1e-9)
            assert got.train_error == want.train_error
            assert got.images == len(sample[0])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("batch_size", [40, 100])
def test_one_rank_has_the_bits_of_none(sample, optimizer, batch_size):
    """A gradient written out, summed and applied is what is applied as soon as it is summed."""
    options = {"epochs": 2, "optimizer": optimizer, "batch_size": batch_size, "progress": False}
    data = [array[:200] for array in sample]
    alone, ranked = LeNet5(seed=3), LeNet5(seed=3)
    alone.fit(*data, **options)
    ranked.fit(*data, communicator=Communicator(World(1), 0), **options)
    assert_same_bits(ranked._parameters.theta, alone._parameters.theta)


def test_every_rank_has_the_same_bits(sample):
    def run(communicator):
        model = LeNet5(seed=communicator.rank)
        model.fit(*sample, epochs=1, communicator=communicator)
        model.fit(*sample, epochs=1, communicator=communicator)
        return model

    first, *others = on_ranks(3, run)
    for other in others:
        assert_same_bits(other._parameters.theta, first._parameters.theta)
        assert other._parameters.epochs == 2


def test_one_rank_ends_training_for_all(sample):
    def run(communicator):
        callbacks = [lambda model, record: communicator.rank == 1 and record.epoch == 2]
        history = LeNet5().fit(*sample, epochs=9, communicator=communicator, callbacks=callbacks)
        return len(history), history.stopped

    assert on_ranks(2, run) == [(2, "callback")] * 2


def test_rank_0_writes_the_checkpoint(sample, tmp_path):
    def run(communicator):
        path = tmp_path / f"{communicator.rank}.safetensors"
        model = LeNet5(seed=3)
        model.fit(*sample, epochs=1, communicator=communicator, checkpoint=path)
        return model

    first, _ = on_ranks(2, run)
    assert LeNet5.load(tmp_path / "0.safetensors") == first
    assert not (tmp_path / "1.safetensors").exists()


def test_a_loss_that_is_not_finite_ends_all(sample):
    def run(communicator):
        model = LeNet5(seed=2)
        with pytest.raises(FloatingPointError, match="no longer finite in epoch 1"):
            model.fit(*sample, epochs=2, learning_rate=1e20, communicator=communicator)
        return model

    for model in on_ranks(2, run):
        assert model == LeNet5(seed=2)


def test_refused(sample):
    with pytest.raises(TypeError, match=r"communicator: expected one of MPI.*int has no rank"):
        LeNet5().fit(*sample, communicator=3)
    with pytest.raises(ValueError, match="the ranks have other arguments or data"):
        on_ranks(2, lambda c: LeNet5().fit(*sample, epochs=1 + c.rank, communicator=c))
    with pytest.raises(ValueError, match="batch_size: expected 2 or more, an image for each rank"):
        on_ranks(2, lambda c: LeNet5().fit(*sample, batch_size=1, communicator=c))
    stochastic = {"preset": "mnist28", "subsampling": "stochastic"}
    with pytest.raises(ValueError, match="communicator: stochastic subsampling"):
        LeNet5(**stochastic).fit(*sample, communicator=Communicator(World(1), 0))


PROGRAM = """\
import sys
import numpy as np
from mpi4py import MPI
import lenet_c

images, labels = lenet_c.datasets.load_sample("train")
comm = MPI.COMM_WORLD
model = lenet_c.LeNet5(seed=7 + comm.rank)
history = model.fit(images, labels, epochs=2, augment="affine", communicator=comm)
mine = model._parameters.theta.tobytes()
assert all(theta == mine for theta in comm.allgather(mine))
if comm.rank == 0:
    model.save(sys.argv[1])
    print(comm.size, len(history), MPI.Get_library_version().split(",")[0])
"""


def test_two_ranks_of_mpi(tmp_path):
    pytest.importorskip("mpi4py")
    beside = Path(sys.executable).with_name("mpirun")
    mpirun = str(beside) if beside.exists() else shutil.which("mpirun")
    if mpirun is None:
        pytest.skip("no mpirun")
    (tmp_path / "train.py").write_text(PROGRAM)
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    home = {"HOME": str(tmp_path)}  # Open MPI wants one
    done = subprocess.run(
        [mpirun, "--bind-to", "none", "--oversubscribe", "-np", "2", sys.executable, "train.py",
         "two.safetensors"],
        cwd=tmp_path,
        env=home | os.environ | root,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[:2] == ["2", "2"]
    two = LeNet5.load(tmp_path / "two.safetensors")
    one = LeNet5(seed=7)
    one.fit(*lenet_c.datasets.load_sample("train"), epochs=2, augment="affine")
    assert np.abs(two._parameters.theta - one._parameters.theta).max() < 3e-4
    assert np.abs(two._parameters.theta - one._parameters.theta).max() > 0 or two == one
