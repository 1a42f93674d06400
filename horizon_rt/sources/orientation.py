"""Display orientation: the matrix that a phone or a turned camera stores beside its pictures."""

from __future__ import annotations

import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from horizon_rt.frame import DevicePlane, Plane

__all__ = ["TURNED_LEFT", "Orientation", "orientation", "quarter_turns", "upright"]

# (transpose, flip rows, flip columns), applied in this order.
Orientation = tuple[bool, bool, bool]

_QUARTER_TURNS: dict[int, Orientation] = {
    0: (False, False, False),
    1: (True, True, False),
    2: (False, True, True),
    3: (True, False, True),
}
TURNED_LEFT = _QUARTER_TURNS[1]


def orientation(frame: VideoFrame) -> Orientation:
    """How the stored picture becomes upright, to the nearest quarter turn, mirroring included."""
    try:
        # Not `frame.side_data`, which the frame keeps and which points back: such frames would wait for the
        # garbage collector, which comes rarely and knows nothing of their size.
        side_data = list(SideDataContainer(frame))  # type: ignore[call-arg]
    except ValueError:  # PyAV refuses side data of a type that it does not know
        return quarter_turns(round(frame.rotation / 90))
    for data in side_data:
        if data.type is Type.DISPLAYMATRIX:
            return _from_matrix(np.frombuffer(memoryview(data), np.int32))
    return _QUARTER_TURNS[0]


def quarter_turns(number: int) -> Orientation:
    """What turns a picture counterclockwise by so many quarters."""
    return _QUARTER_TURNS[number % 4]


def _from_matrix(values: NDArray[np.int32]) -> Orientation:
    # Stored (x, y) is shown at (a·x + c·y, b·x + d·y), libavutil/display.h.
    a, b, c, d = (int(values[i]) for i in (0, 1, 3, 4))
    if abs(a) >= abs(b):
        return False, d < 0, a < 0
    return True, b < 0, c < 0


def upright(planes: tuple[Plane | DevicePlane, ...], turn: Orientation) -> tuple[Plane | DevicePlane, ...]:
    """Views of the planes, turned and mirrored; of what is on a GPU, on the host."""
    if not any(turn):
        return planes
    arrays: tuple[Plane, ...] = tuple(map(np.asarray, planes))
    transpose, flip_rows, flip_columns = turn
    rows = slice(None, None, -1 if flip_rows else 1)
    columns = slice(None, None, -1 if flip_columns else 1)
    return tuple((plane.T if transpose else plane)[rows, columns] for plane in arrays)
