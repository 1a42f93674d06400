"""Whether a window can be opened. To be asked first: without a display OpenCV ends the process."""

from __future__ import annotations

import importlib.util
import os
import socket
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from horizon_rt.system.host import needs_display_server, unix_socket

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ANSWER_S", "display_available", "reach_display", "speaks_wayland"]

ANSWER_S = 2.0
_ATTEMPTS = 3
_PAUSE_S = 0.1
# The X11 connection setup of a little-endian client, protocol 11.0, without a cookie.
_X_GREETING = b"l\0" + (11).to_bytes(2, "little") + bytes(8)
_X_ACCEPTED, _X_REFUSALS = b"\1", (b"\0", b"\2")


def display_available() -> bool:
    """Whether a window can be opened here: an X or Wayland server answers that OpenCV can use."""
    with reach_display() as reached:
        return reached


@contextmanager
def reach_display() -> Iterator[bool]:
    """As `display_available`, with the connection that found out held open meanwhile.

    A bare X server restarts when its last client leaves, and turns away those who come at that moment.
    """
    if not needs_display_server():
        yield True
    elif display := os.environ.get("DISPLAY"):
        with _x_link(display) or nullcontext() as link:
            yield link is not None
    else:
        yield bool(os.environ.get("WAYLAND_DISPLAY")) and speaks_wayland() and _wayland_answers()


def _x_link(display: str) -> socket.socket | None:
    """A connection to an X server that greets back; None where none does."""
    host, _, number = display.rpartition(":")
    screen = number.split(".")[0]
    if not screen.isdigit():
        return None
    for attempt in range(_ATTEMPTS):
        time.sleep(_PAUSE_S if attempt else 0.0)
        try:
            link = _x_connection(host, int(screen))
        except (FileNotFoundError, TimeoutError, OverflowError, socket.gaierror):
            return None
        except OSError:
            continue
        if (answer := _x_answer(link)) is not None:
            break
        link.close()
    else:
        return None
    if answer:
        return link
    link.close()
    return None


def _x_answer(link: socket.socket) -> bool | None:
    """Whether the server takes us in; None when it hung up, as it does while it restarts."""
    link.settimeout(ANSWER_S)
    try:
        link.sendall(_X_GREETING)
        answer = link.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return None
    # A refusal is one of the missing cookie; OpenCV's client has it where there is a cookie file.
    return None if not answer else answer == _X_ACCEPTED or (answer in _X_REFUSALS and _has_cookie())


def _x_connection(host: str, screen: int) -> socket.socket:
    if host not in ("", "unix"):
        return socket.create_connection((host.strip("[]"), 6000 + screen), timeout=ANSWER_S)
    link = unix_socket()
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
    with unix_socket() as link:
        try:
            link.connect(str(path))
        except OSError:
            return False
    return True


def speaks_wayland() -> bool:
    """OpenCV's wheels bring Qt plugins, as a rule for X11 alone; other builds use the system's toolkit."""
    spec = importlib.util.find_spec("cv2")
    if spec is None or spec.origin is None:
        return False
    plugins = Path(spec.origin).parent / "qt" / "plugins" / "platforms"
    return not plugins.is_dir() or any(plugins.glob("libqwayland*"))
