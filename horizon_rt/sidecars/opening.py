"""The format of a file by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from horizon_rt.errors import OutputError
from horizon_rt.sidecars.base import Header, TextFormat, TextWriter, Writer
from horizon_rt.sidecars.endings import ENDINGS, GEO, GPANO, OF_PICTURES, PARQUET
from horizon_rt.sidecars.geo import Geo, read_positions
from horizon_rt.sidecars.gpano import GpanoFolder
from horizon_rt.sidecars.gyro_log import MergedGcsv, read_gyro_log
from horizon_rt.sidecars.gyroflow import Gcsv
from horizon_rt.sidecars.subtitles import Subtitles
from horizon_rt.sidecars.tables import Gravity, Motion
from horizon_rt.system.extras import require

__all__ = ["is_sidecar", "open_sidecar"]

_TEXTS: dict[str, Callable[[Header], TextFormat]] = {
    ".srt": lambda _: Subtitles(),
    ".vtt": lambda _: Subtitles(vtt=True),
    ".gcsv": Gcsv,
    ".motion.csv": Motion,
    ".gravity.txt": Gravity,
}


def _ending(target: Path | str) -> str | None:
    name = Path(target).name.lower()
    return next((ending for ending in ENDINGS if name.endswith(ending)), None)


def is_sidecar(target: Path | str) -> bool:
    """Whether a name is that of a sidecar."""
    return _ending(target) is not None


def open_sidecar(target: Path | str, header: Header, *, pictures: bool, merge: Path | None = None) -> Writer:
    """The writer for a target by its name; `pictures` stand alone.

    `merge` is the camera's own log for a .gcsv, whose gyroscope is kept, or the positions for a geo.txt.
    Raises OutputError, SourceError for a file to merge that is none, and MissingExtra.
    """
    path, ending = Path(target), _ending(target)
    if merge is not None and ending not in (".gcsv", GEO):
        raise OutputError(f"{target}: only a .gcsv and a geo.txt are merged with another file")
    if ending in OF_PICTURES and not pictures:
        raise OutputError(f"{target} is for pictures, and the telemetry is that of a video; track a folder")
    if ending == PARQUET:
        require("tables", "telemetry as .parquet")
        from horizon_rt.sidecars.parquet import ParquetWriter

        return ParquetWriter(path, header, pictures=pictures)
    if ending == GPANO:
        return GpanoFolder(path, header)
    return TextWriter(path, _text(target, ending, header, merge))


def _text(target: Path | str, ending: str | None, header: Header, merge: Path | None) -> TextFormat:
    if ending == GEO:
        if merge is None:
            raise OutputError(
                f"{target} needs positions, which no horizon tells: horizon-rt convert IN.jsonl {target} "
                "--merge POSITIONS, a geo.txt with EPSG:4326 and lines of NAME LONGITUDE LATITUDE HEIGHT"
            )
        return Geo(header, *read_positions(merge))
    if ending == ".gcsv" and merge is not None:
        return MergedGcsv(header, read_gyro_log(merge))
    if ending is None:
        raise OutputError(f"cannot write {target}: its name ends in none of {', '.join(ENDINGS)}")
    return _TEXTS[ending](header)
