"""Cameras of Linux asked directly (V4L2): the formats, sizes and rates that they offer, and their exposure.

Structures and codes are those of linux/videodev2.h and v4l2-controls.h.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Literal

from horizon_rt.system.host import control_device

__all__ = ["CameraFormat", "Exposure", "camera_formats", "set_exposure"]

Exposure = float | Literal["auto", "locked"]
"""Left to the camera, kept as it is now, or a time in ms."""

_CAPTURE = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
_MOST = 256  # entries of a list of the driver
_FORMAT = struct.Struct(
    "=III32sII12x"
)  # v4l2_fmtdesc: index, type, flags, description, pixel format, bus code
_SIZE = struct.Struct("=III6I8x")  # v4l2_frmsizeenum: index, pixel format, type, sizes
_INTERVAL = struct.Struct(
    "=IIIII6I8x"
)  # v4l2_frmivalenum: index, pixel format, width, height, type, intervals
_CONTROL = struct.Struct("=Ii")  # v4l2_control: id, value
_DISCRETE = 1  # V4L2_FRMSIZE_TYPE_DISCRETE, V4L2_FRMIVAL_TYPE_DISCRETE
_EXPOSURE_AUTO, _EXPOSURE_ABSOLUTE = 0x009A0901, 0x009A0902  # V4L2_CID_…; the latter in 0.1 ms
_AUTO, _MANUAL, _APERTURE_PRIORITY = 0, 1, 3
# Of FFmpeg, for --pixel-format.
_NAMES = {
    "MJPG": "mjpeg", "JPEG": "mjpeg", "H264": "h264", "HEVC": "hevc", "YUYV": "yuyv422", "UYVY": "uyvy422",
    "NV12": "nv12", "NV21": "nv21", "YU12": "yuv420p", "422P": "yuv422p", "GREY": "gray", "Y16 ": "gray16le",
    "RGB3": "rgb24", "BGR3": "bgr24",
}  # fmt: skip


def _request(number: int, layout: struct.Struct) -> int:
    """_IOWR('V', number, structure) of the usual architectures (asm-generic/ioctl.h)."""
    return 3 << 30 | layout.size << 16 | ord("V") << 8 | number


_ENUM_FORMATS, _ENUM_SIZES, _ENUM_INTERVALS = (
    _request(number, layout) for number, layout in ((2, _FORMAT), (74, _SIZE), (75, _INTERVAL))
)
_GET_CONTROL, _SET_CONTROL = _request(27, _CONTROL), _request(28, _CONTROL)


@dataclass(frozen=True, slots=True)
class CameraFormat:
    """A pixel format by the name that --pixel-format takes, or the driver's own; each of its sizes as text,
    with the rates in Hz that it comes at.
    """

    name: str
    sizes: tuple[tuple[str, tuple[float, ...]], ...]

    def __str__(self) -> str:
        sizes = (f"{size} at {_rates_text(rates)}" if rates else size for size, rates in self.sizes)
        return f"{self.name} {', '.join(sizes)}".rstrip()


def _rates_text(rates: tuple[float, ...]) -> str:
    return "/".join(f"{rate:.4g}" for rate in rates) + " Hz"


class _Device:
    """An open camera."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self._descriptor = os.open(path, os.O_RDWR)

    def close(self) -> None:
        os.close(self._descriptor)

    def ask(self, request: int, layout: struct.Struct, *values: int | bytes) -> tuple[int, ...]:
        """The structure as the driver fills it in; raises OSError."""
        data = bytearray(layout.pack(*values))
        control_device(self._descriptor, request, data)
        return layout.unpack(data)

    def each(self, ask: Callable[[int], tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
        """What is told of each index, until the driver knows no more."""
        for index in range(_MOST):
            try:
                yield ask(index)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTTY):
                    raise
                return

    def formats(self) -> Iterator[int]:
        for _, _, _, _, pixels, _ in self.each(
            lambda i: self.ask(_ENUM_FORMATS, _FORMAT, i, _CAPTURE, 0, b"", 0, 0)
        ):
            yield pixels

    def sizes(self, pixels: int) -> Iterator[tuple[str, tuple[float, ...]]]:
        none = (0,) * 6
        for _, _, kind, *numbers in self.each(lambda i: self.ask(_ENUM_SIZES, _SIZE, i, pixels, 0, *none)):
            if kind == _DISCRETE:
                width, height = numbers[:2]
                yield f"{width}x{height}", tuple(self.rates(pixels, width, height))
            else:
                least_w, width, _, least_h, height, _ = numbers
                yield f"{least_w}x{least_h} to {width}x{height}", tuple(self.rates(pixels, width, height))
                return

    def rates(self, pixels: int, width: int, height: int) -> Iterator[float]:
        """In Hz; of a range the lowest and the highest."""
        none = (0,) * 6
        for _, _, _, _, kind, *parts in self.each(
            lambda i: self.ask(_ENUM_INTERVALS, _INTERVAL, i, pixels, width, height, 0, *none)
        ):
            shortest, longest = parts[:2], parts[2:4]
            for seconds in (shortest,) if kind == _DISCRETE else (longest, shortest):
                if all(seconds):
                    yield seconds[1] / seconds[0]
            if kind != _DISCRETE:
                return

    def get(self, control: int) -> int:
        return self.ask(_GET_CONTROL, _CONTROL, control, 0)[1]

    def set(self, control: int, value: int) -> None:
        self.ask(_SET_CONTROL, _CONTROL, control, value)


def camera_formats(path: str) -> tuple[CameraFormat, ...]:
    """What a camera offers; nothing for a device that gives no pictures. Raises OSError."""
    with closing(_Device(path)) as device:
        return tuple(CameraFormat(_name(pixels), tuple(device.sizes(pixels))) for pixels in device.formats())


def _name(pixels: int) -> str:
    code = pixels.to_bytes(4, "little").decode("ascii", "replace")
    return _NAMES.get(code, code.strip())


def set_exposure(path: str, exposure: Exposure) -> float | None:
    """Set the exposure of a camera; the time in ms that it takes now, None where it is the camera's own.

    The camera keeps it after this program has ended. Raises OSError where it has no such control.
    """
    with closing(_Device(path)) as device:
        if exposure == "auto":
            try:
                device.set(_EXPOSURE_AUTO, _APERTURE_PRIORITY)
            except OSError:
                device.set(_EXPOSURE_AUTO, _AUTO)
            return None
        value = device.get(_EXPOSURE_ABSOLUTE) if exposure == "locked" else max(1, round(10 * exposure))
        with suppress(OSError):  # of a camera that knows no other way
            device.set(_EXPOSURE_AUTO, _MANUAL)
        device.set(_EXPOSURE_ABSOLUTE, value)
        return device.get(_EXPOSURE_ABSOLUTE) / 10
