"""What levelled video is asked to be."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

from horizon_rt.errors import OptionsError
from horizon_rt.options import EncodeOptions, Help, RunOptions

__all__ = ["LevelOptions", "Lock"]

Lock = Literal["roll", "roll+pitch"]
_CROP = re.compile(r"keep|fill|(\d{3})%")
_ZOOMS = (1.0, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelOptions(RunOptions):
    """As `RunOptions`, for levelled video: what is levelled, how far, and what of the picture is kept."""

    smooth: Literal["offline"] = "offline"
    lock: Annotated[
        Lock, Help(text="What is held: the horizon's roll, or its height in the picture, too.")
    ] = "roll"
    crop: Annotated[
        str,
        Help(
            text="fill: zoom as far as it takes to show no black; keep: all of the picture, with black "
            "corners; or a fixed zoom, such as 130%.",
            metavar="fill|keep|N%",
        ),
    ] = "fill"
    most_zoom: Annotated[
        float,
        Help(text="Largest zoom of fill; what it does not allow is left.", minimum=1, maximum=4),
    ] = 2.2
    strength: Annotated[
        float, Help(text="Share of the tilt that is taken away, 0 to 1.", minimum=0, maximum=1)
    ] = 1.0
    coding: EncodeOptions = field(default_factory=EncodeOptions)

    def __post_init__(self) -> None:
        RunOptions.__post_init__(self)
        if not _CROP.fullmatch(self.crop) or not _ZOOMS[0] <= (self.fixed_zoom or 1.0) <= _ZOOMS[1]:
            raise OptionsError(f"--crop is fill, keep or a zoom of 100% to 400%, got {self.crop!r}")
        if not _ZOOMS[0] <= self.most_zoom <= _ZOOMS[1]:
            raise OptionsError(f"--most-zoom lies between 1 and 4, got {self.most_zoom}")
        if not 0 <= self.strength <= 1:
            raise OptionsError(f"--strength lies between 0 and 1, got {self.strength}")
        if self.part.every is not None:
            raise OptionsError("every frame is levelled; leave --every out")

    @property
    def fixed_zoom(self) -> float | None:
        """The zoom that `crop` names; None for keep and fill."""
        return None if self.crop in ("keep", "fill") else float(self.crop.removesuffix("%")) / 100
