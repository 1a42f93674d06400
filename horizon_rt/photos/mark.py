"""What shows that a file was written by `straighten`, so that it may be replaced."""

from __future__ import annotations

import re
from pathlib import Path

from horizon_rt.photos.sidecar import crop_sidecar

__all__ = ["MARK", "is_ours"]

MARK = b"Turned level by horizon-rt straighten"
"""What copies bear in their metadata; bitmaps, which have none, do not."""
_VALUE = re.compile(rb'="[^"]*"')
_TOOL = b'xmp:CreatorTool="horizon-rt '


def is_ours(path: Path, *, xmp: bool) -> bool:
    """Whether a file is a copy with the mark, or a sidecar that `straighten` wrote and nobody added to."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    if not xmp:
        return MARK in data
    return _TOOL in data and _names(data) == _names(crop_sidecar((1, 1), 1, 0.0))


def _names(packet: bytes) -> bytes:
    """A packet without the values of its properties."""
    return _VALUE.sub(b"", packet)
