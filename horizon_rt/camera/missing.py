"""Which views of a board a set lacks, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from horizon_rt.camera.lens_fit import LensFit
from horizon_rt.camera.views import BoardView, Survey

__all__ = ["missing_views"]

_TILT_DEG = 12.0
_ROWS, _COLUMNS = ("upper", "", "lower"), ("left", "", "right")
_FEWEST_POINTS = 3


def missing_views(found: Survey, views: Sequence[BoardView], fit: LensFit) -> list[str]:
    """Tilts that no view shows, and parts of the picture in which no view has points."""
    return [*_tilts(fit), *_parts(found, views)]


def _tilts(fit: LensFit) -> list[str]:
    x, y, z = fit.normals().T
    about_vertical, about_horizontal = (np.degrees(np.arctan2(one, z)) for one in (x, y))
    pairs = (("vertical", about_vertical), ("horizontal", about_horizontal))
    return [
        f"a view tilted about the {name} axis"
        for name, angle in pairs
        if not np.abs(angle).max(initial=0.0) >= _TILT_DEG
    ]


def _parts(found: Survey, views: Sequence[BoardView]) -> list[str]:
    """Of nine parts of the picture those without points."""
    points = np.concatenate([view.corners for view in views]) if views else np.zeros((0, 2))
    place = np.clip(3 * points / (found.width, found.height), 0, 2.999).astype(int)
    count = np.zeros((3, 3), int)
    np.add.at(count, (place[:, 1], place[:, 0]), 1)
    return [
        f"anything in the {_name(row, column)}"
        for row, column in np.argwhere(count < _FEWEST_POINTS).tolist()
    ]


def _name(row: int, column: int) -> str:
    """Such as upper left, upper middle, left, middle."""
    words = [word for word in (_ROWS[row], _COLUMNS[column]) if word]
    if column == 1:
        words.append("middle")
    return f"{' '.join(words)} of the picture"
