"""Who may talk to the local server: the page that it gave out itself, and nobody else."""

from __future__ import annotations

import logging
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from horizon_rt.messages import error_line

__all__ = ["Guard"]

_log = logging.getLogger(__name__)

_LARGEST_BODY = 65536
_HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Passes on requests whose path begins with the token, for a loopback name, from no other origin.

    A page elsewhere cannot know the token. A name that is made to point at this machine (DNS rebinding) is
    refused by the Host header, a request that another page makes by its Origin. An error that nobody foresaw
    is answered in one line.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send)
            return

        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            await self._app(scope, receive, send_guarded)
        except Exception as error:
            _log.debug("%s", scope["path"], exc_info=True)
            if not started:
                answer = JSONResponse({"error": error_line(error)}, 500)
                await answer(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:
            return 421, "this server answers to 127.0.0.1 and localhost only"
        if origin is not None and origin not in {f"http://{name}" for name in self._hosts}:
            return 403, "requests come from the page itself only"
        given = scope["path"].removeprefix("/").partition("/")[0]
        if not scope["path"].startswith("/") or not secrets.compare_digest(
            given.encode(), self._token.encode()
        ):
            return 403, "open the whole address that horizon-rt label printed"
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > _LARGEST_BODY:
            return 413, f"a request has at most {_LARGEST_BODY} bytes"
        return None
