"""Who may see the page: on this machine whoever asks by its name, from elsewhere who knows the token."""

from __future__ import annotations

import hashlib
import hmac
import logging
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from horizon_rt.system.messages import error_line

__all__ = ["Gate"]

_log = logging.getLogger(__name__)

_LARGEST_BODY = 4096
_COOKIE = "horizon-rt"
_LOGIN = "/login"
_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>horizon-rt</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="login.css">
<form method="post" action="login"><h1>horizon-rt</h1><p>{}</p>
<input name="token" type="password" autocomplete="current-password" autofocus aria-label="Token">
<button>Open</button></form></html>"""


class Gate:
    """Passes on requests of who may see the page; others get the form that asks for the token.

    Without a token only names of this machine are answered (DNS rebinding), and no other origin. The cookie
    holds a code of the token that this run alone knows.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, port: int, style: bytes) -> None:
        self._app, self._token, self._style = app, token, style
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self._proof = "" if token is None else hmac.new(token.encode(), b"cookie", hashlib.sha256).hexdigest()

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

        answer = await self._answer(scope, receive)
        try:
            await (self._app if answer is None else answer)(scope, receive, send_guarded)
        except Exception as error:
            _log.debug("%s", scope["path"], exc_info=True)
            if not started:
                await PlainTextResponse(error_line(error), 500)(scope, receive, send_guarded)

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """What stands in place of the page; None for who may see it."""
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > _LARGEST_BODY:
            return PlainTextResponse(f"a request has at most {_LARGEST_BODY} bytes", 413)
        if self._token is None:
            return self._local(headers)
        request = Request(scope, receive)
        if scope["path"] == "/login.css":
            return Response(self._style, media_type="text/css")
        if scope["path"] == _LOGIN and request.method == "POST":
            return await self._login(request)
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(bearer.encode(), self._token.encode()):
            return None
        given = request.cookies.get(_COOKIE, "")
        if hmac.compare_digest(given.encode(), self._proof.encode()):
            return self._same_origin(headers)
        return HTMLResponse(_PAGE.format("Enter the token that the program printed."), 401)

    def _local(self, headers: Headers) -> Response | None:
        if headers.get("host", "") not in self._hosts:
            return PlainTextResponse("this server answers to the names of this machine only", 421)
        return self._same_origin(headers)

    def _same_origin(self, headers: Headers) -> Response | None:
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host", ""):
            return PlainTextResponse("requests come from the page itself only", 403)
        return None

    async def _login(self, request: Request) -> Response:
        assert self._token is not None
        fields = parse_qs((await request.body()).decode("utf-8", "replace"))
        given = fields.get("token", [""])[0]
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return HTMLResponse(_PAGE.format("That is not the token."), 401)
        answer = RedirectResponse("./", 303)
        answer.set_cookie(_COOKIE, self._proof, httponly=True, samesite="strict")
        return answer
