"""Who may talk to the local server: the page that it gave out itself, and nobody else."""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope

from horizon_rt.serving.guard import Guard

__all__ = ["TokenInPath"]


class TokenInPath(Guard):
    """Passes on requests whose path begins with the token, for a name of this machine, from no other origin.

    A page elsewhere cannot know the token.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int, largest_body: int) -> None:
        super().__init__(app, port=port, largest_body=largest_body)
        self._token = token

    async def refusal(self, scope: Scope, receive: Receive, headers: Headers) -> Response | None:
        """See `Guard`."""
        if (answer := self.not_local(headers)) is not None:
            return answer
        given = scope["path"].removeprefix("/").partition("/")[0]
        if scope["path"].startswith("/") and secrets.compare_digest(given.encode(), self._token.encode()):
            return None
        return PlainTextResponse("open the whole address that horizon-rt label printed", 403)
