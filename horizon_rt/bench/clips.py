"""Video to measure with: rendered, noisy and moving, so that it decodes like footage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from horizon_rt.imaging.canvas import Canvas
from horizon_rt.imaging.video_writer import VideoWriter
from horizon_rt.sources.synthetic import make_clip, parse_options

__all__ = ["RATE_HZ", "write_clip"]

RATE_HZ = 30.0
_RENDERED = 8  # pictures; the others are these, shifted and with other noise
_RENDERED_WIDTH = 1280  # px; larger pictures are made from these, as rendering takes gigabytes for them
_NOISE = 10  # grey levels, peak to peak
_SHIFT_PX = 8


def write_clip(path: Path, size: tuple[int, int], frames: int, *, rate_hz: float = RATE_HZ) -> None:
    """An H.264 file of a coast seen from a boat; raises OutputError."""
    width, height = size
    scale = min(1.0, _RENDERED_WIDTH / width)
    small = f"{2 * round(width * scale / 2)}x{2 * round(height * scale / 2)}"
    clip = make_clip(parse_options(f"coast?size={small}&seconds=2&fps=4&motion=boat&seed=4"))
    rendered = (Canvas.from_frame(clip.frame(i)) for i in range(min(_RENDERED, len(clip))))
    pictures = [canvas.letterboxed(width, height) for canvas in rendered]
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, _NOISE, (height, width), np.uint8) for _ in range(_RENDERED)]
    writer = VideoWriter(path, frame_rate=rate_hz)
    for index in range(frames):
        canvas = pictures[index * len(pictures) // frames].copy()
        luma = canvas.buffer[:height]
        luma[:] = np.roll(luma, round(_SHIFT_PX * np.sin(index / 5)), axis=0)
        np.minimum(luma, 255 - _NOISE, out=luma)
        luma += noise[index % _RENDERED]
        writer.write(canvas, index / rate_hz)
    writer.close()
