"""What an evaluation reports, and the rejection that a lower error costs."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from . import rejection


@dataclass(frozen=True, eq=False)
class Report:
    """An evaluation, as `LeNet5.evaluate` returns it.

    Parameters
    ----------
    error_rate : float
        Fraction of wrong labels, 0 .. 1, among the images that are not `rejected`.
    loss : float
        The mean of the model's loss.
    confusion : ndarray of int64, shape (classes, classes)
        Rows: the true class; columns: the class predicted.
    wrong : ndarray of int64
        Indices of the images that were misread; what is rejected is not.
    confidence : ndarray, shape (n,), or None
        How sure each prediction is, by `reject_by`.
    reject_by : {"probability", "margin"}
        See `LeNet5.predict`.
    rejected : ndarray of int64, optional
        Indices of the images of which a network with ``extra="none"`` says that they show no digit,
        rightly or not: the last row of `confusion` has those that show none, the last column those
        rejected. None: the network has no such answer.

    Examples
    --------
    >>> import numpy as np
    >>> import lenet_c
    >>> sure = np.array([0.9, 0.6, 0.8, 0.99])
    >>> report = lenet_c.Report(0.25, 0.1, np.array([[2, 1], [0, 1]]), np.array([1]), sure)
    >>> report.images, report.rejection_for(0.0), report.threshold_for(0.0)
    (4, 0.25, 0.8)
    """

    error_rate: float
    loss: float
    confusion: npt.NDArray[np.int64] = field(repr=False)
    wrong: npt.NDArray[np.int64] = field(repr=False)
    confidence: npt.NDArray[np.floating] | None = field(default=None, repr=False)
    reject_by: str = field(default="probability", repr=False)
    rejected: npt.NDArray[np.int64] | None = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Report):
            return NotImplemented
        numbers = (self.error_rate, self.loss) == (other.error_rate, other.loss)
        return (
            numbers
            and np.array_equal(self.confusion, other.confusion)
            and np.array_equal(self.wrong, other.wrong)
        )

    __hash__ = None  # type: ignore[assignment]  # unhashable, as Python has it

    @property
    def images(self) -> int:
        """Images evaluated."""
        return int(self.confusion.sum())

    @property
    def answered(self) -> int:
        """Images that are not `rejected`."""
        return self.images - (0 if self.rejected is None else len(self.rejected))

    @property
    def missed(self) -> float:
        """Fraction of all images whose label was not predicted: `wrong` ones, and digits rejected.

        Without `rejected`, the error_rate.
        """
        return (self.images - int(self.confusion.trace())) / max(1, self.images)

    @property
    def class_errors(self) -> npt.NDArray[np.float64]:
        """Fraction of each class's images that were misread, (classes,); NaN where there are none.

        Those that are `rejected` do not count, but for the images that show no digit, of which it
        is right.
        """
        right = self.confusion.diagonal().astype(np.float64)
        images = self.confusion.sum(1)
        if self.rejected is not None:
            images[:-1] -= self.confusion[:-1, -1]
        with np.errstate(invalid="ignore"):
            errors: npt.NDArray[np.float64] = 1 - right / images
        return errors

    @cached_property
    def _curve(
        self,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        if self.confidence is None:
            raise ValueError("this report does not hold how sure the predictions were")
        correct = np.ones(len(self.confidence), bool)
        correct[self.wrong] = False
        return rejection.reject_curve(self.confidence, correct, self.rejected)

    @property
    def reject_curve(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The error-reject curve: fractions rejected, up to 1, and the errors of the rest.

        It begins with what is `rejected`, or 0. The least sure go first, equally sure ones
        together. Where nothing is left the error is 0.

        Raises
        ------
        ValueError
            The report has no `confidence`.
        """
        return self._curve[:2]

    def _point(self, error_rate: float) -> int:
        if not 0 <= error_rate <= 1:
            raise ValueError(f"error_rate: expected 0 .. 1, got {error_rate!r}")
        return int(np.argmax(self._curve[1] <= error_rate))

    def rejection_for(self, error_rate: float) -> float:
        """Return the smallest fraction rejected that brings the error of the rest to a rate.

        Parameters
        ----------
        error_rate : float
            From 0 to 1: the rate, or less.

        Returns
        -------
        fraction : float
            Of all images, 0 .. 1.

        Raises
        ------
        ValueError
            The rate is another, or the report has no `confidence`.

        Examples
        --------
        >>> import lenet_c
        >>> images, labels = lenet_c.datasets.load_sample("test")
        >>> report = lenet_c.LeNet5.pretrained().evaluate(images, labels)
        >>> 0 < report.rejection_for(0.0) < 0.1
        True
        """
        return float(self._curve[0][self._point(error_rate)])

    def threshold_for(self, error_rate: float) -> float:
        """Return the threshold for `LeNet5.predict` that rejects so many; infinite for all.

        Parameters
        ----------
        error_rate : float
            See `rejection_for`.

        Returns
        -------
        threshold : float
            The `reject` of `LeNet5.predict`, with the report's `reject_by`.

        Raises
        ------
        ValueError
            See `rejection_for`.

        Examples
        --------
        >>> import lenet_c
        >>> images, labels = lenet_c.datasets.load_sample("test")
        >>> model = lenet_c.LeNet5.pretrained()
        >>> threshold = model.evaluate(images, labels).threshold_for(0.0)
        >>> found = model.predict(images, reject=threshold)
        >>> (found[found >= 0] == labels[found >= 0]).all().item()
        True
        """
        return float(self._curve[2][self._point(error_rate)])


Report.__module__ = "lenet_c"
