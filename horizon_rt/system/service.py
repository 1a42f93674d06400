"""Words to the service manager that started this program (systemd's sd_notify), where one wants them."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from horizon_rt.system.host import unix_socket

__all__ = ["notify", "watchdog_s"]


def notify(state: str) -> None:
    """Send a state such as 'READY=1' to the socket that NOTIFY_SOCKET names; else without effect.

    It is a datagram; @ before a name stands for the abstract namespace (sd_notify(3)).
    """
    name = os.environ.get("NOTIFY_SOCKET", "")
    if name.startswith(("/", "@")):
        with suppress(OSError), unix_socket(socket.SOCK_DGRAM) as link:
            link.setblocking(False)  # a manager that does not listen holds nobody up
            link.sendto(state.encode(), f"\0{name[1:]}" if name[0] == "@" else name)


def watchdog_s() -> float | None:
    """After how many seconds without a 'WATCHDOG=1' the manager takes this process for hung; None for never.

    sd_watchdog_enabled(3).
    """
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isascii() and text.isdecimal() and int(text) else None
