"""Figures of lenet-c at several numbers of threads, and of the multiply-add peak beside them.

Each function fills a dict, row by row, so that what was measured is there whatever happens.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time

import numpy as np
from peers import MULTIPLY_ADDS

import lenet_c
from lenet_c.benchmark import measure, timing
from lenet_c.core import choose

ROUNDS = 9
PIECE = 0.2  # seconds of a sample, at most
SHORTEST = 0.05  # at least, where there is time for the fewest rounds
FEWEST = 3
CALLS = 1.6  # samples that a sample takes the time of, with warming up
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n sum(range(100000))"


class Plan:
    """How long samples are, and how many: `cells` figures within `seconds`."""

    def __init__(self, seconds, cells):
        share = seconds / (CALLS * cells)
        self.piece = min(PIECE, max(SHORTEST, share / ROUNDS))
        self.rounds = min(ROUNDS, max(FEWEST, int(share / self.piece)))
        self.end = time.perf_counter() + seconds

    def over(self):
        """Whether the time is spent, for rows that have to be left out."""
        return time.perf_counter() > self.end

    def in_turn(self, runs):
        """Time name -> (function, images of a call) in turn; return name -> Timing."""
        calls = {name: run for name, (run, _) in runs.items()}
        timings = timing.interleave(calls, 1, self.rounds, self.piece)
        for one in timings:
            one.images = runs[one.name][1]
        return {one.name: one for one in timings}


def figures(timings):
    """Return name -> images a second, with what it is to the first of the names."""
    first = next(iter(timings.values())).median
    return {
        str(name): {
            "median": one.median,
            "quartile1": one.rate(0.25),
            "quartile3": one.rate(0.75),
            "samples": len(one.seconds),
            "ratio": one.median / first,
        }
        for name, one in timings.items()
    }


def peak_together(engine, threads, seconds=0.06):
    """Return the multiply-adds a second of so many threads at once.

    The sum of their means, each on a core of its own, of which a neighbour may take its part.
    """
    rates, barrier = [[] for _ in range(threads)], threading.Barrier(threads)
    cores = timing.cores() if hasattr(os, "sched_setaffinity") else []

    def work(own, core):
        if core:
            os.sched_setaffinity(0, core)  # of this thread alone
        barrier.wait()
        end = time.perf_counter() + seconds
        while not own or time.perf_counter() < end:
            own.append(max(engine.fma_peak(0.001), 1.0))  # 0: it was kept from it all the time

    workers = [
        threading.Thread(target=work, args=(own, cores[i : i + 1])) for i, own in enumerate(rates)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(statistics.harmonic_mean(own) for own in rates)


def draw(n):
    """Return n uint8 digits and their labels: those of the sample, in turn."""
    images, labels = lenet_c.datasets.load_sample("train")
    return np.resize(images, (n, 28, 28)), np.resize(labels, n).astype(np.int64)


class Fit:
    """`LeNet5.fit` of the default network, from the same weights each time."""

    def __init__(self, piece, **options):
        self.model, self.options = lenet_c.LeNet5(seed=1), {"progress": False, **options}
        self.start = self.model.parameters()
        images, labels = draw(512)
        fit = self._fit(images, labels, 64, 1, 1)
        fit()
        self.most = max(64, int(512 / _clock(fit) * piece))  # of one thread in a sample
        self.piece = piece

    def _fit(self, images, labels, batch, threads, epochs):
        def run():
            self.model.set_parameters(self.start)
            self.model.fit(
                images, labels, batch_size=batch, threads=threads, epochs=epochs, **self.options
            )

        return run

    def run(self, batch, threads):
        """Return a function and the images that a call presents: about a sample's."""
        images, labels = draw(batch * max(1, self.most // batch))
        once = self._fit(images, labels, batch, threads, 1)
        once()
        epochs = min(16, max(1, round(self.piece / _clock(once))))
        return self._fit(images, labels, batch, threads, epochs), epochs * len(images)


class Predict:
    """`LeNet5.predict`, a call a batch, of other images each time."""

    def __init__(self, piece):
        self.model = lenet_c.LeNet5(seed=1)
        self.most = int(20_000 * piece)

    def run(self, batch, threads):
        """Return a function and the images that a call handles."""
        images, _ = draw(batch * max(1, self.most // batch))
        cuts = [images[i : i + batch] for i in range(0, len(images), batch)]

        def run():
            for cut in cuts:
                self.model.predict(cut, threads=threads)

        return run, len(images)


def _clock(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _table(found, name, plan, kind, batches, threads, peaks=None):
    """Add a table to `found`: a row for each batch size, a figure for each number of threads."""
    rows = found.setdefault(name, [])
    for batch in batches:
        if rows and plan.over():
            found.setdefault("left out", []).append(f"{name}, batch {batch}")
            continue
        timings = plan.in_turn({t: kind.run(batch, t) for t in threads})
        rows.append({"batch": batch, "threads": figures(timings)})
        if peaks is not None:
            peaks()


def tables(found, seconds, options):
    """Training and prediction; after each row, the peak of as many threads at once."""
    engine, samples = choose.default(), {t: [] for t in options.threads}

    def peaks():
        for threads, own in samples.items():
            own.append(peak_together(engine, threads, min(0.06, plan.piece)))
        found["peak"] = {str(t): statistics.median(own) for t, own in samples.items()}

    batches = (options.batches, options.predict_batches)
    plan = Plan(seconds, len(options.threads) * (len(batches[0]) + len(batches[1])))
    peaks()
    _table(found, "training", plan, Fit(plan.piece), batches[0], options.threads, peaks)
    _table(found, "prediction", plan, Predict(plan.piece), batches[1], options.threads, peaks)
    for name, work in (("training", "train"), ("prediction", "predict")):
        for row in found[name]:
            for threads, figure in row["threads"].items():
                figure["of_peak"] = figure["median"] * MULTIPLY_ADDS[work] / found["peak"][threads]


def distortions(found, seconds, options):
    """Training with distortions, affine and elastic."""
    plan = Plan(seconds, 2 * len(options.threads))
    for name in ("affine", "elastic"):
        kind = Fit(plan.piece, augment=name)
        _table(found, name, plan, kind, (64,), options.threads)


def scan(found, seconds, options):
    """A scan of 512 x 512 pixels; rates are scans a second."""
    image = np.random.default_rng(0).integers(-255, 256, (512, 512)).clip(0).astype(np.uint8)
    model = lenet_c.LeNet5(seed=1)

    def run(threads):
        return lambda: model.scan(image, threads=threads)

    plan = Plan(seconds, len(options.threads))
    found["threads"] = figures(plan.in_turn({t: (run(t), 1) for t in options.threads}))


def one_image(found, seconds, options):
    """Microseconds of `predict` of one image, and an image of training with batch 1."""
    images, labels = draw(256)
    presets = lenet_c.LeNet5.presets()
    plan = Plan(seconds, 2 * len(presets))
    rule = {"optimizer": "sgd", "learning_rate": 1e-4, "batch_size": 1, "epochs": 1}
    works = {"predict_us": {}, "training_us": {}}
    for name in presets:
        model = lenet_c.LeNet5(name, seed=1)

        def predict(model=model):
            for image in images[:64]:
                model.predict(image, threads=1)

        def train(model=model):
            model.fit(images, labels, threads=1, progress=False, **rule)

        works["predict_us"][name] = predict, 64
        works["training_us"][name] = train, len(images)
    for work, runs in works.items():
        found[work] = {name: 1e6 / one.median for name, one in plan.in_turn(runs).items()}


def profile(found, seconds, options):
    """The steps of a pass, for every instruction set of this machine."""
    engines = choose.available()
    for isa in engines:
        share = seconds / len(engines) / 27  # 19 steps, the peak twice, the whole of it
        found[isa] = measure.profile(64, min(0.2, share), lambda: None, isa=isa).as_dict()


@contextlib.contextmanager
def busy_processes(count):
    """So many processes, each of which keeps a core busy; they end with this one."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        time.sleep(0.2 if processes else 0)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def busy(found, seconds, options):
    """Training and prediction beside processes that each keep a core busy."""
    found["processes"] = options.busy
    sizes = [batch for batch in (16, 64, 1024) if batch in options.batches] or options.batches[:1]
    plan = Plan(seconds, 2 * len(sizes) * len(options.threads))
    with busy_processes(options.busy):
        _table(found, "training", plan, Fit(plan.piece), sizes, options.threads)
        _table(found, "prediction", plan, Predict(plan.piece), sizes, options.threads)
