"""How the command line speaks on stderr: in lines and bars, in fewer of them, or in JSON lines."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import TextIOWrapper
from typing import TYPE_CHECKING, Literal, get_args

from horizon_rt.system.messages import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "ProgressStyle",
    "Style",
    "current_style",
    "make_console",
    "take_style",
    "use_style",
    "write_record",
]

ProgressStyle = Literal["auto", "jsonl", "none"]


@dataclass(frozen=True, slots=True)
class Style:
    """What `--debug`, `-v`, `-q` and `--progress` ask for, before or after the command."""

    debug: bool = False
    verbose: bool = False
    quiet: bool = False
    progress: ProgressStyle = "auto"

    @property
    def level(self) -> int:
        """The lowest level of log messages that are shown."""
        return logging.DEBUG if self.debug else logging.INFO if self.verbose else logging.WARNING


_FLAGS = {
    "--debug": "debug", "-v": "verbose", "--verbose": "verbose", "-q": "quiet", "--quiet": "quiet",
}  # fmt: skip
_CLUSTER = re.compile("-[vq]+")
_LAST_RESORT = logging.lastResort or logging.StreamHandler()
_current = Style()
_writing = threading.Lock()


def take_style(arguments: Sequence[str]) -> tuple[Style, list[str]]:
    """The style that arguments ask for, and the other arguments; what follows `--` is left alone.

    Raises ValueError for an unknown kind of progress.
    """
    style, others = Style(), list[str]()
    given = iter(arguments)
    for argument in given:
        name, is_joined, value = argument.partition("=")
        if argument == "--":
            return style, [*others, argument, *given]
        flags = [f"-{letter}" for letter in argument[1:]] if _CLUSTER.fullmatch(argument) else [argument]
        if flags[0] in _FLAGS:
            style = replace(style, **{_FLAGS[flag]: True for flag in flags})  # type: ignore[arg-type]
        elif name == "--progress":
            style = replace(style, progress=_progress(value if is_joined else next(given, "")))
        else:
            others.append(argument)
    return style, others


def _progress(value: str) -> ProgressStyle:
    for known in get_args(ProgressStyle):
        if value == known:
            return known
    raise ValueError(f"--progress takes one of {', '.join(get_args(ProgressStyle))}, got '{value}'")


def current_style() -> Style:
    """The style of this run."""
    return _current


def use_style(style: Style) -> None:
    """Speak in this style from now on: log messages take one line, or one record."""
    global _current
    _current = style
    if style.progress == "jsonl":
        logging.lastResort = _Records(style.level)
    else:
        logging.lastResort = _LAST_RESORT
        _LAST_RESORT.setFormatter(_OneLine("%(levelname)s: %(message)s"))
        _LAST_RESORT.setLevel(style.level)
    logging.getLogger("horizon_rt").setLevel(style.level)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names of files that the terminal cannot show
            stream.reconfigure(errors="backslashreplace")


def make_console() -> Console:
    """For stderr; without bars where they are not wanted."""
    from rich.console import Console

    bars = None if _current.progress == "auto" and not _current.quiet else False
    return Console(stderr=True, quiet=_current.quiet, force_terminal=bars)


def write_record(kind: str, **fields: object) -> None:
    """Write one JSON object to stderr: `type` is message, progress, error or the level of a log message."""
    with _writing:
        sys.stderr.write(json.dumps({"type": kind, **fields}) + "\n")
        sys.stderr.flush()


class _OneLine(logging.Formatter):
    """Messages without control characters; names of files stand in them."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))


class _Records(logging.Handler):
    """Log messages as records, as threads write them."""

    def emit(self, record: logging.LogRecord) -> None:
        text = printable(record.getMessage())
        if record.exc_info:
            text = f"{text}\n{logging.Formatter().formatException(record.exc_info)}"
        write_record(record.levelname.lower(), text=text)
