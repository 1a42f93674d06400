"""Errors as the one line that a user reads."""

from __future__ import annotations

from horizon_rt.errors import HorizonError

__all__ = ["error_line"]


def error_line(error: Exception) -> str:
    """What was wrong, in one line; an error that nobody foresaw says so."""
    text = " ".join(str(error).split())
    if isinstance(error, (HorizonError, OSError)):
        return text
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller picture"
    return f"unexpected {type(error).__name__}: {text}; please report it with what --debug shows"
