"""Write data/torch_values.npz: `python tests/cases/make_torch_values.py` (needs PyTorch)."""

import numpy as np
import torch
from reference import TABLE, A, S
from torch.nn import functional
from torch_case import KEPT, VALUES, draw


def network(p, x):
    """Return "c1" ... "f6" -> activation, "output" -> logits, by torch's own operations."""

    def f(a):
        return A * torch.tanh(S * a)

    def subsample(y, name):  # 2x2 sum, times coefficient, plus bias
        total = functional.avg_pool2d(y, 2, divisor_override=1)
        coefficient, bias = p[f"{name}.coefficient"], p[f"{name}.bias"]
        return f(total * coefficient[:, None, None] + bias[:, None, None])

    mask = torch.from_numpy(TABLE.T.astype(np.float64))[:, :, None, None]
    y = {"c1": f(functional.conv2d(x, p["c1.weight"], p["c1.bias"]))}
    y["s2"] = subsample(y["c1"], "s2")
    y["c3"] = f(functional.conv2d(y["s2"], p["c3.weight"] * mask, p["c3.bias"]))
    y["s4"] = subsample(y["c3"], "s4")
    y["c5"] = f(functional.conv2d(y["s4"], p["c5.weight"], p["c5.bias"]))
    y["f6"] = f(functional.linear(y["c5"].flatten(1), p["f6.weight"], p["f6.bias"]))
    y["output"] = functional.linear(y["f6"], p["output.weight"], p["output.bias"])
    return y


def compute(case):
    """Return the arrays of the file for a case (all images of every layer)."""
    p = {name: torch.tensor(value, requires_grad=True) for name, value in case.params.items()}
    y = network(p, torch.tensor(case.x))
    loss = functional.cross_entropy(y["output"], torch.tensor(case.labels))
    loss.backward()
    values = {"loss": loss.detach().numpy()}
    logits = y["output"].detach()
    values["output.logits"] = logits.numpy()
    values["output.probabilities"] = torch.softmax(logits, 1).numpy()
    for layer in KEPT:
        values[f"{layer}.activation"] = y[layer].detach().numpy()
    for name, parameter in p.items():
        values[f"gradient.{name}"] = parameter.grad.numpy()
    return values


def main():
    values = compute(draw())
    for layer, images in KEPT.items():
        values[f"{layer}.activation"] = values[f"{layer}.activation"][:images]
    VALUES.parent.mkdir(exist_ok=True)
    np.savez_compressed(VALUES, **values)
    print(f"{VALUES}: {VALUES.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
