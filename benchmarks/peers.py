"""lenet-c beside its peers: the same network, weights, batches and threads, timed in turn.

    python benchmarks/peers.py --threads 1 --json peers-1.json
    python benchmarks/peers.py --threads 2 --json peers-2.json

Peers are PyTorch, JAX, ONNX Runtime (prediction) and two NumPy networks; one that is not installed
is skipped, and said so. All get the same weights. Before a contestant is timed, its probabilities
and its weights after three updates are compared with those of the float64 kernels, at that batch.

Training: uint8 digits in memory -> shuffle -> pack -> forward -> backward -> update, by
`LeNet5.fit`; the peers get float32 batches converted, cut and shuffled beforehand. SGD with
momentum 0.9; at batch 1 without momentum, as the online training of the sources. Prediction:
`LeNet5.predict_proba` from uint8 digits; the peers from converted ones.

The process starts itself again with the environment, and on the cores, of --threads. `--peers
lenet_c,engines` compares the builds of the kernels; LENET_C_ISA chooses the one called lenet_c.
"""

import argparse
import importlib
import sys

import processes

from lenet_c.benchmark import timing

GROUPS = ("lenet_c", "numpy", "torch", "jax", "onnx")
# Multiply-adds an image of convolutions and full layers: forward, and with both gradients
# (C1's input gradient is not needed).
FORWARD = 117_600 + 150_000 + 48_000 + 10_080 + 840
MULTIPLY_ADDS = {"predict": FORWARD, "train": 3 * FORWARD - 117_600}
RATE = 0.005


def contestants_of(group, threads):
    """Return the classes of a group; ImportError where it is not installed."""
    import contestants

    if group == "lenet_c":
        return [contestants.LenetC]
    if group == "engines":
        return contestants.other_engines()
    if group == "numpy":
        split = [contestants.BlasRival] if threads > 1 and contestants.openblas_setter() else []
        return [contestants.Rival, *split, contestants.Im2col]
    return list(importlib.import_module(f"peer_{group}").CONTESTANTS)


def takes_part(kind, work, batch):
    """Tell whether a class of contestants does this work at this batch."""
    return work in kind.works and kind.single in (None, batch == 1)


def prepare_runs(kinds, work, batch, options, skipped):
    """Make and check the contestants of one table; return name -> run, and the images of a run.

    The reason why one cannot take part is added to `skipped`.
    """
    from contestants import Absent, check_predictions, check_training, draw

    n = batch
    if work == "train":
        n = max(4 * batch, 64 if options.quick else 512 if batch == 1 else 2048)
    params, images, labels = draw(n)
    momentum = options.momentum if options.momentum is not None else 0.9 * (batch > 1)
    runs = {}
    for kind in kinds:
        if not takes_part(kind, work, batch):
            continue
        try:
            one = kind(params, options.threads)
            if work == "predict":
                runs[kind.name] = check_predictions(one, params, images)
            else:
                check_training(one, params, images[:batch], labels[:batch], RATE, momentum)
                runs[kind.name] = one.training(images, labels, batch, RATE, momentum)
        except Absent as reason:
            skipped[f"{kind.name}, {work} {batch}"] = str(reason)
            print(f"{kind.name} skipped: {reason}", flush=True)
    return runs, n


def report(work, batch, timings, peak, threads):
    """Print the table of one workload and batch; return its line of the summary."""
    ours = next((t for t in timings if t.name == "lenet_c"), None)
    rows = []
    for t in sorted(timings, key=lambda t: -t.median):
        ratio = "" if ours is None or t is ours else f"{ours.median / t.median:.2f}"
        spread = f"{t.rate(0.25):,.0f} .. {t.rate(0.75):,.0f}"
        rows.append((t.name, f"{t.median:,.0f}", spread, f"{t.rate(1):,.0f}", ratio))
    print(f"\n{work}, batch {batch}, {threads} thread(s): images a second")
    timing.print_table(("", "median", "quartiles", "best", "lenet_c / it"), rows)
    if ours is None:
        return None
    line = {"work": work, "batch": batch, "lenet_c": ours.median}
    peers = [t for t in timings if not t.name.startswith("lenet_c")]
    if peers:
        best = max(peers, key=lambda t: t.median)
        line |= {"best peer": best.name, "lenet_c / best peer": ours.median / best.median}
    for t in peers:
        if t.name in ("torch", "onnxruntime"):
            line[f"lenet_c / {t.name}"] = ours.median / t.median
    line["of FMA peak"] = ours.median * MULTIPLY_ADDS[work] / (peak * threads)
    return line


def print_summary(lines):
    """Print one line a workload and batch."""
    header = ["lenet_c", "best peer", "lenet_c / best peer", "lenet_c / torch"]
    header += ["lenet_c / onnxruntime", "of FMA peak"]
    rows = []
    for line in lines:
        row = [f"{line['work']} {line['batch']}"]
        for name in header:
            value = line.get(name, "-")
            if isinstance(value, float):
                form = ",.0f" if name == "lenet_c" else ".1%" if name == "of FMA peak" else ".2f"
                value = format(value, form)
            row.append(value)
        rows.append(row)
    print("\nlenet_c beside the peers, medians")
    timing.print_table(["", *header], rows)


def measure(options):
    """Run the benchmark; return what --json writes."""
    from lenet_c.core import choose

    kinds, skipped = [], {}
    for group in options.peers:
        try:
            kinds += contestants_of(group, options.threads)
        except ImportError as error:
            skipped[group] = str(error)
            print(f"{group} skipped: {error}")
    kinds = [kind for kind in kinds if kind.name not in options.without]
    packages = dict.fromkeys(package for kind in kinds for package in ("numpy", *kind.packages))
    facts = timing.machine(options.threads, packages)
    timing.print_facts(facts)
    peak = choose.default().fma_peak()
    tables, lines = [], []
    for work in options.work:
        for batch in options.batches or options.default_batches[work]:
            runs, n = prepare_runs(kinds, work, batch, options, skipped)
            timings = timing.interleave(runs, n, options.rounds, options.seconds)
            peak = max(peak, choose.default().fma_peak())
            lines.append(report(work, batch, timings, peak, options.threads))
            results = [t.as_dict() for t in timings]
            tables.append({"work": work, "batch": batch, "images": n, "results": results})
            sys.stdout.flush()
    lines = [line for line in lines if line]
    print_summary(lines)
    print(f"\nFMA peak of a core, measured: {2e-9 * peak:.1f} GFLOP/s")
    return {
        "machine": facts,
        "skipped": skipped,
        "fma_peak": peak,
        "rounds": options.rounds,
        "tables": tables,
        "summary": lines,
    }


def names(text):
    """Return the parts of a list with commas."""
    return tuple(text.split(","))


def numbers(text):
    """Return the numbers of a list with commas."""
    return tuple(int(part) for part in text.split(","))


def parse(arguments=None):
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=names, default=("train", "predict"), help="train,predict")
    parser.add_argument("--batches", type=numbers, help="1,16,64,256,1024; predict 10000 too")
    parser.add_argument(
        "--peers", type=names, default=GROUPS, help=f"{','.join(GROUPS)}, also engines"
    )
    parser.add_argument("--without", type=names, default=(), help="contestants, as torch-compile")
    parser.add_argument("--momentum", type=float, help="0.9, and 0 at batch 1")
    parser.add_argument("--rounds", type=int, help="samples of each contestant (15)")
    parser.add_argument("--seconds", type=float, help="length of a sample, at least (0.1)")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--quick", action="store_true", help="a trial: no figures to quote")
    options = parser.parse_args(arguments)
    for name, allowed in (("work", MULTIPLY_ADDS), ("peers", (*GROUPS, "engines"))):
        unknown = set(getattr(options, name)) - set(allowed)
        if unknown:
            parser.error(f"--{name}: {', '.join(sorted(unknown))} not among {', '.join(allowed)}")
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.seconds = options.seconds or (0.005 if options.quick else 0.1)
    batches = (1, 64) if options.quick else (1, 16, 64, 256, 1024)
    options.default_batches = {"train": batches, "predict": batches}
    if not options.quick:
        options.default_batches["predict"] = (*batches, 10_000)
    return options


def main():
    """Run as a script."""
    options = parse()
    processes.restart_with(options.threads)
    data = measure(options)
    if options.json:
        timing.write_json(options.json, {"commit": processes.commit(), **data})


if __name__ == "__main__":
    main()
