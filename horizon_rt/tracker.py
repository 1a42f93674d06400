"""The tracker: one frame in, one horizon out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from horizon_rt.camera import CameraModel, Pinhole
from horizon_rt.config import BATCH, DEFAULT_HFOV_DEG, BackendChoice, DeviceChoice, PrecisionChoice, Smoothing
from horizon_rt.fitting import HorizonFitter, HorizonRefiner
from horizon_rt.frame import Frame
from horizon_rt.horizon import Change, Horizon, Observation
from horizon_rt.segmentation import OnStage, Segmentation, unwatched
from horizon_rt.segmentation.backends import make_segmenter
from horizon_rt.segmentation.weights import SigmaScale, default_model
from horizon_rt.tracking import Filter, FrameWatch, NoFilter, Track, TrackFilter

__all__ = ["HorizonTracker", "estimated"]

_NOTHING_SEEN = Observation(view="unknown", confidence=0.0, sky_fraction=0.5)
_ESTIMATED = ("up", "line", "roll_sd_deg", "pitch_sd_deg", "roll_rate_dps", "pitch_rate_dps")


class HorizonTracker:
    """Finds and tracks the horizon in a sequence of frames.

    `camera` is the lens for the frames' size; without one it is a centred pinhole with a horizontal field of
    view of `hfov` degrees, 70 where that is not given either, from the first frame on. A frame of another
    size starts the track again, with `CameraModel.for_size`. `smooth='none'` treats each frame on its own.
    `model` is a shipped model or a path (`weights.default_model`), `device` is 'auto', 'cpu' or 'cuda',
    `backend` what runs the net, in a `precision` (`make_backend`), on a GPU for `batch` frames of a recording
    at a time. Without `refine` the horizon is that of the mask alone.

    Raises CameraModelError for an impossible `hfov`, WeightsError for weights that do not match their
    manifest, DeviceError where there is no CUDA device or no such backend, ValueError for an unknown option
    and for `hfov` beside a camera.
    """

    def __init__(
        self,
        camera: CameraModel | None = None,
        *,
        hfov: float | None = None,
        smooth: Smoothing = "causal",
        model: str | None = None,
        device: DeviceChoice = "auto",
        backend: BackendChoice = "auto",
        precision: PrecisionChoice = "auto",
        batch: int = BATCH,
        refine: bool = True,
    ) -> None:
        if smooth not in get_args(Smoothing):
            raise ValueError(f"smooth {smooth!r} is unknown")
        if smooth == "offline":
            raise ValueError("a tracker does not know what comes later; use smooth_horizons on what it said")
        if camera is not None and hfov is not None:
            raise ValueError("camera and hfov both describe the lens; give one")
        self._hfov_deg = DEFAULT_HFOV_DEG if hfov is None else hfov
        Pinhole.from_hfov(1, 1, self._hfov_deg)  # refuses a bad one now, not at the first frame
        card = default_model(name=model)
        self.model = card.name
        self._camera = camera
        self._sigma: SigmaScale = card.sigma
        self._smooth = smooth
        self._segmenter = make_segmenter(card, backend, device, precision, batch=batch)
        self._fitter: HorizonFitter | None = None
        self._refiner: HorizonRefiner | None = None
        self._refine = refine
        self._on_stage: OnStage = unwatched
        self._last: Horizon | None = None
        self._filter: Filter = self._new_filter()
        self._watch = FrameWatch()

    @property
    def camera(self) -> CameraModel | None:
        """The lens; None while it is still to be assumed. Setting it starts the track again."""
        return self._camera

    @camera.setter
    def camera(self, camera: CameraModel | None) -> None:
        self._camera, self._fitter = camera, None
        self.reset()

    def watch_stages(self, on_stage: OnStage = unwatched) -> None:
        """Have `on_stage` called when preprocess, segment, fit, refine and track of a frame are done; without
        one, no more. Of `update_all` on a GPU the first two are not told.
        """
        self._on_stage = self._segmenter.on_stage = on_stage

    @property
    def on_gpu(self) -> bool:
        """Whether the net runs on a GPU."""
        return self._segmenter.backend.on_gpu

    @property
    def backend(self) -> str:
        """What runs the net, such as 'onnx-cpu'."""
        return self._segmenter.backend.name

    def segment(self, frame: Frame) -> Segmentation:
        """The mask of a frame alone, to look at or to hand to `update`; it leaves the track as it is."""
        return self._segmenter.segment(frame)

    def update(self, frame: Frame, segmentation: Segmentation | None = None) -> Horizon:
        """Analyse a frame; frames come in the order of their time. A damaged one says nothing.

        `segmentation` is that of this frame, where the caller has it from `segment`. Raises ValueError for
        what is no Frame and, where a filter runs, for a time before that of the last frame.
        """
        self._check(frame)
        fitter = self._fitter_for(frame)
        found = _NOTHING_SEEN if frame.damaged else fitter.fit(segmentation or self.segment(frame))
        self._on_stage("fit")
        depth = frame.sampling.bit_depth
        change: Change = "none" if frame.damaged else self._watch.look(frame.luma, bit_depth=depth)
        observation = replace(self._refined(frame, found), change=change)
        self._on_stage("refine")
        track = self._filter.update(frame.time_s, observation)
        self._last = describe(frame, observation, track, fitter.camera)
        self._on_stage("track")
        return self._last

    def _check(self, frame: Frame) -> None:
        if not isinstance(frame, Frame):
            raise ValueError(
                f"a Frame is needed, not {type(frame).__name__}; Frame.from_bgr and from_rgb take images"
            )
        if self._smooth == "none":
            return
        if not math.isfinite(frame.time_s):
            raise ValueError(f"the time of a frame is a number of seconds, got {frame.time_s}")
        if self._last is not None and frame.time_s < self._last.time_s:
            raise ValueError(
                f"time runs backwards: a frame at {frame.time_s:g} s after one at {self._last.time_s:g} s; "
                "reset() starts a new track"
            )

    def update_all(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Horizon]]:
        """`update` for all frames of a recording; on a GPU several of them are under way at a time."""
        for frame, segmentation in self._segmenter.segment_all(frames):
            yield frame, self.update(frame, segmentation)

    def at(self, time_s: float) -> Horizon:
        """The horizon at another time than the last frame's, as a display needs it that shows it later.

        Its observation, frame number and file are those of the last frame; without a filter so is its
        attitude. Call it from the thread that calls `update`. Raises ValueError before the first frame.
        """
        if self._last is None or self._fitter is None:
            raise ValueError("there is no horizon before the first frame")
        last, track = self._last, self._filter.at(time_s)
        return Horizon(
            frame=last.frame,
            time_s=time_s,
            state=track.state,
            observation=last.observation,
            file=last.file,
            width=last.width,
            height=last.height,
            measured_line=last.measured_line,
            **estimated(track, self._fitter.camera),
        )

    def _refined(self, frame: Frame, observation: Observation) -> Observation:
        if self._refiner is None or observation.measurement is None:
            return observation
        measurement = self._refiner.refine(
            frame.luma, observation.measurement, bit_depth=frame.sampling.bit_depth
        )
        return replace(observation, measurement=measurement)

    def reset(self) -> None:
        """Forget the track, as after a cut."""
        self._filter, self._last, self._watch = self._new_filter(), None, FrameWatch()

    def _new_filter(self) -> Filter:
        if self._smooth == "none":
            return NoFilter()
        return TrackFilter()

    def _fitter_for(self, frame: Frame) -> HorizonFitter:
        fitter, size = self._fitter, (frame.width, frame.height)
        if fitter is not None and (fitter.camera.width, fitter.camera.height) == size:
            return fitter
        if fitter is not None:
            self.reset()
        self._camera = self._camera or Pinhole.from_hfov(*size, self._hfov_deg)
        camera = self._camera.for_size(*size)
        self._fitter = HorizonFitter(camera, self._sigma)
        self._refiner = HorizonRefiner(camera) if self._refine else None
        return self._fitter


def describe(frame: Frame, observation: Observation, track: Track, camera: CameraModel) -> Horizon:
    """Put a frame's observation and track into degrees and image lines."""
    measured = observation.measurement
    age_s = time.perf_counter() - frame.arrival_s if frame.live else None
    return Horizon(
        frame=frame.index,
        time_s=frame.time_s,
        state=track.state,
        observation=observation,
        file=frame.name,
        measured_line=None if measured is None else camera.line(measured.up),
        latency_ms=None if age_s is None else 1e3 * age_s,
        width=frame.width,
        height=frame.height,
        time_utc=None if age_s is None else datetime.now(UTC) - timedelta(seconds=age_s),
        **estimated(track, camera),
    )


def estimated(track: Track, camera: CameraModel) -> dict[str, Any]:
    """The fields of `Horizon` that are None without an estimate."""
    estimate, rate = track.estimate, track.rate
    fields: dict[str, Any] = dict.fromkeys(_ESTIMATED)
    if estimate is None:
        return fields
    up = estimate.up
    roll_sd, pitch_sd = estimate.sd_deg
    fields |= {"up": up, "line": camera.line(up), "roll_sd_deg": roll_sd, "pitch_sd_deg": pitch_sd}
    if rate is not None:
        roll_rate, pitch_rate = up.roll_pitch_jacobian() @ rate
        fields |= {"roll_rate_dps": math.degrees(roll_rate), "pitch_rate_dps": math.degrees(pitch_rate)}
    return fields
