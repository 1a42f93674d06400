"""A live window, for machines with a display."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from horizon_rt.errors import OutputError
from horizon_rt.sinks.base import Sink, SinkContext
from horizon_rt.sinks.display import reach_display

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon
    from horizon_rt.sinks.overlay import Overlay

__all__ = ["WindowSink"]

log = logging.getLogger(__name__)

_QUIT_KEYS = (ord("q"), 27)  # 27 is Esc
_SCREENSHOT_KEY = ord("s")
_MAX_WINDOW = (1600, 900)


class WindowSink(Sink):
    """Shows the overlay live; all calls must come from the main thread.

    q, Esc or the window's close button set `wants_stop`; s saves a PNG to `screenshot_folder`.
    """

    def __init__(
        self, context: SinkContext, overlay: Overlay, *, screenshot_folder: Path | str = "."
    ) -> None:
        """Open the window; raises OutputError where there is no display."""
        with reach_display() as reached:
            if not reached:
                raise OutputError("no display answers for a window; run without it or set DISPLAY")
            self._title = f"horizon-rt - {context.source}"
            self._open(context)
        self._overlay, self._folder = overlay, Path(screenshot_folder)
        self._stop = self._shown = False

    def _open(self, context: SinkContext) -> None:
        import cv2

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
        import cv2

        if self._stop:
            return
        image = self._overlay.render(frame, horizon).to_bgr()
        cv2.imshow(self._title, image)
        key = cv2.waitKey(1) & 0xFF
        self._stop = key in _QUIT_KEYS or self._closed()
        if key == _SCREENSHOT_KEY:
            self._screenshot(image, frame.index)

    def _closed(self) -> bool:
        """Whether it was on the screen and is no more; a new window takes a while to appear."""
        import cv2

        try:
            visible = bool(cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1)
        except cv2.error:  # Qt's answer once its last window is gone
            return True
        self._shown |= visible
        return self._shown and not visible

    def _screenshot(self, image: NDArray[np.uint8], index: int) -> None:
        import cv2

        path = self._folder / f"horizon_{index:06d}.png"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
        except OSError as error:
            log.warning("no screenshot at %s: %s", path, error.strerror)
        else:
            log.info("saved %s", path)

    def _finish(self) -> None:
        import cv2

        with suppress(cv2.error):  # it is gone already when its close button was used
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)
