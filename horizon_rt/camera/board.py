"""The calibration board: its geometry, its picture for the printer, and finding it in an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import CalibrationError
from horizon_rt.system.files import write_atomic

__all__ = ["ChessBoard", "Corners"]

Corners = NDArray[np.float32]
_SEARCH_SIDE = 1280  # longest side, in px, of the image in which the board is searched
_MARGIN_MM = 12.0


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

    def svg(self) -> str:
        """The board as an SVG drawing in true size, with a white margin around it."""
        width, height = ((n + 1) * self.square_mm + 2 * _MARGIN_MM for n in (self.columns, self.rows))
        size = f'width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}"'
        side = self.square_mm
        squares = [
            f"M{_MARGIN_MM + x * side:g} {_MARGIN_MM + y * side:g}h{side:g}v{side:g}h{-side:g}z"
            for y in range(self.rows + 1)
            for x in range(self.columns + 1)
            if (x + y) % 2 == 0
        ]
        label = f"{self.columns}x{self.rows} inner corners, squares of {side:g} mm; print at 100 %"
        place = f'x="{_MARGIN_MM:g}" y="{height - 4:g}" font-size="4" font-family="sans-serif"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
            '<rect width="100%" height="100%" fill="white"/>',
        ]
        return "\n".join(
            [*lines, f'<path d="{"".join(squares)}"/>', f"<text {place}>{label}</text>", "</svg>", ""]
        )

    def save_svg(self, path: Path) -> None:
        """Write `svg`; raises OutputError where that is not possible."""
        write_atomic(path, self.svg().encode())

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
