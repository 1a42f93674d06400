"""Who may see the page: on this machine whoever asks by its name, from elsewhere who knows the token."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
from functools import cache
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope

from horizon_rt.serving.guard import Guard
from horizon_rt.serving.server import LOOPBACK

__all__ = ["TOKEN", "Gate", "token_for"]

TOKEN = "HORIZON_RT_WEB_TOKEN"
"""The environment variable that holds the token; without one each process makes its own."""
_PAUSE_S = 1.0  # after a wrong token
_COOKIE = "horizon-rt"
_LOGIN = "/login"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>horizon-rt</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="login.css">
<form method="post" action="login"><h1>horizon-rt</h1><p>{}</p>
<input name="token" type="password" autocomplete="current-password" autofocus aria-label="Token">
<button>Open</button></form></html>"""


def token_for(host: str) -> str | None:
    """What has to be entered to see a page that is served at this address; None on this machine alone."""
    return None if host in LOOPBACK else os.environ.get(TOKEN) or _token()


@cache
def _token() -> str:
    """One for all pages of a process, as browsers keep one cookie for all ports of a host."""
    return secrets.token_urlsafe(12)


class Gate(Guard):
    """Passes on requests of who may see the page; others get the form that asks for the token.

    Without a token only names of this machine are answered (DNS rebinding), and no other origin. The cookie
    holds a code that who does not know the token cannot make. `style` is the form's CSS.
    """

    def __init__(
        self, app: ASGIApp, *, token: str | None, port: int, style: bytes, largest_body: int = 4096
    ) -> None:
        super().__init__(app, port=port, largest_body=largest_body)
        self._token, self._style = token, style
        self._proof = "" if token is None else hmac.new(token.encode(), b"cookie", hashlib.sha256).hexdigest()

    async def refusal(self, scope: Scope, receive: Receive, headers: Headers) -> Response | None:
        """See `Guard`."""
        if self._token is None:
            return self.not_local(headers)
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
            return self.other_origin(headers)
        return HTMLResponse(_PAGE.format("Enter the token that the program printed."), 401)

    async def _login(self, request: Request) -> Response:
        assert self._token is not None
        fields = parse_qs((await request.body()).decode("utf-8", "replace"))
        given = fields.get("token", [""])[0]
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            await asyncio.sleep(_PAUSE_S)
            return HTMLResponse(_PAGE.format("That is not the token."), 401)
        answer = RedirectResponse("./", 303)
        answer.set_cookie(_COOKIE, self._proof, httponly=True, samesite="strict")
        return answer
