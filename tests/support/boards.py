"""Pictures of calibration boards through lenses that are known. Distortion is OpenCV's, not ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from support.camera import coefficients

from horizon_rt.camera import Camera
from horizon_rt.camera.board_drawing import MARGIN_MM, BoardDrawing
from horizon_rt.frame import Frame

Array = NDArray[np.float64]
_FINE = 3  # times the resolution of the picture, before it is averaged


def matrix_of(camera: Camera) -> Array:
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])


def texture(drawing: BoardDrawing, texels_per_mm: float) -> NDArray[np.uint8]:
    """The sheet with its margin, each texel the mean over its area."""
    fine = 4
    width, height = (round(side * texels_per_mm) * fine for side in drawing.page_mm)
    scale = texels_per_mm * fine
    y, x = np.mgrid[:height, :width].astype(np.float32)
    sheet = np.full((height, width), 225, np.uint8)
    x, y = (x + 0.5) / scale - MARGIN_MM, (y + 0.5) / scale - MARGIN_MM
    for left, top, side in drawing.squares:
        a, b = (int(round((v + MARGIN_MM) * scale)) for v in (left, left + side))
        c, d = (int(round((v + MARGIN_MM) * scale)) for v in (top, top + side))
        sheet[c:d, a:b] = 25
    for cx, cy, radius in drawing.discs:
        a, b = (int((v + MARGIN_MM) * scale) for v in (cx - 1.1 * radius, cx + 1.1 * radius))
        c, d = (int((v + MARGIN_MM) * scale) for v in (cy - 1.1 * radius, cy + 1.1 * radius))
        sheet[c:d, a:b][np.hypot(x[c:d, a:b] - cx, y[c:d, a:b] - cy) < radius] = 25
    return np.asarray(cv2.resize(sheet, None, fx=1 / fine, fy=1 / fine, interpolation=cv2.INTER_AREA))


@lru_cache(maxsize=2)
def _rays(camera: Camera) -> NDArray[np.float32]:
    """Undistorted normalised coordinates of all points of the fine picture, by OpenCV; (h, w, 2)."""
    height, width = camera.height * _FINE, camera.width * _FINE
    y, x = (((np.mgrid[:height, :width] + 0.5) / _FINE) - 0.5).astype(np.float64)
    points = np.stack([x.ravel(), y.ravel()], axis=1)[:, None, :]
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-9)
    flat = cv2.undistortPoints(points, matrix_of(camera), coefficients(camera), criteria=criteria)
    return np.asarray(flat, np.float32).reshape(height, width, 2)


@dataclass(frozen=True)
class Pose:
    """From the board's axes (mm) to the camera's."""

    rotation: Array
    place: Array


def poses(camera: Camera, drawing: BoardDrawing, count: int, seed: int) -> list[Pose]:
    """Near and far, tilted to all sides, and in all parts of the picture; the middle of the board is in it."""
    rng = np.random.default_rng(seed)
    centre = np.array([drawing.width_mm / 2, drawing.height_mm / 2, 0.0])
    found = []
    for k in range(count):
        u, v = (k % 5 + rng.uniform(0.1, 0.9)) / 5, (k // 5 % 4 + rng.uniform(0.1, 0.9)) / 4
        tilt = np.radians(rng.uniform(-40, 40, 2))
        spin = np.radians(rng.uniform(-15, 15))
        rotation = np.asarray(cv2.Rodrigues(np.array([tilt[0], tilt[1], spin]))[0])
        distance = rng.uniform(0.9, 1.6) * drawing.width_mm * camera.fx / (0.62 * camera.width)
        u, v = 0.5 + 0.62 * (u - 0.5), 0.5 + 0.62 * (v - 0.5)
        pixel = np.array([[[u * camera.width, v * camera.height]]])
        ray = cv2.undistortPoints(pixel, matrix_of(camera), coefficients(camera))[0, 0]
        place = distance * np.array([*ray, 1.0]) - rotation @ centre
        found.append(Pose(rotation, place))
    return found


def render(
    camera: Camera, sheet: NDArray[np.uint8], texels_per_mm: float, pose: Pose, *, blur: float, noise: float, seed: int
) -> NDArray[np.uint8]:
    """The sheet as the camera sees it: pixel, ray, plane of the board, texel."""
    rays = _rays(camera)
    to_image = np.column_stack([pose.rotation[:, 0], pose.rotation[:, 1], pose.place])
    back = np.linalg.inv(to_image)
    board = rays @ back[:, :2].T.astype(np.float32) + back[:, 2].astype(np.float32)
    texels = (board[..., :2] / board[..., 2:] + MARGIN_MM) * texels_per_mm - 0.5
    fine = cv2.remap(sheet, texels, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=90)
    image = cv2.resize(fine, (camera.width, camera.height), interpolation=cv2.INTER_AREA).astype(np.float32)
    image = cv2.GaussianBlur(image, (0, 0), blur)
    image += np.random.default_rng(seed).normal(0, noise, image.shape)
    return np.clip(image, 0, 255).round().astype(np.uint8)


def pictures(camera: Camera, board: Any, *, count: int, seed: int, blur: float, noise: float) -> Iterator[Frame]:
    """Pictures of a board, one after the other."""
    drawing = board.drawing()
    texels_per_mm = 1.6 * camera.width / drawing.width_mm
    texels_per_mm = round(texels_per_mm * board.square_mm / 7 / 8) * 56 / board.square_mm or texels_per_mm
    sheet = texture(drawing, texels_per_mm)
    for k, pose in enumerate(poses(camera, drawing, count, seed)):
        image = render(
            camera, sheet, texels_per_mm, pose, blur=blur, noise=noise, seed=seed * 1000 + k
        )
        yield replace(Frame.from_bgr(image, index=k), name=f"{k:03}.png")
