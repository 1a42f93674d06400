"""Whether a horizon is reported where there is one, and only there."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["summarise_refusal"]


def summarise_refusal(frames: Iterable[tuple[bool, bool]]) -> dict[str, float | int | None]:
    """Shares over frames given as (a horizon is in view, a horizon was reported).

    `refused_share` is over frames without a horizon, `lost_share` over those with one; None where there are
    no such frames.
    """
    seen = list(frames)
    without = [reported for in_view, reported in seen if not in_view]
    with_one = [reported for in_view, reported in seen if in_view]
    refused, lost = without.count(False), with_one.count(False)
    return {
        "without_horizon": len(without),
        "refused": refused,
        "refused_share": refused / len(without) if without else None,
        "with_horizon": len(with_one),
        "lost": lost,
        "lost_share": lost / len(with_one) if with_one else None,
    }
