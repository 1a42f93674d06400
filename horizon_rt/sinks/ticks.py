"""Presentation times in the ticks of a video file."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

__all__ = ["PictureTicks", "is_time_lapse", "nominal_rate", "ticks_per_second"]

_TICKS = {"mpeg4": 60_000}  # MPEG-4 part 2 knows at most 65535 ticks a second
_DEFAULT_TICKS = 90_000
# Coarse ticks give time lapses room; with less than 10,000 FFmpeg takes a multiple in MP4.
_SLOW_RATE_HZ, _SLOW_TICKS = Fraction(1, 60), 10_000
_RATES_HZ = (1e-5, 1e5)
# MP4 holds the time from a picture to the next in 31 bits; readers take no more than 28 from decoding to
# showing one, which is a gap where the encoder reorders pictures (at most this many here).
_MAX_STEP, _MAX_DELAY = (1 << 31) - (1 << 24), (1 << 28) - (1 << 20)
_REORDERED = 6


def nominal_rate(rate_hz: float) -> Fraction:
    """A rate in Hz whose numerator and denominator FFmpeg can hold, never zero."""
    rate = min(max(rate_hz, _RATES_HZ[0]), _RATES_HZ[1])
    if rate < 1:
        return 1 / Fraction(1 / rate).limit_denominator(1001)
    return Fraction(rate).limit_denominator(1001)


def is_time_lapse(rate: Fraction) -> bool:
    """Whether pictures come so slowly, in Hz, that none should wait for the next ones."""
    return rate < _SLOW_RATE_HZ


def ticks_per_second(encoder: str, rate: Fraction) -> int:
    """What to count the times of pictures in that come at about this rate in Hz."""
    return _SLOW_TICKS if is_time_lapse(rate) else _TICKS.get(encoder, _DEFAULT_TICKS)


class PictureTicks:
    """Gives each picture a later time than the one before; all are in ticks.

    With `limited`, for MP4 and MOV, a gap that the format cannot hold is shortened to the longest that it
    can, and what follows is earlier by `cut`.
    """

    def __init__(self, base: Fraction, *, limited: bool, reordered: bool = True) -> None:
        """`base` is the length of a tick in seconds; `reordered` is whether the encoder changes the order."""
        self._base = base
        self._limited = limited
        self._max_span = _MAX_DELAY if reordered else _MAX_STEP
        self._recent: deque[int] = deque(maxlen=_REORDERED if reordered else 1)
        self._last = -(1 << 62)
        self.cut = 0

    def place(self, time_s: float) -> int:
        """The time of the next picture."""
        ticks = max(round(time_s / self._base) - self.cut, self._last + 1)
        if self._limited and self._recent and ticks - self._recent[0] > self._max_span:
            longest = max(self._recent[0] + self._max_span, self._last + 1)
            self.cut += ticks - longest
            ticks = longest
        self._recent.append(ticks)
        self._last = ticks
        return ticks
