# The compiled module: engine.pyx and the .pxi files it includes say what the arguments mean.
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

# mypy 1.15 does not know disjoint_base
from typing_extensions import CapsuleType, disjoint_base  # type: ignore[attr-defined, unused-ignore]

_Numbers = npt.NDArray[np.floating]  # of the build's dtype
_Pixels = npt.NDArray[np.uint8] | _Numbers
_Labels = npt.NDArray[np.int64]
_Curve = tuple[str, float, float, float]  # kind, gain, slope, offset

ACTIVATIONS: dict[str, int]
AMPLITUDE: float
CURVATURES: dict[str, int]
HEADS: dict[str, int]
LOSSES: dict[str, int]
POOLS: dict[str, int]
SLOPE: float
MAPS: tuple[None, None, None, None]
TABLE_1: bytes
UNITS: tuple[None, None]
SUBSAMPLING: dict[str, int]

def cpu_level() -> int: ...
def api(float32: Engine, float64: Engine) -> CapsuleType: ...

@disjoint_base
class Array: ...

@disjoint_base
class Memory:
    def __new__(cls, size: int) -> Memory: ...

@disjoint_base
class Writer:
    def __enter__(self) -> bool: ...
    def __exit__(self, *error: object) -> None: ...

@disjoint_base
class Net:
    def __new__(
        cls,
        image_size: tuple[int, int],
        border: int,
        classes: int,
        levels: tuple[float, float],
        table: bytes | None = None,
        *,
        c5_kernel: int = 5,
        activation: _Curve = ...,
        f6_activation: _Curve | None = None,
        subsampling: str = "trainable",
        p: float = 2,
        head: str = "full",
        loss: str = "cross_entropy",
        j: float = 1,
        distance_scale: float = 1.0,
        output_activation: bool = False,
        train_codes: bool = False,
    ) -> Net: ...
    @property
    def size(self) -> int: ...
    @property
    def trained(self) -> int: ...
    @property
    def links(self) -> int: ...
    @property
    def shapes(self) -> dict[str, tuple[int, int, int]]: ...
    @property
    def parameters(self) -> dict[str, tuple[int, tuple[int, ...]]]: ...

@disjoint_base
class Draws:
    def __new__(cls, ranges: Sequence[float], seed: int, epoch: int) -> Draws: ...

@disjoint_base
class Pass: ...

@disjoint_base
class Engine:
    def __new__(cls, capsule: CapsuleType) -> Engine: ...
    @property
    def isa(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def lanes(self) -> int: ...
    def conv_forward(
        self,
        x: _Numbers,
        w: _Numbers,
        b: _Numbers,
        table: npt.NDArray[np.uint8],
        out: _Numbers,
    ) -> None: ...
    def conv_backward(
        self,
        du: _Numbers,
        x: _Numbers,
        w: _Numbers,
        table: npt.NDArray[np.uint8],
        dx: _Numbers,
        dw: _Numbers,
        db: _Numbers,
    ) -> None: ...
    def subsample_forward(self, x: _Numbers, c: _Numbers, b: _Numbers, out: _Numbers) -> None: ...
    def subsample_backward(
        self, du: _Numbers, x: _Numbers, c: _Numbers, dx: _Numbers, dc: _Numbers, db: _Numbers
    ) -> None: ...
    def dense_forward(self, x: _Numbers, w: _Numbers, b: _Numbers, out: _Numbers) -> None: ...
    def dense_backward(
        self, du: _Numbers, x: _Numbers, w: _Numbers, dx: _Numbers, dw: _Numbers, db: _Numbers
    ) -> None: ...
    def softmax_cross_entropy(
        self, a: _Numbers, labels: _Labels, da: _Numbers, loss: npt.NDArray[np.float64]
    ) -> None: ...
    def pool_forward(
        self,
        x: _Numbers,
        kind: str,
        out: _Numbers,
        p: float = 2.0,
        draw: int | None = None,
        layer: int = 2,
    ) -> None: ...
    def pool_backward(
        self,
        dy: _Numbers,
        x: _Numbers,
        kind: str,
        dx: _Numbers,
        p: float = 2.0,
        draw: int | None = None,
        layer: int = 2,
    ) -> None: ...
    def activation_forward(self, a: _Numbers, curve: _Curve, out: _Numbers) -> None: ...
    def activation_backward(
        self, dy: _Numbers, y: _Numbers, curve: _Curve, da: _Numbers
    ) -> None: ...
    def average_forward(self, x: _Numbers, out: _Numbers) -> None: ...
    def average_backward(self, dy: _Numbers, dx: _Numbers) -> None: ...
    def rbf_forward(
        self, x: _Numbers, codes: _Numbers, out: _Numbers, distance_scale: float = 1.0
    ) -> None: ...
    def rbf_backward(
        self,
        dy: _Numbers,
        x: _Numbers,
        codes: _Numbers,
        dx: _Numbers,
        dcodes: _Numbers,
        distance_scale: float = 1.0,
    ) -> None: ...
    def rbf_loss(
        self,
        y: _Numbers,
        labels: _Labels,
        kind: str,
        j: float,
        dy: _Numbers,
        loss: npt.NDArray[np.float64],
    ) -> None: ...
    def profile(
        self, net: Net, theta: _Numbers, images: _Pixels, labels: _Labels, seconds: float = 0.2
    ) -> list[tuple[str, float, int]]: ...
    def fma_peak(self, seconds: float = 0.5) -> float: ...
    def distort(self, draws: Draws, images: _Pixels, out: _Pixels, threads: int = 1) -> None: ...
    def scan(
        self,
        net: Net,
        theta: _Numbers,
        image: _Pixels,
        out: _Numbers,
        threads: int = 1,
        tile: tuple[int, int] | None = None,
    ) -> bool: ...
    def online_size(self, net: Net) -> int: ...
    def prefers_online_training(self, net: Net, batch: int) -> bool: ...
    def online_move(
        self, net: Net, packed: _Numbers, theta: _Numbers, back: bool = False
    ) -> None: ...
    def prefers_online(self, net: Net, n: int) -> bool: ...
    def softmax(self, scores: _Numbers) -> None: ...
    def online_scores(self, net: Net, packed: _Numbers, images: _Pixels, out: _Numbers) -> bool: ...
    def online_gradient(
        self, net: Net, packed: _Numbers, images: _Pixels, labels: _Labels, gradient: _Numbers
    ) -> tuple[float, int]: ...
    def scores(
        self, net: Net, theta: _Numbers, images: _Pixels, out: _Numbers, threads: int = 1
    ) -> bool: ...
    def activations(
        self, net: Net, theta: _Numbers, images: _Pixels, outs: Sequence[_Numbers]
    ) -> None: ...
    def prepare(
        self,
        net: Net,
        theta: _Numbers,
        images: _Pixels,
        labels: _Labels,
        weight: _Numbers | None = None,
        rule: Mapping[str, object] | None = None,
        state1: _Numbers | None = None,
        state2: _Numbers | None = None,
        gradient: _Numbers | None = None,
        *,
        target: _Numbers | None = None,
        draw: int = 0,
        draws: Draws | None = None,
        count: int = 0,
        threads: int = 1,
    ) -> Pass: ...
    def train(
        self,
        presented: Pass,
        order: _Labels,
        batch: int,
        rates: npt.NDArray[np.float64] | None = None,
        momenta: npt.NDArray[np.float64] | None = None,
        step: int = 0,
        loss: float = 0.0,
    ) -> tuple[float, int]: ...
    def update(
        self,
        net: Net,
        theta: _Numbers,
        gradient: _Numbers,
        rule: Mapping[str, object],
        rate: float,
        momentum: float,
        state1: _Numbers,
        state2: _Numbers,
        step: int = 0,
    ) -> None: ...
    def curvature(
        self,
        net: Net,
        theta: _Numbers,
        images: _Pixels,
        labels: _Labels,
        order: npt.NDArray[np.int64],
        out: _Numbers,
        kind: str = "exact",
    ) -> None: ...
