"""The tracker: one frame in, one horizon out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Unpack, get_args

from horizon_rt.camera import Camera
from horizon_rt.camera.virtual_view import VirtualView
from horizon_rt.errors import OptionsError
from horizon_rt.fitting import HorizonFitter, HorizonRefiner
from horizon_rt.frame import Frame
from horizon_rt.geometry import Mount
from horizon_rt.geometry.earth import dip
from horizon_rt.horizon import Change, Horizon, Measurement, Observation
from horizon_rt.models.weights import SigmaCalibration, find_model
from horizon_rt.options import LARGEST_HEIGHT_M, Engine, EngineFields, Smoothing
from horizon_rt.segmentation import OnStage, Segmentation, Segmenter, no_op
from horizon_rt.segmentation.backends import make_segmenter
from horizon_rt.tracking import (
    Filter,
    KeyFrames,
    LooksBeside,
    NoFilter,
    SceneChangeDetector,
    Track,
    TrackFilter,
    answer_at,
    answer_for,
)

__all__ = ["HorizonTracker", "model_name"]

_NOTHING_SEEN = Observation(view="unknown", confidence=0.0, sky_fraction=0.5)


def model_name(engine: Engine) -> str:
    """The model that a tracker of these choices runs; raises WeightsError."""
    return find_model(name=engine.model).name


class _Wide(NamedTuple):
    """Where the net looks at the pictures of a wide lens."""

    view: VirtualView
    fitter: HorizonFitter


class HorizonTracker:
    """Finds and tracks the horizon in a sequence of frames.

    `camera` is the lens for the frames' size; without one it is a centred pinhole with a horizontal field of
    view of `hfov` degrees, 70 where that is not given either, from the first frame on. A frame of another
    size starts the track again, with `Camera.for_size`. With a `mount` the angles of its answers are those of
    the vehicle that the camera is fixed to. From `height_m` over the sea its horizon is seen below level, by
    the dip. `smooth='none'` treats each frame on its own. `engine` says which net runs, where and how; its
    fields may be given by name: `model`, `device`, `backend`, `precision`, `batch` (`options.Engine`).
    `segmenter` takes the place of preprocessing and net. Without `refine` the horizon is that of the mask
    alone. Without `key_frames` the net looks at every frame, as it does where nothing is filtered
    (`tracking.KeyFrames`). `careful` looks take three times as long on a CPU and find more in places never
    seen; None for frames that stand alone. In `real_time` no answer waits for a net on the CPU: it looks at a
    key frame in a thread of its own, and what it saw there is taken in, with all that came since, as soon as
    it is known. Such looks take turns with those of the tracker that it `shares` its net and their thread
    with, which has the same engine.

    Raises CameraModelError for an impossible `hfov`, WeightsError for weights that do not match their
    manifest, DeviceError where there is no CUDA device or no such backend, ValueError for an unknown option
    and for `hfov` beside a camera.
    """

    def __init__(
        self,
        camera: Camera | None = None,
        *,
        hfov: float | None = None,
        mount: Mount | None = None,
        height_m: float | None = None,
        smooth: Smoothing = "causal",
        refine: bool = True,
        key_frames: bool = True,
        careful: bool | None = None,
        real_time: bool = False,
        segmenter: Segmenter | None = None,
        shares: HorizonTracker | None = None,
        engine: Engine | None = None,
        **choices: Unpack[EngineFields],
    ) -> None:
        if smooth not in get_args(Smoothing):
            raise ValueError(f"smooth {smooth!r} is unknown")
        if smooth == "offline":
            raise ValueError("a tracker does not know what comes later; use smooth_horizons on what it said")
        if camera is not None and hfov is not None:
            raise ValueError("camera and hfov both describe the lens; give one")
        self._hfov_deg = hfov
        if hfov is not None:
            Camera.from_hfov(1, 1, hfov)  # refuses a bad one now, not at the first frame
        if height_m is not None and not 0 <= height_m <= LARGEST_HEIGHT_M:
            raise ValueError(f"height_m lies between 0 and {LARGEST_HEIGHT_M:g} m, got {height_m}")
        if unknown := choices.keys() - EngineFields.__annotations__.keys():
            known = ", ".join(EngineFields.__annotations__)
            raise OptionsError(
                f"no option '{sorted(unknown)[0]}'; there are camera, hfov, mount, height_m, smooth, {known}"
            )
        engine = replace(engine or Engine(), **choices)
        card = find_model(name=engine.model)
        self.model = card.name
        self._camera, self._mount, self._height_m = camera, mount, height_m
        self._sigma: SigmaCalibration = card.sigma
        self._smooth = smooth
        shared = None if shares is None or not real_time or smooth != "causal" else shares._beside
        if shares is not None and shared is not None:
            segmenter = shares._segmenter.sibling()
        self._segmenter: Segmenter = segmenter or make_segmenter(card, engine)
        self._fitter: HorizonFitter | None = None
        self._wide: _Wide | None = None
        self._refiner: HorizonRefiner | None = None
        self._follower: HorizonRefiner | None = None
        self._refine = refine
        self._has_key_frames = key_frames and smooth == "causal"
        beside = real_time and smooth == "causal" and (segmenter is not None or not self.on_gpu)
        thread = None if shared is None else shared.thread
        self._beside: LooksBeside | None = LooksBeside(thread) if beside else None
        self._careful = smooth == "none" if careful is None else careful
        self._on_stage: OnStage = no_op
        self._last: Horizon | None = None
        self._filter: Filter = self._new_filter()
        self._scene = SceneChangeDetector()
        self._key_frames = KeyFrames()

    @property
    def camera(self) -> Camera | None:
        """The lens; None while it is still to be assumed. Setting it starts the track again."""
        return self._camera

    @camera.setter
    def camera(self, camera: Camera | None) -> None:
        self._camera, self._fitter = camera, None
        self.reset()

    def set_stage_callback(self, on_stage: OnStage = no_op) -> None:
        """Have `on_stage` called when preprocess, segment, fit and refine of a key frame are done, align of
        another, and track of any; without one, no more. Of `update_all` on a GPU the first two are not told.
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

    @property
    def is_looking(self) -> bool:
        """Whether the net looks at a frame beside, in real time."""
        return self._beside is not None and self._beside.is_unknown

    def segment(self, frame: Frame, *, careful: bool | None = None) -> Segmentation:
        """The mask of a frame alone, to look at or to hand to `update`; it leaves the track as it is. None is
        as careful as `update`. In real time it waits for the look that runs.
        """
        look = partial(self._segment, frame, careful=careful)
        return look() if self._beside is None else self._beside.wait_for(look)

    def _segment(self, frame: Frame, *, careful: bool | None = None) -> Segmentation:
        return self._segmenter.segment(frame, careful=self._careful if careful is None else careful)

    def update(self, frame: Frame, segmentation: Segmentation | None = None) -> Horizon:
        """Analyse a frame; frames come in the order of their time. A damaged one says nothing.

        `segmentation` is that of this frame, where the caller has it from `segment`; through a wide lens the
        net looks once more, at a virtual view. Raises ValueError for what is no Frame and, where a filter
        runs, for a time that is not after that of the last frame.
        """
        self._check(frame)
        fitter = self._fitter_for(frame)
        self._take_in_look()
        depth = frame.sampling.bit_depth
        change: Change = "none" if frame.damaged else self._scene.update(frame.luma, bit_depth=depth)
        between = None if segmentation or frame.damaged else self._between(frame, change)
        observation = replace(between or self._look_now(frame, fitter, segmentation), change=change)
        track = self._filter.update(frame.time_s, observation)
        if self._beside is not None and self._beside.is_running and self._key_frames.last is None:
            track = replace(track, state="acquiring")  # nobody has said yet what there is
        if observation.is_key and not frame.damaged:
            self._key_frames.look(frame.time_s, observation, track)
        else:
            self._key_frames.follow()
        self._last = answer_for(frame, observation, track, fitter.camera, self._mount, self._height_m)
        self._on_stage("track")
        return self._last

    def _look_now(
        self, frame: Frame, fitter: HorizonFitter, segmentation: Segmentation | None
    ) -> Observation:
        """In real time behind the look that runs."""
        look = partial(self._look, frame, fitter, segmentation)
        return look() if self._beside is None or frame.damaged else self._beside.wait_for(look)

    def _look(self, frame: Frame, fitter: HorizonFitter, segmentation: Segmentation | None) -> Observation:
        """What the net says of a frame, on the visible edge."""
        found = _NOTHING_SEEN if frame.damaged else self._found(frame, fitter, segmentation)
        self._on_stage("fit")
        refined = self._refined(frame, found)
        self._on_stage("refine")
        return refined

    def _found(self, frame: Frame, fitter: HorizonFitter, segmentation: Segmentation | None) -> Observation:
        """The horizon of the mask; that of a wide lens's virtual view, if there is one in it."""
        if self._wide is not None:
            seen = self._wide.fitter.fit(self._segment(self._wide.view.of(frame)))
            if seen.measurement is not None:
                return seen
        return fitter.fit(segmentation or self._segment(frame))

    def _between(self, frame: Frame, change: Change) -> Observation | None:
        """What is known of a frame that the net does not look at, or whose look runs beside; None for a key
        frame.
        """
        if change == "cut":
            self._forget_looks()
        predicted = self._filter.at(frame.time_s, to_frame=True)
        is_due = not self._has_key_frames or self._key_frames.is_due(
            frame.time_s, predicted, cut=change == "cut", is_contested=self._filter.is_contested
        )
        if is_due and self._beside is None:
            return None
        key = replace(self._key_frames.last or _NOTHING_SEEN, is_key=False)
        aligned = None if change == "cut" else self._align(frame, predicted, key)
        is_missed = aligned is None and key.measurement is not None
        if is_due or (is_missed and not self._key_frames.may_pass(predicted)):
            if self._beside is None:
                return None
            self._look_beside(frame, change)
        return replace(key, measurement=aligned)

    def _align(self, frame: Frame, predicted: Track, key: Observation) -> Measurement | None:
        """The edge near the prediction; None where none is believed, and while looks contest the track or are
        too long in coming.
        """
        if self._follower is None or key.measurement is None or predicted.attitude is None:
            return None
        if self._filter.is_contested or (self._beside and self._beside.track.is_late(frame.time_s)):
            return None
        depth = frame.sampling.bit_depth
        near = predicted.attitude.rounded()
        aligned = self._follower.align(frame.luma, near, key.measurement, bit_depth=depth)
        self._on_stage("align")
        return aligned

    def _look_beside(self, frame: Frame, change: Change) -> None:
        """Have the net look at a frame in its thread, unless it looks at another."""
        if self._beside is not None and self._fitter is not None:
            self._beside.begin(partial(self._look, frame, self._fitter, None), frame.time_s, change)

    def _take_in_look(self) -> None:
        """What the net saw beside, once it is known: the track goes back to that frame, and on from there."""
        if self._beside is not None and (seen := self._beside.take_in()) is not None:
            self._key_frames.look(*seen)

    def _forget_looks(self) -> None:
        """In real time nothing is known of a new scene until it was looked at."""
        if self._beside is not None:
            self._beside.drop()
            self._key_frames = KeyFrames()

    def _check(self, frame: Frame) -> None:
        if not isinstance(frame, Frame):
            raise ValueError(
                f"a Frame is needed, not {type(frame).__name__}; Frame.from_bgr and from_rgb take images"
            )
        if self._smooth == "none":
            return
        if not math.isfinite(frame.time_s):
            raise ValueError(f"the time of a frame is a number of seconds, got {frame.time_s}")
        if self._last is not None and frame.time_s <= self._last.time_s:
            raise ValueError(
                f"time does not go on: a frame at {frame.time_s:g} s after one at {self._last.time_s:g} s; "
                "time_s of a Frame says when it was taken, reset() starts a new track"
            )

    def update_all(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Horizon]]:
        """`update` for all frames of a recording; on a GPU several of them are under way at a time."""
        if self._camera is not None and VirtualView.of_lens(self._camera) is not None:
            yield from ((frame, self.update(frame)) for frame in frames)
            return
        for frame, segmentation in self._segmenter.segment_all(frames):
            yield frame, self.update(frame, segmentation)

    def at(self, time_s: float) -> Horizon:
        """The horizon at another time than the last frame's, as a display needs it that shows it later.

        Its observation, frame number and file are those of the last frame; without a filter so is its
        attitude. Call it from the thread that calls `update`. Raises ValueError before the first frame.
        """
        if self._last is None or self._fitter is None:
            raise ValueError("there is no horizon before the first frame")
        return answer_at(self._last, time_s, self._filter.at(time_s), self._fitter.camera)

    def _refined(self, frame: Frame, observation: Observation) -> Observation:
        if self._refiner is None or observation.measurement is None:
            return observation
        measurement = self._refiner.refine(
            frame.luma, observation.measurement, bit_depth=frame.sampling.bit_depth
        )
        return replace(observation, measurement=measurement)

    def reset(self) -> None:
        """Forget the track, as after a cut."""
        self._filter, self._last, self._scene = self._new_filter(), None, SceneChangeDetector()
        self._key_frames = KeyFrames()

    def _new_filter(self) -> Filter:
        if self._smooth == "none":
            return NoFilter()
        return TrackFilter() if self._beside is None else self._beside.restart()

    def _fitter_for(self, frame: Frame) -> HorizonFitter:
        fitter, size = self._fitter, (frame.width, frame.height)
        if fitter is not None and (fitter.camera.width, fitter.camera.height) == size:
            return fitter
        if fitter is not None:
            self.reset()
        if self._camera is None:
            hfov = self._hfov_deg
            self._camera = Camera.assumed(*size) if hfov is None else Camera.from_fov(*size, hfov)
        camera = self._camera.for_size(*size)
        down = 0.0 if self._height_m is None else dip(self._height_m)
        self._fitter = HorizonFitter(camera, self._sigma, dip=down)
        view = VirtualView.of_lens(camera)
        self._wide = None if view is None else _Wide(view, HorizonFitter(view.camera, self._sigma, dip=down))
        # Looks may run beside, so that each has its buffers.
        self._refiner = HorizonRefiner(camera, dip=down) if self._refine else None
        self._follower = HorizonRefiner(camera, dip=down) if self._refine and self._has_key_frames else None
        return self._fitter
