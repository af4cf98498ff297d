"""The fields of a configuration as keyword arguments, for type checkers."""

from collections.abc import Sequence
from typing import TypedDict

import numpy.typing as npt


class ConfigFields(TypedDict, total=False):
    """Fields of `Config` but the preset, as they may be given; the configuration checks them."""

    input_size: int
    border: int
    levels: Sequence[float]
    connections: npt.ArrayLike
    subsampling: str
    subsampling_p: float
    activation: str
    slope: float | None
    f6_activation: str | None
    output: str
    output_activation: bool
    head: str
    loss: str | None
    distance: str
    j: float | None
    classes: int | None
    class_names: Sequence[str] | None
    extra: str | None
    preparation: str
    codes: npt.ArrayLike | None
    train_codes: bool
    init: str | None
    dtype: npt.DTypeLike
    seed: int
