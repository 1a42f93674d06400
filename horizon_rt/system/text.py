"""Text files from elsewhere, of at most so many bytes."""

from __future__ import annotations

from pathlib import Path

__all__ = ["read_text"]


def read_text(path: Path, *, largest: int) -> str:
    """UTF-8 text of a file, with or without a byte order mark.

    Raises OSError, and ValueError with the reason where it has more than `largest` bytes or is no text.
    """
    with path.open("rb") as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        size = f"{largest >> 20} MiB" if largest >= 1 << 20 else f"{largest >> 10} KiB"
        raise ValueError(f"larger than {size}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"no UTF-8 text, as byte {error.start + 1} shows") from error
