"""What one connection to the local server may take: bounded in number and in time."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["CHECK_S", "MOST_CONNECTIONS", "BoundedProtocol"]

MOST_CONNECTIONS = 64  # a browser opens six
CHECK_S = 10.0
_CHECKS_AT_REST, _CHECKS_AT_WORK = 1, 9  # how often nothing new may be found


class BoundedProtocol(H11Protocol):
    """HTTP over one connection, which is cut when a request does not come or does not end.

    Who sends nothing, sends a request byte by byte or does not read the answer would hold it for ever.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many (asyncio)."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._watch(None, 0)

    def _watch(self, before: Any, checks: int) -> None:
        """Look again and again whether another request is being answered than `before`."""
        if self not in self.connections:
            return
        checks = checks + 1 if self.cycle is before else 0
        at_rest = self.cycle is None or self.cycle.response_complete
        if checks > (_CHECKS_AT_REST if at_rest else _CHECKS_AT_WORK):
            self.transport.abort()
        else:
            self.loop.call_later(CHECK_S, self._watch, self.cycle, checks)
