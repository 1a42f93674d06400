"""Text for a terminal or a table: one line, of bounded length, without control characters."""

from __future__ import annotations

import unicodedata

from horizon_rt.errors import HorizonError
from horizon_rt.system.address import hide_passwords

__all__ = ["error_line", "error_reason", "file_cell", "printable"]

_LONGEST_ERROR = 800
_FORMULA_STARTS = ("=", "+", "-", "@")


def printable(text: str) -> str:
    r"""The text with what a terminal would obey, or cannot show, as escapes (\x1b).

    That is all that `str.isprintable` denies, but for spaces: control and format characters such as the
    right-to-left override, line ends, and bytes of a file name that are no UTF-8. What looks like a user and
    password before a host is left out.
    """
    text = hide_passwords(text)
    if text.isprintable():
        return text
    return "".join(c if _is_visible(c) else c.encode("unicode_escape").decode() for c in text)


def _is_visible(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def error_line(error: Exception) -> str:
    """What was wrong, in one line; an error that nobody foresaw says so."""
    # A value of a damaged file may be long; what is looked at is far more than what is left of it.
    text = _shortened(printable(_shortened(" ".join(str(error).split()), 8 * _LONGEST_ERROR)))
    if isinstance(error, (HorizonError, OSError)):
        return text
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller picture"
    return f"unexpected {type(error).__name__}: {text}; please report it with what --debug shows"


def error_reason(error: Exception, name: object) -> str:
    """As `error_line`, for a line that bears the name of what failed already."""
    return error_line(error).removeprefix(f"{printable(str(name))}: ")


def _shortened(text: str, longest: int = _LONGEST_ERROR) -> str:
    """Without the middle of what is too long: what went wrong stands first, what to do last."""
    half = (longest - 3) // 2
    return text if len(text) <= longest else f"{text[:half]} … {text[-half:]}"


def file_cell(name: str) -> str:
    """A relative file name as a cell that no spreadsheet takes for a formula; it names the same file."""
    return f"./{name}" if name.startswith(_FORMULA_STARTS) else name
