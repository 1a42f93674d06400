"""What a recorder does with each frame: encode it, keep it in memory, or write it into a segment."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import av.error

from horizon_rt.errors import OutputError
from horizon_rt.imaging.canvas import Canvas
from horizon_rt.imaging.opening import describe
from horizon_rt.recording.encoding import Coded, PacketEncoder
from horizon_rt.recording.folder import RecordingFolder
from horizon_rt.recording.options import RecordOptions
from horizon_rt.recording.ring import Ring
from horizon_rt.recording.segment import Segment

if TYPE_CHECKING:
    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon
    from horizon_rt.sinks.base import SinkContext
    from horizon_rt.sinks.overlay import Overlay

__all__ = ["Tally", "Tape"]

_log = logging.getLogger(__name__)

_WELL_S, _LONGEST_RETRY_S = 60.0, 600.0  # a failure that comes sooner than this doubles the wait


@dataclass(slots=True)
class Tally:
    """What a recorder did: frames `recorded`, and `dropped` of those that were to be; segments, failures."""

    recorded: int = 0
    dropped: int = 0
    segments: int = 0
    failures: int = 0


class Tape:
    """Records into a folder while it is started, and keeps the last seconds in memory while it is not.

    Nothing that goes wrong with the folder is raised: recording ends with one warning, and is tried again.
    All calls but `sync` come from one thread.
    """

    def __init__(
        self,
        options: RecordOptions,
        context: SinkContext,
        overlay: Overlay | None,
        *,
        quality: int | None = None,
        retry_s: float,
    ) -> None:
        """Open the folder; raises OutputError. `quality` is that of `EncodeOptions`."""
        self._options, self._context, self._overlay = options, context, overlay
        self._quality = quality
        self._folder = RecordingFolder(Path(options.record or ""), options.keep_bytes)
        self._ring = Ring(options.pre_trigger_s)
        self.tally = Tally()
        self.failure = ""
        self._encoder: PacketEncoder | None = None
        self._segment: Segment | None = None
        self._running = False
        self._first_pause_s = self._pause_s = retry_s
        self._retry_s = self._well_since_s = -math.inf

    def start(self) -> None:
        """Record from now on, beginning with what is in memory."""
        if not self._running:
            self._running = True
            for coded in self._ring.take():
                self._store(coded)

    def stop(self) -> None:
        """Record no more; the segment is whole afterwards."""
        self._running = False
        self._end_segment()
        if self._encoder is not None:
            self._encoder.want_key_frame()

    def close(self) -> None:
        """Stop, and leave the folder to others."""
        self.stop()
        self._folder.close()

    def sync(self) -> None:
        """Have the disk hold what is written; may be called from any thread."""
        if (segment := self._segment) is not None:
            segment.sync()

    def take(self, frame: Frame, horizon: Horizon) -> None:
        """Take the next frame; one that stands in for a picture is none."""
        if frame.stands_in:
            return
        if not self._running and not self._ring.seconds:
            self._encoder = None
            return
        coded = self._encoded(frame, horizon)
        if not self._running:
            if coded is not None:
                self._ring.put(coded)
        elif coded is None:
            self.tally.dropped += 1
        else:
            self._store(coded)

    def _encoded(self, frame: Frame, horizon: Horizon) -> Coded | None:
        overlay = self._overlay
        canvas = Canvas.from_frame(frame) if overlay is None else overlay.render(frame, horizon)
        try:
            if self._encoder is None or not self._encoder.suits(canvas):
                self._encoder = PacketEncoder(canvas, self._context.frame_rate, self._quality)
            return self._encoder.encode(canvas, horizon, (frame.width, frame.height))
        except (OSError, av.error.FFmpegError) as error:
            self._encoder = None
            self._fail(error)
            return None

    def _store(self, coded: Coded) -> None:
        """Write a packet into its segment."""
        try:
            if coded.is_key and time.monotonic() >= self._retry_s:
                self._turn(coded)
            if self._segment is None:
                self.tally.dropped += 1
                return
            self._segment.write(coded)
        except (OSError, av.error.FFmpegError, OutputError) as error:
            self.tally.dropped += 1
            self._fail(error)
        else:
            self.tally.recorded += 1

    def _turn(self, coded: Coded) -> None:
        """Have the segment into which a key frame goes, and room for it."""
        if self._segment is not None and self._is_full(self._segment, coded):
            self._segment.close()
            self._segment = None
        self._folder.make_room()
        if self._segment is None:
            video, telemetry = self._folder.begin(coded.horizon.time_utc or datetime.now(UTC))
            self._segment = Segment(video, telemetry, coded, self._context)
            self.tally.segments += 1
            if self.failure:
                self.failure, self._well_since_s = "", time.monotonic()
                _log.warning("%s: recording goes on", self._folder.path)

    def _is_full(self, segment: Segment, coded: Coded) -> bool:
        limit, size = self._options.segment_bytes, segment.size
        late = coded.time_s - segment.start_s >= self._options.segment_s
        return late or coded.video is not segment.video or (limit is not None and size >= limit)

    def _end_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            try:
                segment.close()
            except (OSError, av.error.FFmpegError, OutputError) as error:
                self._segment = segment
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End recording until it is tried again."""
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.abandon()
        try:
            self._folder.settle()
        except OSError as another:
            _log.debug("%s: %s", self._folder.path, another)
        now_s, reason = time.monotonic(), describe(error)
        if not self.failure:  # else it has not gone on since the last one
            soon = now_s - self._well_since_s < _WELL_S
            self._pause_s = min(2 * self._pause_s, _LONGEST_RETRY_S) if soon else self._first_pause_s
            self.tally.failures += 1
            _log.warning(
                "%s: recording stops: %s; tracking goes on, and recording is tried every %.0f s",
                *(self._folder.path, reason, self._pause_s),
            )
        self._retry_s, self.failure = now_s + self._pause_s, reason
