"""Singapore Maritime Dataset (Prasad et al. 2017) and the Buoy set: horizons of videos in MATLAB files.

FOLDER/Videos/NAME.avi and FOLDER/HorizonGT/NAME_HorizonGT.mat with a struct array `structXML`, one element
a frame: a point X, Y of the horizon and its normal Nx, Ny, in px counted from 1.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from horizon_rt.datasets.base import Label, Recording, VideoSet
from horizon_rt.datasets.matfile import read_struct_array
from horizon_rt.datasets.text import LARGEST
from horizon_rt.errors import DatasetError

__all__ = ["is_smd_folder", "open_smd"]

_END = re.compile(r"_?HorizonGT$", re.IGNORECASE)


def is_smd_folder(folder: Path) -> bool:
    """Whether it has the sub-folders of the set."""
    return (folder / "HorizonGT").is_dir() and (folder / "Videos").is_dir()


def open_smd(path: Path) -> VideoSet:
    """One HorizonGT file with its video, or a folder with all of them; raises DatasetError."""
    if path.is_dir():
        tables = sorted((path / "HorizonGT").glob("*.mat"))
        if not tables:
            raise DatasetError(f"{path / 'HorizonGT'} holds no .mat files")
        name = path.resolve().name
    else:
        tables, name = [path], _END.sub("", path.stem)
    clips = [Recording(path=_video(table), labels=_labels(table)) for table in tables]
    return VideoSet(clips, name=name, truth="line", scene="sea")


def _video(table: Path) -> Path:
    stem = _END.sub("", table.stem)
    folders = (table.parent.parent / "Videos", table.parent)
    for folder in folders:
        found = [path for path in sorted(folder.glob(f"{stem}.*")) if path.suffix.lower() != ".mat"]
        if found:
            return found[0]
    raise DatasetError(f"{table}: its video {stem}.avi is neither in {folders[0]} nor beside it")


def _labels(table: Path) -> dict[int, Label]:
    """Labels by frame index; frames without numbers have none."""
    labels = {}
    for index, (x, y, nx, ny) in enumerate(read_struct_array(table, ("X", "Y", "Nx", "Ny"))):
        if any(map(math.isnan, (x, y, nx, ny))):
            continue
        norm = math.hypot(nx, ny)
        if not (max(abs(x), abs(y), norm) <= LARGEST and norm > 0):
            raise DatasetError(f"{table}, frame {index + 1}: no line: {x:g}, {y:g}, {nx:g}, {ny:g}")
        # A second point 100 px along the line, which runs at right angles to its normal.
        dx, dy = 100 * ny / norm, -100 * nx / norm
        labels[index] = Label(in_view=True, ends=(x - 1, y - 1, x - 1 + dx, y - 1 + dy))
    return labels
