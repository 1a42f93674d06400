"""Distortions as the lists of coefficients of other programs, and back."""

from __future__ import annotations

from collections.abc import Sequence

from horizon_rt.camera.brown import BrownConrady
from horizon_rt.camera.distortion import NO_DISTORTION, Distortion, NoDistortion
from horizon_rt.camera.fisheye import KannalaBrandt
from horizon_rt.errors import CameraModelError

__all__ = ["brown_conrady", "brown_terms", "fisheye_lens", "fisheye_terms"]


def brown_conrady(terms: Sequence[float]) -> Distortion:
    """Of OpenCV's 4, 5, 8, 12 or 14 coefficients; no distortion where there are none or all are zero."""
    if not any(term != 0 for term in terms) and len(terms) in (0, 4, 5, 8, 12, 14):
        return NO_DISTORTION
    return BrownConrady.from_coefficients(terms)


def fisheye_lens(terms: Sequence[float]) -> KannalaBrandt:
    """Of k1 to k4."""
    if len(terms) != 4:
        raise CameraModelError(f"a fisheye lens has 4 distortion coefficients, got {len(terms)}")
    k1, k2, k3, k4 = terms
    return KannalaBrandt(k1=k1, k2=k2, k3=k3, k4=k4)


def fisheye_terms(lens: KannalaBrandt, *, where: str) -> tuple[float, ...]:
    """k1 to k4; raises CameraModelError for a lens whose circle ends in the picture."""
    if lens.limit_deg < 180:
        raise CameraModelError(f"{where} holds no end of a fisheye's circle (limit_deg); write .toml")
    return lens.coefficients


def brown_terms(distortion: Distortion, *, most: int, where: str) -> tuple[float, ...]:
    """Of a lens without distortion or of Brown and Conrady's: 5 coefficients or more, as OpenCV counts them.

    Raises CameraModelError for another lens, and for one that needs more than `most`.
    """
    if isinstance(distortion, NoDistortion):
        return (0.0,) * 5
    if not isinstance(distortion, BrownConrady):
        raise CameraModelError(f"{where} holds no {distortion.name} lens; write .toml")
    terms = distortion.coefficients
    if len(terms) > most:
        raise CameraModelError(
            f"{where} holds {most} distortion coefficients and this lens has {len(terms)}; write .toml"
        )
    return terms
