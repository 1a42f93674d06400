"""The page as a sink: it shows what the run sees, and never holds it up."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable

import uvicorn

from horizon_rt.errors import OptionsError, OutputError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.sinks.base import Sink, SinkContext
from horizon_rt.sinks.overlay import Overlay
from horizon_rt.sources import Health
from horizon_rt.web.app import make_app
from horizon_rt.web.newest import Newest

__all__ = ["TOKEN", "WebSink", "parse_place"]

TOKEN = "HORIZON_RT_WEB_TOKEN"
"""The environment variable that holds the token; without one each run makes its own."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PORT = 8700
_START_S = 20.0
_MOST_CONNECTIONS = 100


def parse_place(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, HOST, :PORT or PORT; raises OptionsError."""
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = ("", text) if text.isdecimal() else (text or "", "")
    if port and not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise OptionsError(f"--web takes HOST:PORT, such as 127.0.0.1:8700, got {text!r}")
    return host.strip("[]") or _LOOPBACK[0], int(port) if port else _PORT


class WebSink(Sink):
    """Serves the page while it is open; `url` is its address.

    `token` has to be entered to see it; on an address of this machine alone it is None, and nobody is asked.
    Raises OptionsError for a place that is none and OutputError where the port is taken.
    """

    def __init__(
        self,
        place: str,
        context: SinkContext,
        overlay: Overlay,
        *,
        health: Callable[[], Health | None] = lambda: None,
    ) -> None:
        host, port = parse_place(place)
        self._socket = _bind(host, port)
        real_port = self._socket.getsockname()[1]
        self.token = None if host in _LOOPBACK else os.environ.get(TOKEN) or secrets.token_urlsafe(12)
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{real_port}/"
        self._newest = Newest(overlay)
        app = make_app(self._newest, name=context.source, health=health, token=self.token, port=real_port)
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=15,
            limit_concurrency=_MOST_CONNECTIONS,
            h11_max_incomplete_event_size=16384,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self._newest.put(frame, horizon)

    def _finish(self) -> None:
        self._newest.end()
        self._server.should_exit = True
        self._thread.join(5.0)
        self._socket.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        reason = error.strerror or str(error)
        raise OutputError(f"--web {host}:{port} cannot be used: {reason}; choose another") from error
    return bound
