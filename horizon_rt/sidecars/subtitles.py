"""Subtitles with roll, pitch and state: SubRip (.srt) and WebVTT (.vtt, W3C), some cues a second."""

from __future__ import annotations

import math

from horizon_rt.sidecars.attitude import has_attitude
from horizon_rt.sidecars.base import Row

__all__ = ["Subtitles"]

_CUES_HZ = 4.0


class Subtitles:
    """A cue lasts from its frame to that of the next one, a quarter of a second later."""

    def __init__(self, *, vtt: bool = False) -> None:
        self._vtt = vtt
        self._cue: tuple[float, str] | None = None
        self._count = 0

    def head(self) -> str:
        """See `TextFormat`."""
        return "WEBVTT\n\n" if self._vtt else ""

    def row(self, row: Row) -> str:
        """See `TextFormat`; rows between cues add nothing."""
        start = float(row["time_s"] or 0.0)
        if self._cue is not None and self._slot(start) == self._slot(self._cue[0]):
            return ""
        last, self._cue = self._cue, (start, _words(row))
        return "" if last is None else self._text(*last, start)

    def tail(self) -> str:
        """See `TextFormat`."""
        return "" if self._cue is None else self._text(*self._cue, self._cue[0] + 1 / _CUES_HZ)

    def _slot(self, time_s: float) -> int:
        return math.floor(time_s * _CUES_HZ + 1e-6)

    def _text(self, start: float, words: str, end: float) -> str:
        self._count += 1
        number = "" if self._vtt else f"{self._count}\n"
        return f"{number}{self._time(start)} --> {self._time(max(end, start))}\n{words}\n\n"

    def _time(self, time_s: float) -> str:
        minutes, milliseconds = divmod(max(round(1000 * time_s), 0), 60_000)
        seconds = f"{milliseconds // 1000:02d}{'.' if self._vtt else ','}{milliseconds % 1000:03d}"
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds}"


def _words(row: Row) -> str:
    if not has_attitude(row):
        return f"no horizon ({row['state']})"
    return f"{_angle('roll', row)}  {_angle('pitch', row)}  {row['state']}"


def _angle(name: str, row: Row) -> str:
    sd = row.get(f"{name}_sd_deg")
    return f"{name} {row[f'{name}_deg']:+.1f}°" + ("" if sd is None else f" ± {sd:.1f}°")
