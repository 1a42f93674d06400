"""KITTI Horizon (Kluger et al. 2020): drives of the KITTI raw data, synced and rectified.

DATE/calib_imu_to_velo.txt, calib_velo_to_cam.txt, calib_cam_to_cam.txt
DATE/DATE_drive_NNNN_sync/image_02/data/*.png and timestamps.txt, oxts/data/*.txt (roll and pitch of the
inertial unit in the 4th and 5th column, radians). Gravity goes from the inertial unit to the camera through
the calibration, as in the authors' kitti_horizon_raw.py.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Pinhole
from horizon_rt.camera.fields import image_size
from horizon_rt.datasets.base import Example, Label, PictureSet
from horizon_rt.datasets.text import finite, read_text
from horizon_rt.errors import CameraModelError, DatasetError
from horizon_rt.geometry import UpVector

__all__ = ["open_kitti"]

Array = NDArray[np.float64]
_CAMERA = "02"  # the left colour camera


def open_kitti(folder: Path) -> PictureSet:
    """The frames of a drive with their attitude and the lens of the calibration; raises DatasetError."""
    date = folder.resolve().parent
    rotation, camera = _calibration(date)
    pictures = sorted((folder / f"image_{_CAMERA}" / "data").glob("*.png"))
    if not pictures:
        raise DatasetError(f"{folder}: no pictures in image_{_CAMERA}/data")
    times = _times(folder / f"image_{_CAMERA}" / "timestamps.txt", len(pictures))
    examples = [
        Example(path=picture, label=_label(folder, picture, rotation), scene="road", time_s=time_s)
        for picture, time_s in zip(pictures, times, strict=True)
    ]
    name = folder.resolve().name
    return PictureSet(examples, name=name, truth="attitude", still=False, camera=camera)


def _label(folder: Path, picture: Path, rotation: Array) -> Label:
    path = folder / "oxts" / "data" / f"{picture.stem}.txt"
    values = _numbers(path, read_text(path), 1)
    if len(values) < 6:
        raise DatasetError(f"{path}, line 1: at least 6 numbers are needed, got {len(values)}")
    return Label(up=UpVector.from_vector(rotation @ _up_in_imu(values[3], values[4])))


def _up_in_imu(roll: float, pitch: float) -> Array:
    """Third row of Rz(yaw) Ry(pitch) Rx(roll): up in axes x forward, y left, z up; radians."""
    return np.array([-np.sin(pitch), np.cos(pitch) * np.sin(roll), np.cos(pitch) * np.cos(roll)])


def _calibration(date: Path) -> tuple[Array, Pinhole]:
    """The rotation (3, 3) from the inertial unit to the rectified camera, and the lens."""
    cameras = _table(date / "calib_cam_to_cam.txt")
    to_velo = _matrix(date / "calib_imu_to_velo.txt", "R", (3, 3))
    to_camera = _matrix(date / "calib_velo_to_cam.txt", "R", (3, 3))
    rectify = _matrix(date / "calib_cam_to_cam.txt", "R_rect_00", (3, 3), cameras)
    rotation = rectify @ to_camera @ to_velo
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=0.02):
        raise DatasetError(f"{date}: the rotations of the calibration files are none")
    projection = _matrix(date / "calib_cam_to_cam.txt", f"P_rect_{_CAMERA}", (3, 4), cameras)
    size = _matrix(date / "calib_cam_to_cam.txt", f"S_rect_{_CAMERA}", (2,), cameras)
    try:
        width, height = image_size({"width": size[0], "height": size[1]}, "width", "height")
        return rotation, Pinhole(
            width=width,
            height=height,
            fx=float(projection[0, 0]),
            fy=float(projection[1, 1]),
            cx=float(projection[0, 2]),
            cy=float(projection[1, 2]),
        )
    except CameraModelError as error:
        raise DatasetError(f"{date / 'calib_cam_to_cam.txt'}: {error}") from error


def _table(path: Path) -> dict[str, tuple[int, str]]:
    """Name, line number and values of `name: values` lines."""
    lines = enumerate(read_text(path).splitlines(), 1)
    parts = ((number, *line.partition(":")) for number, line in lines)
    return {name.strip(): (number, values) for number, name, _, values in parts}


def _matrix(
    path: Path, name: str, shape: tuple[int, ...], table: dict[str, tuple[int, str]] | None = None
) -> Array:
    number, text = (_table(path) if table is None else table).get(name, (0, ""))
    if not number:
        raise DatasetError(f"{path} has no line '{name}: …'")
    values = _numbers(path, text, number)
    if len(values) != np.prod(shape):
        raise DatasetError(f"{path}, line {number}: {np.prod(shape)} numbers are needed, got {len(values)}")
    return np.array(values).reshape(shape)


def _numbers(path: Path, text: str, line: int) -> list[float]:
    try:
        values = [finite(word) for word in text.split()]
    except ValueError as error:
        raise DatasetError(f"{path}, line {line}: {error}") from error
    return values


def _times(path: Path, count: int) -> list[float]:
    """Seconds from the first frame on; `2011-09-26 13:02:25.964389445` with nanoseconds."""
    stamps: list[datetime] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            stamps.append(_time(line.strip(), *stamps[-1:]))
        except ValueError as error:
            raise DatasetError(f"{path}, line {number}: {error}") from error
    if len(stamps) != count:
        raise DatasetError(f"{path} has {len(stamps)} times for {count} pictures")
    return [(stamp - stamps[0]).total_seconds() for stamp in stamps]


def _time(text: str, before: datetime = datetime.min) -> datetime:
    stamp = datetime.fromisoformat(text[:26])
    if stamp.tzinfo is not None:
        raise ValueError(f"a time without a zone is needed, got {text[:40]!r}")
    if stamp < before:
        raise ValueError(f"times must not run backwards, got {text[:40]!r} after {before}")
    return stamp
