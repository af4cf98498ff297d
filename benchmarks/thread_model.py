"""A model of training on the threads of one machine, its costs measured here: docs/scale.md.

    python benchmarks/many_cores.py --model

The shards and teams are those of core/shards.pxi, the stages those of kernels/stages.pxi.
"""

import dataclasses
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import thread_tables

import lenet_c
from lenet_c.core import choose
from lenet_c.core.engine import TABLE_1

LARGE, MOST_IMAGES, TEAM = 512, 1024, 4  # batches of larger shards; images at once; a team
BATCHES, MORE = (16, 64, 256, 1024), (32, 128, 512)  # shown; measured for the tasks too
ROOT = Path(__file__).resolve().parents[1]

# A stage of a block: the steps of `Engine.profile`, and what is divided among a team; the maps of
# C3 by their links, the output not at all.
STAGES = {
    "pack": (("pack",), 32),
    "c1_s2": (("c1_s2_forward",), 14),
    "c3_s4": (("c3_forward", "s4_forward"), "links"),
    "c5": (("c5_forward",), 10),
    "f6": (("f6_forward",), 7),
    "output": (("output_forward", "loss", "output_backward"), 1),
    "to_c5": (("f6_backward",), 24),
    "to_c3": (("c5_backward", "s4_backward", "c3_backward_weight"), "links"),
    "to_s2": (("c3_backward_input",), 14),
    "to_c1": (("s2_backward",), 6),
    "of_c1": (("c1_backward_weight",), 15),
    "end": (("gradient_end",), "links"),
}


@dataclasses.dataclass
class Costs:
    """Seconds of what a step of training consists of.

    Attributes
    ----------
    stages : dict of str to float
        Of a block of `lanes` images; "end" comes once a shard.
    lanes : int
    tasks : tuple of float
        Of a batch, and for each of its images.
    call, barrier : float
        Of a shared call for each helper, and of a stage of a team, beyond their work.
    """

    stages: dict
    lanes: int
    tasks: tuple
    call: float
    barrier: float

    def shard(self, images, parts=1):
        """Seconds of a shard, shared by `parts` threads."""
        blocks = -(-images // self.lanes)
        total = blocks * sum(
            seconds * largest(STAGES[name][1], parts)
            for name, seconds in self.stages.items()
            if name != "end"
        )
        total += self.stages["end"] * largest(STAGES["end"][1], parts)
        return total + (parts > 1) * (blocks * (len(STAGES) - 1) + 1) * self.barrier

    def step(self, batch, threads):
        """Seconds of a step of training."""
        if batch > MOST_IMAGES:
            whole, rest = divmod(batch, MOST_IMAGES)
            total = whole * self._at_once(MOST_IMAGES, threads, 32)
            return total + (self._at_once(rest, threads, 32) if rest else 0)
        return self._at_once(batch, threads, 16 if batch <= LARGE else 32)

    def _at_once(self, images, threads, size):
        shards, size = -(-images // size), min(images, size)
        left = shards % threads
        left = left if 2 * left <= threads else 0
        total = -(-(shards - left) // threads) * self.shard(size)
        if left:
            total += self.shard(size, min(TEAM, threads // left))
        helpers = threads if shards >= threads else min(threads, TEAM * shards)
        sharers = min(threads, -(-images // 8))
        total += (self.tasks[0] + self.tasks[1] * images) / sharers
        return total + (helpers - 1 + sharers - 1) * self.call

    def rate(self, batch, threads):
        """Images a second."""
        return batch / self.step(batch, threads)


def largest(units, parts):
    """Return the share of the largest of `parts` parts of a stage."""
    if units != "links":
        return -(-units // parts) / units
    links = np.frombuffer(TABLE_1, np.uint8).reshape(16, 6).astype(bool).sum(1)
    before = np.concatenate([[0], np.cumsum(links)])
    cuts = [int(np.argmax(before * parts >= before[-1] * part)) for part in range(parts)]
    return int(np.diff(before[[*cuts, len(links)]]).max()) / int(before[-1])


def pool_costs(threads=2):
    """Return the seconds of a shared call and of a stage of a team, by a C program."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("the model needs a C compiler, to measure the pool of threads")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "pool_costs"
        command = [compiler, "-std=gnu11", "-O2", "-pthread", f"-I{ROOT}/src/lenet_c/core"]
        command += [str(ROOT / "benchmarks" / "pool_costs.c"), "-o", str(program), "-lm"]
        subprocess.run(command, check=True)
        done = subprocess.run([program, str(threads)], capture_output=True, text=True, check=True)
    return tuple(max(0.0, float(number)) for number in done.stdout.split())


def stage_costs(seconds):
    """Return the seconds of the stages of a block, by `Engine.profile`."""
    engine, model = choose.default(), lenet_c.LeNet5(seed=1)
    images, labels = thread_tables.draw(engine.lanes)
    net, theta = model._parameters.net, model._parameters.theta
    steps = {name: taken for name, taken, _ in engine.profile(net, theta, images, labels, seconds)}
    return {
        name: engine.lanes * sum(steps[step] for step in parts)
        for name, (parts, _) in STAGES.items()
    }


def fit_tasks(costs, seconds_of):
    """Return what a batch and an image of it cost beyond the shards, by least squares of ratios.

    seconds_of : batch -> seconds of a step on one thread.
    """
    batches = np.array(list(seconds_of), float)
    taken = np.array(list(seconds_of.values()))
    free = dataclasses.replace(costs, tasks=(0.0, 0.0))
    rest = taken - [free.step(batch, 1) for batch in seconds_of]
    columns = np.stack([np.ones_like(batches), batches], 1) / taken[:, None]
    constant, each = np.linalg.lstsq(columns, rest / taken, rcond=None)[0]
    return float(constant), float(each)


def measure(seconds=20.0, batches=BATCHES, more=MORE):
    """Return the costs, and batch -> images a second on one and on two threads.

    The fastest samples: the steps of a shard are the shortest of many, too.
    """
    call, barrier = pool_costs()
    costs = Costs(stage_costs(seconds / 100), choose.default().lanes, (0.0, 0.0), call, barrier)
    plan = thread_tables.Plan(0.7 * seconds, 2 * len(batches) + len(more))
    fit, rates, ones = thread_tables.Fit(plan.piece), {}, {}
    for batch in sorted((*batches, *more)):
        threads = (1, 2) if batch in batches else (1,)
        found = plan.in_turn({t: fit.run(batch, t) for t in threads})
        ones[batch] = batch / found[1].rate(1)
        if batch in batches:
            rates[batch] = tuple(found[t].rate(1) for t in threads)
    return dataclasses.replace(costs, tasks=fit_tasks(costs, ones)), rates


def markdown(costs, rates):
    """Return the tables of docs/scale.md."""
    us = 1e6
    rows = [
        ("a shard of 16 images, on one thread", us * costs.shard(16)),
        ("the same by a team of two, its barriers included", us * costs.shard(16, 2)),
        ("the same by a team of four", us * costs.shard(16, 4)),
        ("a stage's barrier, b", us * costs.barrier),
        ("a shared call, h, for each helper", us * costs.call),
        ("the tasks of a batch, u(0)", us * costs.tasks[0]),
        ("and for each image of it", us * costs.tasks[1]),
    ]
    lines = ["| measured, two threads | us |", "|---|---|"]
    lines += [f"| {name} | {value:.2f} |" for name, value in rows]
    lines += ["", "| B | one thread: measured | modelled | two: measured | modelled |"]
    lines += ["|---|---|---|---|---|"]
    for batch, (one, two) in rates.items():
        shown = (one, costs.rate(batch, 1), two, costs.rate(batch, 2))
        lines.append(f"| {batch:,} | " + " | ".join(f"{n:,.0f}" for n in shown) + " |")
    lines += ["", "| computed, not measured: | 4 cores | 8 cores | 16 cores |", "|---|---|---|---|"]
    for batch in rates:
        cells = []
        for threads in (4, 8, 16):
            gain = costs.rate(batch, threads) / costs.rate(batch, 1)
            cells.append(f"{costs.rate(batch, threads):,.0f} ({gain:.1f} times one)")
        lines.append(f"| B = {batch:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def show():
    """Measure, and print the tables."""
    print(markdown(*measure()))
