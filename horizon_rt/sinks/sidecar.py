"""Attitude in the formats of other programs (`sidecars`) as a sink."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from horizon_rt.sidecars.opening import open_sidecar
from horizon_rt.sinks.base import RecordSink, SinkContext
from horizon_rt.sinks.records import header

if TYPE_CHECKING:
    from horizon_rt.horizon import Horizon

__all__ = ["SidecarSink"]


class SidecarSink(RecordSink):
    """Writes the file that a name asks for; see `sidecars.opening`."""

    def __init__(self, target: Path | str, context: SinkContext) -> None:
        """Open and write the head; raises OutputError."""
        self._still = context.is_image_set
        self._writer = open_sidecar(target, header(context), pictures=context.is_image_set)

    def put(self, horizon: Horizon) -> None:
        """See `RecordSink`."""
        self._writer.put(horizon.to_dict())

    def _finish(self) -> None:
        self._writer.close()

    def _abandon(self) -> None:
        self._writer.abort()
