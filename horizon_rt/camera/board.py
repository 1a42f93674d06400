"""Calibration boards: what all of them offer, and the chessboard, with its finder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.board_drawing import BoardDrawing
from horizon_rt.errors import CalibrationError

__all__ = ["Board", "ChessBoard", "Corners", "Detection", "Project", "check_grid", "edge_width"]

Corners = NDArray[np.float32]
Project = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From points of a board in mm, (n, 3), to those of a picture in px, (n, 2)."""
_SEARCH_SIDE = 1280  # longest side, in px, of the image in which the board is searched


@dataclass(frozen=True, slots=True)
class Detection:
    """Points (n, 2) in px of a board, which of its points they are (n,), and how wide edges are in px."""

    ids: NDArray[np.intp]
    corners: Corners
    edge_px: float


class Board(Protocol):
    """A flat pattern of points with known places."""

    @property
    def kind(self) -> str:
        """What it is, in words."""

    def object_points(self) -> Corners:
        """All its points on the board in mm, z = 0; shape (n, 3), float32."""

    def outline(self) -> Corners:
        """Its four outer points, (4, 3) in mm."""

    def detect(self, image: NDArray[np.uint8]) -> Detection | None:
        """The points that a grey image shows, if it shows enough of them."""

    def bias_px(self, project: Project) -> Corners | float:
        """By how much all its points seem to lie elsewhere than they do, (n, 2) in px."""

    def drawing(self) -> BoardDrawing:
        """For the printer."""


def check_grid(columns: int, rows: int, square_mm: float, what: str) -> None:
    """Raise CalibrationError for a board that nobody can have."""
    if not (3 <= columns <= 50 and 3 <= rows <= 50):
        raise CalibrationError(f"a board has 3..50 {what} each way, got {columns}x{rows}")
    if not 0 < square_mm < 1e5:
        raise CalibrationError(f"the side of a square is a length in mm, got {square_mm:g}")


def edge_width(image: NDArray[np.uint8], corners: Corners) -> float:
    """Width in px of the sharpest edges around points (n, 2): the contrast over the steepest slope."""
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, None)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    part = image[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    if min(part.shape) < 3:
        return float("inf")
    dark, bright = np.percentile(part, [5, 95])
    slope = float(np.percentile(np.hypot(*np.gradient(part)), 99))
    return float((bright - dark) / slope) if slope > 0 else float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChessBoard:
    """A chessboard with `columns` x `rows` inner corners and squares of `square_mm`."""

    columns: int = 9
    rows: int = 6
    square_mm: float = 25.0

    def __post_init__(self) -> None:
        if not (3 <= self.columns <= 50 and 3 <= self.rows <= 50):
            raise CalibrationError(
                f"a board has 3..50 inner corners each way, got {self.columns}x{self.rows}: "
                "count the corners where four squares meet"
            )
        if not 0 < self.square_mm < 1e5:
            raise CalibrationError(f"the side of a square is a length in mm, got {self.square_mm:g}")

    @property
    def kind(self) -> str:
        """See `Board`."""
        return f"chessboard with {self.columns}x{self.rows} inner corners"

    def object_points(self) -> Corners:
        """Inner corners on the board in mm, row by row, z = 0; shape (columns * rows, 3), float32."""
        y, x = np.mgrid[: self.rows, : self.columns]
        flat = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
        points: Corners = (flat * self.square_mm).astype(np.float32)
        return points

    def find(self, image: NDArray[np.uint8]) -> Corners | None:
        """Corners (columns * rows, 2) in px of the board in a grey image, row by row; None without a board.

        The sector-based finder (Duda, Frese 2018) looks first and the classic one after it, in a smaller
        image; the corners are then refined in the full one (Förstner, Gülch 1987).
        """
        import cv2

        scale = min(1.0, _SEARCH_SIDE / max(image.shape))
        size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        corners = self._search(small)
        if corners is None:
            return None
        corners = ((corners + 0.5) * np.divide(image.shape[::-1], size) - 0.5).astype(np.float32)
        return self._ordered(self._refined(image, corners))

    def sharpness(self, image: NDArray[np.uint8], corners: Corners) -> float:
        """Mean width in px of the edges between squares, 10 to 90 % of the step: small is sharp."""
        import cv2

        try:
            values, _ = cv2.estimateChessboardSharpness(image, (self.columns, self.rows), corners[:, None, :])
        except cv2.error:  # a square of fewer px than its profile needs
            return float("inf")
        width = float(np.ravel(values)[0])
        return width if width > 0 else float("inf")

    def detect(self, image: NDArray[np.uint8]) -> Detection | None:
        """See `Board`: all corners or none."""
        corners = self.find(image)
        if corners is None:
            return None
        return Detection(np.arange(len(corners)), corners, self.sharpness(image, corners))

    def outline(self) -> Corners:
        """See `Board`."""
        return self.object_points()[[0, self.columns - 1, -self.columns, -1]]

    def drawing(self) -> BoardDrawing:
        """See `Board`."""
        side = self.square_mm
        return BoardDrawing(
            width_mm=(self.columns + 1) * side,
            height_mm=(self.rows + 1) * side,
            label=f"{self.columns}x{self.rows} inner corners, squares of {side:g} mm; print at 100 %",
            squares=tuple(
                (x * side, y * side, side)
                for y in range(self.rows + 1)
                for x in range(self.columns + 1)
                if (x + y) % 2 == 0
            ),
        )

    def bias_px(self, project: Project) -> Corners | float:
        """See `Board`: the corner of squares is where it seems to be."""
        return 0.0

    def _search(self, image: NDArray[np.uint8]) -> Corners | None:
        import cv2

        size = (self.columns, self.rows)
        found, corners = cv2.findChessboardCornersSB(image, size, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)
        if not found:
            flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
            found, corners = cv2.findChessboardCorners(image, size, flags=flags)
        return np.asarray(corners, np.float32).reshape(-1, 2) if found else None

    def _refined(self, image: NDArray[np.uint8], corners: Corners) -> Corners:
        import cv2

        grid = corners.reshape(self.rows, self.columns, 2)
        spacing = min(np.linalg.norm(np.diff(grid, axis=axis), axis=2).min() for axis in (0, 1))
        half = int(np.clip(spacing * 0.35, 2, 15))
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 40, 1e-3)
        refined = cv2.cornerSubPix(image, corners[:, None, :].copy(), (half, half), (-1, -1), criteria)
        return np.asarray(refined, np.float32).reshape(-1, 2)

    def _ordered(self, corners: Corners) -> Corners:
        """Turned by 180° the board looks alike: count from the end that is nearer to the image's origin."""
        return corners[::-1].copy() if corners[0].sum() > corners[-1].sum() else corners
