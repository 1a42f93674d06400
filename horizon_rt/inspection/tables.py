"""An inspection as rows of text."""

from __future__ import annotations

import numpy as np

from horizon_rt.inspection.look import Inspection, Look

__all__ = ["LOOK_COLUMNS", "UNIT_COLUMNS", "look_rows", "number_rows", "unit_rows"]

UNIT_COLUMNS = ("picture", "activation", "place, px", "sees, px", "largest loss")
LOOK_COLUMNS = ("picture", "roll", "pitch", "presence", "largest turn", "lost")


def number_rows(found: Inspection) -> list[tuple[str, str]]:
    """The numbers of the net, each with its name."""
    size = f"{found.width}x{found.height} px"
    rows = [
        ("parameters", f"{found.parameters:,}"),
        (f"FLOPs at {size}, 2 a multiply-add", f"{found.flops / 1e9:.3g} G"),
        ("theoretical receptive field of a mask cell", _receptive(found)),
    ]
    if found.field is not None:
        rows += [
            ("effective receptive field, Luo et al. 2016", f"{found.field.size_px:.0f} px square"),
            ("half of the gradient lies within", f"{found.field.half_radius_px:.0f} px"),
        ]
    return rows


def _receptive(found: Inspection) -> str:
    receptive = found.receptive
    if receptive.whole:
        return f"the whole picture of {found.width}x{found.height} px"
    limit = "at least " if receptive.clipped else ""
    return f"{limit}{receptive.width}x{receptive.height} px"


def look_rows(found: Inspection) -> list[tuple[str, ...]]:
    """A row of `LOOK_COLUMNS` for each picture."""
    return [_look_row(look) for look in found.looks]


def _look_row(look: Look) -> tuple[str, ...]:
    return look.name, *_angles(look), f"{look.segmentation.presence:.2f}", *_turn(look)


def _angles(look: Look) -> tuple[str, str]:
    if look.up is None:
        return "no horizon", ""
    return f"{look.up.roll_deg:.2f}°", f"{look.up.pitch_deg:.2f}°"


def _turn(look: Look) -> tuple[str, str]:
    if look.occlusion is None:
        return "", ""
    return f"{look.occlusion.largest_deg:.2f}°", f"{look.occlusion.lost_share:.1%}"


def unit_rows(found: Inspection) -> list[tuple[str, ...]]:
    """A row of `UNIT_COLUMNS` for each picture that excites the unit most; places are px of the picture."""
    return [_unit_row(look) for look in found.strongest]


def _unit_row(look: Look) -> tuple[str, ...]:
    assert look.excitation is not None
    left, top, right, bottom = look.excitation.box
    x, y = look.segmentation.letterbox.to_picture(
        np.array([[(left + right - 1) / 2, (top + bottom - 1) / 2]])
    )[0]
    size = (f"{side / look.segmentation.letterbox.scale:.0f}" for side in (right - left, bottom - top))
    loss = f"{look.excitation.loss.max():.0%}"
    return look.name, f"{look.excitation.value:.3g}", f"{x:.0f}, {y:.0f}", "x".join(size), loss
