"""How work tells how far it is; who shows it, and how, is somebody else's matter."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

__all__ = ["NO_PROGRESS", "Progress", "Task"]


class Task(Protocol):
    """A piece of work that is under way."""

    def advance(self, count: int = 1, **fields: str) -> None:
        """So many more are done; `fields` are shown beside the number."""
        ...


class Progress(Protocol):
    """Shows pieces of work, several at a time."""

    def start(self, what: str, total: int | None) -> AbstractContextManager[Task]:
        """Begin a piece of work of `total` parts, None where nobody knows; it ends with the block."""
        ...


class _Nothing:
    def start(self, what: str, total: int | None) -> AbstractContextManager[Task]:
        return nullcontext(self)

    def advance(self, count: int = 1, **fields: str) -> None:
        pass


NO_PROGRESS = _Nothing()
"""Where nobody looks."""
