"""Small clips whose every sample is known, written by PyAV from NumPy values."""

from __future__ import annotations

import shutil
import subprocess
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Planes = tuple[NDArray[np.integer], ...]

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg command")

# (horizontal, vertical) chroma divisors by the digits in the format's name.
_SUBSAMPLING = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "440": (1, 2), "411": (4, 1), "410": (4, 4)}


def ffmpeg(*arguments: str | Path) -> bytes:
    command = ["ffmpeg", "-nostdin", "-y", "-loglevel", "error", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def write_silence(path: Path) -> Path:
    """A WAV file of one second."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    return path


def chroma_size(width: int, height: int, subsampling: str) -> tuple[int, int]:
    horizontal, vertical = _SUBSAMPLING[subsampling]
    return -(-height // vertical), -(-width // horizontal)


def random_planes(
    width: int, height: int, subsampling: str | None, *, bits: int = 8, seed: int = 0
) -> Planes:
    """(Y,) or (Y, U, V) of random samples with `bits` significant bits."""
    generator = np.random.default_rng(seed)
    sizes = [(height, width)]
    if subsampling is not None:
        sizes += [chroma_size(width, height, subsampling)] * 2
    dtype = np.uint8 if bits == 8 else np.uint16
    return tuple(generator.integers(0, 1 << bits, size, dtype) for size in sizes)


def pack(pixel_format: str, planes: Planes) -> list[NDArray[np.integer]]:
    """The rows of each stored plane, by the definitions in FFmpeg's pixfmt.h."""
    if pixel_format in ("nv12", "nv16", "nv24") or pixel_format.startswith("p0"):
        shift = 6 if pixel_format == "p010le" else 0
        luma, u, v = (plane << shift for plane in planes)
        return [luma, np.stack([u, v], axis=-1).reshape(u.shape[0], -1)]
    if pixel_format == "nv21":
        return [planes[0], np.stack(planes[:0:-1], axis=-1).reshape(planes[1].shape[0], -1)]
    if pixel_format in ("yuyv422", "uyvy422", "yvyu422"):
        return [_pack_422(pixel_format, planes)]
    return list(planes)


def _pack_422(pixel_format: str, planes: Planes) -> NDArray[np.integer]:
    luma, u, v = planes
    even = np.pad(luma, ((0, 0), (0, luma.shape[1] % 2)))
    samples = {"y": [even[:, 0::2], even[:, 1::2]], "u": [u], "v": [v]}
    order = [samples[letter].pop(0) for letter in pixel_format[:4]]
    return np.stack(order, axis=-1).reshape(luma.shape[0], -1)


def av_frame(pixel_format: str, planes: Planes) -> VideoFrame:
    height, width = planes[0].shape
    frame = VideoFrame(width, height, pixel_format)
    for plane, rows in zip(frame.planes, pack(pixel_format, planes), strict=True):
        data = np.ascontiguousarray(rows).view(np.uint8)
        stored = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        stored[: data.shape[0], : data.shape[1]] = data
    return frame


def write_clip(
    path: Path,
    frames: Sequence[VideoFrame],
    *,
    codec: str = "ffv1",
    times_ms: Sequence[int] | None = None,
    rate: int = 25,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    colour: tuple[int, int] | None = None,
    rotation: tuple[int, bool, bool] | None = None,
) -> Path:
    """Write frames, at `times_ms` or at a constant rate; `colour` is (AVColorRange, AVColorSpace)."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = frames[0].format.name
        stream.codec_context.time_base = Fraction(1, 1000 if times_ms else rate)
        if colour is not None:
            stream.codec_context.color_range, stream.codec_context.colorspace = colour
        if rotation is not None:
            stream.set_display_rotation(rotation[0], hflip=rotation[1], vflip=rotation[2])
        for index, frame in enumerate(frames):
            frame.pts = times_ms[index] if times_ms else index
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def moving_frames(
    count: int, width: int = 64, height: int = 48, pixel_format: str = "yuv420p"
) -> list[VideoFrame]:
    """Smooth pictures whose mean luma grows with the index, cheap to compress."""
    ramp = np.add.outer(np.arange(height), np.arange(width)) % 64
    chroma = [np.full(chroma_size(width, height, "420"), 128, np.uint8)] * 2
    lumas = [(ramp + 16 + 4 * index).astype(np.uint8) for index in range(count)]
    return [av_frame(pixel_format, (luma, *chroma)) for luma in lumas]


def h264_clip(path: Path, count: int = 10, width: int = 64, height: int = 48, **arguments: object) -> Path:
    """A lossless H.264 clip with B-frames."""
    options = {"qp": "0", "preset": "ultrafast", "bf": "2", "g": "5", "threads": "1"}
    return write_clip(
        path,
        moving_frames(count, width, height),
        codec="libx264",
        options=options,
        **arguments,  # type: ignore
    )
