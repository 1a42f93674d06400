"""The descent of Levenberg and Marquardt (Marquardt 1963), for states that know how to step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

__all__ = ["descended"]

_EASED, _STIFFENED = 0.1, 10.0


class _Costly(Protocol):
    @property
    def cost(self) -> float: ...


State = TypeVar("State", bound=_Costly)
Step = Callable[[float], State | None]
"""Where a step with this damping leads; None where that is nowhere."""


def descended(
    state: State, step_from: Callable[[State], Step[State]], *, rounds: int, damping: float, least_gain: float
) -> State:
    """After at most so many steps that lower the cost, from this damping on, which rises by up to a million
    million until one does. It ends where a step gains less than this share of the cost.
    """
    most = 1e12 * damping
    for _ in range(rounds):
        step, better, gain = step_from(state), None, 0.0
        while damping < most and better is None:
            tried = step(damping)
            gain = 0.0 if tried is None else state.cost - tried.cost
            better = tried if gain > 0 else None
            damping *= _EASED if better is not None else _STIFFENED
        if better is None:
            return state
        is_done, state = gain < least_gain * state.cost, better
        if is_done:
            return state
    return state
