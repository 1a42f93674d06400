"""Recording as a sink: frames wait for it in a short queue, and never the other way round."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from horizon_rt.errors import OutputError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.recording.options import RecordOptions
from horizon_rt.recording.tape import Tally, Tape
from horizon_rt.sinks.base import Sink, SinkContext
from horizon_rt.sinks.drawing import Style
from horizon_rt.sinks.overlay import Overlay
from horizon_rt.system.host import lower_thread_priority
from horizon_rt.system.ticking import Ticking
from horizon_rt.system.units import counted

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)

_SYNC_S, _JOIN_S = 1.0, 10.0
_DRAIN_S = 1.0  # for what still waits at the end
_QUEUE_BYTES, _QUEUE_FRAMES = 1 << 27, (4, 30)


class Recorder(Sink):
    """Records into the folder of the options, in a thread of its own (docs/recording.md).

    `start` and `stop` may be called from any thread; without `record_on_demand` it is started already. What
    the encoder or the disk is too slow for is dropped and counted in `tally`. Where it cannot write,
    `failure` says why, and it is tried again after `retry_s` seconds; `close` raises OutputError where that
    is so to the end.
    """

    def __init__(
        self,
        options: RecordOptions,
        context: SinkContext,
        *,
        style: Style | None = None,
        quality: int | None = None,
        retry_s: float = 10.0,
    ) -> None:
        """Open the folder; raises OutputError. `quality` is that of `EncodeOptions`."""
        overlay = Overlay(context.camera, style=style) if options.record_overlay else None
        self._folder = options.record
        self._tape = Tape(options, context, overlay, quality=quality, retry_s=retry_s)
        frame_bytes = max(1, context.width * context.height * 3 // 2)
        self._most = min(max(_QUEUE_BYTES // frame_bytes, _QUEUE_FRAMES[0]), _QUEUE_FRAMES[1])
        self._todo: deque[Callable[[], None]] = deque()
        self._waiting = self._dropped = 0
        self._changed = threading.Condition()
        self._closing, self._drained_s = False, math.inf
        self._recording = False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()
        self._syncing = Ticking(self._tape.sync, _SYNC_S, "recorder disk")
        if not options.record_on_demand:
            self.start()

    @property
    def tally(self) -> Tally:
        """What it did so far."""
        tally = self._tape.tally
        return replace(tally, dropped=tally.dropped + self._dropped)

    @property
    def recording(self) -> bool:
        """Whether it is started."""
        return self._recording

    @property
    def waiting(self) -> int:
        """How many frames wait for it."""
        return self._waiting

    @property
    def failure(self) -> str:
        """Why it cannot record now; empty where it can."""
        return self._tape.failure

    def start(self) -> None:
        """Record from now on, beginning with the seconds before that are kept."""
        self._do(self._tape.start, recording=True)

    def stop(self) -> None:
        """Record no more, until it is started again."""
        self._do(self._tape.stop, recording=False)

    def _do(self, step: Callable[[], None], *, recording: bool) -> None:
        with self._changed:
            if self._recording != recording and not self._closing:
                self._recording = recording
                self._todo.append(step)
                self._changed.notify_all()

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        with self._changed:
            if self._waiting >= self._most:
                self._dropped += self._recording
                return
            self._waiting += 1
            self._todo.append(partial(self._take, frame, horizon))
            self._changed.notify_all()

    def _take(self, frame: Frame, horizon: Horizon) -> None:
        with self._changed:
            self._waiting -= 1
        self._tape.take(frame, horizon)

    def _finish(self) -> None:
        with self._changed:
            self._closing, self._drained_s = True, time.monotonic() + _DRAIN_S
            self._changed.notify_all()
        self._thread.join(_JOIN_S)
        self._syncing.close()
        if self._thread.is_alive():
            _log.warning("the disk of the recording does not answer; its last seconds are left behind")
        done = self.tally
        level = logging.WARNING if done.dropped else logging.INFO
        segments = counted(done.segments, "segment")
        _log.log(level, "%d frames recorded in %s, %d dropped", done.recorded, segments, done.dropped)
        if self.failure:
            raise OutputError(f"{self._folder}: the end is not recorded: {self.failure}")

    def _run(self) -> None:
        lower_thread_priority()
        told = False
        while (step := self._next()) is not None:
            try:
                step()
            except Exception:  # nobody else would learn of it
                _log.log(logging.DEBUG if told else logging.ERROR, "a frame is not recorded", exc_info=True)
                told = True
            del step  # which holds a frame
        self._tape.close()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._todo or self._closing)
            if time.monotonic() > self._drained_s:
                self._dropped += self._waiting if self._recording else 0
                self._todo.clear()
            return self._todo.popleft() if self._todo else None
