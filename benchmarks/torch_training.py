"""Training by PyTorch, on the CPU or on a CUDA device, for many_cores.py: a process of its own.

    python benchmarks/torch_training.py --form graph --batches 16,64 --seconds 20

Prints a JSON object a line: the facts first, then images a second at each batch size. The form is
"cpu" or "cuda", as users write it, or "graph", a CUDA graph of the whole update.
"""

import argparse
import json
import time

from thread_tables import Plan

FORMS = ("cpu", "cuda", "graph")
RATE, MOMENTUM = 0.005, 0.9
STEPS, IMAGES = 64, 16_384  # of a call: so many updates and images at most,
SECONDS = 0.1  # and so long, as the first two updates tell


def contestant(form):
    """Return the class of a form; ImportError without PyTorch."""
    import torch
    from peer_torch import Eager

    class Card(Eager):
        """All images on the device, a batch by its indices."""

        name = "cuda"
        device = "cuda"

        def training(self, images, labels, batch, rate, momentum, epochs=1):
            x, labels, sgd = self._on_device(images, labels, rate, momentum)

            def run():
                for _ in range(epochs):
                    for index in torch.randperm(len(x), device=self.device).split(batch):
                        self._update(sgd, x[index], labels[index])
                torch.cuda.synchronize()

            return run

        def _on_device(self, images, labels, rate, momentum):
            for value in self.params.values():
                value.requires_grad_()
            sgd = torch.optim.SGD(self.params.values(), lr=rate, momentum=momentum)
            return self._input(images), torch.from_numpy(labels).to(self.device), sgd

    class Graph(Card):
        """One update captured; a batch is copied into its input, and it is replayed."""

        name = "graph"

        def training(self, images, labels, batch, rate, momentum, epochs=1):
            x, labels, sgd = self._on_device(images, labels, rate, momentum)
            inputs, targets = x[:batch].clone(), labels[:batch].clone()
            before = {name: value.detach().clone() for name, value in self.params.items()}
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(3):
                    self._update(sgd, inputs, targets)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            sgd.zero_grad(set_to_none=True)  # so that backward makes them in the graph's memory
            with torch.cuda.graph(graph):
                self._update(sgd, inputs, targets)
            with torch.no_grad():  # as before the updates that warmed it up
                for name, value in self.params.items():
                    value.copy_(before[name])
                for state in sgd.state.values():
                    state["momentum_buffer"].zero_()

            def run():
                for _ in range(epochs):
                    for index in torch.randperm(len(x), device=self.device).split(batch):
                        inputs.copy_(x[index])
                        targets.copy_(labels[index])
                        graph.replay()
                torch.cuda.synchronize()

            return run

    return {"cpu": Eager, "cuda": Card, "graph": Graph}[form]


def facts(form):
    """Return what the figures depend on."""
    import torch

    found = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    if form != "cpu":
        found |= {"card": torch.cuda.get_device_name(0), "cuda": torch.version.cuda}
        found["convolutions in TF32"] = torch.backends.cudnn.allow_tf32
    return found


def agreement(kind, threads, params, images, labels):
    """Return None, or how the weights differ from lenet-c's after three updates."""
    from contestants import check_training

    from lenet_c.benchmark.checks import Disagreement

    try:
        check_training(kind(params, threads), params, images, labels, RATE, MOMENTUM)
    except Disagreement as error:
        return str(error)
    return None


def measure(options):
    """Yield the facts, then the figures, as dicts.

    The first batch is also compared: "differs" says where the weights are others than lenet-c's.
    """
    until = time.time() + options.seconds
    import torch
    from contestants import draw

    if options.form != "cpu" and not torch.cuda.is_available():
        raise ImportError("no CUDA device")
    kind = contestant(options.form)
    torch.set_num_threads(options.threads)
    yield facts(options.form)
    for i, batch in enumerate(options.batches):
        found = {"batch": batch}
        if i == 0:
            found["differs"] = agreement(kind, options.threads, *draw(batch))
        run, n = sized(
            kind, options.threads, *draw(batch * max(2, min(STEPS, IMAGES // batch))), batch
        )
        plan = Plan(max(0.0, until - time.time()) / (len(options.batches) - i), 1)
        timing = plan.in_turn({options.form: (run, n)})[options.form]
        yield found | {"median": timing.median, "best": timing.rate(1), "images": n}


def sized(kind, threads, params, images, labels, batch):
    """Return what presents images once, after a first time, and how many of them."""

    def training(n):
        one = kind(params, threads)
        run = one.training(images[:n], labels[:n], batch, RATE, MOMENTUM)
        run()
        return run

    two = training(2 * batch)
    begin = time.perf_counter()
    two()
    steps = int(2 * SECONDS / (time.perf_counter() - begin))
    n = min(len(images), batch * max(2, steps))
    return training(n), n


def parse(arguments=None):
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--form", choices=FORMS, default="cpu")
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0, help="from the start, about")
    return parser.parse_args(arguments)


def main():
    """Run as a script."""
    try:
        for found in measure(parse()):
            print(json.dumps(found), flush=True)
    except ImportError as error:
        print(json.dumps({"skipped": str(error)}), flush=True)


if __name__ == "__main__":
    main()
