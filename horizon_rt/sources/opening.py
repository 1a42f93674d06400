"""How FFmpeg opens what a user gives as a file: it reads that file alone and never the network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Protocol

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.error import ArgumentError

from horizon_rt.errors import DecodeError
from horizon_rt.sources.decoder import describe

__all__ = ["Readable", "open_failure", "open_input"]

# Formats that hold no pictures but say where else to look: other files, devices or addresses.
_POINTERS = frozenset(
    {"concat", "concatf", "dash", "hls", "imf", "lavfi", "rtp", "rtsp", "sap", "sdp", "webm_dash_manifest"}
)


class Readable(Protocol):
    """What gives bytes front to back."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end."""


def open_input(file: str | Path | Readable, *, hwaccel: HWAccel | None = None) -> InputContainer:
    """Open a recording by its path, or the bytes of one; raises FFmpegError and UnicodeError.

    What it holds cannot make FFmpeg open anything else, be it a playlist or the description of a stream.
    """
    options = {"format_whitelist": _formats()}
    if isinstance(file, str | Path):
        # The prefix keeps a colon in a file name from being read as a protocol.
        return av.open(f"file:{file}", "r", options=options | {"protocol_whitelist": "file"}, hwaccel=hwaccel)
    return av.open(file, "r", options=options | {"protocol_whitelist": "none"}, hwaccel=hwaccel)


@cache
def _formats() -> str:
    # Only a list of what is allowed stops FFmpeg before it opens what a playlist names.
    return ",".join(sorted(name for name in av.formats_available if _POINTERS.isdisjoint(name.split(","))))


def open_failure(name: str, error: Exception) -> DecodeError:
    """The error for an input that FFmpeg cannot make sense of."""
    hint = "; of a playlist, give the recordings that it names" if isinstance(error, ArgumentError) else ""
    return DecodeError(f"{name}: not a video that can be read ({describe(error)}){hint}")
