"""What the formats share: rows in, and a file that is whole or absent out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from horizon_rt.errors import OutputError
from horizon_rt.system.files import AtomicFile

__all__ = ["Header", "Row", "TextFormat", "TextWriter", "Writer"]

Header = Mapping[str, Any]
Row = Mapping[str, Any]


class Writer(ABC):
    """Takes rows of telemetry (schema horizon-rt/1) in order; what it raises are OutputErrors.

    `close` finishes the output and gives it its final name; `abort` lets go of it under its partial name,
    still readable; `discard` deletes that, but for a file that an error was raised for, which names it. Each
    may be called again without effect.
    """

    _done = False

    @abstractmethod
    def put(self, row: Row) -> None:
        """Take the row of one frame."""

    def close(self) -> None:
        """Finish the output."""
        if not self._done:
            self._done = True
            self._finish()

    def abort(self) -> None:
        """Let go of the output; never raises OutputError."""
        if not self._done:
            self._done = True
            with suppress(OutputError):
                self._abandon()

    def discard(self) -> None:
        """Let go of the output and leave nothing, where it can be deleted; raises no error of a disk."""
        if not self._done:
            self._done = True
            with suppress(OSError):
                self._remove()

    @abstractmethod
    def _finish(self) -> None: ...

    @abstractmethod
    def _abandon(self) -> None: ...

    @abstractmethod
    def _remove(self) -> None: ...


class TextFormat(Protocol):
    """Lines of text from rows; each part may be empty."""

    def head(self) -> str:
        """What stands before all rows."""
        ...

    def row(self, row: Row) -> str:
        """What a row adds."""
        ...

    def tail(self) -> str:
        """What stands after all rows."""
        ...


class TextWriter(Writer):
    """A text file in UTF-8; each line goes to the system at once."""

    def __init__(self, target: Path, text: TextFormat) -> None:
        head = text.head()
        self._file, self._text = AtomicFile(target), text
        self._write(lambda: head)

    def put(self, row: Row) -> None:
        """See `Writer`."""
        self._write(lambda: self._text.row(row))

    def _finish(self) -> None:
        self._write(self._text.tail)
        self._file.commit()

    def _abandon(self) -> None:
        self._write(self._text.tail)
        self._file.close()

    def _remove(self) -> None:
        self._file.remove()

    def _write(self, text: Callable[[], str]) -> None:
        try:
            self._file.write(text().encode("utf-8", "backslashreplace"))
        except OSError as error:
            self._done = True
            self._file.close()
            raise self._file.failure(error) from error
        except BaseException:
            self._file.close()
            raise
