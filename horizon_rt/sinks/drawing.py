"""How the overlay looks: what a user may choose, and the style that is made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from horizon_rt.errors import OptionsError
from horizon_rt.options import Help

__all__ = ["HORIZON_ALONE", "NOTHING", "BandStyle", "DrawOptions", "Style", "Use"]

BandStyle = Literal["open", "filled"]
Use = Literal["live", "recording", "pictures"]
"""What an overlay is made for: to be watched, to be kept, or pictures that stand alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What is drawn, and how. `colour` is RGB, that of the state where it is None; `band_opacity` is 0..1.

    `text` is the numbers of roll and pitch, `view` what is seen where no horizon is, `time` that of the clock
    or of the recording.
    """

    line: bool = True
    ticks: bool = True
    band: bool = True
    ladder: bool = True
    scale: bool = True
    reference: bool = True
    state: bool = True
    view: bool = True
    text: bool = True
    time: bool = False
    rate: bool = True
    colour: tuple[int, int, int] | None = None
    band_style: BandStyle = "open"
    band_opacity: float = 0.25
    line_scale: float = 1.0
    text_scale: float = 1.0


_PARTS = tuple(item.name for item in fields(Style) if isinstance(item.default, bool))

_LEFT_OUT: dict[Use, tuple[str, ...]] = {
    "live": ("time",),
    "recording": ("rate",),
    "pictures": ("state", "time", "rate"),
}
"""What `all` does not mean; whoever names it gets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawOptions:
    """How the overlay is drawn. Raises OptionsError."""

    draw: Annotated[
        str,
        Help(
            text=f"Parts of the overlay: all, or some of {', '.join(_PARTS)}; -NAME leaves one out.",
            metavar="PART,...",
        ),
    ] = "all"
    colour: Annotated[
        str | None,
        Help(text="Colour of the horizon, such as ff8800; that of its state unless given.", metavar="RRGGBB"),
    ] = None
    band: Annotated[
        BandStyle,
        Help(text="The band of two sigma: open around the edge that it marks, or filled."),
    ] = "open"
    line_width: Annotated[
        float, Help(text="Width of lines, as a multiple of the usual one.", minimum=0.2, maximum=10)
    ] = 1.0
    text_size: Annotated[
        float, Help(text="Size of text, as a multiple of the usual one.", minimum=0.2, maximum=10)
    ] = 1.0

    def __post_init__(self) -> None:
        self.style("live")

    def style(self, use: Use) -> Style:
        """The style for this use."""
        return _only(
            self._parts(use),
            colour=None if self.colour is None else _colour(self.colour),
            band_style=self.band,
            line_scale=self.line_width,
            text_scale=self.text_size,
        )

    def _parts(self, use: Use) -> set[str]:
        names = [name.strip() for name in self.draw.split(",")]
        usual = set(_PARTS) - set(_LEFT_OUT[use])
        found = usual if names[0].startswith("-") else set[str]()
        for name in names:
            chosen = {"all": usual, "none": set[str]()}.get(name.removeprefix("-"), {name.removeprefix("-")})
            if unknown := chosen - set(_PARTS):
                raise OptionsError(
                    f"--draw knows no part {unknown.pop()!r}; there are all, none, {', '.join(_PARTS)}"
                )
            found = found - chosen if name.startswith("-") else found | chosen
        return found


def _only(parts: set[str], **others: Any) -> Style:
    values: dict[str, Any] = {part: part in parts for part in _PARTS}
    return Style(**values, **others)


HORIZON_ALONE = _only({"line", "ticks"})
NOTHING = _only(set())


def _colour(text: str) -> tuple[int, int, int]:
    if not re.fullmatch("#?[0-9a-fA-F]{6}", text):
        raise OptionsError(f"--colour is six hexadecimal digits, such as ff8800 for orange, got {text!r}")
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue
