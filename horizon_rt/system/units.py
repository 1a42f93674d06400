"""Times, amounts of bytes and numbers of things as people write them: 10min, 1.5h, 20GB, 1 frame."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["bytes_of", "clock_time", "counted", "seconds_of"]

_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([a-z]*)", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "min": 60, "h": 3600}
_BYTES = {"": 1, "b": 1} | {
    f"{prefix}{unit}": base**power
    for unit, base in (("b", 1000), ("ib", 1024))
    for power, prefix in enumerate("kmgt", start=1)
}


def seconds_of(text: str) -> float:
    """Seconds of 90, 90s, 1.5min or 2h; raises ValueError."""
    return _amount(text, _SECONDS)


def clock_time(seconds: float, decimals: int = 1) -> str:
    """A time as minutes and seconds, with hours where there are any: 1:02:03.5."""
    scale = 10**decimals
    minutes, rest = divmod(round(scale * seconds), 60 * scale)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / scale:0{3 + decimals}.{decimals}f}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def bytes_of(text: str) -> int:
    """Bytes of 500MB, 20GB or 1.5TiB; raises ValueError."""
    return round(_amount(text, _BYTES))


def counted(number: int, what: str) -> str:
    """A number of things: 1 input, 2 inputs."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _amount(text: str, units: Mapping[str, int]) -> float:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or found[2].lower() not in units:
        raise ValueError(f"{text!r} is no number with a unit")
    return float(found[1]) * units[found[2].lower()]
