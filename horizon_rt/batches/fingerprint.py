"""What tells a file from another one without reading all of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from horizon_rt.imaging.suffixes import IMAGE_SUFFIXES
from horizon_rt.system.objects import is_object, object_facts

__all__ = ["input_fingerprint", "output_fingerprint"]

_BLOCK = 1 << 16


def input_fingerprint(source: str) -> dict[str, Any]:
    """Size, time of change and a hash of the first and last 64 KiB of a file; the names, sizes and times of
    the pictures in a folder; the text of what is no file. Raises OSError.
    """
    if source.startswith("synth:"):
        return {"text": source}
    if is_object(source):
        return object_facts(source)
    path = Path(source)
    status = path.stat()
    if path.is_dir():
        pictures = [entry for entry in sorted(path.iterdir()) if entry.suffix.lower() in IMAGE_SUFFIXES]
        return {"pictures": len(pictures), "sha256": _listing(pictures, times=True)}
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": _ends(path, status.st_size)}


def output_fingerprint(path: Path) -> dict[str, Any]:
    """As that of an input, without times, which a copy does not keep. Raises OSError."""
    if path.is_dir():
        files = [entry for entry in sorted(path.rglob("*")) if entry.is_file()]
        return {"files": len(files), "sha256": _listing(files, times=False)}
    size = path.stat().st_size
    return {"size": size, "sha256": _ends(path, size)}


def _ends(path: Path, size: int) -> str:
    with path.open("rb") as file:
        found = hashlib.sha256(file.read(_BLOCK))
        file.seek(max(size - _BLOCK, 0))
        found.update(file.read(_BLOCK))
    return found.hexdigest()


def _listing(files: list[Path], *, times: bool) -> str:
    found = hashlib.sha256()
    for file in files:
        status = file.stat()
        values = [os.fsencode(file.name), status.st_size, status.st_mtime_ns if times else 0]
        found.update(repr(values).encode())
    return found.hexdigest()
