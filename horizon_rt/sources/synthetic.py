"""Rendered clips as a source: `synth:KIND?option=value&…`."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import get_type_hints
from urllib.parse import parse_qsl

import numpy as np

from horizon_rt.camera import Camera, load_profile
from horizon_rt.errors import SourceError
from horizon_rt.frame import Frame
from horizon_rt.geometry.earth import dip
from horizon_rt.options import LARGEST_HEIGHT_M
from horizon_rt.sources.base import Source, SourceInfo
from horizon_rt.synth.clip import Clip, PanoramaView, SceneView, View, find_panorama
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.scene import KINDS, SceneKind
from horizon_rt.synth.trajectory import MOTIONS, Motion, make_trajectory
from horizon_rt.system.paths import data_root

__all__ = ["SyntheticOptions", "SyntheticSource", "make_clip", "open_synthetic", "parse_options"]

_DEFAULT_MOTION: dict[str, Motion] = {"sea": "boat", "storm": "boat"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticOptions:
    """What `synth:KIND?…` can say. `kind` is a scene kind or `panorama/NAME`, `lens` a camera profile, a name
    or a file, in place of `hfov`; from a `height` in m the horizon of a scene dips as that of the sea.
    """

    kind: str = "fields"
    motion: str = ""
    size: str = "640x360"
    fps: float = 25.0
    seconds: float = 20.0
    hfov: float = 70.0
    lens: str = ""
    height: float = 0.0
    seed: int = 0

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height in px."""
        try:
            width, height = (int(v) for v in self.size.lower().split("x"))
        except ValueError:
            raise SourceError(f"size is WIDTHxHEIGHT, such as 1280x720, got '{self.size}'") from None
        if not (1 <= width <= 16384 and 1 <= height <= 16384):
            raise SourceError(f"size must lie between 1x1 and 16384x16384, got '{self.size}'")
        return width, height

    @property
    def camera(self) -> Camera:
        """The lens for the size; raises CameraModelError for a profile that does not fit it."""
        if self.lens:
            return load_profile(self.lens).fit_to(*self.dimensions).model
        return Camera.from_hfov(*self.dimensions, self.hfov)


def parse_options(text: str) -> SyntheticOptions:
    """Parse `KIND?option=value&…`; raises SourceError naming what is wrong."""
    kind, _, query = text.partition("?")
    options = SyntheticOptions(kind=kind or "fields")
    known = get_type_hints(SyntheticOptions)
    del known["kind"]
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise SourceError(f"synth: unknown option '{name}'; there are: {', '.join(known)}")
        try:
            options = replace(options, **{name: known[name](value)})
        except ValueError:
            raise SourceError(f"synth: {name} must be a number, got '{value}'") from None
    return _checked(options)


def _checked(options: SyntheticOptions) -> SyntheticOptions:
    if not (0 < options.fps <= 1000 and 0 < options.seconds <= 1e6):
        raise SourceError(
            f"synth: fps lies between 0 and 1000 and seconds between 0 and 1000000, "
            f"got {options.fps:g} and {options.seconds:g}"
        )
    if not 1 <= options.hfov <= 170:
        raise SourceError(f"synth: hfov lies between 1 and 170 degrees, got {options.hfov:g}")
    if not 0 <= options.height <= LARGEST_HEIGHT_M:
        raise SourceError(f"synth: height lies between 0 and {LARGEST_HEIGHT_M:g} m, got {options.height:g}")
    if options.motion and options.motion not in MOTIONS:
        raise SourceError(f"synth: unknown motion '{options.motion}'; there are: {', '.join(MOTIONS)}")
    if options.seed < 0:
        raise SourceError(f"synth: seed must be 0 or more, got {options.seed}")
    return options


def make_clip(options: SyntheticOptions) -> Clip:
    """The clip that the options describe; raises SourceError or DatasetError."""
    motion = options.motion or _DEFAULT_MOTION.get(options.kind, "flight")
    return Clip(
        view=_view(options),
        path=make_trajectory(motion, options.seconds, options.seed),  # type: ignore[arg-type]
        camera=options.camera,
        frame_rate=options.fps,
        duration_s=options.seconds,
        seed=options.seed,
    )


def _view(options: SyntheticOptions) -> View:
    kind, _, name = options.kind.partition("/")
    if kind == "panorama":
        root = data_root()
        if root is None:
            raise SourceError("synth:panorama needs the datasets; set HORIZON_RT_DATA to their folder")
        return PanoramaView(find_panorama(root / "panorama", name))
    if kind not in KINDS:
        raise SourceError(f"synth: unknown scene '{kind}'; there are: {', '.join(KINDS)}, panorama/NAME")
    scene_kind: SceneKind = kind
    return SceneView(random_scene(np.random.default_rng(options.seed), scene_kind), dip(options.height))


class SyntheticSource(Source):
    """Renders a clip ahead of the reader, in `threads` threads; `clip` has the truth."""

    def __init__(self, clip: Clip, name: str, *, threads: int = 2) -> None:
        super().__init__()
        self.clip = clip
        self.info = SourceInfo(
            name=name,
            kind="synthetic",
            width=clip.camera.width,
            height=clip.camera.height,
            frame_rate=clip.frame_rate,
            frame_count=len(clip),
            duration_s=len(clip) / clip.frame_rate,
        )
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="render")
        self._ahead = threads + 1
        self._pending: deque[Future[Frame]] = deque()
        self._submitted = 0

    def _next_frame(self) -> Frame | None:
        while len(self._pending) < self._ahead and self._submitted < len(self.clip):
            self._pending.append(self._pool.submit(self.clip.frame, self._submitted))
            self._submitted += 1
        if not self._pending:
            return None
        return replace(self._pending.popleft().result(), decoded_at_s=time.perf_counter())

    def _release(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def open_synthetic(name: str) -> SyntheticSource:
    """Open what follows `synth:`; raises SourceError."""
    return SyntheticSource(make_clip(parse_options(name)), f"synth:{name}")
