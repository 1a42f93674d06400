"""Telemetry, one record a frame: JSON lines (schema horizon-rt/1) and CSV with the same columns."""

from __future__ import annotations

import csv
import errno
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from horizon_rt.errors import OutputError
from horizon_rt.horizon.row import COLUMNS, PICTURE_COLUMNS
from horizon_rt.sidecars.endings import ENDINGS
from horizon_rt.sidecars.opening import is_sidecar
from horizon_rt.sinks.base import RecordSink, SinkContext
from horizon_rt.sinks.records import SCHEMA, flatten, header
from horizon_rt.system.extras import require
from horizon_rt.system.files import AtomicFile
from horizon_rt.system.messages import file_cell
from horizon_rt.system.ticking import Ticking

if TYPE_CHECKING:
    from horizon_rt.horizon import Horizon

__all__ = ["SCHEMA", "TelemetrySink", "header", "open_telemetry"]

TELEMETRY_SUFFIXES = (".jsonl", ".ndjson", ".csv")
_LONGEST_COUNT = 12
_SYNC_S = 1.0


def open_telemetry(target: Path | str, context: SinkContext) -> RecordSink:
    """The sink for a target by its ending: .mcap, a sidecar's, or what `TelemetrySink` knows; raises
    OutputError, and MissingExtra where the package for it is not installed.
    """
    if is_sidecar(target):
        from horizon_rt.sinks.sidecar import SidecarSink

        return SidecarSink(target, context)
    if Path(target).suffix.lower() != ".mcap":
        return TelemetrySink(target, context)
    require("mcap", "telemetry as .mcap")
    from horizon_rt.sinks.mcap import McapSink

    return McapSink(target, context)


class _Encoder(Protocol):
    def header(self, context: SinkContext) -> str: ...
    def row(self, values: dict[str, Any]) -> str: ...
    def counted(self, header: bytes, count: int | None) -> bytes: ...


class _JsonLines:
    def header(self, context: SinkContext) -> str:
        return self.row(header(context))

    def row(self, values: dict[str, Any]) -> str:
        return json.dumps(values, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"

    def counted(self, header: bytes, count: int | None) -> bytes:
        """The header with the number of frames; it takes as many bytes while that is None, not known yet."""
        return header.removesuffix(b"}\n") + b',"frames":%b}\n' % json.dumps(count).encode().ljust(
            _LONGEST_COUNT
        )


class _Csv:
    """A plain table with one line of column names; an empty cell is null."""

    def header(self, context: SinkContext) -> str:
        self._columns = PICTURE_COLUMNS if context.is_image_set else COLUMNS
        return self._text([*self._columns])

    def row(self, values: dict[str, Any]) -> str:
        flat = flatten(values)
        if "file" in flat:
            flat["file"] = file_cell(flat["file"])
        return self._text([flat.get(name) for name in self._columns])

    def counted(self, header: bytes, count: int | None) -> bytes:
        return header  # which has no place for it

    @staticmethod
    def _text(cells: list[Any]) -> str:
        csv.writer(text := io.StringIO(), lineterminator="\n").writerow(cells)
        return text.getvalue()


class _Stdout:
    """Standard output as a file of whole lines."""

    in_place = True

    def __init__(self) -> None:
        sys.stdout.flush()
        binary = getattr(sys.stdout, "buffer", None)
        # The raw file below the buffer: nothing is left to flush when the reader goes away.
        self._file = getattr(binary, "raw", binary)

    def seek(self, offset: int) -> int:
        raise OSError(errno.ESPIPE, "standard output stays as it is")

    def write(self, data: bytes) -> int:
        if self._file is None:
            return sys.stdout.write(data.decode())
        view = memoryview(data)
        while view.nbytes:
            view = view[self._file.write(view) or 0 :]
        return len(data)

    def failure(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write telemetry to standard output: {error.strerror or error}")

    def commit(self) -> None:
        pass

    def close(self) -> None:
        pass

    def truncate(self, size: int) -> None:
        pass

    def sync(self) -> None:
        pass


class TelemetrySink(RecordSink):
    """Writes a record a frame to a .jsonl or .csv file, or as JSON lines to standard output for '-'.

    Each line goes to the system at once and whole, so that a killed run leaves complete lines; those of a
    live run, which cannot be done again, are on the disk within a second. The header of a .jsonl file gets
    the number of its `frames` when it is closed as complete; until then that is null.
    """

    def __init__(self, target: Path | str, context: SinkContext) -> None:
        """Open and write the header; raises OutputError."""
        self._encoder = _encoder(target)
        self._still = context.is_image_set
        self._file = _Stdout() if str(target) == "-" else AtomicFile(target)
        self._size = self._frames = 0
        self._syncing = Ticking(self.sync, _SYNC_S, "telemetry") if context.live else None
        self._header = _bytes(self._encoder.header(context))
        try:
            self._put(self._encoder.counted(self._header, None))
        except OutputError:
            self.abort()
            raise

    @property
    def size(self) -> int:
        """What is written so far, in bytes."""
        return self._size

    def sync(self) -> None:
        """Have the disk hold all that is written; may be called from any thread."""
        self._file.sync()

    def put(self, horizon: Horizon) -> None:
        """See `RecordSink`."""
        self._put_row(horizon.to_dict())

    def _put_row(self, values: dict[str, Any]) -> None:
        self._put(_bytes(self._encoder.row(values)))
        self._frames += 1

    def _put(self, data: bytes) -> None:
        try:
            self._size += self._file.write(data)
        except OSError as error:
            self._file.truncate(self._size)
            raise self._file.failure(error) from error

    def _finish(self) -> None:
        self._end_syncing()
        if self._complete and not self._file.in_place:
            try:
                self._file.seek(0)
                self._file.write(self._encoder.counted(self._header, self._frames))
            except OSError as error:
                self._file.close()
                raise self._file.failure(error) from error
        self._file.commit()

    def _abandon(self) -> None:
        self._end_syncing()
        self._file.close()

    def _end_syncing(self) -> None:
        if self._syncing is not None:
            self._syncing.close()


def _bytes(line: str) -> bytes:
    return line.encode("utf-8", "backslashreplace")  # a file name that is no UTF-8


def _encoder(target: Path | str) -> _Encoder:
    path = Path(target)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _Csv()
    if str(target) == "-" or suffix in TELEMETRY_SUFFIXES or path.is_char_device() or path.is_fifo():
        return _JsonLines()
    known = ", ".join((*TELEMETRY_SUFFIXES, ".mcap", *ENDINGS))
    raise OutputError(f"cannot write telemetry to {target}: unknown extension {suffix!r}; use {known} or -")
