"""What stands before every request to a server: who may ask, how much, and what each answer's header says."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from horizon_rt.serving.server import LOOPBACK, in_url
from horizon_rt.system.messages import error_line

__all__ = ["Guard"]

_log = logging.getLogger(__name__)

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard(ABC):
    """Passes on the requests for which `refusal` has nothing to say (ASGI).

    Larger bodies than `largest_body` bytes are refused before. Every answer gets the security headers, and an
    error that nobody foresaw is answered in one line.
    """

    def __init__(self, app: ASGIApp, *, port: int, largest_body: int) -> None:
        self._app, self._largest_body = app, largest_body
        self._hosts = {f"{in_url(name)}:{port}" for name in LOOPBACK}

    @abstractmethod
    async def refusal(self, scope: Scope, receive: Receive, headers: Headers) -> Response | None:
        """What is answered in place of the application; None for who may ask it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        answer = self._too_large(headers) or await self.refusal(scope, receive, headers)
        try:
            await (answer or self._app)(scope, receive, send_guarded)
        except Exception as error:
            _log.debug("%s", scope["path"], exc_info=True)
            if not started:
                await JSONResponse({"error": error_line(error)}, 500)(scope, receive, send_guarded)

    def _too_large(self, headers: Headers) -> Response | None:
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > self._largest_body:
            return PlainTextResponse(f"a request has at most {self._largest_body} bytes", 413)
        return None

    def not_local(self, headers: Headers) -> Response | None:
        """The refusal of a request that comes by another name than this machine's, or from another page.

        A name that is made to point at this machine (DNS rebinding) shows in the Host header.
        """
        if headers.get("host", "") not in self._hosts:
            return PlainTextResponse("this server answers to the names of this machine only", 421)
        return self.other_origin(headers)

    def other_origin(self, headers: Headers) -> Response | None:
        """The refusal of a request that a page from elsewhere makes, as its Origin tells."""
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host", ""):
            return PlainTextResponse("requests come from the page itself only", 403)
        return None
