"""Cameras, and FFmpeg test graphs that stand in for one."""

from __future__ import annotations

import os
import re
import stat
import threading
import time

import av
from av.container import InputContainer
from av.error import FFmpegError

from horizon_rt.errors import SourceError, SourceNotFound
from horizon_rt.frame import Frame
from horizon_rt.imaging.opening import describe
from horizon_rt.sources.base import Source, SourceInfo
from horizon_rt.sources.container import ContainerOptions, ContainerSource
from horizon_rt.sources.v4l2 import Exposure, set_exposure
from horizon_rt.system.host import make_nonblocking, uses_v4l2

__all__ = ["OPEN_TIMEOUT_S", "SETTLE_S", "open_device", "open_graph"]

OPEN_TIMEOUT_S = 10.0
SETTLE_S = 2.0
_EXPOSURE_STEP_MS = 0.1


def open_device(
    device: int | str,
    *,
    size: tuple[int, int] | None = None,
    frame_rate: float | None = None,
    pixel_format: str | None = None,
    exposure: Exposure | None = None,
    threads: int = 0,
) -> Source:
    """Open a camera by index or as /dev/videoN.

    `size` (width, height) in px, `frame_rate` in Hz, `pixel_format` (the camera's own, such as 'mjpeg' or
    'yuyv422') and `exposure` are requests: what the camera delivers instead is told in `warnings`. An
    exposure 'locked' is that of two seconds after the start, a number is a time in ms. Raises SourceNotFound
    for a missing camera and SourceError for one that cannot be used.
    """
    request = {
        "video_size": f"{size[0]}x{size[1]}" if size else None,
        "framerate": f"{frame_rate:g}" if frame_rate else None,
        "input_format": pixel_format,
    }
    requested = {key: value for key, value in request.items() if value is not None}
    if uses_v4l2():
        path = f"/dev/video{device}" if str(device).isdecimal() else str(device)
        _check_device(path, str(device))
        if "v4l2" in ",".join(av.formats_available):
            opened = _open_v4l2(path, str(device), requested, threads)
            _expose(opened, path, exposure)
            return opened
    camera = OpenCvCamera(device, size=size, frame_rate=frame_rate)
    if pixel_format or exposure is not None:
        camera.warn(f"camera {device}: pixel format and exposure can be chosen on Linux alone")
    return camera


def _expose(source: Source, path: str, exposure: Exposure | None) -> None:
    """Ask for an exposure; that to be locked is given time to become right."""
    if exposure == "locked":
        timer = threading.Timer(SETTLE_S, _set_exposure, (source, path, exposure))
        timer.daemon = True
        timer.start()
    elif exposure is not None:
        _set_exposure(source, path, exposure)


def _set_exposure(source: Source, path: str, exposure: Exposure) -> None:
    if source.closed:
        return
    name = f"camera {source.info.name}"
    try:
        taken_ms = set_exposure(path, exposure)
    except OSError as error:
        source.warn(f"{name}: its exposure cannot be set ({error.strerror})")
        return
    if isinstance(exposure, str) or taken_ms is None:
        return
    if abs(taken_ms - exposure) > _EXPOSURE_STEP_MS:
        source.warn(f"{name}: asked for {exposure:g} ms of exposure, it takes {taken_ms:g}")


def _check_device(path: str, name: str) -> None:
    what = f"no camera {name}: {path}" if path != name else f"no camera: {path}"
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise SourceNotFound(f"{what} does not exist; `horizon-rt doctor` lists cameras") from error
    if not stat.S_ISCHR(mode):
        raise SourceNotFound(f"{what} is not a capture device; `horizon-rt doctor` lists cameras")
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(f"no permission to use {path}; add yourself to the group 'video' and log in again")


def _attempts(requested: dict[str, str]) -> list[dict[str, str]]:
    """What to ask the driver for, best first.

    Over USB 2 large raw pictures come at a few frames a second only, so that a asked size or rate is
    first tried with the compressed format.
    """
    if not requested:
        return [{}]
    rest = {key: value for key, value in requested.items() if key != "input_format"}
    first = [] if "input_format" in requested else [requested | {"input_format": "mjpeg"}]
    return [*first, requested, *([rest] if rest and rest != requested else []), {}]


def _open_v4l2(path: str, name: str, requested: dict[str, str], threads: int) -> ContainerSource:
    failure: FFmpegError | None = None
    for request in _attempts(requested):
        container = _open_in_time(path, request)
        if isinstance(container, FFmpegError):
            failure = failure or container
            continue
        make_nonblocking(path)  # so that close() is never held up
        options = ContainerOptions(name=name, kind="device", threads=threads, live=True)
        source = ContainerSource(container, options)
        _tell_differences(source, requested, _pixel_format(container))
        return source
    raise SourceError(f"camera {name} cannot be opened ({failure and describe(failure)}); is it in use?")


def _open_in_time(path: str, request: dict[str, str]) -> InputContainer | FFmpegError:
    """Open in a thread of its own, because a driver without a signal waits for ever for its first picture."""
    results: list[InputContainer | FFmpegError] = []

    def work() -> None:
        try:
            results.append(av.open(path, "r", format="v4l2", options=request))
        except FFmpegError as error:
            results.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(OPEN_TIMEOUT_S)
    if not results:
        raise SourceError(f"camera {path} gives no picture within {OPEN_TIMEOUT_S:g} s; has it a signal?")
    return results[0]


def _pixel_format(container: InputContainer) -> str:
    """What the pictures come as, by the name that FFmpeg's v4l2 takes for it."""
    coded = container.streams.video[0].codec_context
    return coded.name if coded.name != "rawvideo" else str(coded.pix_fmt)


def _tell_differences(source: ContainerSource, requested: dict[str, str], pixel_format: str) -> None:
    info = source.info
    got = {
        "video_size": f"{info.width}x{info.height}",
        "framerate": f"{info.frame_rate or 0:g}",
        "input_format": pixel_format,
    }
    for key, value in got.items():
        if requested.get(key, value) != value:
            source.warn(f"camera {info.name}: asked for {key} {requested[key]}, the camera gives {value}")


def open_graph(graph: str) -> ContainerSource:
    """A libavfilter graph such as 'testsrc2=size=320x240:rate=30' as a camera, in real time.

    Raises SourceError for a graph that FFmpeg does not understand.
    """
    try:
        container = av.open(graph, "r", format="lavfi")
    except (FFmpegError, ValueError) as error:
        raise SourceError(
            f"lavfi:{graph}: not a filter graph that gives video ({describe(error)})"
        ) from error
    options = ContainerOptions(name=f"lavfi:{graph}", kind="synthetic", threads=1, live=True, paced=True)
    return ContainerSource(container, options)


class OpenCvCamera(Source):
    """A camera through OpenCV, where FFmpeg has no driver for it; timed by arrival."""

    def __init__(
        self, device: int | str, *, size: tuple[int, int] | None = None, frame_rate: float | None = None
    ) -> None:
        import cv2

        super().__init__()
        number = re.fullmatch(r"(?:/dev/video)?(\d+)", str(device))
        self._capture = cv2.VideoCapture(int(number[1]) if number else str(device))
        if not self._capture.isOpened():
            raise SourceNotFound(f"no camera {device}, or it is in use; `horizon-rt doctor` lists cameras")
        if size:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        if frame_rate:
            self._capture.set(cv2.CAP_PROP_FPS, frame_rate)
        self._count = 0
        self._start_s: float | None = None
        self._first = self._grab()
        self.info = self._describe(str(device), self._capture.get(cv2.CAP_PROP_FPS))

    def _describe(self, name: str, frame_rate: float) -> SourceInfo:
        if self._first is None:
            self._capture.release()
            raise SourceError(f"camera {name} opens but gives no picture; is it in use?")
        return SourceInfo(
            name=name,
            kind="device",
            width=self._first.width,
            height=self._first.height,
            frame_rate=frame_rate if frame_rate > 0 else None,
            live=True,
        )

    def _next_frame(self) -> Frame | None:
        frame, self._first = self._first, None
        return frame or self._grab()

    def _grab(self) -> Frame | None:
        good, image = self._capture.read()
        if not good:
            return None
        now = time.monotonic()
        self._start_s = now if self._start_s is None else self._start_s
        frame = Frame.from_bgr(
            image.astype("uint8", copy=False), index=self._count, time_s=now - self._start_s
        )
        self._count += 1
        return frame

    def _release(self) -> None:
        self._capture.release()
