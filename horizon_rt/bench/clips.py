"""Video to measure with: a rendered coast that rolls and heaves, with noise, to decode like footage."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt.imaging.canvas import Canvas
from horizon_rt.imaging.video_writer import VideoWriter
from horizon_rt.sources.synthetic import make_clip, parse_options

__all__ = ["RATE_HZ", "write_clip"]

RATE_HZ = 30.0
_RENDERED_WIDTH = 1280  # px; larger pictures are made from this one, as rendering takes gigabytes for them
_DAY = 5  # seed of a coast in daylight
_NOISE = 10  # grey levels, peak to peak
_NOISES = 8  # pictures of noise, in turn
_ROLL_DEG, _ROLL_S = 5.0, 3.1
_HEAVE, _HEAVE_S = 0.02, 4.3  # the first of the height
_ZOOM = 1.2  # so that the border of the turned picture stays out of view


def write_clip(path: Path, size: tuple[int, int], frames: int, *, rate_hz: float = RATE_HZ) -> None:
    """An H.264 file of a coast in daylight seen from a boat at sea; raises OutputError."""
    width, height = size
    scale = min(1.0, _RENDERED_WIDTH / width)
    small = f"{2 * round(width * scale / 2)}x{2 * round(height * scale / 2)}"
    clip = make_clip(parse_options(f"coast?size={small}&seconds=1&fps=1&motion=rest&seed={_DAY}"))
    still = Canvas.from_frame(clip.frame(0)).letterboxed(width, height)
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, _NOISE, (height, width), np.uint8) for _ in range(_NOISES)]
    writer = VideoWriter(path, frame_rate=rate_hz)
    for index in range(frames):
        canvas = _moved(still, index / rate_hz)
        np.minimum(canvas.y, 255 - _NOISE, out=canvas.y)
        canvas.y[:] += noise[index % _NOISES]
        writer.write(canvas, index / rate_hz)
    writer.close()


def _moved(still: Canvas, time_s: float) -> Canvas:
    """The picture turned and shifted, as from a boat."""
    moved = Canvas(still.width, still.height, still.sampling)
    roll_deg = _ROLL_DEG * math.sin(math.tau * time_s / _ROLL_S)
    heave = _HEAVE * math.sin(math.tau * time_s / _HEAVE_S)
    for source, target in ((still.y, moved.y), (still.u, moved.u), (still.v, moved.v)):
        target[:] = _turned(source, roll_deg, heave)
    return moved


def _turned(plane: NDArray[np.uint8], roll_deg: float, heave: float) -> NDArray[np.uint8]:
    height, width = plane.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), roll_deg, _ZOOM)
    turn[1, 2] += heave * height
    moved = cv2.warpAffine(plane, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)
