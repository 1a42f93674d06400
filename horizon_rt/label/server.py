"""The page served in a thread, while another one takes the frames."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import uvicorn

from horizon_rt.errors import OutputError
from horizon_rt.label.app import make_app
from horizon_rt.label.connection import BoundedProtocol
from horizon_rt.label.session import Session
from horizon_rt.messages import error_line

__all__ = ["LabelServer"]

_LOOPBACK = "127.0.0.1"
_START_S = 20.0


class LabelServer:
    """Serves a session's page on the loopback interface while it is entered.

    `url` is its address with a random token. `port` 0 takes any that is free. `fill` takes the frames in a
    thread of its own until its event is set; what it raises stands in `error` and on the page. Raises
    OutputError where the port is taken.
    """

    def __init__(self, session: Session, fill: Callable[[threading.Event], None], *, port: int = 0) -> None:
        self.session = session
        self.error: Exception | None = None
        self._socket = _bind(port)
        real_port = self._socket.getsockname()[1]
        token = secrets.token_urlsafe(16)
        self.url = f"http://{_LOOPBACK}:{real_port}/{token}/"
        app = make_app(session, token=token, port=real_port)
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._stop = threading.Event()
        self._serving = threading.Thread(target=self._serve, name="label-server", daemon=True)
        self._filling = threading.Thread(target=self._fill, args=(fill,), name="label-frames", daemon=True)

    def __enter__(self) -> Self:
        self._filling.start()
        self._serving.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started and self._serving.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._server.should_exit = True
        self._serving.join()
        self._filling.join()
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def _fill(self, fill: Callable[[threading.Event], None]) -> None:
        try:
            fill(self._stop)
        except Exception as error:
            self.error = error
            self.session.failure = error_line(error)


def _bind(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((_LOOPBACK, port))
    except OSError as error:
        bound.close()
        raise OutputError(f"port {port} cannot be used: {error.strerror}; choose another --port") from error
    return bound
