"""lenet-c on all cores of a machine: what threads bring, and PyTorch beside it.

    python benchmarks/many_cores.py --minutes 9 --json cores.json
    python benchmarks/many_cores.py --model         # docs/scale.md: costs of sharing, and a model

Sections, the most important first: training and prediction by batch and threads, with the
multiply-add peak of as many threads at once; one image; PyTorch on a CUDA device and on the CPU,
where it is installed; distortions; a larger image; the steps of a pass on every instruction set;
and all beside --busy processes. Medians of samples of 0.05 to 0.2 s, the threads in turn. What a
section leaves of its time goes to those that follow; after each, the file is written. A section
that fails has its error there, and the others go on. Threads are 1, 2, 4, ... to the cores that
the process may use; LENET_C_ISA chooses the engine.
"""

import argparse
import json
import subprocess
import sys
import time
import traceback
import warnings
from pathlib import Path

import core_goals
import processes
import thread_tables
from core_goals import CARD, CPU, GRAPH

import lenet_c
from lenet_c.benchmark import timing
from lenet_c.core.threads import cores

BATCHES = (16, 64, 256, 1024, 4096)
START = 25  # seconds that PyTorch may take to begin, beyond its own time


class Skipped(Exception):
    """A section cannot be measured here; the message says why."""


def torch_section(form):
    """Return a section that measures a form of training in a process of its own."""

    def section(found, seconds, options):
        script = str(Path(__file__).with_name("torch_training.py"))
        batches = options.batches if form == "cpu" else (*options.batches, *options.card_batches)
        command = [sys.executable, script, "--form", form, "--seconds", str(seconds)]
        command += ["--threads", str(max(options.threads))]
        command += ["--batches", ",".join(map(str, batches))]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + START)
            lines, error = done.stdout, done.stderr if done.returncode else ""
        except subprocess.TimeoutExpired as expired:
            lines, error = expired.stdout or b"", f"not through after {seconds + START:.0f} s"
            lines = lines.decode() if isinstance(lines, bytes) else lines
        results = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
        if results and "skipped" in results[0]:
            raise Skipped(results[0]["skipped"])
        found["facts"], found["training"] = (results or [{}])[0], results[1:]
        if error:
            raise RuntimeError(error.strip()[-2000:])

    return section


SECTIONS = {  # name: function, and its weight in the time that is left
    "tables": (thread_tables.tables, 40),
    "one image": (thread_tables.one_image, 8),
    GRAPH: (torch_section("graph"), 7),
    CARD: (torch_section("cuda"), 7),
    CPU: (torch_section("cpu"), 8),
    "distortions": (thread_tables.distortions, 5),
    "scan": (thread_tables.scan, 4),
    "profile": (thread_tables.profile, 8),
    "busy": (thread_tables.busy, 6),
}


def show(name, found, sections):
    """Print what a section found."""
    if name == "tables":
        for work in ("training", "prediction"):
            if found.get(work):
                core_goals.table(work, found[work])
        print("\nmultiply-adds of all threads at once, thousand million a second (ratio)")
        first = next(iter(found["peak"].values()))
        rows = [(t, f"{peak / 1e9:.1f} ({peak / first:.2f})") for t, peak in found["peak"].items()]
        timing.print_table(("threads", "peak"), rows)
    elif name == "one image":
        print("\none image, us: a call of predict; an image of training with batch 1")
        works = (found["predict_us"], found["training_us"])
        timing.print_table(
            ("preset", "predict", "training"),
            [(preset, *(f"{work[preset]:.1f}" for work in works)) for preset in works[0]],
        )
    elif name == "scan":
        print("\nscan of 512 x 512, ms (ratio)")
        rows = [
            (t, f"{1000 / figure['median']:.2f} ({figure['ratio']:.2f})")
            for t, figure in found["threads"].items()
        ]
        timing.print_table(("threads", "scan"), rows)
    elif name == "profile":
        print("\nsums of the steps of a pass: us an image, share of the peak")
        rows = [
            (f"{isa}, {total['direction']}", f"{total['us']:.2f}", f"{total['of_peak']:.1%}")
            for isa, own in found.items()
            for total in own["sums"]
        ]
        timing.print_table(("", "us", "of the peak"), rows)
    elif name in (GRAPH, CARD, CPU):
        print(f"\n{name}: training, thousand images/s; {found['facts']}")
        rows = [(row["batch"], f"{row['median'] / 1000:.1f}") for row in found["training"]]
        timing.print_table(("batch", ""), rows)
        for row in found["training"]:
            if row.get("differs"):
                print(f"after three updates the weights differ from lenet-c's: {row['differs']}")
    else:
        for work in ("training", "prediction", "affine", "elastic"):
            if found.get(work):
                core_goals.table(f"{name}: {work}", found[work])


def measure(options):
    """Measure the sections that are wanted; return what --json writes, which is written by then."""
    end = time.perf_counter() + 60 * options.minutes
    facts = timing.machine(max(options.threads))
    data = {"commit": processes.commit(), "minutes": options.minutes, "machine": facts}
    data |= {"config": lenet_c.show_config("dict"), "sections": {}}
    timing.print_facts(facts)
    warnings.simplefilter("ignore", lenet_c.TrainingWarning)  # of few updates, as are wanted
    wanted = [name for name in SECTIONS if name in options.sections]
    for i, name in enumerate(wanted):
        section, weight = SECTIONS[name]
        left = end - time.perf_counter()
        share = left * weight / sum(SECTIONS[other][1] for other in wanted[i:])
        found, begin = data["sections"].setdefault(name, {}), time.perf_counter()
        try:
            if left <= 0:
                raise Skipped("no time is left")
            section(found, share, options)
        except Skipped as reason:
            found["skipped"] = str(reason)
            print(f"\n{name}: skipped, {reason}")
        except Exception as error:  # what was measured before and after must not be lost
            found["error"] = "".join(traceback.format_exception(error))
            print(f"\n{name}: failed: {error}")
        seconds = time.perf_counter() - begin
        try:
            if any(isinstance(part, (dict, list)) and part for part in found.values()):
                show(name, found, data["sections"])
        except Exception as error:
            print(f"\n{name}: not shown: {error!r}")
        found["seconds"] = seconds
        write(options, data)
    summary(data["sections"])
    goals = core_goals.Goals(data["sections"])
    goals.show()
    data["goals"] = [
        dict(zip(("work", "goal", "measured", "met"), g, strict=True)) for g in goals.lines
    ]
    write(options, data)
    print(f"\n{time.perf_counter() - end + 60 * options.minutes:.0f} s in all")
    return data


def summary(sections):
    """Print the table of training with PyTorch's figures beside it."""
    others = [(name, core_goals.by_batch(sections.get(name, {}))) for name in (CPU, CARD, GRAPH)]
    others = [(name, found) for name, found in others if found]
    if others and sections.get("tables", {}).get("training"):
        core_goals.table("training beside PyTorch", sections["tables"]["training"], others)


def write(options, data):
    """Write the file, if one is wanted."""
    if options.json:
        timing.write_json(options.json, data)


def numbers(text):
    """Return the numbers of a list with commas."""
    return tuple(int(part) for part in text.split(","))


def parse(arguments=None):
    """Return the options."""
    most = cores()
    powers = [2**i for i in range(most.bit_length())]
    threads = tuple(dict.fromkeys([n for n in powers if n <= most] + [most]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9.0, help="at most, about")
    parser.add_argument("--threads", type=numbers, default=threads, help="1,2,4, ... the cores")
    parser.add_argument("--batches", type=numbers, default=BATCHES, help="16,64,256,1024,4096")
    parser.add_argument("--busy", type=int, default=1, help="processes beside the last section")
    parser.add_argument("--sections", help=f"all of: {','.join(SECTIONS)}".replace("PyTorch, ", ""))
    parser.add_argument("--model", action="store_true", help="the tables of docs/scale.md")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args(arguments)
    short = {name.removeprefix("PyTorch, "): name for name in SECTIONS}
    chosen = options.sections.split(",") if options.sections else list(short)
    unknown = set(chosen) - set(short)
    if unknown:
        parser.error(f"--sections: {', '.join(sorted(unknown))} not among {', '.join(short)}")
    options.sections = {short[name] for name in chosen}
    if options.threads[0] != 1:
        parser.error("--threads: 1 comes first")
    whole = options.batches == BATCHES
    options.predict_batches = (*options.batches, 10_000) if whole else options.batches
    options.card_batches = (8192,) if whole else ()
    return options


def main():
    """Run as a script."""
    options = parse()
    if options.model:
        import thread_model

        thread_model.show()
    else:
        measure(options)


if __name__ == "__main__":
    main()
