"""MAVLink's logs of ground stations (.tlog), by pymavlink."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from horizon_rt.flight_logs.samples import Samples, check_count

__all__ = ["read_tlog"]

Array = NDArray[np.float64]
_REBOOT_S = 5.0  # by which the time since boot runs back, beyond mere disorder


def read_tlog(path: Path) -> Samples:
    """ATTITUDE messages of a MAVLink log (.tlog) of the vehicle that sent most: its time since boot.

    Where the vehicle was started again, the longest of its runs is taken.
    """
    from pymavlink.mavutil import mavlogfile

    log = mavlogfile(str(path), robust_parsing=True)
    rows: dict[tuple[int, int], list[tuple[float, float, float]]] = defaultdict(list)
    try:
        while (message := log.recv_match(type=["ATTITUDE"])) is not None:
            sender = message.get_srcSystem(), message.get_srcComponent()
            rows[sender].append((1e-3 * message.time_boot_ms, message.roll, message.pitch))
            check_count(len(rows[sender]))
    finally:
        log.close()
    if not rows:
        return _columns([])
    time_s, roll, pitch = _columns(_longest_run(max(rows.values(), key=len)))
    return time_s, np.degrees(roll), np.degrees(pitch)


def _longest_run(rows: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """The most rows between which the clock is not set back."""
    starts = [
        0,
        *(k for k, (one, two) in enumerate(pairwise(rows), 1) if two[0] < one[0] - _REBOOT_S),
        len(rows),
    ]
    first, last = max(pairwise(starts), key=lambda run: run[1] - run[0])
    return rows[first:last]


def _columns(rows: list[tuple[float, float, float]]) -> Samples:
    time_s, roll, pitch = np.array(rows, np.float64).reshape(-1, 3).T
    return time_s, roll, pitch
