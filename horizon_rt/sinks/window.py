"""A live window, for machines with a display."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from horizon_rt.errors import OutputError
from horizon_rt.sinks.base import Sink, SinkContext

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon
    from horizon_rt.sinks.overlay import Overlay

__all__ = ["WindowSink", "display_available"]

log = logging.getLogger(__name__)

_QUIT_KEYS = (ord("q"), 27)  # 27 is Esc
_SCREENSHOT_KEY = ord("s")
_MAX_WINDOW = (1600, 900)
_ANSWER_SECONDS = 2.0


class WindowSink(Sink):
    """Shows the overlay live; all calls must come from the main thread.

    q, Esc or the window's close button set `wants_stop`; s saves a PNG to `screenshot_folder`.
    """

    def __init__(
        self, context: SinkContext, overlay: Overlay, *, screenshot_folder: Path | str = "."
    ) -> None:
        """Open the window; raises OutputError where there is no display."""
        if not display_available():
            raise OutputError("no display answers for a window; run without it or set DISPLAY")
        import cv2

        self._overlay, self._folder = overlay, Path(screenshot_folder)
        self._title = f"horizon-rt - {context.source}"
        self._stop = False
        self._frames = 0
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
        closed = self._frames > 0 and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        self._stop = closed or key in _QUIT_KEYS
        self._frames += 1
        if key == _SCREENSHOT_KEY:
            self._screenshot(image, frame.index)

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


def display_available() -> bool:
    """Whether a window can be opened. To be asked first: without a display OpenCV ends the process."""
    if not sys.platform.startswith("linux"):
        return True
    if display := os.environ.get("DISPLAY"):
        return _x_server_answers(display)
    return bool(os.environ.get("WAYLAND_DISPLAY")) and _speaks_wayland() and _wayland_answers()


def _x_server_answers(display: str) -> bool:
    """Greet the server as the X11 protocol begins, without a cookie."""
    host, _, number = display.rpartition(":")
    screen = number.split(".")[0]
    if not screen.isdigit():
        return False
    try:
        with _x_connection(host, int(screen)) as link:
            link.settimeout(_ANSWER_SECONDS)
            link.sendall(b"l\0" + (11).to_bytes(2, "little") + bytes(8))
            answer = link.recv(1)
    except OSError:
        return False
    # 1 is success; a refusal is one of the missing cookie, which a client with a cookie file does not meet.
    return answer == b"\1" or (answer in (b"\0", b"\2") and _has_cookie())


def _x_connection(host: str, screen: int) -> socket.socket:
    if host not in ("", "unix"):
        return socket.create_connection((host.strip("[]"), 6000 + screen), timeout=_ANSWER_SECONDS)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = f"/tmp/.X11-unix/X{screen}"
    try:
        link.connect(path if os.path.exists(path) else "\0" + path)
    except OSError:
        link.close()
        raise
    return link


def _has_cookie() -> bool:
    return Path(os.environ.get("XAUTHORITY") or Path.home() / ".Xauthority").is_file()


def _wayland_answers() -> bool:
    path = Path(os.environ.get("XDG_RUNTIME_DIR", "")) / os.environ["WAYLAND_DISPLAY"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        try:
            link.connect(str(path))
        except OSError:
            return False
    return True


def _speaks_wayland() -> bool:
    """OpenCV's wheels bring Qt plugins, as a rule for X11 alone; other builds use the system's toolkit."""
    spec = importlib.util.find_spec("cv2")
    if spec is None or spec.origin is None:
        return False
    plugins = Path(spec.origin).parent / "qt" / "plugins" / "platforms"
    return not plugins.is_dir() or any(plugins.glob("libqwayland*"))
