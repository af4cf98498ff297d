"""What is on a picture: pieces of ink, and which of them are one digit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_FAINT_SIZE = 0.6  # of the tallest mark's height; a smaller faint mark is a stain
_SMALL = 0.35  # of the tallest mark's height; a smaller mark is punctuation if it is light, too
_LIGHT = 0.15  # of the heaviest mark's weight


class Piece(NamedTuple):
    """Ink that is connected, or several pieces of it; sides in px of the labels."""

    left: int
    top: int
    right: int
    bottom: int
    labels: tuple[int, ...]
    weight: float

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def with_(self, other: Piece) -> Piece:
        return Piece(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
            self.labels + other.labels,
            self.weight + other.weight,
        )

    def takes(self, piece: Piece) -> bool:
        """Whether a lighter piece belongs to this digit: near, and not another one beside it."""
        size = max(self.height, self.width)
        overlap = min(self.right, piece.right) - max(self.left, piece.left)
        across = max(piece.left - self.right, self.left - piece.right, 0)
        down = max(piece.top - self.bottom, self.top - piece.bottom, 0)
        above = overlap >= 0.6 * min(self.width, piece.width)
        low = min(piece.height, self.height) < 0.5 * max(piece.height, self.height)
        if across > 0.25 * size or down > (0.5 if low and above else 0.25) * size:
            return False
        if piece.height < 0.5 * self.height:  # too low for a digit: a bar, a broken end
            return True
        both = self.with_(piece)
        if overlap >= 0.5 * min(self.width, piece.width):  # one above the other
            return both.height <= 2.5 * both.width
        return both.width <= 1.1 * both.height


class Page(NamedTuple):
    """What is on a picture.

    Attributes
    ----------
    ink : ndarray of float32, shape (height, width)
        The contrast.
    labels : ndarray of int32
        The pieces' numbers, from 1 up; 0 for the ground, -1 for what belongs to no piece.
    scale : float
        Pixels of the labels for one of the contrast.
    pieces : list of Piece
        The heaviest first.
    weak : frozenset of int
        Labels of the pieces that are faint beside the strongest ink.
    forms : dict
        What `mnist_form.normal_form` has made of marks, by their labels.
    reduced : float
        Pixels of the picture for one of the contrast.
    """

    ink: np.ndarray
    labels: np.ndarray
    scale: float
    pieces: list[Piece]
    weak: frozenset[int]
    forms: dict[tuple[int, ...], np.ndarray]
    reduced: float = 1.0

    def box(self, piece: Piece) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom in px of the contrast."""
        left, top, right, bottom = (side / self.scale for side in piece[:4])
        return left, top, right, bottom

    def marks(self) -> list[Piece]:
        """Return the pieces put together that make one digit each, without specks and dots."""
        groups = self.pieces
        while True:
            fewer = _grouped(groups)
            if len(fewer) == len(groups):
                break
            groups = fewer
        tallest = max(group.height for group in groups)
        most = max(group.weight for group in groups)
        return [
            group
            for group in groups
            if (group.height > _SMALL * tallest or group.weight > _LIGHT * most)
            and (group.height > _FAINT_SIZE * tallest or not self.weak.issuperset(group.labels))
        ]


def _grouped(pieces: list[Piece]) -> list[Piece]:
    groups: list[Piece] = []
    for piece in pieces:
        near = next((group for group in groups if group.takes(piece)), None)
        if near is None:
            groups.append(piece)
        else:
            groups[groups.index(near)] = near.with_(piece)
    return sorted(groups, key=lambda group: -group.weight)
