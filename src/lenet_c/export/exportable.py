"""What a model must have to be exported: a configuration, and parameters by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..network.config import Config


class Exportable(Protocol):
    """A network with its parameters, as `LeNet5` is one."""

    @property
    def config(self) -> Config: ...

    def parameters(self) -> dict[str, npt.NDArray[np.floating]]: ...


class Settable(Exportable, Protocol):
    """A network whose parameters can be set, too."""

    def set_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> None: ...
