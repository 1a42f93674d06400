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

from horizon_rt.camera import Camera, KannalaBrandt
from horizon_rt.camera.board_drawing import MARGIN_MM, BoardDrawing
from horizon_rt.camera.marker_board import MarkerBoard
from horizon_rt.frame import Frame

Array = NDArray[np.float64]
_FINE = 2  # times the resolution of the picture, before it is averaged


def matrix_of(camera: Camera) -> Array:
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])


def texture(drawing: BoardDrawing, texels_per_mm: float) -> NDArray[np.uint8]:
    """The sheet with its margin, each texel the mean over its area."""
    fine = 4
    width, height = (round(side * texels_per_mm) * fine for side in drawing.page_mm)
    scale = texels_per_mm * fine
    sheet = np.full((height, width), 225, np.uint8)
    for left, top, side in drawing.squares:
        a, b = (round((v + MARGIN_MM) * scale) for v in (left, left + side))
        c, d = (round((v + MARGIN_MM) * scale) for v in (top, top + side))
        sheet[c:d, a:b] = 25
    for cx, cy, radius in drawing.discs:
        a, b = (int((v + MARGIN_MM) * scale) for v in (cx - 1.1 * radius, cx + 1.1 * radius))
        c, d = (int((v + MARGIN_MM) * scale) for v in (cy - 1.1 * radius, cy + 1.1 * radius))
        y, x = (np.mgrid[c:d, a:b] + 0.5) / scale - MARGIN_MM
        sheet[c:d, a:b][np.hypot(x - cx, y - cy) < radius] = 25
    return np.asarray(cv2.resize(sheet, None, fx=1 / fine, fy=1 / fine, interpolation=cv2.INTER_AREA))


@lru_cache(maxsize=2)
def _rays(camera: Camera) -> NDArray[np.float32]:
    """Rays of all points of the fine picture, checked by OpenCV where that can; (h, w, 3)."""
    height, width = camera.height * _FINE, camera.width * _FINE
    y, x = (((np.mgrid[:height, :width] + 0.5) / _FINE) - 0.5).astype(np.float64)
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    rays = camera.rays(points)
    some = np.random.default_rng(0).integers(0, len(points), 5000)
    some = some[rays[some, 2] > 0.05]
    assert np.abs(project(camera, rays[some]) - points[some]).max() < 1e-5
    return np.asarray(rays, np.float32).reshape(height, width, 3)


def project(camera: Camera, points: Array) -> Array:
    """Points (n, 3) in camera axes, by OpenCV, (n, 2) in px."""
    none = np.zeros(3)
    if isinstance(camera.distortion, KannalaBrandt):
        if (points[:, 2] <= 0).any():  # beyond what OpenCV's fisheye sees
            return camera.project(points)
        terms = np.array(camera.distortion.coefficients)
        return np.asarray(cv2.fisheye.projectPoints(points[None], none, none, matrix_of(camera), terms)[0][0])
    return np.asarray(cv2.projectPoints(points, none, none, matrix_of(camera), coefficients(camera))[0][:, 0])


@dataclass(frozen=True)
class Pose:
    """From the board's axes (mm) to the camera's."""

    rotation: Array
    place: Array


def poses(camera: Camera, drawing: BoardDrawing, count: int, seed: int, *, whole: bool = True) -> list[Pose]:
    """Near and far, tilted to all sides, in all parts of the picture; `whole`, or with the middle in it."""
    rng = np.random.default_rng(seed)
    found: list[Pose] = []
    while len(found) < count:
        k = len(found)
        middle = (k % 4 + rng.uniform(0, 1)) / 4, (k // 4 % 4 + rng.uniform(0, 1)) / 4
        distance = rng.uniform(0.7, 1.5) * drawing.width_mm * camera.fx / (0.5 * camera.width)
        for tries in range(40):
            turn = np.array([*np.radians(rng.uniform(-40, 40, 2)), np.radians(rng.uniform(-20, 20))])
            spread = 0.9 * (1 - tries / 60)
            pose = _pose(camera, drawing, [0.5 + spread * (v - 0.5) for v in middle], turn, distance)
            if not whole or _is_inside(camera, drawing, pose):
                found.append(pose)
                break
    return found


def _pose(camera: Camera, drawing: BoardDrawing, middle: list[float], turn: Array, distance: float) -> Pose:
    """Tilted against the picture; in front of a fisheye against the line of sight."""
    rotation = np.asarray(cv2.Rodrigues(turn)[0])
    ray = camera.rays(np.array([middle]) * (camera.width, camera.height))[0]
    centre = np.array([drawing.width_mm / 2, drawing.height_mm / 2, 0.0])
    if isinstance(camera.distortion, KannalaBrandt):
        axis = np.cross([0, 0, 1], ray)
        size = max(float(np.linalg.norm(axis)), 1e-12)
        facing = np.asarray(cv2.Rodrigues(axis / size * np.arctan2(size, ray[2]))[0])
        rotation = facing @ rotation
        return Pose(rotation, distance * ray - rotation @ centre)
    return Pose(rotation, distance * ray / ray[2] - rotation @ centre)


def _is_inside(camera: Camera, drawing: BoardDrawing, pose: Pose) -> bool:
    t = np.linspace(0, 1, 7)
    edge = np.concatenate(
        [np.column_stack(pair) for pair in ((t, 0 * t), (t, 0 * t + 1), (0 * t, t), (0 * t + 1, t))]
    )
    points = np.column_stack([edge * (drawing.width_mm, drawing.height_mm), np.zeros(len(edge))])
    seen = points @ pose.rotation.T + pose.place
    pixels = project(camera, seen)
    size = (camera.width, camera.height)
    if isinstance(camera.distortion, KannalaBrandt):
        return bool(((pixels > 4) & (pixels < np.array(size) - 5)).all())
    limit = 1.4 * np.tan(np.radians(camera.hfov_deg / 2))
    return bool(
        (seen[:, 2] > 1).all()
        and (np.hypot(*(seen[:, :2] / seen[:, 2:]).T) < limit).all()
        and ((pixels > 4) & (pixels < np.array(size) - 5)).all()
    )


def render(
    camera: Camera,
    sheet: NDArray[np.uint8],
    texels_per_mm: float,
    pose: Pose,
    *,
    blur: float,
    noise: float,
    seed: int,
) -> NDArray[np.uint8]:
    """The sheet as the camera sees it: pixel, ray, plane of the board, texel."""
    rays = _rays(camera)
    to_image = np.column_stack([pose.rotation[:, 0], pose.rotation[:, 1], pose.place])
    back = np.linalg.inv(to_image)
    board = rays @ back.T.astype(np.float32)
    depth = np.where(board[..., 2:] > 1e-9, board[..., 2:], np.float32(1e-9))  # along the sheet, or behind
    texels = (board[..., :2] / depth + MARGIN_MM) * texels_per_mm - 0.5
    fine = cv2.remap(sheet, texels, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=90)
    image = cv2.resize(fine, (camera.width, camera.height), interpolation=cv2.INTER_AREA).astype(np.float32)
    image = cv2.GaussianBlur(image, (0, 0), blur)
    image += np.random.default_rng(seed).normal(0, noise, image.shape)
    return np.clip(image, 0, 255).round().astype(np.uint8)


def pictures(
    camera: Camera, board: Any, *, count: int, seed: int, blur: float, noise: float
) -> Iterator[Frame]:
    """Pictures of a board, one after the other."""
    drawing = board.drawing()
    texels_per_mm = 1.6 * camera.width / drawing.width_mm
    texels_per_mm = round(texels_per_mm * board.square_mm / 7 / 8) * 56 / board.square_mm or texels_per_mm
    sheet = texture(drawing, texels_per_mm)
    whole = not isinstance(board, MarkerBoard)
    for k, pose in enumerate(poses(camera, drawing, count, seed, whole=whole)):
        image = render(camera, sheet, texels_per_mm, pose, blur=blur, noise=noise, seed=seed * 1000 + k)
        yield replace(Frame.from_bgr(image, index=k), name=f"{k:03}.png")
