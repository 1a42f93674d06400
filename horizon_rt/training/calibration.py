"""The sigma of a trained net, set anew on frames that it was not trained on.

Fine-tuning makes a net surer than it is right: its masks get sharper, and what the sigma of a horizon is made
of with them. As `benchmarks/fit_sigma.py` does, this looks for the values that make the true roll and pitch
most likely while ±2 sigma holds 95 % of them, of the edge that the tracker would report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import nn

from horizon_rt.camera import Camera
from horizon_rt.datasets.truth import resolve
from horizon_rt.fitting import HorizonFitter, HorizonRefiner
from horizon_rt.frame import Frame
from horizon_rt.geometry import UpVector, wrap_degrees
from horizon_rt.models.weights import SigmaCalibration
from horizon_rt.segmentation import Segmentation, Segmenter
from horizon_rt.segmentation.torchscript import TorchScript
from horizon_rt.synth.clip import to_frame
from horizon_rt.synth.stills import StillOptions, Stills
from horizon_rt.training.samples.pictures import Picture, load

__all__ = ["RENDERED", "calibrate", "fitted", "labelled", "misfit"]

Array = NDArray[np.float64]
# Squared errors and variances of roll and pitch in deg², (n, 2) each, under a calibration.
Measure = Callable[[SigmaCalibration], tuple[Array, Array]]
RENDERED = 40
_SEED = 9200  # of rendered frames that neither training nor a benchmark makes
_SIZE = (640, 360)
_LONGEST_PX = 1920
_FACTORS = 2.0 ** np.arange(-2, 2.51, 0.25)
_RATIOS = (0.5, 0.7, 1.4, 2.0)  # of the scale, the boundary width staying
# As much as so many frames, what there was before speaks against a factor of e.
_PRIOR_FRAMES = 8.0
_MEANT, _LACKING = 0.95, 4.0


@dataclass(frozen=True, slots=True)
class _Case:
    """What the fit needs of a frame of a known horizon: luma (h, w), bit depth, and what the net says."""

    luma: NDArray[np.unsignedinteger[Any]]
    bit_depth: int
    camera: Camera
    truth: UpVector
    mask: Segmentation


def calibrate(
    net: nn.Module,
    pictures: Mapping[str, Sequence[Picture]],
    before: SigmaCalibration,
    *,
    input_area_px: int,
    rendered: int = RENDERED,
) -> SigmaCalibration:
    """The calibration of a net in evaluation mode, from labelled pictures by dataset and rendered frames.

    Where there is little of either it stays near what it was `before`. Raises DatasetError.
    """
    segmenter = Segmenter(TorchScript(net), input_area_px=input_area_px)
    sets = [[*labelled(some)] for some in pictures.values()] + [[*_rendered(rendered)]]
    cases = [[*_seen(segmenter, some)] for some in sets]
    return fitted([_measure(some) for some in cases if some], before)


def fitted(sets: Sequence[Measure], before: SigmaCalibration) -> SigmaCalibration:
    """The most likely calibration: both parts by one factor first, then the formal part alone."""
    if not sets:
        return before
    best = min((_misfit_of(sets, before, factor, 1.0), factor, 1.0) for factor in _FACTORS)
    tried = [(_misfit_of(sets, before, best[1], ratio), best[1], ratio) for ratio in _RATIOS]
    return _times(before, *min([best, *tried])[1:])


def _times(sigma: SigmaCalibration, factor: float, ratio: float) -> SigmaCalibration:
    scale, width = sigma.scale * factor * ratio, sigma.boundary_width * factor
    return SigmaCalibration(float(f"{scale:.3g}"), float(f"{width:.3g}"))


def misfit(squares: Array, variances: Array) -> float:
    """How badly variances of roll and pitch fit squared errors, both (n, 2) in deg².

    Minus the mean log likelihood (Student's t), which asks for the order of the frames, too, and by how much
    more or less than 95 % of them lie within ±2 sigma.
    """
    surprise = 0.5 * np.log(variances) + 2.5 * np.log1p(squares / (4 * variances))
    off = np.abs((squares <= 4 * variances).mean(axis=0) - _MEANT).sum()
    return float(surprise.mean() + _LACKING * off)


def _misfit_of(sets: Sequence[Measure], before: SigmaCalibration, factor: float, ratio: float) -> float:
    """Of all sets by the square root of their frames, and the prior."""
    total = count = 0.0
    for measure in sets:
        squares, variances = measure(_times(before, factor, ratio))
        if len(squares):
            total += len(squares) ** 0.5 * misfit(squares, variances)
            count += len(squares) ** 0.5
    prior = _PRIOR_FRAMES**0.5 * float(np.log(factor) ** 2 + np.log(ratio) ** 2)
    return (total + prior) / (count + _PRIOR_FRAMES**0.5)


def labelled(pictures: Iterable[Picture]) -> Iterator[tuple[Frame, Camera, UpVector]]:
    """Those whose horizon is in view and known, no larger than frames of a video; raises DatasetError."""
    for picture in pictures:
        image = load(picture).image
        height, width = image.shape[:2]
        camera = (picture.camera or Camera.assumed(width, height)).for_size(width, height)
        truth = resolve(picture.label, camera)
        if truth.up is not None and truth.in_view is not False:
            image = _capped(image)
            yield Frame.from_bgr(image), camera.for_size(image.shape[1], image.shape[0]), truth.up


def _capped(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """No larger than a frame of a video, as all of them are kept at once."""
    scale = _LONGEST_PX / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _rendered(count: int) -> Iterator[tuple[Frame, Camera, UpVector]]:
    stills = Stills(StillOptions(size=_SIZE, seed=_SEED), max(count, 1))
    for still in (stills[index] for index in range(count)):
        if still.line is not None:
            yield to_frame(still.image), still.camera, still.up


def _seen(segmenter: Segmenter, frames: Iterable[tuple[Frame, Camera, UpVector]]) -> Iterator[_Case]:
    for frame, camera, truth in frames:
        mask = segmenter.segment(frame, careful=True)
        yield _Case(frame.luma.copy(), frame.sampling.bit_depth, camera, truth, mask)


def _measure(cases: Sequence[_Case]) -> Measure:
    def measure(sigma: SigmaCalibration) -> tuple[Array, Array]:
        found = [pair for case in cases if (pair := _squares(case, sigma)) is not None]
        both = np.array(found, np.float64).reshape(-1, 2, 2)
        return both[:, 0], both[:, 1]

    return measure


def _squares(case: _Case, sigma: SigmaCalibration) -> tuple[list[float], list[float]] | None:
    """Squared errors and variances of roll and pitch, deg²; None where no horizon is found."""
    coarse = HorizonFitter(case.camera, sigma).fit(case.mask).measurement
    if coarse is None:
        return None
    fine = HorizonRefiner(case.camera).refine(case.luma, coarse, bit_depth=case.bit_depth)
    up, truth = fine.up, case.truth
    errors = wrap_degrees(up.roll_deg - truth.roll_deg), up.pitch_deg - truth.pitch_deg
    return [e * e for e in errors], [sd * sd for sd in fine.sd_deg]
