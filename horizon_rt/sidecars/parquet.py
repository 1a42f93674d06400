"""Apache Parquet: the columns of a telemetry table with their types, and the header as metadata."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from horizon_rt.horizon.row import COLUMNS, PICTURE_COLUMNS
from horizon_rt.sidecars.base import Header, Row, Writer
from horizon_rt.system.files import AtomicFile

__all__ = ["ParquetWriter"]

_GROUP_ROWS = 4096
_TEXT = {"state", "view", "file", "time_utc"}
_COUNTS = {"frame", "measured_inliers", "width", "height"}


class ParquetWriter(Writer):
    """A file with groups of 4096 rows; that of a run that was killed cannot be opened."""

    def __init__(self, target: Path, header: Header, *, pictures: bool) -> None:
        self._names = PICTURE_COLUMNS if pictures else COLUMNS
        fields = [pa.field(name, _kind(name)) for name in self._names]
        self._schema = pa.schema(fields, metadata={"horizon-rt": json.dumps(dict(header))})
        self._file = AtomicFile(target)
        self._rows: list[dict[str, Any]] = []
        self._sink = pa.PythonFile(_Stream(self._file), mode="w")
        self._guard(self._open)

    def _open(self) -> None:
        self._parquet = pq.ParquetWriter(self._sink, self._schema)

    def put(self, row: Row) -> None:
        """See `Writer`."""
        measured = {f"measured_{name}": value for name, value in (row.get("measured") or {}).items()}
        flat = {**row, **measured}
        self._rows.append({name: flat.get(name) for name in self._names})
        if len(self._rows) >= _GROUP_ROWS:
            self._guard(self._flush)

    def _flush(self) -> None:
        if self._rows:
            self._parquet.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []

    def _finish(self) -> None:
        self._end()
        self._file.commit()

    def _abandon(self) -> None:
        self._end()
        self._file.close()

    def _remove(self) -> None:
        with suppress(OSError):
            self._parquet.close()  # a footer that nobody reads, but Arrow writes it at any rate
        self._file.remove()

    def _end(self) -> None:
        self._guard(self._flush)
        self._guard(self._parquet.close)

    def _guard(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            self._done = True
            self._file.close()
            raise self._file.failure(self._file.error or error) from error


class _Stream:
    """What Arrow wants of a file; closing is the writer's business."""

    closed = False

    def __init__(self, file: AtomicFile) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _kind(name: str) -> Any:
    if name in _TEXT:
        return pa.string()
    return pa.int64() if name in _COUNTS else pa.float64()
