"""Metrics of the sky side of a mask, from counts that any number of frames adds to.

Pixel accuracy, precision, recall, F1, IoU and Dice as in Everingham et al. 2015 (Pascal VOC) and Dice 1945;
the area under the ROC curve as the Mann–Whitney statistic of the scores (Hanley and McNeil 1982); average
precision as the sum of precisions times the steps of recall, without interpolation (Manning, Raghavan and
Schütze 2008, section 8.4; `average_precision_score` of scikit-learn).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curves", "MaskCounts"]

_BINS = 4096
_LIMIT = 20.48  # logits beyond it count as equal; a bin is 0.01 wide


class Curves(NamedTuple):
    """ROC and precision–recall by falling threshold: four arrays (n,) of values 0..1.

    The first point has nothing above the threshold: no false and no true positives, and a precision of 1.
    """

    false_positive_rate: NDArray[np.float64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    threshold: NDArray[np.float64]


class MaskCounts:
    """Counts of pixels by truth and score; a frame more costs no memory.

    The score is the logit of 'above the horizon', 0 the border between the sides. Scores that fall into one
    bin of 0.01 count as ties in the area under the ROC curve, half right.
    """

    def __init__(self) -> None:
        self.frames = 0
        self._histogram = np.zeros((2, _BINS), np.int64)

    def update(
        self, logits: NDArray[np.float32], sky: NDArray[np.bool_], valid: NDArray[np.bool_] | None = None
    ) -> None:
        """Add a frame: logits and truth (height, width); only pixels in `valid` count.

        Raises ValueError for arrays of different shapes and for logits that are no numbers.
        """
        if logits.shape != sky.shape or (valid is not None and valid.shape != sky.shape):
            raise ValueError(f"logits {logits.shape}, truth {sky.shape} and valid must have one shape")
        if np.isnan(logits).any():
            raise ValueError("logits must be numbers, got NaN")
        scaled = np.clip(logits, -_LIMIT, _LIMIT - 1e-3) * np.float32(_BINS / 2 / _LIMIT)
        index = np.floor(scaled).astype(np.int32) + _BINS // 2 + _BINS * sky.astype(np.int32)
        index = index.ravel() if valid is None else index[valid]
        self._histogram += np.bincount(index, minlength=2 * _BINS).reshape(2, _BINS)
        self.frames += 1

    def update_sides(
        self, estimate: NDArray[np.bool_], sky: NDArray[np.bool_], valid: NDArray[np.bool_] | None = None
    ) -> None:
        """Add a frame of which only the sides are known, such as a half plane; see `update`."""
        self.update(np.where(estimate, np.float32(1), np.float32(-1)), sky, valid)

    def add(self, other: MaskCounts) -> None:
        """Take in the frames of another."""
        self._histogram += other._histogram
        self.frames += other.frames

    def summary(self) -> dict[str, float | int | None]:
        """All metrics; pixel accuracy in percent of pixels, the rest 0..1, None where there is nothing.

        `miou` is the mean of the IoU of both sides.
        """
        below, above = self._histogram
        half = _BINS // 2
        tn, fp = int(below[:half].sum()), int(below[half:].sum())
        fn, tp = int(above[:half].sum()), int(above[half:].sum())
        iou, ground_iou = _ratio(tp, tp + fp + fn), _ratio(tn, tn + fp + fn)
        sides = [value for value in (iou, ground_iou) if value is not None]
        accuracy = _ratio(tp + tn, tp + tn + fp + fn)
        return {
            "frames": self.frames,
            "pixel_accuracy_percent": None if accuracy is None else 100 * accuracy,
            "precision": _ratio(tp, tp + fp),
            "recall": _ratio(tp, tp + fn),
            "f1": _ratio(2 * tp, 2 * tp + fp + fn),
            "iou": iou,
            "miou": sum(sides) / len(sides) if sides else None,
            "dice": _ratio(2 * tp, 2 * tp + fp + fn),
            "auc_roc": self._auc_roc(),
            "average_precision": self._average_precision(),
        }

    def curves(self) -> Curves | None:
        """By all thresholds at which a pixel changes sides; None where one side has no pixel."""
        below, above = (np.cumsum(side[::-1]) for side in self._histogram)
        if below[-1] == 0 or above[-1] == 0:
            return None
        used = np.flatnonzero(np.diff(below + above, prepend=0))
        fp, tp = (np.append(0, part[used]).astype(float) for part in (below, above))
        precision = np.divide(tp, tp + fp, out=np.ones_like(tp), where=tp + fp > 0)
        edges = (_BINS // 2 - 1 - used) * (2 * _LIMIT / _BINS)
        return Curves(fp / fp[-1], tp / tp[-1], precision, np.append(np.inf, edges))

    def _average_precision(self) -> float | None:
        curves = self.curves()
        return None if curves is None else float(np.diff(curves.recall) @ curves.precision[1:])

    def _auc_roc(self) -> float | None:
        below, above = self._histogram
        pairs = float(below.sum()) * float(above.sum())
        if pairs == 0:
            return None
        lower = np.cumsum(below) - below / 2
        return float((above / pairs) @ lower)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
