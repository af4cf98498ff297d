"""PyTorch as a contestant: eager, channels-last and compiled, on single images without oneDNN."""

import contextlib

import torch
from contestants import TABLE, A, Absent, S, prepare
from torch.nn import functional as F

A, S = float(A), float(S)


def plain(p, x):
    """Return the logits, written as the layers are: what most people would write."""
    y = _squash(F.conv2d(x, p["c1.weight"], p["c1.bias"]))
    y = _squash(4 * F.avg_pool2d(y, 2) * p["s2.coefficient"] + p["s2.bias"])
    y = _squash(F.conv2d(y, p["c3.weight"], p["c3.bias"]))
    y = _squash(4 * F.avg_pool2d(y, 2) * p["s4.coefficient"] + p["s4.bias"])
    y = _squash(F.linear(y.flatten(1), p["c5.weight"].flatten(1), p["c5.bias"]))
    y = _squash(F.linear(y, p["f6.weight"], p["f6.bias"]))
    return F.linear(y, p["output.weight"], p["output.bias"])


def _squash(u):
    return A * torch.tanh(S * u)


def folded(p, x):
    """Return the logits with A and S in the weights, subsampling a convolution map by map.

    The same function and the same gradients in half the passes over the activations.
    """
    y = torch.tanh(F.conv2d(x, S * p["c1.weight"], S * p["c1.bias"]))
    y = torch.tanh(_subsample(y, p["s2.coefficient"], p["s2.bias"]))
    y = torch.tanh(F.conv2d(y, A * S * p["c3.weight"], S * p["c3.bias"]))
    y = torch.tanh(_subsample(y, p["s4.coefficient"], p["s4.bias"])).flatten(1)
    y = torch.tanh(F.linear(y, A * S * p["c5.weight"].flatten(1), S * p["c5.bias"]))
    y = torch.tanh(F.linear(y, A * S * p["f6.weight"], S * p["f6.bias"]))
    return F.linear(y, A * p["output.weight"], p["output.bias"])


def _subsample(y, coefficient, bias):
    kernels = (A * S * coefficient)[:, None].expand(-1, 1, 2, 2)
    return F.conv2d(y, kernels, S * bias.flatten(), stride=2, groups=len(coefficient))


@contextlib.contextmanager
def _onednn(enabled):
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = enabled
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before


class Eager:
    """PyTorch eager, as most people would write it, with the fused SGD."""

    name = "torch"
    packages = ("torch",)
    works, single = ("train", "predict"), None
    network = staticmethod(plain)
    memory_format = torch.contiguous_format
    onednn = True
    device = "cpu"

    def __init__(self, params, threads):
        torch.set_num_threads(threads)
        self.params = {
            name: torch.tensor(value, device=self.device) for name, value in params.items()
        }
        for name, value in self.params.items():
            if name[:2] in ("s2", "s4"):
                self.params[name] = value[:, None, None]
            elif value.ndim == 4:
                self.params[name] = value.contiguous(memory_format=self.memory_format)
        self.mask = torch.tensor(TABLE[:, :, None, None], dtype=torch.float32, device=self.device)

    def _input(self, images):
        x = torch.from_numpy(prepare(images))
        return x.to(self.device, memory_format=self.memory_format)

    def predicting(self, images):
        x = self._input(images)

        def run():
            with torch.inference_mode(), _onednn(self.onednn):
                return torch.softmax(self.network(self.params, x), 1).numpy()

        return run

    def training(self, images, labels, batch, rate, momentum, epochs=1):
        x, labels = self._input(images), torch.from_numpy(labels)
        batches = list(zip(x.split(batch), labels.split(batch), strict=True)) * epochs
        for value in self.params.values():
            value.requires_grad_()
        sgd = torch.optim.SGD(self.params.values(), lr=rate, momentum=momentum, fused=True)

        def run():
            with _onednn(self.onednn):
                for inputs, targets in batches:
                    self._update(sgd, inputs, targets)

        return run

    def _update(self, sgd, inputs, targets):
        sgd.zero_grad(set_to_none=True)
        F.cross_entropy(self.network(self.params, inputs), targets).backward()
        sgd.step()
        with torch.no_grad():
            self.params["c3.weight"].mul_(self.mask)

    def parameters(self):
        return {name: value.detach().cpu().numpy().copy() for name, value in self.params.items()}


class Native(Eager):
    """PyTorch eager without oneDNN, which is faster on single images."""

    name = "torch-native"
    single = True
    onednn = False


class ChannelsLast(Eager):
    """PyTorch eager, channels last, with the constants folded into the weights."""

    name = "torch-channels-last"
    network = staticmethod(folded)
    memory_format = torch.channels_last


class Compiled(ChannelsLast):
    """torch.compile of the whole step: loss, gradients and update in one graph."""

    name = "torch-compile"
    single = False

    def __init__(self, params, threads):
        import torch._inductor.config

        torch._inductor.config.compile_threads = 1  # no idle processes beside what is timed
        torch.compiler.reset()
        super().__init__(params, threads)
        self.velocities = {name: torch.zeros_like(v) for name, v in self.params.items()}
        self.steps = {}

    def predicting(self, images):
        x = self._input(images)
        predict = torch.compile(lambda p, x: torch.softmax(self.network(p, x), 1), dynamic=False)

        def run():
            with torch.inference_mode(), _onednn(self.onednn):
                return predict(self.params, x).numpy()

        return self._compiled(run)

    def training(self, images, labels, batch, rate, momentum, epochs=1):
        x, labels = self._input(images), torch.from_numpy(labels)
        batches = list(zip(x.split(batch), labels.split(batch), strict=True)) * epochs
        key = rate, momentum
        if key not in self.steps:
            self.steps[key] = torch.compile(self._step(*key), dynamic=False)
        step = self.steps[key]

        def run():
            with _onednn(self.onednn):
                for inputs, targets in batches:
                    step(self.params, self.velocities, inputs, targets)

        return self._compiled(run)

    def _step(self, rate, momentum):
        mask = self.mask

        def loss(params, inputs, targets):
            return F.cross_entropy(self.network(params, inputs), targets)

        def step(params, velocities, inputs, targets):
            gradients = torch.func.grad(loss)(params, inputs, targets)
            gradients["c3.weight"] = gradients["c3.weight"] * mask
            for name, value in params.items():
                velocities[name].mul_(momentum).add_(gradients[name])
                value.sub_(rate * velocities[name])

        return step

    def _compiled(self, run):
        """Return `run` after a first call, which compiles; the weights are put back."""
        before = {name: value.clone() for name, value in self.params.items()}
        try:
            run()
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise Absent(f"torch.compile failed: {reason[0]}") from error
        for name, value in before.items():
            self.params[name].copy_(value)
            self.velocities[name].zero_()
        return run


class CompiledSingle(Compiled):
    """torch.compile in the form that is fastest on single images."""

    single = True
    network = staticmethod(plain)
    memory_format = torch.contiguous_format
    onednn = False


CONTESTANTS = (Eager, Native, ChannelsLast, Compiled, CompiledSingle)
