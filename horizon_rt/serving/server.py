"""A server over HTTP in a thread of its own."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from horizon_rt.errors import OutputError

__all__ = ["LOOPBACK", "Server", "in_url"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The names by which a machine calls itself."""
_START_S, _JOIN_S = 20.0, 5.0


class Server:
    """Holds the place `host`:`port` at once, and answers there from `start` to `stop`.

    `port` is the real one where 0 was asked for, which takes any that is free. Raises OutputError where the
    place cannot be had; it names the `option` that gives another one.
    """

    def __init__(self, host: str, port: int, *, option: str) -> None:
        self._socket = _bind(host, port, option)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{in_url(host)}:{self.port}/"
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)

    def start(self, app: ASGIApp, **settings: Any) -> None:
        """Serve an application, with more settings of uvicorn; returns once it answers."""
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
            **settings,
        )
        self._server = uvicorn.Server(config)
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _serve(self) -> None:
        assert self._server is not None
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """End it, and give the place back."""
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join(_JOIN_S)
        self._socket.close()


def in_url(host: str) -> str:
    """A host as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _bind(host: str, port: int, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        reason = error.strerror or str(error)
        raise OutputError(f"{host}:{port} cannot be used: {reason}; choose another {option}") from error
    return bound
