"""What the names of sidecars end in."""

from __future__ import annotations

__all__ = ["ENDINGS", "GEO", "GPANO", "PARQUET"]

PARQUET, GPANO, GEO = ".parquet", ".gpano", "geo.txt"
ENDINGS = (".srt", ".vtt", ".gcsv", ".motion.csv", ".gravity.txt", PARQUET, GPANO, GEO)
