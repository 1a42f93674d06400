"""The roll to level by where nobody knows what comes next."""

from __future__ import annotations

from horizon_rt.geometry import wrap_radians
from horizon_rt.levelling.bounds import SWING

__all__ = ["RollFollower"]


class RollFollower:
    """Follows a roll in rad while it is sure; holds it while it is not, and swings back at a bounded rate."""

    def __init__(self) -> None:
        self._held: float | None = None
        self._last_s = 0.0
        self._catches_up = False

    def update(self, time_s: float, roll: float | None) -> float:
        """The roll to level by at this time, 0 before the first; `roll` is None where it is not sure."""
        step_s, self._last_s = max(0.0, time_s - self._last_s), time_s
        if roll is None:
            self._catches_up = self._held is not None
        elif self._held is None or not self._catches_up:
            self._held = roll
        else:
            error = wrap_radians(roll - self._held)
            step = max(-SWING * step_s, min(SWING * step_s, error))
            self._held, self._catches_up = self._held + step, step != error
        return self._held or 0.0
