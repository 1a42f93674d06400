"""Datasets in foreign formats, written by hand as their makers publish them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from support.cli import horizon_luma, write_horizon

SMD_FIELDS = ("X", "Y", "Nx", "Ny")


def _element(kind: int, data: bytes, order: str) -> bytes:
    return struct.pack(order + "II", kind, len(data)) + data + bytes(-len(data) % 8)


def _small(kind: int, data: bytes, order: str) -> bytes:
    return struct.pack(order + "I", len(data) << 16 | kind) + data.ljust(4, b"\0")


def _matrix(klass: int, dims: tuple[int, int], name: bytes, body: bytes, order: str) -> bytes:
    flags = _element(6, struct.pack(order + "II", klass, 0), order)
    sizes = _element(5, struct.pack(order + "ii", *dims), order)
    label = _small(1, name, order) if 0 < len(name) <= 4 else _element(1, name, order)
    return _element(14, flags + sizes + label + body, order)


def mat_file(
    rows: list[tuple[float | None, ...]],
    fields: tuple[str, ...] = SMD_FIELDS,
    *,
    order: str = "<",
    deflate: bool = True,
) -> bytes:
    """A struct array `structXML` after an unrelated number, by the MAT-file format of MathWorks."""
    cells = b""
    for row in rows:
        for value in row:
            if value is None:
                cells += _element(14, b"", order)
            elif float(value).is_integer() and 0 <= value < 256:  # as MATLAB stores small numbers
                cells += _matrix(6, (1, 1), b"", _small(2, bytes([int(value)]), order), order)
            else:
                cells += _matrix(6, (1, 1), b"", _element(9, struct.pack(order + "d", value), order), order)
    names = b"".join(field.encode().ljust(8, b"\0") for field in fields)
    body = _small(5, struct.pack(order + "i", 8), order) + _element(1, names, order) + cells
    other = _matrix(6, (1, 1), b"rate", _element(9, struct.pack(order + "d", 25.0), order), order)
    variables = [other, _matrix(2, (1, len(rows)), b"structXML", body, order)]
    if deflate:
        packed = [zlib.compress(v) for v in variables]
        variables = [struct.pack(order + "II", 15, len(p)) + p for p in packed]
    text = b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124)
    version = struct.pack(order + "H", 0x0100) + (b"IM" if order == "<" else b"MI")
    return text + version + b"".join(variables)


def smd_folder(folder: Path, rows: list[tuple[float | None, ...]], name: str = "MVI_0001_VIS_OB") -> Path:
    """Videos/ and HorizonGT/ with one video of 96x64; returns the .mat file."""
    for part in ("Videos", "HorizonGT"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    write_horizon(folder / "Videos" / f"{name}.avi", count=len(rows))
    table = folder / "HorizonGT" / f"{name}_HorizonGT.mat"
    table.write_bytes(mat_file(rows))
    return table


def picture(path: Path, width: int = 96, height: int = 64) -> Path:
    """A bright upper half on a dark lower one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), horizon_luma(width, height))
    return path


# The calibration of KITTI's 2011_09_26.
IMU_TO_VELO = (
    "9.999976e-01 7.553071e-04 -2.035826e-03 "
    "-7.854027e-04 9.998898e-01 -1.482298e-02 "
    "2.024406e-03 1.482454e-02 9.998881e-01"
)
VELO_TO_CAM = (
    "7.533745e-03 -9.999714e-01 -6.166020e-04 "
    "1.480249e-02 7.280733e-04 -9.998902e-01 "
    "9.998621e-01 7.523790e-03 1.480755e-02"
)
RECT_00 = (
    "9.999239e-01 9.837760e-03 -7.445048e-03 "
    "-9.869795e-03 9.999421e-01 -4.278459e-03 "
    "7.402527e-03 4.351614e-03 9.999631e-01"
)
P_RECT_02 = (
    "7.215377e+02 0.000000e+00 6.095593e+02 4.485728e+01 "
    "0.000000e+00 7.215377e+02 1.728540e+02 2.163791e-01 "
    "0.000000e+00 0.000000e+00 1.000000e+00 2.745884e-03"
)


def kitti_drive(date: Path, attitudes: list[tuple[float, float, float]]) -> Path:
    """A drive with these (roll, pitch, yaw) in radians, one frame each, 10 frames a second."""
    date.mkdir(parents=True, exist_ok=True)
    head = "calib_time: 09-Jan-2012 13:57:47\n"
    (date / "calib_imu_to_velo.txt").write_text(f"{head}R: {IMU_TO_VELO}\nT: 0 0 0\n")
    (date / "calib_velo_to_cam.txt").write_text(f"{head}R: {VELO_TO_CAM}\nT: 0 0 0\n")
    (date / "calib_cam_to_cam.txt").write_text(
        f"{head}R_rect_00: {RECT_00}\nS_rect_02: 1.242000e+03 3.750000e+02\nP_rect_02: {P_RECT_02}\n"
    )
    drive = date / f"{date.name}_drive_0001_sync"
    (drive / "oxts" / "data").mkdir(parents=True)
    for index, (roll, pitch, yaw) in enumerate(attitudes):
        picture(drive / "image_02" / "data" / f"{index:010d}.png", 1242, 375)
        values = [49.0, 8.4, 112.8, roll, pitch, yaw, *np.zeros(24)]
        text = " ".join(f"{value:.12f}" for value in values)
        (drive / "oxts" / "data" / f"{index:010d}.txt").write_text(text + "\n")
    stamps = [f"2011-09-26 13:02:25.{i}00000000" for i in range(len(attitudes))]
    (drive / "image_02" / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    return drive
