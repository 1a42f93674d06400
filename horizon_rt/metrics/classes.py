"""Metrics of masks of several classes, from a confusion matrix that any number of frames adds to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ClassCounts"]


class ClassCounts:
    """Pixels by true and found class, as in Everingham et al. 2015 (Pascal VOC)."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self.confusion = np.zeros((classes, classes), np.int64)  # rows: truth

    def update(self, found: NDArray[np.integer], truth: NDArray[np.integer]) -> None:
        """Add a frame: numbers of classes of one shape; true ones beyond the classes do not count."""
        if found.shape != truth.shape:
            raise ValueError(f"found {found.shape} and truth {truth.shape} must have one shape")
        known = truth < self._classes
        index = self._classes * truth[known].astype(np.int64) + found[known]
        self.confusion += np.bincount(index, minlength=self._classes**2).reshape(self.confusion.shape)

    def summary(self) -> dict[str, float | None]:
        """The mean IoU of the classes that are there or were found, 0..1, and pixel accuracy in percent."""
        both = np.diag(self.confusion)
        either = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - both
        total = self.confusion.sum()
        return {
            "miou": float((both[either > 0] / either[either > 0]).mean()) if total else None,
            "accuracy_percent": float(100 * both.sum() / total) if total else None,
        }
