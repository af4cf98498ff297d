"""The figures of docs/scale.md: ranks of MPI, the sum of gradients, and prediction by Dask.

    python tools/measure_scale.py                        # prediction, one rank
    mpirun --bind-to none -np 2 python tools/measure_scale.py

Each rank computes on one thread; rates are medians of five runs, in one process, one after another.
"""

import os
import statistics
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402

import lenet_c  # noqa: E402

BATCHES = (16, 64, 256, 1024)
RUNS = 5
BIG = 500_000


def communicator():
    """Return MPI's, or None where this is no rank of several."""
    try:
        from mpi4py import MPI
    except ImportError:
        return None
    return MPI.COMM_WORLD


def median(run):
    """Return the median of the seconds that RUNS calls take, after one that does not count."""
    run()
    seconds = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def training(comm, images, labels):
    """Print the rate of an epoch at each size of batch, with and without the communicator."""
    ranks = comm.size if comm is not None else 1
    for batch in BATCHES:
        model = lenet_c.LeNet5(seed=1)
        options = {"epochs": 1, "batch_size": batch, "threads": 1, "progress": False}
        together = median(lambda: model.fit(images, labels, communicator=comm, **options))  # noqa: B023
        if comm is None or comm.rank == 0:
            rate = len(images) / together
            print(f"batch {batch:>5}, {ranks} ranks: {rate:>9,.0f} images/s", flush=True)


def summing(comm):
    """Print the time of an Allreduce of the gradient's size."""
    size = sum(value.size for value in lenet_c.LeNet5().parameters().values())
    send, receive = np.zeros(size, np.float32), np.zeros(size, np.float32)

    def hundred():
        for _ in range(100):
            comm.Allreduce(send, receive)

    comm.Barrier()
    seconds = median(hundred) / 100
    if comm.rank == 0:
        print(f"Allreduce of {size:,} floats, {comm.size} ranks: {1e6 * seconds:.0f} us")


def prediction(images):
    """Print the rate of a memory-mapped file through Dask's threads, and by itself."""
    model = lenet_c.LeNet5.pretrained()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "images.npy")
        big = np.lib.format.open_memmap(path, "w+", np.uint8, (BIG, 28, 28))
        for start in range(0, BIG, len(images)):
            big[start : start + len(images)] = images[: BIG - start]
        big.flush()
        big = np.load(path, mmap_mode="r")
        rate = BIG / median(lambda: model.predict(big, threads=1))
        print(f"prediction, one thread: {rate:,.0f} images/s")
        try:
            import dask.array as da
        except ImportError:
            return
        x = da.from_array(big, chunks=(8192, 28, 28))
        labels = x.map_blocks(model.predict, threads=1, dtype=np.int64, drop_axis=(1, 2))
        for workers in (1, 2):
            rate = BIG / median(
                lambda: labels.compute(scheduler="threads", num_workers=workers)  # noqa: B023
            )
            print(f"prediction by Dask, {workers} threads: {rate:,.0f} images/s", flush=True)


def main():
    comm, (images, labels) = communicator(), lenet_c.datasets.load_sample("train")
    images, labels = np.tile(images, (4, 1, 1)), np.tile(labels, 4)
    if comm is None or comm.size == 1:
        prediction(images)
    training(comm, images, labels)
    if comm is not None:
        summing(comm)


if __name__ == "__main__":
    main()
