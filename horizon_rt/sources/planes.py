"""Decoded pictures as planes, without copies where the pixel format allows it: NumPy's, or on the GPU."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from horizon_rt.frame import ColourMatrix, DevicePlane, Plane, Sampling

__all__ = ["PlaneReader"]

# A channel is (plane, first sample, step in samples); a layout is the channels Y[, U, V].
_Channel = tuple[int, int, int]

_GREY: tuple[_Channel, ...] = ((0, 0, 1),)
_PLANAR: tuple[_Channel, ...] = ((0, 0, 1), (1, 0, 1), (2, 0, 1))
_UV: tuple[_Channel, ...] = ((0, 0, 1), (1, 0, 2), (1, 1, 2))
_VU: tuple[_Channel, ...] = ((0, 0, 1), (1, 1, 2), (1, 0, 2))


@dataclass(frozen=True, slots=True)
class _Layout:
    channels: tuple[_Channel, ...]
    bit_depth: int = 8


def _planar_layouts() -> dict[str, _Layout]:
    layouts = {"gray": _Layout(_GREY)}
    subsamplings = ("420", "422", "444", "440", "411", "410")
    for prefix, chroma in itertools.product(("yuv", "yuvj", "yuva"), subsamplings):
        layouts[f"{prefix}{chroma}p"] = _Layout(_PLANAR)
    for depth in (9, 10, 12, 14, 16):
        layouts[f"gray{depth}le"] = _Layout(_GREY, depth)
        for prefix, chroma in itertools.product(("yuv", "yuva"), subsamplings):
            layouts[f"{prefix}{chroma}p{depth}le"] = _Layout(_PLANAR, depth)
    return layouts


def _packed_layouts() -> dict[str, _Layout]:
    layouts = {
        "yuyv422": _Layout(((0, 0, 2), (0, 1, 4), (0, 3, 4))),
        "uyvy422": _Layout(((0, 1, 2), (0, 0, 4), (0, 2, 4))),
        "yvyu422": _Layout(((0, 0, 2), (0, 3, 4), (0, 1, 4))),
    }
    layouts |= {name: _Layout(_UV) for name in ("nv12", "nv16", "nv24")}
    layouts |= {name: _Layout(_VU) for name in ("nv21", "nv42")}
    # The significant bits of these are the high ones, so that a sample spans all 16.
    high = itertools.product(("p0", "p2", "p4"), ("10le", "12le", "16le"))
    return layouts | {"".join(parts): _Layout(_UV, 16) for parts in high}


_LAYOUTS = _planar_layouts() | _packed_layouts()
# What PyAV hands over by DLPack from a GPU.
_ON_DEVICE = ("nv12", "p010le", "p016le")

# AVColorSpace (ITU-T H.273, matrix coefficients). SMPTE 240M is within 1 % of BT.709.
_MATRICES: dict[int, ColourMatrix] = {
    1: "bt709",
    4: "bt601",
    5: "bt601",
    6: "bt601",
    7: "bt709",
    9: "bt2020",
    10: "bt2020",
}
_HD_HEIGHT = 720


class PlaneReader:
    """Turns decoded frames into planes; keeps the converter for formats that have no plain planes.

    With `copy` the samples leave the decoder's buffer, for buffers that do not outlive their source.
    """

    def __init__(self, *, copy: bool = False) -> None:
        self._copy = copy
        self._reformatter: VideoReformatter | None = None

    def read(self, frame: VideoFrame) -> tuple[tuple[Plane | DevicePlane, ...], Sampling]:
        """Return (Y,) or (Y, U, V), each (rows, columns), uint8 or uint16, as stored, and their sampling.

        The planes are views that keep the decoder's buffer alive; those of a frame on a GPU stay there, as
        `DevicePlane`. Other pixel formats (RGB, palette, …) are converted to full range BT.601 4:4:4 with 8
        bits. Raises av.error.FFmpegError or ValueError where that is not possible.
        """
        stored = frame.sw_format  # None for a frame in host memory
        if stored is not None and stored.name in _ON_DEVICE:
            found = _LAYOUTS[stored.name]
            return _device_planes(frame, found.channels), _sampling(frame, found)
        layout = _LAYOUTS.get(frame.format.name)
        if layout is None:
            return _channels(self._converted(frame), _Layout(_PLANAR)), Sampling(8, True, "bt601")
        return _channels(frame, layout, copy=self._copy), _sampling(frame, layout)

    def _converted(self, frame: VideoFrame) -> VideoFrame:
        if self._reformatter is None:
            self._reformatter = VideoReformatter()
        return self._reformatter.reformat(
            frame,
            format="yuv444p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.JPEG,
        )


def _channels(frame: VideoFrame, layout: _Layout, *, copy: bool = False) -> tuple[Plane, ...]:
    rows = _rows(frame, wide=layout.bit_depth > 8, copy=copy)
    sizes = [(component.height, component.width) for component in frame.format.components]
    return tuple(
        rows[plane][:height, first::step][:, :width]
        for (plane, first, step), (height, width) in zip(layout.channels, sizes, strict=False)
    )


def _device_planes(frame: VideoFrame, channels: tuple[_Channel, ...]) -> tuple[DevicePlane, ...]:
    """The channels of a frame with luma and interleaved chroma, where they are."""
    from torch.utils.dlpack import from_dlpack

    # PyAV knows nothing of the stream that PyTorch would name for a plane, so it is asked without one. The
    # decoder writes on the default stream of its context; who reads on another one waits for that.
    tensors = [from_dlpack(plane.__dlpack__()) for plane in frame.planes]
    found = (
        tensor[..., first] if (tensor := tensors[plane]).ndim == 3 else tensor for plane, first, _ in channels
    )
    return tuple(map(DevicePlane, found))


def _rows(frame: VideoFrame, *, wide: bool, copy: bool) -> list[Plane]:
    rows: list[Plane] = []
    for plane in frame.planes:
        data = memoryview(plane)
        flat: Plane = np.frombuffer(data, np.uint16) if wide else np.frombuffer(data, np.uint8)
        samples = (flat.copy() if copy else flat).reshape(plane.height, -1)
        # A negative line size means that the rows are stored bottom up.
        rows.append(samples[::-1] if plane.line_size < 0 else samples)
    return rows


def _sampling(frame: VideoFrame, layout: _Layout) -> Sampling:
    name, declared = frame.format.name, int(frame.color_range)
    # FFmpeg's convention: yuvj is full range, and so is grey unless it says otherwise.
    undeclared_full = name.startswith(("yuvj", "gray")) and declared != ColorRange.MPEG
    default: ColourMatrix = "bt709" if frame.height >= _HD_HEIGHT else "bt601"
    matrix = _MATRICES.get(int(frame.colorspace), default)
    return Sampling(layout.bit_depth, undeclared_full or declared == ColorRange.JPEG, matrix)
