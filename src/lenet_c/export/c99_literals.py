"""Numbers, arrays and strings as they are written in C."""

from __future__ import annotations

import string

import numpy as np

_SIMPLE = set(string.ascii_letters + string.digits + string.punctuation + " ") - set('"\\?')


def float_literal(value: float) -> str:
    """Return a float constant of C: nine digits, which give back the same float32."""
    text = f"{float(np.float32(value)):.9g}"
    return text + ("f" if set(text) & set(".e") else ".0f")


def array_definition(
    kind: str, label: str, values: np.ndarray, notes: list[str] | None = None
) -> str:
    """Return the definition of an array of one or two axes; notes: what stands before each row."""
    per_line = 5 if values.shape[-1] == 25 else 16 if values.dtype == np.int8 else 6
    text = str if values.dtype.kind in "iu" else float_literal

    def lines(row: np.ndarray, indent: str) -> str:
        items = [text(value) for value in row.tolist()]
        parts = (items[k : k + per_line] for k in range(0, len(items), per_line))
        return ",\n".join(indent + ", ".join(part) for part in parts)

    size = "".join(f"[{side}]" for side in values.shape)
    if values.ndim == 1:
        body = lines(values, "    ")
    else:
        marks = [f"    /* {note} */\n" for note in notes] if notes else [""] * len(values)
        rows = zip(marks, values, strict=True)
        body = ",\n".join(f"{mark}    {{\n{lines(row, ' ' * 8)}\n    }}" for mark, row in rows)
    return f"static const {kind} {label}{size} = {{\n{body}\n}};"


def string_literal(text: str) -> str:
    """Return a string constant of C in UTF-8; no trigraph, nothing outside of ASCII."""
    raw = text.encode("utf-8", "surrogateescape")
    return '"' + "".join(chr(k) if chr(k) in _SIMPLE else f"\\{k:03o}" for k in raw) + '"'
