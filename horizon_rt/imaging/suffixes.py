"""What tells pictures from videos: endings of file names, and whether a picture moves."""

from __future__ import annotations

from pathlib import Path

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "is_still"]

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv"}
)


def is_still(path: Path) -> bool:
    """Whether a file is a picture by its name; an animated PNG is a recording, which FFmpeg plays."""
    suffix = path.suffix.lower()
    return suffix in IMAGE_SUFFIXES and not (suffix == ".png" and _is_animated(path))


def _is_animated(path: Path) -> bool:
    from horizon_rt.imaging.picture import read_header

    try:
        return read_header(path.read_bytes()).animated
    except (OSError, ValueError):
        return False
