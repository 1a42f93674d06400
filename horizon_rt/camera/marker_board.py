"""A chessboard with ArUco markers in its white squares (ChArUco), of which a part is enough."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.board import Corners, Detection, Project, check_grid, edge_width
from horizon_rt.camera.board_drawing import BoardDrawing
from horizon_rt.errors import CalibrationError

__all__ = ["MarkerBoard"]

_FEWEST_CORNERS = 8
_SIZES = (50, 100, 250, 1000)


@dataclass(frozen=True, kw_only=True)
class MarkerBoard:
    """A ChArUco board with `columns` x `rows` inner corners, squares of `square_mm`, markers of `marker_mm`.

    Markers are three quarters of a square where their side is not given. `dictionary` is one of OpenCV's,
    such as 4x4_50; where it is not given, it is the smallest of 4x4 that has enough markers.
    """

    columns: int = 9
    rows: int = 6
    square_mm: float = 25.0
    marker_mm: float | None = None
    dictionary: str | None = None

    def __post_init__(self) -> None:
        check_grid(self.columns, self.rows, self.square_mm, "inner corners")
        if not 0.2 * self.square_mm <= self.marker_side_mm < self.square_mm:
            raise CalibrationError(
                f"markers lie within squares of {self.square_mm:g} mm, got {self.marker_mm:g} mm"
            )
        if len(self._dictionary.bytesList) < self._markers:
            raise CalibrationError(
                f"dictionary {self._dictionary_name} has {len(self._dictionary.bytesList)} markers, "
                f"the board needs {self._markers}"
            )

    @property
    def kind(self) -> str:
        """See `Board`."""
        return f"ChArUco board with {self.columns}x{self.rows} inner corners"

    @property
    def marker_side_mm(self) -> float:
        """Side of a marker in mm."""
        return 0.75 * self.square_mm if self.marker_mm is None else self.marker_mm

    @property
    def _markers(self) -> int:
        return (self.columns + 1) * (self.rows + 1) // 2

    @property
    def _dictionary_name(self) -> str:
        fitting = (f"4x4_{size}" for size in _SIZES if size >= self._markers)
        return self.dictionary or next(fitting, f"4x4_{_SIZES[-1]}")

    @cached_property
    def _dictionary(self) -> Any:
        import cv2

        name = self._dictionary_name
        known = getattr(cv2.aruco, f"DICT_{name.upper().removeprefix('DICT_')}", None)
        if known is None:
            raise CalibrationError(f"no dictionary {name}; OpenCV has 4x4_50, 5x5_100, 6x6_250 and others")
        return cv2.aruco.getPredefinedDictionary(known)

    @cached_property
    def _board(self) -> Any:
        import cv2

        size = (self.columns + 1, self.rows + 1)
        return cv2.aruco.CharucoBoard(size, self.square_mm, self.marker_side_mm, self._dictionary)

    def object_points(self) -> Corners:
        """See `Board`: the inner corners, row by row."""
        return np.asarray(self._board.getChessboardCorners(), np.float32)

    def outline(self) -> Corners:
        """See `Board`."""
        return self.object_points()[[0, self.columns - 1, -self.columns, -1]]

    def detect(self, image: NDArray[np.uint8]) -> Detection | None:
        """See `Board`: at least eight corners, not all in one row (cv2.aruco.CharucoDetector)."""
        import cv2

        corners, ids, _, _ = cv2.aruco.CharucoDetector(self._board).detectBoard(image)
        if ids is None or len(ids) < _FEWEST_CORNERS:
            return None
        which = np.ravel(ids).astype(np.intp)
        if min(len(set(which % self.columns)), len(set(which // self.columns))) < 2:
            return None
        points = np.asarray(corners, np.float32).reshape(-1, 2)
        refined = self._refined(image, points, which)
        return Detection(which, refined, edge_width(image, refined))

    def _refined(self, image: NDArray[np.uint8], points: Corners, ids: NDArray[np.intp]) -> Corners:
        """As those of a chessboard (Förstner, Gülch 1987), but in windows that no marker reaches into."""
        import cv2

        spacing = _spacing(points, ids, self.columns)
        free = 0.5 * (1 - self.marker_side_mm / self.square_mm)
        half = int(np.clip(spacing * free * 1.2, 2, 15))
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 40, 1e-3)
        refined = cv2.cornerSubPix(image, points[:, None, :].copy(), (half, half), (-1, -1), criteria)
        return np.asarray(refined, np.float32).reshape(-1, 2)

    def bias_px(self, project: Project) -> Corners | float:
        """See `Board`: the corner of squares is where it seems to be."""
        return 0.0

    def drawing(self) -> BoardDrawing:
        """See `Board`."""
        side = self.square_mm
        black = [
            (x * side, y * side, side)
            for y in range(self.rows + 1)
            for x in range(self.columns + 1)
            if (x + y) % 2 == 0
        ]
        markers = zip(self._board.getIds(), self._board.getObjPoints(), strict=True)
        cells = [cell for marker in markers for cell in self._cells(*marker)]
        return BoardDrawing(
            width_mm=(self.columns + 1) * side,
            height_mm=(self.rows + 1) * side,
            label=f"ChArUco {self._dictionary_name}, {self.columns}x{self.rows} inner corners, squares of "
            f"{side:g} mm, markers of {self.marker_side_mm:g} mm; print at 100 %",
            squares=(*black, *cells),
        )

    def _cells(self, number: Any, places: Any) -> list[tuple[float, float, float]]:
        """The black cells of a marker."""
        count = self._dictionary.markerSize + 2
        bits = self._dictionary.generateImageMarker(int(np.ravel(number)[0]), count)
        left, top = np.asarray(places)[0, :2].tolist()
        size = self.marker_side_mm / count
        return [(left + size * x, top + size * y, size) for y, x in np.argwhere(bits == 0).tolist()]


def _spacing(points: Corners, ids: NDArray[np.intp], columns: int) -> float:
    """The least distance in px between neighbours."""
    place = {int(k): point for k, point in zip(ids, points, strict=True)}
    steps = [
        float(np.linalg.norm(place[k + step] - point))
        for k, point in place.items()
        for step in (1, columns)
        if k + step in place and (step != 1 or (k + 1) % columns)
    ]
    return min(steps, default=10.0)
