"""The training runs behind the figures: trained side by side, and kept as they end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from ..common.paths import StrPath
from ..common.progress import Progress
from ..model.lenet5 import LeNet5
from ..training.history import Record
from .paper_results import OPTIMIZER, Data, Pass, Result, Run, find, keep

_POLL = 0.1  # seconds between two looks at the workers, and for Ctrl-C


class _Stopped(Exception):
    """A run is to end before its last pass."""


class _Share(Progress):
    """One run's part in the progress of all; here it is stopped, too."""

    def __init__(self, advance: Callable[[int], object], stop: threading.Event) -> None:
        super().__init__(None, enabled=False)
        self._advance, self._stop = advance, stop

    def update(self, n: int, **shown: object) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._advance(n)


def train(
    run: Run,
    data: Data,
    threads: int = 1,
    progress: bool | Progress = False,
) -> Result:
    """Train a model from the start, as the paper does, and measure it after every pass."""
    images, labels = data.part(run.size, run.seed)
    model, passes = LeNet5(run.preset, seed=run.seed), []

    def after(model: LeNet5, record: Record) -> None:
        train_error, test_error = (
            model.evaluate(*pair, threads=threads).error_rate
            for pair in ((images, labels), (data.test_images, data.test_labels))
        )
        passes.append(
            Pass(
                record.epoch,
                record.loss,
                record.train_error,
                train_error,
                test_error,
                record.seconds,
            )
        )

    model.fit(
        images,
        labels,
        epochs=run.passes,
        optimizer=OPTIMIZER,
        augment=run.augment,
        callbacks=(after,),
        threads=threads,
        progress=progress,
        seed=run.seed,
    )
    return Result(run, tuple(passes), model, kept=False)


def train_all(
    runs: Iterable[Run],
    data: Data,
    folder: StrPath,
    *,
    threads: int,
    progress: bool | None = None,
    report: Callable[[Result], object] | None = None,
) -> dict[Run, Result]:
    """Return the results of all runs: those that the folder holds, the others trained.

    As many runs at a time as threads, each in a Python thread; the longest first. Finished runs
    are kept in the folder even if another fails or Ctrl-C ends the whole.

    Parameters
    ----------
    runs : iterable of Run
    data : Data
    folder : path
    threads : int
    progress : bool, optional
        None: where standard error is a terminal.
    report : callable, optional
        Called with each result, in the order in which they come.
    """
    folder, results, missing = Path(folder), {}, []
    report = report or (lambda result: None)
    for run in runs:
        result = find(run, data, folder)
        if result is None:
            missing.append(run)
        else:
            results[run] = result
            report(result)
    if not missing:
        return results
    missing.sort(key=lambda run: (run.size, run.augment is not None), reverse=True)
    workers = min(threads, len(missing))
    stop = threading.Event()
    presented: queue.SimpleQueue[int] = queue.SimpleQueue()

    def work(run: Run) -> Result:
        result = train(run, data, threads // workers, _Share(presented.put, stop))
        keep(result, data, folder)
        return result

    total = sum(run.presentations for run in missing)
    with Progress(total, "training", "image", progress) as bar, ThreadPoolExecutor(workers) as pool:
        try:
            waiting = {pool.submit(work, run) for run in missing}
            while waiting:
                done, waiting = wait(waiting, _POLL, FIRST_COMPLETED)
                images = sum(presented.get_nowait() for _ in range(presented.qsize()))
                for result in [future.result() for future in done]:
                    results[result.run] = result
                    report(result)
                bar.update(images, runs=f"{len(missing) - len(waiting)} of {len(missing)}")
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results
