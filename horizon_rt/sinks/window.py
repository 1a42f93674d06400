"""A live window, for machines with a display, and its keys."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2

from horizon_rt.errors import OutputError
from horizon_rt.sinks.base import RecordSwitch, Sink, SinkContext
from horizon_rt.sinks.captions import draw_note, draw_rows
from horizon_rt.sinks.display import reach_display
from horizon_rt.sinks.drawing import HORIZON_ALONE, NOTHING, Style
from horizon_rt.sinks.overlay import Overlay

if TYPE_CHECKING:
    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon
    from horizon_rt.imaging.canvas import Canvas

__all__ = ["WindowSink"]

log = logging.getLogger(__name__)

_MAX_WINDOW = (1600, 900)
_SMALLEST_PX = 32
_FROZEN = "frozen - space goes on"


class _Key(NamedTuple):
    """What a key does; `keys` are those that do it, `name` is the one that is shown."""

    keys: str
    name: str
    text: str
    act: Callable[[], object]


class WindowSink(Sink):
    """Shows the overlay live, drawn at the size of the window; all calls must come from the main thread.

    h shows its keys. q, Esc or the window's close button set `wants_stop`; s saves a PNG to
    `snapshot_folder`, and `tell` gets a line that says where; r starts and stops the `recorder`, if there is
    one. What a key did is shown in the picture for `note_s`.
    """

    def __init__(
        self,
        context: SinkContext,
        *,
        style: Style | None = None,
        snapshot_folder: Path | str = ".",
        tell: Callable[[str], object] = log.info,
        recorder: RecordSwitch | None = None,
        note_s: float = 2.0,
    ) -> None:
        """Open the window; raises OutputError where there is no display."""
        with reach_display() as reached:
            if not reached:
                raise OutputError("no display answers for a window; run without it or set DISPLAY")
            self._title = f"horizon-rt - {context.source}"
            self._open(context)
        self._overlay = Overlay(context.camera, style=style)
        self._styles = cycle((HORIZON_ALONE, NOTHING, self._overlay.style))
        self._folder, self._tell, self._recorder = Path(snapshot_folder), tell, recorder
        self._now: tuple[Frame, Horizon] | None = None
        self._frozen = self._helps = self._is_full = self._stop = self._was_visible = False
        self._note, self._note_s, self._note_ends_s = "", note_s, 0.0
        self._keys = (
            _Key("s", "s", "save a snapshot", self._snapshot),
            *([] if recorder is None else [_Key("r", "r", "start or stop recording", self._record)]),
            _Key(" ", "space", "freeze the picture; tracking goes on", self._freeze),
            _Key("l", "l", "overlay: all, horizon alone, none", self._next_layer),
            _Key("f", "f", "full screen", self._full_screen),
            _Key("h?", "h", "show these keys", self._help),
            _Key("q\x1b", "q", "end", self._quit),
        )

    def _open(self, context: SinkContext) -> None:
        try:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise OutputError("this OpenCV has no windows; install opencv-python") from error
        scale = min(1.0, _MAX_WINDOW[0] / context.width, _MAX_WINDOW[1] / context.height)
        cv2.resizeWindow(self._title, round(context.width * scale), round(context.height * scale))

    @property
    def wants_stop(self) -> bool:
        """True after q, Esc or the close button."""
        return self._stop

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        if self._stop:
            return
        if not self._frozen or self._now is None:
            self._now = (frame, horizon)
        cv2.imshow(self._title, self._drawn(*self._now).to_bgr())
        pressed = chr(cv2.waitKey(1) & 0xFF).lower()
        for key in self._keys:
            if pressed in key.keys:
                key.act()
        self._stop |= self._closed()

    def _drawn(self, frame: Frame, horizon: Horizon) -> Canvas:
        canvas = self._overlay.render(frame, horizon, size=self._size(frame))
        notes = [self._note] if time.monotonic() < self._note_ends_s else []
        notes += [_FROZEN] if self._frozen else []
        if notes or self._helps:
            canvas = canvas.copy()  # other frames may be drawn from it
            draw_note(canvas, notes)
        if self._helps:
            draw_rows(canvas, [(key.name, key.text) for key in self._keys])
        return canvas

    def _size(self, frame: Frame) -> tuple[int, int] | None:
        """That of the frame fitted into the window, even; None while the window is not there yet."""
        _, _, width, height = cv2.getWindowImageRect(self._title)
        if min(width, height) < _SMALLEST_PX:
            return None
        scale = min(width / frame.width, height / frame.height)
        w, h = (max(2, 2 * round(n * scale / 2)) for n in (frame.width, frame.height))
        return w, h

    def _closed(self) -> bool:
        """Whether it was on the screen and is no more; a new window takes a while to appear."""
        try:
            visible = bool(cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1)
        except cv2.error:  # Qt's answer once its last window is gone
            return True
        self._was_visible |= visible
        return self._was_visible and not visible

    def _say(self, note: str) -> None:
        self._note, self._note_ends_s = note, time.monotonic() + self._note_s

    def _snapshot(self) -> None:
        """The shown picture in its own size."""
        assert self._now is not None
        frame, horizon = self._now
        path = self._folder.absolute() / f"horizon_{frame.index:06d}.png"
        image = self._overlay.render(frame, horizon).to_bgr()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
        except OSError as error:
            log.warning("no snapshot at %s: %s", path, error.strerror)
            self._say(f"no snapshot: {error.strerror}")
        else:
            self._tell(f"snapshot: {path}")
            self._say(f"snapshot: {path}")

    def _record(self) -> None:
        assert self._recorder is not None
        if self._recorder.recording:
            self._recorder.stop()
        else:
            self._recorder.start()
        self._say("recording" if self._recorder.recording else "recording has stopped")

    def _freeze(self) -> None:
        self._frozen = not self._frozen

    def _next_layer(self) -> None:
        self._overlay.style = next(self._styles)

    def _full_screen(self) -> None:
        self._is_full = not self._is_full
        mode = cv2.WINDOW_FULLSCREEN if self._is_full else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(self._title, cv2.WND_PROP_FULLSCREEN, mode)

    def _help(self) -> None:
        self._helps = not self._helps

    def _quit(self) -> None:
        self._stop = True

    def _finish(self) -> None:
        with suppress(cv2.error):  # it is gone already when its close button was used
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)
