"""Nominal lenses of some drones and phones: the main camera, as published.

Focal lengths are those on 35 mm film. Stabilisation and modes crop what is recorded; a field of view that the
file itself tells comes first.
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


_LENSFUN = "lensfun, data/db/actioncams.xml: focal length times crop factor"
_LENSFUN_PHONES = "lensfun, data/db/misc.xml: focal length times crop factor"
_MINI = "mavicpilots.com, thread 126455"
_PHONES = "lesliewong.us, iPhone 14 Pro Camera Lenses, by Apple's specifications"
_IPHONE_15 = "gigazine.net, 2023-09-20, by Apple's specifications"

NOMINAL = (
    Nominal("FC220", "DJI Mavic Pro", 26.5, _LENSFUN),
    Nominal("FC6310", "DJI Phantom 4 Pro", 24.0, _LENSFUN),
    Nominal("FC6310R", "DJI Phantom 4 RTK", 24.0, _LENSFUN),
    Nominal("FC2103", "DJI Mavic Air", 25.2, _LENSFUN),
    Nominal("FC3411", "DJI Air 2S", 22.1, _LENSFUN),
    Nominal("FC3582", "DJI Mini 3 Pro", 24.1, _LENSFUN),
    Nominal("L1D-20c", "DJI Mavic 2 Pro", 28.0, _LENSFUN),
    Nominal("L2D-20c", "DJI Mavic 3", 24.0, _LENSFUN),
    Nominal("FC7303", "DJI Mini 2", 24.0, _MINI),
    Nominal("FC3682", "DJI Mini 3", 24.0, _MINI),
    Nominal("iPhone XS", "iPhone XS", 26.0, _LENSFUN_PHONES),
    Nominal("iPhone 11 Pro", "iPhone 11 Pro", 26.0, _PHONES),
    Nominal("iPhone 12 Pro", "iPhone 12 Pro", 26.0, _PHONES),
    Nominal("iPhone 13 Pro", "iPhone 13 Pro", 26.0, _PHONES),
    Nominal("iPhone 14 Pro", "iPhone 14 Pro", 24.0, _PHONES),
    Nominal("iPhone 14 Pro Max", "iPhone 14 Pro Max", 24.0, _PHONES),
    Nominal("iPhone 15", "iPhone 15", 26.0, _IPHONE_15),
    Nominal("iPhone 15 Plus", "iPhone 15 Plus", 26.0, _IPHONE_15),
    Nominal("iPhone 15 Pro", "iPhone 15 Pro", 24.0, _IPHONE_15),
    Nominal("iPhone 15 Pro Max", "iPhone 15 Pro Max", 24.0, _IPHONE_15),
)
_BY_MODEL = {one.model.casefold(): one for one in NOMINAL}


def nominal_of(model: str) -> Nominal | None:
    """The nominal lens of a model; None for one that is not listed."""
    return _BY_MODEL.get(model.strip().casefold())
