"""OpenDroneMap's geo.txt, whose positions are given and whose angles come from the horizon.

ODM takes a yaw of 0 where the top of the picture points north, a pitch of 0 where the camera looks straight
down and of 90 where it looks ahead (opendm/photo.py). No horizon tells the yaw.
"""

from __future__ import annotations

from pathlib import Path

from horizon_rt.errors import SourceError
from horizon_rt.sidecars.attitude import camera_mount, camera_up, has_attitude
from horizon_rt.sidecars.base import Header, Row
from horizon_rt.sidecars.tables import picture_name

__all__ = ["Geo", "read_positions"]

_LARGEST = 1 << 27
_ANGLES = slice(4, 7)


def read_positions(path: Path) -> tuple[str, dict[str, list[str]]]:
    """The first line of a geo.txt, which names the projection, and the cells of each picture by its name.

    Raises SourceError.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is larger than 128 MiB")
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        lines = [line for line in lines if line.strip()]
        if not lines:
            raise ValueError("it is empty")
        rows = [line.split() for line in lines[1:]]
        if bad := [row for row in rows if len(row) < 3 or not all(map(_is_number, row[1:4]))]:
            raise ValueError(f"{' '.join(bad[0])!r} is no name with its position")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"{path}: no geo.txt of OpenDroneMap ({reason})") from error
    return lines[0].strip(), {row[0]: row for row in rows}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class Geo:
    """The given file with the pitch and roll of each picture that shows its horizon."""

    def __init__(self, header: Header, projection: str, positions: dict[str, list[str]]) -> None:
        self._mount = camera_mount(header)
        self._projection, self._positions = projection, dict(positions)

    def head(self) -> str:
        """See `TextFormat`."""
        return f"{self._projection}\n"

    def row(self, row: Row) -> str:
        """See `TextFormat`; pictures without a position are left out. Raises SourceError where one that gets
        angles has no height.
        """
        name = picture_name(row)
        cells = self._positions.pop(name, None) or self._positions.pop(Path(name).name, None)
        if cells is None:
            return ""
        if not has_attitude(row):
            return f"{' '.join(cells)}\n"
        if len(cells) == _ANGLES.start - 1:
            raise SourceError(
                f"{name} has no height, which stands before the angles in a geo.txt; add one to its line"
            )
        up = camera_up(row, self._mount)
        cells = [*cells, *["0"] * (7 - len(cells))]
        cells[_ANGLES] = [cells[4], f"{90 + up.pitch_deg:.3f}", f"{up.roll_deg:.3f}"]
        return f"{' '.join(cells)}\n"

    def tail(self) -> str:
        """See `TextFormat`: the pictures of which there is no telemetry, as they were."""
        return "".join(f"{' '.join(cells)}\n" for cells in self._positions.values())
