"""Nominal lenses of usual drones, action cameras and phones, as their makers publish them.

Focal lengths are those on 35 mm film. Stabilisation and modes crop what is recorded, so that they are good to
some 8 %; a field of view that the file itself tells comes first.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["NOMINAL", "Nominal", "nominal_of"]


class Nominal(NamedTuple):
    """A camera by its model as files name it, the name that people know, its focal length in mm, and who says
    so.
    """

    model: str
    name: str
    focal_35mm: float
    source: str


_DJI = "dji.com, specifications"
_APPLE = "support.apple.com, technical specifications"

NOMINAL = (
    Nominal("FC330", "DJI Phantom 4", 20, _DJI),
    Nominal("FC6310", "DJI Phantom 4 Pro", 24, _DJI),
    Nominal("FC6310S", "DJI Phantom 4 Pro V2.0", 24, _DJI),
    Nominal("FC220", "DJI Mavic Pro", 26, _DJI),
    Nominal("FC2103", "DJI Mavic Air", 24, _DJI),
    Nominal("L1D-20c", "DJI Mavic 2 Pro", 28, _DJI),
    Nominal("FC7203", "DJI Mavic Mini", 24, _DJI),
    Nominal("FC7303", "DJI Mini 2", 24, _DJI),
    Nominal("FC3170", "DJI Mavic Air 2", 24, _DJI),
    Nominal("FC3411", "DJI Air 2S", 22, _DJI),
    Nominal("FC3582", "DJI Mini 3 Pro", 24, _DJI),
    Nominal("FC3682", "DJI Mini 3", 24, _DJI),
    Nominal("FC8482", "DJI Mini 4 Pro", 24, _DJI),
    Nominal("L2D-20c", "DJI Mavic 3", 24, _DJI),
    Nominal("iPhone 8", "iPhone 8", 28, _APPLE),
    Nominal("iPhone X", "iPhone X", 28, _APPLE),
    Nominal("iPhone XS", "iPhone XS", 26, _APPLE),
    Nominal("iPhone 11", "iPhone 11", 26, _APPLE),
    Nominal("iPhone 12", "iPhone 12", 26, _APPLE),
    Nominal("iPhone 13", "iPhone 13", 26, _APPLE),
    Nominal("iPhone 14", "iPhone 14", 26, _APPLE),
    Nominal("iPhone 14 Pro", "iPhone 14 Pro", 24, _APPLE),
    Nominal("iPhone 14 Pro Max", "iPhone 14 Pro Max", 24, _APPLE),
    Nominal("iPhone 15", "iPhone 15", 26, _APPLE),
    Nominal("iPhone 15 Pro", "iPhone 15 Pro", 24, _APPLE),
    Nominal("iPhone 15 Pro Max", "iPhone 15 Pro Max", 24, _APPLE),
)
_BY_MODEL = {one.model.casefold(): one for one in NOMINAL}


def nominal_of(model: str) -> Nominal | None:
    """The nominal lens of a model; None for one that is not listed."""
    return _BY_MODEL.get(model.strip().casefold())
