"""What a network is: the fields of its configuration, the presets, and the table of layers."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..common import strict_json
from ..core.engine import Net
from .choices import (
    CHOICES,
    CONNECTION_TABLE,
    EXTRA,
    INIT,
    PRESETS,
    check_choice,
    curve,
    distance_scale,
)
from .config_values import as_codes, as_connections, as_levels, as_names

if TYPE_CHECKING:
    from typing import Unpack

    from .config_fields import ConfigFields

MOST_CLASSES = 65536
MOST_BYTES = 1 << 28  # of a model file, unpacked: that many classes in float64, names and codes
_MOST_VALUES = 2 * MOST_CLASSES + 256  # in a configuration: names, codes, and all else
UNSET: Any = None  # the default of a field that __post_init__ settles


@dataclass(frozen=True, kw_only=True)
class Config:
    """Configuration of a network.

    Parameters
    ----------
    preset : str
        The preset it started from.
    input_size : int
        Rows and columns of the network's input, border included, 28 .. 35: one output. C5 reads
        the whole of S4, 4 x 4 below 32 and 5 x 5 from there on.
    border : int
        Background added on each side of an image; images have input_size - 2 border rows.
    levels : (float, float)
        Input level of the background and of full ink (-0.1 and 1.175 in the paper).
    connections : "table1", "full" or nested tuple, 6 x 16
        C3's connections, rows S2 maps; Table I of the paper by default.
    subsampling : {"trainable", "average", "max", "stochastic", "lp"}
        Of 2 x 2. trainable: f(coefficient * sum + bias), the paper's; the others have no
        parameters and no f. stochastic: one of the four, drawn with probability in proportion to
        its activation, in training, sum a^2 / sum a in prediction (Zeiler and Fergus 2013); needs
        relu or sigmoid. lp: (mean |x|^p)^(1/p).
    subsampling_p : float
        The p of lp, from 1 up.
    activation : {"scaled_tanh", "tanh", "sigmoid", "relu"}
        scaled_tanh: 1.7159 tanh(2a/3), the paper's; tanh: tanh(slope a / 2), the course's;
        sigmoid: 1 / (1 + exp(-slope a)); relu: max(a, 0).
    slope : float, optional
        Of tanh (None: 2, that is tanh(a)) and sigmoid (None: 1); the others have none.
    f6_activation : str, optional
        Another activation for F6; None: the same.
    output : {"softmax", "rbf"}
        A full layer with softmax, or Euclidean RBF units (the paper's), whose outputs are squared
        distances: the class is the one of the least.
    output_activation : bool
        The activation is applied to the output layer too, before the softmax (the course's F7).
    head : {"full", "global_average"}
        C5, F6 and the output, or the averages of S4's maps and the output.
    loss : {"cross_entropy", "map", "mse"}, optional
        cross_entropy with softmax; eq. 9 (map, the default) or eq. 8 (mse) with RBF units.
    distance : {"sum", "mean", "half"}
        Of RBF units, y[c] = s times the sum over F6's 84 units of (f6[n] - code[c,n])^2, eq. 7: s
        is 1, 1/84 or 1/2. docs/accuracy.md tells what the paper's figures say of it.
    j : float, optional
        The constant of eq. 9, above 0; None: 3 s. The paper gives no value, 3 was chosen on
        held-out digits.
    classes : int, optional
        From 2 up; None: as many as class_names, or ten, and the extra one. Ten with RBF units,
        unless codes are given.
    class_names : tuple of str, optional
        What the classes are called, each once, without control characters, the extra one last;
        None: by their numbers, and the extra one by what it is.
    extra : {"blank", "none"}, optional
        What the last class is beside the others. blank: between two digits of a line, see
        `lenet_c.reading.train`. none: no digit, or none of the others: `LeNet5.predict` gives -1
        for it. None: a class like the others.
    preparation : {"digit", "ink", "resize"}
        What `lenet_c.images.prepare` makes of pictures for this network.
    codes : nested tuple, classes x 84, optional
        The RBF units' codes; None: the ten bitmaps of the paper's Fig. 3.
    train_codes : bool
        The codes are trained too; needs eq. 9, under eq. 8 they would collapse.
    init : {"sqrt_fan_in", "fan_in", "glorot", "he", "centred"}, optional
        Weights uniform in +-2.4/sqrt(F) (None with scaled_tanh), in +-2.4/F, as the paper prints,
        in Glorot's +-sqrt(6/(F + F')) (None with tanh, and the preset lecun1998, which learns best
        from them) or in He's +-sqrt(6/F) (None with relu); F
        is the unit's fan-in without its bias, F' its fan-out. Biases start at 0 (our choice, the
        paper is silent). centred (None with sigmoid): what computes the same as a network of tanh
        with Glorot's weights; of sigmoid(a) = (1 + tanh(a/2)) / 2 the weights are four times
        Glorot's, and the biases take off what the inputs' mean of 1/2 adds. Where ReLU or the
        sigmoid is applied to the output, its biases start 6 or 4 higher in all of them: a unit that
        is 0 for every image would not learn.
    dtype : {"float32", "float64"}
        What is computed with.
    seed : int
        Of the initial weights, and of the draws of stochastic subsampling.

    Raises
    ------
    TypeError, ValueError
        A field is none of the above, or does not go with another; the message says which.

    Examples
    --------
    >>> import lenet_c
    >>> config = lenet_c.Config(subsampling="max", activation="relu")
    >>> config.init, config.classes
    ('he', 10)
    """

    preset: str = dataclasses.field(default="softmax", kw_only=False)
    input_size: int = 32
    border: int = 2
    levels: tuple[float, float] = (-0.1, 1.175)
    connections: str | tuple[tuple[int, ...], ...] = "table1"
    subsampling: str = "trainable"
    subsampling_p: float = 2.0
    activation: str = "scaled_tanh"
    slope: float | None = None
    f6_activation: str | None = None
    output: str = "softmax"
    output_activation: bool = False
    head: str = "full"
    loss: str = UNSET
    distance: str = "sum"
    j: float = UNSET
    classes: int = UNSET
    class_names: tuple[str, ...] | None = None
    extra: str | None = None
    preparation: str = "digit"
    codes: tuple[tuple[float, ...], ...] | None = None
    train_codes: bool = False
    init: str = UNSET
    dtype: str = "float32"
    seed: int = 0

    if TYPE_CHECKING:  # what may be given is more than what the fields hold

        def __init__(self, preset: str = "softmax", **fields: Unpack[ConfigFields]) -> None: ...

    def __post_init__(self) -> None:
        if self.dtype is not None and not isinstance(self.dtype, str):
            with contextlib.suppress(TypeError):
                object.__setattr__(self, "dtype", np.dtype(self.dtype).name)
        if self.init is None and isinstance(self.activation, str):
            object.__setattr__(self, "init", INIT.get(self.activation))
        object.__setattr__(self, "class_names", as_names(self.class_names))
        if self.classes is None:
            usual = 10 if self.extra is None else 11
            object.__setattr__(self, "classes", len(self.class_names or range(usual)))
        if self.loss is None:
            object.__setattr__(self, "loss", "map" if self.output == "rbf" else "cross_entropy")
        optional = {"f6_activation": CHOICES["activation"], "extra": EXTRA}
        given = {name: known for name, known in optional.items() if getattr(self, name) is not None}
        for name, choices in (("preset", tuple(PRESETS)), *CHOICES.items(), *given.items()):
            check_choice(name, getattr(self, name), choices)
        if self.j is None:
            object.__setattr__(self, "j", 3 * distance_scale(self.distance))
        for name, low, high in (
            ("input_size", 28, 35),
            ("border", 0, 13),
            ("classes", 2, MOST_CLASSES),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
            if not low <= value <= high:
                raise ValueError(f"{name}: expected {low} .. {high}, got {value}")
            object.__setattr__(self, name, int(value))
        for name, least, most in (
            ("subsampling_p", 1.0, 1e3),
            ("slope", 1e-6, 1e6),
            ("j", 1e-6, 1e6),
        ):
            self._check_number(name, least, most)
        for name in ("output_activation", "train_codes"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise TypeError(
                    f"{name}: expected a bool, got {type(getattr(self, name)).__name__}"
                )
            object.__setattr__(self, name, bool(getattr(self, name)))
        object.__setattr__(self, "levels", as_levels(self.levels))
        object.__setattr__(self, "connections", as_connections(self.connections))
        self._check_output()
        if self.class_names is not None and len(self.class_names) != self.classes:
            raise ValueError(f"class_names: {len(self.class_names)} for {self.classes} classes")
        if self.extra is not None and self.classes == 10 and self.class_names is None:
            raise ValueError(
                f"classes: expected 11 with extra {self.extra!r}, ten digits and that, got 10; for "
                "nine classes of another kind and that, give class_names"
            )
        if self.subsampling == "stochastic" and self.activation not in ("relu", "sigmoid"):
            raise ValueError(
                "subsampling: stochastic draws in proportion to the activations, which must not be "
                f"negative: activation relu or sigmoid, not {self.activation}"
            )

    def _check_number(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if value is None and name == "slope":
            return
        try:
            number = float("" if isinstance(value, str) else value)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"{name}: expected a number, got {value!r}") from None
        if not low <= number <= high:
            raise ValueError(f"{name}: expected a number in {low:g} .. {high:g}, got {value!r}")
        object.__setattr__(self, name, number)

    def _check_output(self) -> None:
        rbf = self.output == "rbf"
        if rbf == (self.loss == "cross_entropy"):
            wanted = "map or mse" if rbf else "cross_entropy"
            raise ValueError(f"loss: with output {self.output} expected {wanted}, got {self.loss}")
        if not rbf:
            for name in ("codes", "train_codes", "distance"):
                value = getattr(self, name)
                usual = value == "sum" if name == "distance" else value is None or value is False
                if not usual:
                    raise ValueError(f"{name}: of RBF units, the output is {self.output}")
            return
        if self.head != "full" or self.output_activation:
            raise ValueError("output: RBF units stand above F6: head full, no output_activation")
        if self.train_codes and self.loss == "mse":
            raise ValueError("train_codes: under loss mse (eq. 8) the codes would collapse; map")
        if self.codes is not None:
            object.__setattr__(self, "codes", as_codes(self.codes, self.classes))
        elif self.classes != 10:
            raise ValueError(f"classes: ten codes are known; give codes for {self.classes} classes")

    @property
    def image_size(self) -> int:
        """Rows and columns of an image without its border."""
        return self.input_size - 2 * self.border

    @property
    def names(self) -> tuple[str, ...]:
        """What the classes are called: class_names, or their numbers, and `extra` for the last."""
        if self.class_names is not None:
            return self.class_names
        if self.extra is None:
            return tuple(map(str, range(self.classes)))
        return (*map(str, range(self.classes - 1)), self.extra)

    @property
    def none_class(self) -> int | None:
        """The place of the class that means none of the others; None: there is no such class."""
        return self.classes - 1 if self.extra == "none" else None

    @property
    def table(self) -> npt.NDArray[np.bool_]:
        """C3's connections as bool (6, 16), rows S2 maps."""
        if self.connections == "table1":
            return CONNECTION_TABLE
        if self.connections == "full":
            return np.ones((6, 16), bool)
        return np.array(self.connections, bool)

    def curve(self, activation: str | None) -> tuple[str, float, float, float]:
        """Return kind, gain, slope and offset of offset + gain tanh(slope a).

        Parameters
        ----------
        activation : str or None
            One of those above, with its usual slope; None: this configuration's, with its own.

        Returns
        -------
        curve : (str, float, float, float)
            The numbers do not count for the kind "relu".
        """
        slope = self.slope if activation is None else None
        return curve(activation or self.activation, slope)

    def net(self, height: int, width: int, border: int) -> Net:
        """Return the geometry for images of this size.

        Parameters
        ----------
        height, width : int
            Of an image, in pixels.
        border : int
            Background added on each side.

        Returns
        -------
        Net
            What the kernels take.
        """
        table = np.ascontiguousarray(self.table.T, np.uint8).tobytes()
        return Net(
            (height, width),
            border,
            self.classes,
            self.levels,
            table,
            c5_kernel=4 if self.input_size < 32 else 5,
            activation=self.curve(None),
            f6_activation=self.curve(self.f6_activation),
            subsampling=self.subsampling,
            p=self.subsampling_p,
            head=self.head,
            loss=self.loss,
            j=self.j,
            distance_scale=distance_scale(self.distance),
            output_activation=self.output_activation,
            train_codes=self.train_codes,
        )

    def replace(self, **fields: Unpack[ConfigFields]) -> Config:
        """Return this configuration with some fields changed.

        Parameters
        ----------
        **fields
            See the class.

        Returns
        -------
        Config
            Checked as a new one; what followed from another field stays as it is.

        Raises
        ------
        TypeError, ValueError
            See the class.
        """
        # mypy checks the fields, not what __init__ takes
        return dataclasses.replace(self, **fields)  # type: ignore[arg-type]

    def to_json(self) -> str:
        """Return the fields as JSON, for a model file; without what 0.1.0 has not, and would mean.

        Returns
        -------
        text : str
            An object of JSON, its keys sorted.
        """
        fields = dataclasses.asdict(self)
        if self.distance == "sum":
            del fields["distance"]
        if self.init == "centred" == INIT[self.activation]:
            del fields["init"]
        if self.extra == _extra_of_before(fields):
            del fields["extra"]
        return json.dumps(fields, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str
            An object of JSON; fields that it has not are at their defaults, but eleven classes
            without names have the blank as their `extra`: version 0.1.0 read lines with them.

        Returns
        -------
        Config
            Equal to the one that was written.

        Raises
        ------
        TypeError, ValueError
            It is not that.
        """
        fields = strict_json.parse(text, _MOST_VALUES)
        if not isinstance(fields, dict):
            raise ValueError(f"expected the fields of a configuration, got {reprlib.repr(fields)}")
        if unknown := set(fields) - {field.name for field in dataclasses.fields(cls)}:
            raise ValueError(f"unknown fields of a configuration: {reprlib.repr(sorted(unknown))}")
        if not isinstance(fields.get("dtype", ""), str):
            raise TypeError(f"dtype: expected a string, got {reprlib.repr(fields['dtype'])}")
        for name in ("levels", "connections", "codes"):  # NumPy would make text of numbers and text
            rows = fields.get(name)
            cells = itertools.chain.from_iterable(
                row if isinstance(row, list) else [row]
                for row in (rows if isinstance(rows, list) else [])
            )
            if not all(isinstance(cell, (int, float)) for cell in cells):
                raise TypeError(f"{name}: expected numbers, got {reprlib.repr(rows)}")
        return cls(**{"extra": _extra_of_before(fields), **fields})

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({"extra": _extra_of_before(state), **state})


Config.__module__ = "lenet_c"


def _extra_of_before(fields: dict[str, Any]) -> str | None:
    """Return what the last class was before `extra` was a field, for the reader of lines."""
    named = fields.get("class_names") is not None
    return "blank" if fields.get("classes") == 11 and not named else None


def preset(name: str, **overrides: Unpack[ConfigFields]) -> Config:
    """Return a preset's configuration with some fields changed."""
    known = {field.name for field in dataclasses.fields(Config)} - {"preset"}
    for field in overrides:
        if field not in known:
            raise TypeError(f"unknown field {field!r}; the fields are {', '.join(sorted(known))}")
    defaults: ConfigFields = PRESETS.get(name, {}) if isinstance(name, str) else {}
    fields: ConfigFields = {**defaults, **overrides}
    own = defaults.get("activation", "scaled_tanh")
    if overrides.get("activation", own) != own and "init" not in overrides:
        fields.pop("init", None)  # the preset's is for its own activation
    return Config(name, **fields)
