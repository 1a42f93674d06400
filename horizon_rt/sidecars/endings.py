"""What the names of sidecars end in."""

from __future__ import annotations

__all__ = ["ENDINGS", "GEO", "GPANO", "OF_PICTURES", "PARQUET"]

PARQUET, GPANO, GEO, _GRAVITY = ".parquet", ".gpano", "geo.txt", ".gravity.txt"
ENDINGS = (".srt", ".vtt", ".gcsv", ".motion.csv", _GRAVITY, PARQUET, GPANO, GEO)
OF_PICTURES = frozenset({GPANO, _GRAVITY})
"""Those that say nothing of a video."""
