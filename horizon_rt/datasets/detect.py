"""From a path to a dataset, whatever its format."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from horizon_rt.datasets.base import Dataset
from horizon_rt.datasets.folder import open_folder
from horizon_rt.datasets.hlw import looks_like_hlw, open_hlw
from horizon_rt.datasets.matfile import is_mat_file
from horizon_rt.datasets.smd import is_smd_folder, open_smd
from horizon_rt.errors import DatasetError

__all__ = ["FORMATS", "Format", "open_dataset"]

Format = Literal["folder", "smd", "hlw", "kitti"]
FORMATS: tuple[Format, ...] = get_args(Format)


def open_dataset(path: Path | str, format: Format | None = None) -> Dataset:
    """Open a dataset; without `format` it is told by its content.

    `folder` is this project's, `smd` a HorizonGT file of the Singapore Maritime Dataset or the Buoy set or a
    folder of them, `hlw` the metadata.csv of Horizon Lines in the Wild or its folder, `kitti` a drive of the
    KITTI raw data. Raises DatasetError.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(f"{path}: no such dataset; give a folder or a file with truth")
    return _open(path, format or _detect(path))


def _open(path: Path, format: Format) -> Dataset:
    match format:
        case "smd":
            return open_smd(path)
        case "hlw":
            return open_hlw(path / "metadata.csv" if path.is_dir() else path)
        case "kitti":
            from horizon_rt.datasets.kitti import open_kitti

            return open_kitti(path)
        case _:
            return open_folder(path)


def _detect(path: Path) -> Format:
    if path.is_dir():
        return _detect_folder(path)
    if is_mat_file(path):
        return "smd"
    if looks_like_hlw(path):
        return "hlw"
    raise DatasetError(f"{path} is no truth that can be read; say what it is with --format")


def _detect_folder(folder: Path) -> Format:
    if is_smd_folder(folder):
        return "smd"
    if (folder / "oxts").is_dir():
        return "kitti"
    if looks_like_hlw(folder / "metadata.csv"):
        return "hlw"
    return "folder"
