"""Camera profiles: a lens model with its name and where it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from horizon_rt.camera.camera import Camera
from horizon_rt.errors import CameraModelError
from horizon_rt.geometry import Mount
from horizon_rt.options import DEFAULT_HFOV_DEG

__all__ = ["LONGEST_READOUT_S", "CameraProfile"]

_LONGEST_TEXT = 1000
_ASPECT_TOLERANCE = 0.01
LONGEST_READOUT_S = 0.2
"""Of the readout of a rolling shutter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraProfile:
    """A lens model for one picture size, with its origin.

    `rms_px` is the reprojection error of the calibration, None where there was none. `source` says in one
    line where the numbers come from. `assumed` is True for a guess such as a field of view. `mount` is how
    the camera is fixed to its vehicle, None where nobody has said. `readout_s` is the time in seconds from
    the first row of a picture to the last of a rolling shutter, None where it is unknown.
    """

    name: str
    model: Camera
    rms_px: float | None = None
    source: str = ""
    assumed: bool = False
    mount: Mount | None = None
    readout_s: float | None = None

    def __post_init__(self) -> None:
        text = self.name + self.source
        if not self.name or not text.isprintable() or len(text) > _LONGEST_TEXT:
            raise CameraModelError(
                f"a profile needs a name and a source in one line, {_LONGEST_TEXT} characters at most, "
                f"got {text[:60]!a}"
            )
        if self.rms_px is not None and not (math.isfinite(self.rms_px) and self.rms_px >= 0):
            raise CameraModelError(f"rms_px is a length in px, got {self.rms_px}")
        if self.readout_s is not None and not 0 <= self.readout_s <= LONGEST_READOUT_S:
            raise CameraModelError(
                f"readout_s is a time from 0 to {LONGEST_READOUT_S} s, got {self.readout_s}"
            )

    @classmethod
    def from_hfov(cls, width: int, height: int, hfov_deg: float) -> Self:
        """The lens that a field of view alone tells: centred, square pixels, this field of view over the
        longer side, which is the horizontal one as long as the camera is not turned.
        """
        model = Camera.from_fov(width, height, hfov_deg)
        name = f"hfov{hfov_deg:g}"
        return cls(name=name, model=model, source=f"assumed field of view of {hfov_deg:g}°", assumed=True)

    @classmethod
    def guess(cls, width: int, height: int) -> Self:
        """The lens where nothing is known of it: `Camera.assumed`."""
        return replace(cls.from_hfov(width, height, DEFAULT_HFOV_DEG), model=Camera.assumed(width, height))

    def upside_down(self) -> Self:
        """The profile for pictures that are turned by a half; a rolling shutter then reads them upwards."""
        return replace(self, model=self.model.turned().turned(), readout_s=None)

    def is_for(self, width: int, height: int) -> bool:
        """Whether it is a measured lens for pictures of this shape, as they are or turned by a quarter."""
        sizes = (width, height), (height, width)
        is_guess = self.assumed and self.model.is_ideal
        return not is_guess and any(_same_shape(self.model, *size) for size in sizes)

    def fit_to(self, width: int, height: int, *, clockwise: bool = True) -> Self:
        """The profile for a video of another size and the same aspect ratio, within 1 %, or turned by a
        quarter, `clockwise` unless it is known better.

        A guessed field of view fits any size. Raises CameraModelError for another aspect ratio of a
        measured lens: the camera then used another part of its sensor, and the numbers cannot tell which.
        """
        model, readout_s = self.model, self.readout_s
        if (width, height) == (model.width, model.height):
            return self
        if self.assumed and model.is_ideal:
            return replace(self, model=model.for_size(width, height))
        if self.mount is None and not _same_shape(model, width, height) and _same_shape(model, height, width):
            model, readout_s = model.turned(clockwise=clockwise), None  # its rows are columns now
        if not _same_shape(model, width, height):
            raise CameraModelError(
                f"camera profile {self.name!r} is for {model.width}x{model.height} and the video is "
                f"{width}x{height}: calibrate in the video's own mode, as a crop changes the lens centre"
            )
        return replace(self, model=model.resized(width, height), readout_s=readout_s)


def _same_shape(model: Camera, width: int, height: int) -> bool:
    return abs(width * model.height / max(height * model.width, 1) - 1) <= _ASPECT_TOLERANCE
