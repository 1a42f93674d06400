"""Sources that FFmpeg reads: files, standard input, capture devices and test graphs, through PyAV."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from horizon_rt.errors import DecodeError
from horizon_rt.frame import DevicePlane, Frame
from horizon_rt.imaging.picture import MAX_PIXELS
from horizon_rt.sources.base import Source, SourceInfo, SourceKind
from horizon_rt.sources.clock import PresentationClock
from horizon_rt.sources.decoder import PacketDecoder
from horizon_rt.sources.orientation import TURNED_LEFT, orientation, upright
from horizon_rt.sources.planes import PlaneReader

__all__ = ["ContainerOptions", "ContainerSource"]

# Where a stream declares no frame rate, the one that FFmpeg assumes for raw streams.
_DEFAULT_RATE_HZ = 25.0
# A file that ends earlier than declared by more than this many frames is reported.
_SHORT_FRAMES = 2.5
_MOST_ASPECT = 8.0  # of a pixel; anamorphic lenses and formats have 2 at most
# How much earlier than the first frame that is wanted a seek goes, one after the other.
_SEEK_LEADS_S = (1.0, 10.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOptions:
    """How to treat an opened container.

    `threads` is the number of decoder threads, 0 for one per core. A `live` source starts its time at its
    first frame and is decoded without the delay of frame threads. `paced` frames are held back until they
    are due, for graphs that produce them as fast as they are read. Frames are timed `by_arrival` where their
    stamps are made up. Frames of a file before `from_s` may be
    passed over; with `key_only` those that are not coded whole are.
    """

    name: str
    kind: SourceKind
    threads: int = 0
    live: bool = False
    paced: bool = False
    by_arrival: bool = False
    from_s: float = 0.0
    key_only: bool = False


class ContainerSource(Source):
    """Frames of the best video stream of an open PyAV container, which it owns from then on.

    The first frame is decoded at once, so that a source which opened has pictures and a known upright size.
    `closing` is given where the container's own input watches it to end a wait. Raises DecodeError.
    """

    def __init__(
        self, container: InputContainer, options: ContainerOptions, *, closing: threading.Event | None = None
    ) -> None:
        super().__init__()
        self._closing = closing or self._closing
        self._container = container
        self._options = options
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        stream = _video_stream(self._container, self._options)
        # Raw pictures of a camera lie in the driver's memory, which goes with the device.
        raw = stream.codec_context.name == "rawvideo"
        self._reader = PlaneReader(copy=raw and self._options.kind == "device")
        self._rate = _frame_rate(stream)
        self._begin(stream)
        self._pass_over(stream)
        self.info = self._describe(stream)
        self._paced_from = time.monotonic()

    def _begin(self, stream: VideoStream) -> None:
        """Decode the first frame from where the container stands."""
        self._decoder = PacketDecoder(self._container, stream, self._closing)
        self._frames: Iterator[VideoFrame] = self._decoder.frames()
        origin_s = None if self._options.live else _start_s(stream)
        self._clock = PresentationClock(origin_s=origin_s, period_s=1 / (self._rate or _DEFAULT_RATE_HZ))
        self._count = self._damaged = 0
        self._stamped: bool | None = None
        self._first = self._decoded()

    def _pass_over(self, stream: VideoStream) -> None:
        """Seek to a frame not later than `from_s`; a container may land later than it was asked to.

        The last try is before the start, as some seek by decoding times, which begin before the first frame.
        """
        from_s, first = self._options.from_s, self._first
        leads_s = [lead_s for lead_s in _SEEK_LEADS_S if lead_s < from_s]
        if first is None or not leads_s or self._options.kind != "file" or _start_s(stream) is None:
            return
        for start_s in (*(from_s - lead_s for lead_s in leads_s), -_SEEK_LEADS_S[-1]):
            with suppress(FFmpegError, OverflowError):
                self._container.seek(_timestamp(start_s, stream), stream=stream)
                self._begin(stream)
            if self._first is not None and self._first.time_s <= from_s and not self._clock.repaired:
                return
        if self._first is None or self._first.time_s > first.time_s:
            raise DecodeError(f"{self._options.name}: it cannot be read from a time on; leave --start out")

    def _describe(self, stream: VideoStream) -> SourceInfo:
        if self._first is None:
            raise DecodeError(self._no_pictures())
        self.on_gpu = isinstance(self._first.luma, DevicePlane)
        return SourceInfo(
            name=self._options.name,
            kind=self._options.kind,
            width=self._first.width,
            height=self._first.height,
            frame_rate=self._rate,
            frame_count=None if self._options.live else (stream.frames or None),
            duration_s=None if self._options.live else _duration_s(self._container, stream),
            live=self._options.live,
            turned_left=self._turn == TURNED_LEFT,
            pixel_aspect=_pixel_aspect(stream, turned=self._turn[0]),
        )

    def _no_pictures(self) -> str:
        why = self._decoder.last_error or "the video stream is empty"
        hint = "is the file complete?"
        if self._options.kind == "stdin":
            hint = "an MP4 from a pipe needs -movflags +faststart, or use MPEG-TS"
        return f"{self._options.name}: no picture can be decoded ({why}); {hint}"

    def _next_frame(self) -> Frame | None:
        frame, self._first = self._first, None
        frame = frame or self._decoded()
        return self._when_due(frame) if frame is not None and self._options.paced else frame

    def _when_due(self, frame: Frame) -> Frame | None:
        if self._closing.wait(max(0.0, self._paced_from + frame.time_s - time.monotonic())):
            return None
        return replace(frame, decoded_at_s=time.perf_counter())

    def _decoded(self) -> Frame | None:
        for picture in self._frames:
            try:
                return self._frame(picture)
            except (FFmpegError, ValueError) as error:
                self._decoder.note_error(error)
        self._frames = iter(())
        self._report_end()
        return None

    def _frame(self, picture: VideoFrame) -> Frame:
        decoded_at_s = time.perf_counter()
        planes, sampling = self._reader.read(picture)
        self._turn = orientation(picture)
        planes = upright(planes, self._turn)
        time_s, damaged = self._clock.stamp(self._timestamp(picture)), picture.is_corrupt
        frame = Frame(planes, self._count, time_s, sampling, decoded_at_s, damaged=damaged)
        self._count += 1
        self._damaged += damaged
        return frame

    def _timestamp(self, picture: VideoFrame) -> float | None:
        # One clock per source: a device without timestamps is timed by arrival from its first frame on.
        stamped = picture.pts is not None and not self._options.by_arrival
        if self._stamped is None:
            self._stamped = stamped or not self._options.live
        if not self._stamped:
            return time.monotonic()
        return picture.time if stamped else None

    def _report_end(self) -> None:
        if self._count == 0 or self._closing.is_set() or self.released:
            return
        name, decoder, repaired = self._options.name, self._decoder, self._clock.repaired
        if decoder.gave_up and not decoder.errors:
            self.warn(f"{name}: {decoder.last_error}")
        elif decoder.gave_up:
            self.warn(f"{name}: stopped after {decoder.errors} errors ({decoder.last_error})")
        elif decoder.errors:
            self.warn(f"{name}: {decoder.errors} damaged packets skipped ({decoder.last_error})")
        if self._damaged:
            self.warn(f"{name}: {self._damaged} of {self._count} frames are damaged; they are not measured")
        if repaired and not self._options.live:
            self.warn(
                f"{name}: {repaired} of {self._count} timestamps unusable, {self._clock.period_s:g} s assumed"
            )
        if not (self._options.key_only or self._options.from_s):
            self._report_shortfall()

    def _report_shortfall(self) -> None:
        info, period_s = self.info, self._clock.period_s
        end_s = (self._clock.last_s or 0.0) + period_s
        short = info.duration_s is not None and info.duration_s - end_s > _SHORT_FRAMES * period_s
        if short and (info.frame_count is None or self._count < info.frame_count):
            self.warn(
                f"{info.name}: ends at {end_s:.2f} s of the declared {info.duration_s:.2f} s; is it cut off?"
            )

    def _release(self) -> None:
        self._frames = iter(())
        self._container.close()


def _video_stream(container: InputContainer, options: ContainerOptions) -> VideoStream:
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise DecodeError(f"{options.name}: no video in it, only {kinds}; give a file with a video stream")
    if stream.codec_context is None:
        raise DecodeError(f"{options.name}: no decoder for its video; convert it to H.264")
    # Frame threads hold back one frame each, which a live picture cannot afford.
    stream.thread_type = "SLICE" if options.live else "AUTO"
    # To a GPU each thread is but one more picture under way, of which it takes few. A pipe that the GPU does
    # not decode after all cannot be opened again, and keeps its threads.
    on_gpu = stream.codec_context.is_hwaccel and options.kind != "stdin"
    stream.codec_context.thread_count = 1 if on_gpu else options.threads
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    if options.key_only:
        stream.codec_context.skip_frame = "NONKEY"
    return stream


def _frame_rate(stream: VideoStream) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate and rate > 0 else None


def _pixel_aspect(stream: VideoStream, *, turned: bool) -> float:
    """Of upright pictures; what no camera has is taken as square."""
    aspect = float(stream.sample_aspect_ratio or 1)
    if not 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT:
        return 1.0
    return 1 / aspect if turned else aspect


def _start_s(stream: VideoStream) -> float | None:
    if stream.start_time is None or stream.time_base is None:
        return None
    return float(stream.start_time * stream.time_base)


def _timestamp(time_s: float, stream: VideoStream) -> int:
    assert stream.time_base is not None
    return int(((_start_s(stream) or 0.0) + time_s) / stream.time_base)


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return container.duration / 1_000_000
    return None
