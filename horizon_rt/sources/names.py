"""What the outputs of a source are called."""

from __future__ import annotations

import re
from pathlib import Path

from horizon_rt.sources.base import SourceInfo

__all__ = ["output_name"]


def output_name(info: SourceInfo) -> str:
    """A file name without extension for the outputs of a source."""
    if info.kind in ("file", "images"):
        path = Path(info.name).absolute()
        name = path.name if path.is_dir() else path.stem
    else:
        name = info.name
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or "horizon"
