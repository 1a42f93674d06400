"""Distortions of lenses, and the one list of them.

A new lens is a frozen dataclass of its coefficients with these members, and a line in `DISTORTIONS`: profiles
in TOML, telemetry headers and everything that works on rays then know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.brown import BrownConrady
from horizon_rt.camera.fisheye import KannalaBrandt
from horizon_rt.camera.perspective import perspective, unit_rays

__all__ = ["DISTORTIONS", "NO_DISTORTION", "Distortion", "NoDistortion", "coefficients_of"]

Array = NDArray[np.float64]


class Distortion(Protocol):
    """What every distortion offers; points are normalised: from the principal point, in focal lengths.

    `rays` and `project` are inverse to each other wherever neither gives NaN.
    """

    name: ClassVar[str]
    """In profiles: lower case, with hyphens."""

    @property
    def is_none(self) -> bool:
        """Whether the projection is a plain perspective one, so that straight lines stay straight."""
        ...

    def rays(self, points: Array) -> Array:
        """Unit rays (N, 3) of normalised points (N, 2); NaN rows where there is none."""
        ...

    def project(self, rays: Array) -> Array:
        """Normalised points (N, 2) of rays (N, 3); NaN rows for rays that the lens does not see."""
        ...

    def turned(self, *, clockwise: bool) -> Self:
        """The same for pictures that are turned by a quarter."""
        ...


@dataclass(frozen=True, slots=True)
class NoDistortion:
    """A pinhole: a plain perspective projection."""

    name: ClassVar[str] = "pinhole"

    @property
    def is_none(self) -> bool:
        """True."""
        return True

    def rays(self, points: Array) -> Array:
        """Unit rays (N, 3) of normalised points (N, 2)."""
        return unit_rays(points)

    def project(self, rays: Array) -> Array:
        """Normalised points (N, 2) of rays (N, 3); NaN behind the camera."""
        return perspective(rays)

    def turned(self, *, clockwise: bool) -> Self:
        """The same; it is round."""
        del clockwise
        return self


NO_DISTORTION = NoDistortion()
DISTORTIONS: Mapping[str, type[Distortion]] = {
    kind.name: kind for kind in (NoDistortion, BrownConrady, KannalaBrandt)
}


def coefficients_of(distortion: Distortion | type[Distortion]) -> dict[str, Any]:
    """The coefficients of a distortion by name; of a type their names alone, each with its default.

    Those that few lenses have (`rare` in a field's metadata) are left out where they are the default.
    """
    if isinstance(distortion, type):
        return {field.name: field.default for field in fields(distortion)}  # type: ignore[arg-type]
    usual = {
        field.name
        for field in fields(distortion)  # type: ignore[arg-type]
        if not field.metadata.get("rare") or getattr(distortion, field.name) != field.default
    }
    return {name: value for name, value in asdict(distortion).items() if name in usual}  # type: ignore[call-overload]
