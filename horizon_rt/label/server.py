"""The page served in a thread, while another one takes the frames."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from horizon_rt.label.app import make_app
from horizon_rt.label.connection import BoundedProtocol
from horizon_rt.label.session import Session
from horizon_rt.serving.gate import token_for
from horizon_rt.serving.server import LOOPBACK, Server
from horizon_rt.system.messages import error_line

__all__ = ["LabelServer"]


class LabelServer:
    """Serves a session's page while it is entered: on this machine alone, or at another address `host`.

    `url` is its address, with a random token in it on this machine; elsewhere the token is to be entered on
    the page. `port` 0 takes any that is free. `fill` takes the frames in a thread of its own until its event
    is set; what it raises stands in `error` and on the page. Raises OutputError where the port is taken.
    """

    def __init__(
        self,
        session: Session,
        fill: Callable[[threading.Event], None],
        *,
        host: str = LOOPBACK[0],
        port: int = 0,
    ) -> None:
        self.session = session
        self.error: Exception | None = None
        self._server = Server(host, port, option="--port")
        self.token = token_for(host)
        in_path = "" if self.token else secrets.token_urlsafe(16)
        self.url = f"{self._server.url}{in_path and f'{in_path}/'}"
        self._app = make_app(
            session, token=self.token or in_path, port=self._server.port, is_local=self.token is None
        )
        self._stop = threading.Event()
        self._filling = threading.Thread(target=self._fill, args=(fill,), name="label-frames", daemon=True)

    def __enter__(self) -> Self:
        self._filling.start()
        self._server.start(self._app, http=BoundedProtocol)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._server.stop()
        self._filling.join()

    def _fill(self, fill: Callable[[threading.Event], None]) -> None:
        try:
            fill(self._stop)
        except Exception as error:
            self.error = error
            self.session.failure = error_line(error)
