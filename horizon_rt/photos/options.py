"""Which photographs are turned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from horizon_rt.errors import OptionsError
from horizon_rt.options import Engine, Help

__all__ = ["StraightenOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StraightenOptions:
    """Bounds of what is turned, in degrees, and the net that looks. Raises OptionsError."""

    most_sd: Annotated[
        float, Help(text="Turn only where sigma of roll is below this, in degrees.", minimum=0, maximum=90)
    ] = 0.5
    most_spread: Annotated[
        float,
        Help(text="Turn only where five looks differ by less than this, in degrees.", minimum=0, maximum=90),
    ] = 0.05
    least_turn: Annotated[
        float, Help(text="Leave photographs that are level within this, in degrees.", minimum=0, maximum=45)
    ] = 0.3
    most_turn: Annotated[
        float,
        Help(
            text="Leave photographs tilted by more, in degrees: that is likely meant.", minimum=0, maximum=45
        ),
    ] = 20.0
    engine: Engine = field(default_factory=Engine)

    def __post_init__(self) -> None:
        if not 0 <= self.least_turn <= self.most_turn <= 45:
            raise OptionsError(
                f"--least-turn {self.least_turn:g} and --most-turn {self.most_turn:g} are angles in this "
                "order, 45° at most"
            )
        for name, angle in (("--most-sd", self.most_sd), ("--most-spread", self.most_spread)):
            if not 0 <= angle <= 90:
                raise OptionsError(f"{name} is an angle from 0 to 90°, got {angle:g}")
