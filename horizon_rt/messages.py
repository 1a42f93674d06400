"""Text for a terminal or a table: one line, of bounded length, without control characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from horizon_rt.errors import HorizonError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

__all__ = ["Sanitised", "error_line", "file_cell", "printable", "say"]

_LONGEST_ERROR = 800
_FORMULA_STARTS = ("=", "+", "-", "@")


def printable(text: str) -> str:
    r"""The text with what a terminal would obey, or cannot show, as escapes (\x1b).

    That is all that `str.isprintable` denies, but for spaces: control and format characters such as the
    right-to-left override, line ends, and bytes of a file name that are no UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if _is_visible(c) else c.encode("unicode_escape").decode() for c in text)


def _is_visible(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def say(console: Console, line: str) -> None:
    """Print one line as it is: no markup, no colours, no wrapping, no control characters."""
    console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


class Sanitised:
    """What Rich draws, without control characters in its text."""

    def __init__(self, drawn: RenderableType) -> None:
        self._drawn = drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """The segments of what is drawn (Rich)."""
        for segment in console.render(self._drawn, options):
            parts = [printable(part) for part in segment.text.split("\n")]
            yield segment if segment.control else segment._replace(text="\n".join(parts))


def error_line(error: Exception) -> str:
    """What was wrong, in one line; an error that nobody foresaw says so."""
    text = _shortened(printable(" ".join(str(error).split())))
    if isinstance(error, (HorizonError, OSError)):
        return text
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller picture"
    return f"unexpected {type(error).__name__}: {text}; please report it with what --debug shows"


def _shortened(text: str) -> str:
    """Without the middle of what is too long: what went wrong stands first, what to do last."""
    half = (_LONGEST_ERROR - 3) // 2
    return text if len(text) <= _LONGEST_ERROR else f"{text[:half]} … {text[-half:]}"


def file_cell(name: str) -> str:
    """A relative file name as a cell that no spreadsheet takes for a formula; it names the same file."""
    return f"./{name}" if name.startswith(_FORMULA_STARTS) else name
