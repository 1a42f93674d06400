"""The page as a sink: it shows what the run sees, and never holds it up."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from functools import cache

from horizon_rt.errors import OptionsError
from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.links import LinkSink
from horizon_rt.serving.server import LOOPBACK, Server
from horizon_rt.sinks.base import Sink, SinkContext
from horizon_rt.sinks.overlay import Overlay
from horizon_rt.sources import Health
from horizon_rt.web.app import Live, make_app
from horizon_rt.web.newest import Newest

__all__ = ["TOKEN", "WebSink", "parse_place"]

TOKEN = "HORIZON_RT_WEB_TOKEN"
"""The environment variable that holds the token; without one each process makes its own."""
_PORT = 8700
_MOST_CONNECTIONS = 100


def parse_place(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, HOST, :PORT or PORT; raises OptionsError."""
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = ("", text) if text.isdecimal() else (text or "", "")
    if port and not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise OptionsError(f"--web takes HOST:PORT, such as 127.0.0.1:8700, got {text!r}")
    return host.strip("[]") or LOOPBACK[0], int(port) if port else _PORT


@cache
def _token() -> str:
    """One for all pages of a process, as browsers keep one cookie for all ports of a host."""
    return secrets.token_urlsafe(12)


class WebSink(Sink):
    """Serves the page while it is open; `url` is its address.

    `token` has to be entered to see it; on an address of this machine alone it is None, and nobody is asked.
    `health` tells of the source, `hanging` which stages of the run hang, and `links` are those whose counts
    are told (`/metrics`). Raises OptionsError for a place that is none and OutputError where the port is
    taken.
    """

    def __init__(
        self,
        place: str,
        context: SinkContext,
        overlay: Overlay,
        *,
        health: Callable[[], Health | None] = lambda: None,
        hanging: Callable[[], Sequence[str]] = tuple,
        links: Sequence[LinkSink] = (),
    ) -> None:
        host, port = parse_place(place)
        self._server = Server(host, port, option="--web")
        self.token = None if host in LOOPBACK else os.environ.get(TOKEN) or _token()
        self.url = self._server.url
        self._newest = Newest(overlay)
        live = Live(self._newest, name=context.source, health=health, hanging=hanging, links=links)
        self._metrics = live.metrics
        app = make_app(live, token=self.token, port=self._server.port)
        self._server.start(
            app,
            timeout_keep_alive=15,
            limit_concurrency=_MOST_CONNECTIONS,
            h11_max_incomplete_event_size=16384,
        )

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self._metrics.count(frame, horizon)
        self._newest.put(frame, horizon)

    def _finish(self) -> None:
        self._newest.end()
        self._server.stop()
