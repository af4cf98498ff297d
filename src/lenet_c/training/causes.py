"""Why a training does not learn: what can be seen in images, labels, weights, rate and units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..network.scores import activations

if TYPE_CHECKING:
    from ..network.parameters import Parameters
    from .data import Data
    from .history import Record
    from .recipe import Recipe

_UNITS = 200  # images by which units are judged
_FLAT = 0.05  # images whose pixels all differ by less than this (1 is full ink) are the same
_FEW_UPDATES = 100
_HEAVY = 10.0  # a class whose images weigh this many times the mean is too heavy
_MOST_OF = 0.8  # the part of a layer's units, or of all weight, that is called most of it
_NEAR_LIMIT = 0.99  # at this part of tanh's reach its slope is below 2 % of the steepest
_SAME = "the same for all images"
_ALIKE = 0.01  # a unit varies by less than this part of its reach: it answers all images alike


@dataclass(frozen=True)
class Findings:
    """What a training that does not learn leaves to look at.

    data: all training images; pixels, labels: of some of them, drawn evenly; loss: at the end, of
    those images; guess: what guessing gives.
    """

    parameters: Parameters
    data: Data
    pixels: np.ndarray
    labels: npt.NDArray[np.int64]
    recipe: Recipe
    usual_rate: float
    batch_size: int
    history: tuple[Record, ...]
    loss: float
    guess: float


def likely_cause(found: Findings) -> str:
    """Return a sentence on the likeliest cause and its cure; what is sure is asked first."""
    rate, usual = found.recipe.learning_rate, found.usual_rate
    tell = _of_pixels(found) or of_labels(found)
    if tell is None and rate <= 3 * usual:
        tell = _of_weights(found)
    return tell or _of_rate(found)


def _of_pixels(found: Findings) -> str | None:
    pixels = found.pixels
    spread = float((pixels.max(0) - pixels.min(0)).max())
    spread /= 255 if pixels.dtype == np.uint8 else 1
    if spread >= _FLAT or len(pixels) < 2:
        return None
    return (
        f"its images are all but the same: their pixels differ by {spread:.2g} at most, where 1 is "
        "full ink; check how they are read and scaled (integers 0..255 or floats 0..1)"
    )


def of_labels(found: Findings) -> str | None:
    """Return a sentence where images do not tell their labels.

    The mean images of the classes are taken from one half of the images; the nearest of them gives
    the label of each image of the other half.
    """
    x = found.pixels.reshape(len(found.pixels), -1).astype(np.float64)
    half = len(x) // 2
    order = np.random.default_rng(0).permutation(len(x))
    learnt, asked = order[:half], order[half:]
    classes, place = np.unique(found.labels[learnt], return_inverse=True)
    asked = asked[np.isin(found.labels[asked], classes)]
    if len(classes) < 2 or len(asked) < 50:
        return None
    means = np.zeros((len(classes), x.shape[1]))
    np.add.at(means, place, x[learnt])
    means /= np.bincount(place)[:, None]
    nearest = ((means**2).sum(1) - 2 * x[asked] @ means.T).argmin(1)
    right = classes[nearest] == found.labels[asked]
    by_class = [right[found.labels[asked] == k].mean() for k in np.unique(found.labels[asked])]
    told, chance = float(np.mean(by_class)), 1 / len(classes)
    if told > chance + 3 * np.sqrt(chance * (1 - chance) / len(asked)):
        return None
    return (
        "the labels may not belong to the images: the mean images of the classes tell "
        f"{100 * told:.1f} % of them, by chance {100 * chance:.1f} %; check that both are in the "
        "same order"
    )


def _of_weights(found: Findings) -> str | None:
    targets, weight = found.data.targets, found.data.weight
    if weight is None:
        return None
    n, images = len(targets), np.bincount(targets)
    share = np.bincount(targets, weight) / n
    each = np.divide(share * n, images, out=np.zeros_like(share), where=images > 0)
    k = int(each.argmax())
    part = images[k] / n
    if each[k] < _HEAVY and not share[k] > _MOST_OF > 2 * part:
        return None
    return (
        f"the {images[k]:,} images of class {found.parameters.config.names[k]} have "
        f"{100 * share[k]:.0f} % of the weight, each {each[k]:.3g} times the mean: give them less "
        "in sample_weight or class_weight"
    )


def _of_rate(found: Findings) -> str:
    rate, usual, history = found.recipe.learning_rate, found.usual_rate, found.history
    losses = [record.loss for record in history]
    none = "" if rate == usual else f", or leave it at None, which is {usual:.3g}"
    stuck, alike = _units(found)
    hardly = abs(found.loss - losses[0]) <= 0.1 * losses[0] and found.loss < 5 * found.guess
    if hardly and rate < usual / 5 and not stuck:
        return f"the learning rate {rate:g} may be too low: raise it tenfold{none}"
    shown = f" ({stuck})" if stuck else ""
    if stuck or found.loss > 1.1 * found.guess or max(losses) > 1.1 * losses[0]:
        if rate < usual / 5:
            return (
                f"the weights it began with may be too large{shown}: begin with others, and leave "
                f"the learning rate at None, which is {usual:.3g}"
            )
        return f"the learning rate {rate:g} may be too high{shown}: divide it by ten{none}"
    updates = sum(-(-record.images // found.batch_size) for record in history)
    if updates < _FEW_UPDATES:
        return (
            f"{updates} updates are few: train for more epochs, or with a batch_size of less than "
            f"{found.batch_size:,}"
        )
    shown = f" ({alike})" if alike else ""
    return (
        f"it stands still{shown}: try another learning rate than {rate:g}, another optimizer "
        f"than {found.recipe.optimizer}, or init"
    )


def _units(found: Findings) -> tuple[str, str]:
    """Return which layers are saturated or dead, and which answer all images alike.

    Saturated: outputs near the limits of tanh or sigmoid; dead: ReLU's that are 0 for every image;
    the units of a layer are told where most are.
    """
    parameters, config = found.parameters, found.parameters.config
    some = np.ascontiguousarray(found.pixels[:: -(-len(found.pixels) // _UNITS)])
    told: dict[str, list[str]] = {"saturated": [], "dead": [], _SAME: []}
    for name, out in activations(parameters, some, parameters.weights).items():
        pooled = name in ("s2", "s4") and config.subsampling != "trainable"
        if name == "average" or pooled or (name == "output" and not config.output_activation):
            continue
        kind, gain, _, offset = config.curve(config.f6_activation if name == "f6" else None)
        units = out.reshape(len(out), -1).astype(np.float64)
        relu = kind == "relu"
        reach = max(float(units.max()), 1e-30) if relu else gain
        limit = ~units.any(0) if relu else np.abs(units - offset) > _NEAR_LIMIT * gain
        same = units.std(0) < _ALIKE * reach
        for word, flags in (("dead" if relu else "saturated", limit), (_SAME, same)):
            if flags.mean() > _MOST_OF:
                told[word].append(f"{name.upper()} {100 * flags.mean():.0f} %")
    shown = {word: f"units {word}: {', '.join(layers)}" for word, layers in told.items() if layers}
    return shown.get("saturated", shown.get("dead", "")), shown.get(_SAME, "")
