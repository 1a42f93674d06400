"""Tables: of a camera that moves for Blender and After Effects, and of gravity for COLMAP."""

from __future__ import annotations

import csv
import io
import math

from horizon_rt.errors import OutputError
from horizon_rt.sidecars.attitude import camera_mount, camera_up, has_attitude
from horizon_rt.sidecars.base import Header, Row

__all__ = ["Gravity", "Motion", "picture_name"]

_MOTION = (
    "frame", "time_s", "roll_deg", "pitch_deg", "blender_x_deg", "blender_y_deg", "blender_z_deg",
    "blender_qw", "blender_qx", "blender_qy", "blender_qz", "ae_x_rotation_deg", "ae_z_rotation_deg",
    "ae_level_rotation_deg",
)  # fmt: skip


class Motion:
    """The turn of the camera for each frame, without its heading; rows without an attitude are left out.

    Blender's camera looks along −z with y up, in a world with z up: its Euler angles are those of the order
    ZYX. In After Effects x points right, y down and z into the picture.
    """

    def __init__(self, header: Header) -> None:
        self._mount = camera_mount(header)

    def head(self) -> str:
        """See `TextFormat`."""
        return _line(_MOTION)

    def row(self, row: Row) -> str:
        """See `TextFormat`."""
        if not has_attitude(row):
            return ""
        up = camera_up(row, self._mount)
        roll, pitch = up.roll_deg, up.pitch_deg
        euler = (90.0 + pitch, 0.0, -roll)
        a, b = math.radians(euler[0]) / 2, math.radians(euler[2]) / 2
        quaternion = (
            math.cos(a) * math.cos(b), math.sin(a) * math.cos(b), -math.sin(a) * math.sin(b),
            math.cos(a) * math.sin(b),
        )  # fmt: skip
        angles = (roll, pitch, *euler)
        return _line((row["frame"], row["time_s"], *map(_number, (*angles, *quaternion, pitch, roll, roll))))

    def tail(self) -> str:
        """See `TextFormat`."""
        return ""


class Gravity:
    """IMAGE_NAME GX GY GZ: which way is down in camera axes, for GLOMAP and COLMAP's rotation averaging.

    They take no covariance of it. Raises OutputError for what is no set of pictures.
    """

    def __init__(self, header: Header) -> None:
        self._mount = camera_mount(header)

    def head(self) -> str:
        """See `TextFormat`."""
        return ""

    def row(self, row: Row) -> str:
        """See `TextFormat`."""
        name = picture_name(row)
        if not has_attitude(row):
            return ""
        up = camera_up(row, self._mount)
        return f"{name} {-up.x:.9f} {-up.y:.9f} {-up.z:.9f}\n"

    def tail(self) -> str:
        """See `TextFormat`."""
        return ""


def picture_name(row: Row) -> str:
    """The file of a row; raises OutputError where it has none, or one with a space in it."""
    name = row.get("file")
    if not name:
        raise OutputError("this format is for pictures, and the telemetry is that of a video; track a folder")
    if any(character.isspace() for character in name):
        raise OutputError(f"{name!r} has a space in its name, at which this format ends names; rename it")
    return str(name)


def _number(value: float) -> str:
    return f"{value + 0.0:.6f}"


def _line(cells: tuple[object, ...]) -> str:
    csv.writer(text := io.StringIO(), lineterminator="\n").writerow(cells)
    return text.getvalue()
