"""What the outputs of a source are called."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from horizon_rt.sources.base import SourceInfo

__all__ = ["output_name"]


def output_name(info: SourceInfo) -> str:
    """A file name without extension for the outputs of a source; a pattern is named by its folder."""
    name = info.name
    if info.kind in ("file", "images"):
        name = _name_of_path(name)
    elif info.kind == "network" and not info.live:
        name = PurePosixPath(urlsplit(name).path).stem or name
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or "horizon"


def _name_of_path(text: str) -> str:
    path = Path(os.path.abspath(text))
    if path.is_dir():
        return path.name
    return path.stem if path.exists() else path.parent.name
