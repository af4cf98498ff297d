"""What the server says: a model's description, and its reading of an image in a request's body."""

import contextlib
import io
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np

from ..common import strict_json
from ..common.errors import FormatError
from ..common.numbers import as_numbers
from ..common.version import __version__
from ..model.lenet5 import LeNet5
from ..network.inputs import as_pixels
from ..network.layer_table import layer_table
from ..pictures import drawings, levels, photographs

BODY_LIMIT = 2**20  # bytes
SIDE_LIMIT = 1024  # rows or columns of an image
PIXEL_LIMIT = 25_000_000  # of a picture, which takes up to 8 bytes for each
_MOST_VALUES = 4 * SIDE_LIMIT  # lists and strings in a JSON body
SURE = 0.9  # the least probability of a sure reading
_DECIMALS = 3  # of the maps
_SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
JSON, _RAW = "application/json", "application/octet-stream"
TYPES = (JSON, _RAW, *_SIGNATURES)


class RequestError(Exception):
    """A request that gets no answer but a status and a message."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class Reader:
    """A model with what the server asks of it.

    Parameters
    ----------
    model : LeNet5
    name : str
        What the model is called.
    """

    def __init__(self, model: LeNet5, name: str) -> None:
        self.model = model
        self.classes = list(model.config.names)
        self._name = name

    def describe(self) -> dict[str, object]:
        """Return what GET /api/model answers."""
        config = self.model.config
        return {
            "version": __version__,
            "model": self._name,
            "preset": config.preset,
            "classes": self.classes,
            "extra": config.extra,
            "image_size": config.image_size,
            "preparation": config.preparation,
            "sure": SURE,
            "types": TYPES,
            "limits": {"bytes": BODY_LIMIT, "side": SIDE_LIMIT},
            "layers": [
                {
                    "name": row.name,
                    "shape": row.shape,
                    "parameters": row.parameters,
                    "connections": row.connections,
                }
                for row in layer_table(config)
            ],
        }

    def answer(self, kind: str, query: str, body: bytes) -> dict[str, object]:
        """Return what POST /api/predict answers.

        Parameters
        ----------
        kind : str
            The body's media type, one of `TYPES`.
        query : str
            What stands behind the question mark of the path.
        body : bytes

        Raises
        ------
        RequestError
            The request is malformed, shows nothing, or takes what is not installed.
        """
        fields = _fields(query, ("maps", "width", "height") if kind == _RAW else ("maps",))
        if fields.get("maps", 0) not in (0, 1):
            raise RequestError(400, f"maps: expected 0 or 1, got {fields['maps']}")
        if kind in _SIGNATURES:
            image = self._of_picture(kind, body)
        else:
            image = self._of_array(_raw(fields, body) if kind == _RAW else _from_json(body))
        p = self.model.predict_proba(image, threads=1)
        best = int(p.argmax())
        rejected = best == self.model.config.none_class
        found = {
            "label": None if rejected else best,
            "name": self.classes[best],
            "rejected": rejected,
            "probability": float(p[best]),
            "sure": bool(p[best] >= SURE),
            "probabilities": p.tolist(),
            "prepared": image.tolist(),
        }
        if fields.get("maps"):
            found["maps"] = {
                name: np.round(values.astype(np.float64), _DECIMALS).tolist()
                for name, values in self.model.activations(image).items()
            }
        return found

    def _of_array(self, image: np.ndarray) -> np.ndarray:
        """Return an image as the network takes it, uint8; one of the network's size as it is."""
        config = self.model.config
        if image.dtype != np.uint8:
            image = np.rint(image * 255.0).astype(np.uint8)
        if not image.any():
            raise RequestError(422, "nothing is drawn: every pixel is 0, the background")
        if image.shape in {(side, side) for side in (config.image_size, config.input_size)}:
            return image
        prepare = drawings.shrink if config.preparation == "resize" else drawings.centre
        return prepare(image / 255, config.image_size)

    def _of_picture(self, kind: str, body: bytes) -> np.ndarray:
        if not body.startswith(_SIGNATURES[kind]):
            raise RequestError(400, f"body: expected {kind}, its first bytes are others")
        try:
            width = height = 0
            with contextlib.suppress(FormatError, OSError):  # `prepare` meets it again
                width, height = levels.size(io.BytesIO(body))
            if width * height > PIXEL_LIMIT:
                raise FormatError(f"{width}x{height} pixels, expected {PIXEL_LIMIT} at most")
            return photographs.prepare(io.BytesIO(body), self.model.config.preparation)
        except ImportError as error:
            raise RequestError(501, f"{kind} cannot be read here: {error}") from None
        except FormatError as error:
            raise RequestError(400, f"body: {error}") from None
        except OSError:
            raise RequestError(400, f"body: not a picture that can be read as {kind}") from None
        except ValueError as error:  # a good picture, and nothing to read in it
            raise RequestError(422, str(error)) from None


def page() -> dict[str, tuple[str, bytes]]:
    """Return the page's files: path -> media type, contents."""
    folder = Path(__file__).parents[1] / "export/page"
    files = {
        "/": ("index.html", "text/html; charset=utf-8"),
        "/page.css": ("page.css", "text/css; charset=utf-8"),
        "/page.js": ("page.js", "text/javascript; charset=utf-8"),
        "/icon.svg": ("icon.svg", "image/svg+xml"),
    }
    return {path: (kind, (folder / name).read_bytes()) for path, (name, kind) in files.items()}


def _fields(query: str, known: tuple[str, ...]) -> dict[str, int]:
    """Return the numbers in a query."""
    try:
        given = parse_qs(query, keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError:
        if query:
            raise RequestError(400, "query: expected name=value&name=value") from None
        return {}
    fields = {}
    for name, values in given.items():
        value = values[0]
        if name not in known or len(values) > 1:
            raise RequestError(400, f"query: expected each once of {', '.join(known)}")
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            raise RequestError(400, f"{name}: expected a whole number")
        fields[name] = int(value)
    return fields


def _check_sides(height: int, width: int) -> None:
    if not (1 <= height <= SIDE_LIMIT and 1 <= width <= SIDE_LIMIT):
        raise RequestError(
            400, f"image: expected 1 .. {SIDE_LIMIT} rows and columns, got {height} x {width}"
        )


def _raw(fields: dict[str, int], body: bytes) -> np.ndarray:
    """Return the image of a body of one byte a pixel."""
    if "width" not in fields or "height" not in fields:
        raise RequestError(400, f"{_RAW}: expected ?width=W&height=H and a byte for each pixel")
    height, width = fields["height"], fields["width"]
    _check_sides(height, width)
    if len(body) != height * width:
        raise RequestError(
            400, f"body: expected {height} x {width} = {height * width} bytes, got {len(body)}"
        )
    return np.frombuffer(body, np.uint8).reshape(height, width)


def _from_json(body: bytes) -> np.ndarray:
    """Return the image in a JSON object: uint8, or float64 0..1."""
    form = '{"image": rows of integers 0..255 or floats 0..1}, or a flat list and "shape"'

    try:
        value = strict_json.parse(body.decode("utf-8"), _MOST_VALUES)
    except UnicodeError:
        raise RequestError(400, f"expected JSON, {form}, in UTF-8") from None
    except ValueError as error:
        raise RequestError(400, f"expected JSON, {form}: {error}") from None
    if not isinstance(value, dict) or not {"image"} <= set(value) <= {"image", "shape"}:
        raise RequestError(400, f"expected {form}")
    try:
        image = as_numbers(_numbers(value["image"]), "image")
        if "shape" in value:
            image = image.reshape(_shape(value["shape"], image.size))
        if image.ndim != 2:
            raise ValueError(f"image: expected rows of numbers, got shape {image.shape}")
        _check_sides(*image.shape)
        return as_pixels(image, "float64")
    except (TypeError, ValueError) as error:
        raise RequestError(400, f"{error}; expected {form}") from None


def _numbers(rows: Any) -> Any:
    """Return a list of numbers, or of lists of them; of numbers and text NumPy would make text."""
    cells = rows if isinstance(rows, list) else [rows]
    for row in cells:
        if not all(type(v) in (int, float) for v in (row if isinstance(row, list) else [row])):
            raise ValueError("image: expected rows of numbers")
    return rows


def _shape(shape: Any, size: int) -> tuple[int, int]:
    with contextlib.suppress(TypeError, ValueError):
        height, width = shape
        if type(height) is type(width) is int and height > 0 and height * width == size:
            return height, width
    raise ValueError(f"shape: expected [height, width] of {size} numbers")
