"""An asymmetric grid of circles, whose centres are found as those of blobs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.board import Corners, Detection, Project, check_grid, edge_width
from horizon_rt.camera.board_drawing import BoardDrawing

__all__ = ["CircleBoard"]

_RADIUS = 0.4  # of the spacing
_RIM = 32  # points of a circle by which its picture is told


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleBoard:
    """`rows` rows of `columns` circles, of which every other is shifted by a half; OpenCV's asymmetric grid.

    `square_mm` is the distance of two rows, and half of that of two circles in a row. A disc has a radius of
    0.4 times that.
    """

    columns: int = 4
    rows: int = 11
    square_mm: float = 20.0

    def __post_init__(self) -> None:
        check_grid(self.columns, self.rows, self.square_mm, "circles")

    @property
    def kind(self) -> str:
        """See `Board`."""
        return f"asymmetric grid of {self.columns}x{self.rows} circles"

    def object_points(self) -> Corners:
        """See `Board`: the centres, row by row."""
        y, x = np.mgrid[: self.rows, : self.columns]
        flat = np.stack([2 * x.ravel() + y.ravel() % 2, y.ravel(), np.zeros(x.size)], axis=1)
        return np.asarray(flat * self.square_mm, np.float32)

    def outline(self) -> Corners:
        """See `Board`."""
        return self.object_points()[[0, self.columns - 1, -self.columns, -1]]

    def detect(self, image: NDArray[np.uint8]) -> Detection | None:
        """See `Board`: all circles or none (cv2.findCirclesGrid)."""
        import cv2

        parameters = cv2.SimpleBlobDetector_Params()
        parameters.minArea, parameters.maxArea = 20.0, 0.02 * image.size
        blobs = cv2.SimpleBlobDetector_create(parameters)
        size = (self.columns, self.rows)
        for flags in (cv2.CALIB_CB_ASYMMETRIC_GRID, cv2.CALIB_CB_ASYMMETRIC_GRID | cv2.CALIB_CB_CLUSTERING):
            found, centres = cv2.findCirclesGrid(image, size, flags=flags, blobDetector=blobs)
            if found:
                corners = _centroids(image, np.asarray(centres, np.float32).reshape(-1, 2))
                return Detection(np.arange(len(corners)), corners, edge_width(image, corners))
        return None

    def bias_px(self, project: Project) -> Corners | float:
        """See `Board`: a picture's centroid is not the picture of the centre (Heikkilä 2000)."""
        centres = self.object_points().astype(np.float64)
        angle = 2 * np.pi * np.arange(_RIM) / _RIM
        circle = _RADIUS * self.square_mm * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
        rims = project((centres[:, None] + circle).reshape(-1, 3)).reshape(len(centres), _RIM, 2)
        return np.asarray(_polygon_centroids(rims) - project(centres), np.float32)

    def drawing(self) -> BoardDrawing:
        """See `Board`."""
        side = self.square_mm
        places = self.object_points()[:, :2] + side
        return BoardDrawing(
            width_mm=(2 * self.columns + 1) * side,
            height_mm=(self.rows + 1) * side,
            label=f"{self.columns}x{self.rows} circles, {side:g} mm from row to row; print at 100 %",
            discs=tuple((float(x), float(y), _RADIUS * side) for x, y in places),
        )


def _centroids(image: NDArray[np.uint8], centres: Corners) -> Corners:
    """Centroids of darkness around blobs (n, 2), within half the way to the nearest other one."""
    steps = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(steps, np.inf)
    reach = 0.5 * steps.min(axis=1)
    return np.array([_centroid(image, *pair) for pair in zip(centres, reach, strict=True)], np.float32)


def _centroid(image: NDArray[np.uint8], centre: NDArray[np.float32], reach: float) -> NDArray[np.float64]:
    at = np.asarray(centre, np.float64)
    for _ in range(2):
        low = np.maximum(np.floor(at - reach).astype(int), 0)
        high = np.ceil(at + reach).astype(int) + 1
        part = image[low[1] : high[1], low[0] : high[0]].astype(np.float64)
        y, x = np.mgrid[low[1] : low[1] + part.shape[0], low[0] : low[0] + part.shape[1]]
        inside = np.hypot(x - at[0], y - at[1]) <= reach
        paper = np.percentile(part[inside], 90) if inside.any() else 0.0
        dark = np.where(inside, np.clip(paper - part, 0, None), 0.0)
        ink = float(dark.max()) if dark.size else 0.0
        dark[dark < 0.15 * ink] = 0.0  # noise of the paper
        if not dark.sum() > 0:
            return at
        at = np.array([(dark * x).sum(), (dark * y).sum()]) / dark.sum()
    return at


def _polygon_centroids(rims: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centroids (n, 2) of the areas of polygons (n, m, 2)."""
    middle = rims.mean(axis=1, keepdims=True)
    one = rims - middle
    other = np.roll(one, -1, axis=1)
    cross = one[..., 0] * other[..., 1] - other[..., 0] * one[..., 1]
    moment = ((one + other) * cross[..., None]).sum(axis=1)
    return np.asarray(moment / (3 * cross.sum(axis=1))[:, None] + middle[:, 0])
