"""What a recording is asked to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Annotated, TypeVar

from horizon_rt.errors import OptionsError
from horizon_rt.options import Help
from horizon_rt.system.units import bytes_of, seconds_of

__all__ = ["RecordOptions"]

T = TypeVar("T", int, float)
_LONGEST_S = 6 * 3600.0  # an MP4 holds no longer gap than 6.6 h
_LONGEST_PRE_TRIGGER_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """Where and how to record; without `record` nothing is. Raises OptionsError."""

    record: Annotated[
        str | None,
        Help(
            text="Record video and telemetry into this folder, in segments.", metavar="FOLDER", named="file"
        ),
    ] = None
    record_overlay: Annotated[bool, Help(text="Record the picture with the overlay, or as it came.")] = False
    segment: Annotated[
        str, Help(text="Begin a new segment after this time, such as 10min.", metavar="TIME")
    ] = "10min"
    segment_size: Annotated[
        str | None, Help(text="Begin a new segment at this size, such as 1GB.", metavar="SIZE")
    ] = None
    keep: Annotated[
        str | None,
        Help(text="Delete the oldest segments of the folder beyond this size, such as 20GB.", metavar="SIZE"),
    ] = None
    record_on_demand: Annotated[bool, Help(text="Wait with recording until it is started.")] = False
    pre_trigger: Annotated[
        str, Help(text="Begin with what came this long before the start, such as 10s.", metavar="TIME")
    ] = "10s"

    def __post_init__(self) -> None:
        if self.record is None:
            given = [item.name for item in fields(self) if getattr(self, item.name) != item.default]
            if given:
                raise OptionsError(f"--{given[0].replace('_', '-')} goes with --record FOLDER")
        elif not self.record or "://" in self.record:
            raise OptionsError("--record takes a folder")
        if not 1 <= self.segment_s <= _LONGEST_S:
            raise OptionsError(f"--segment lies between 1s and {_LONGEST_S / 3600:g}h, got {self.segment}")
        if self.pre_trigger_s > _LONGEST_PRE_TRIGGER_S:
            longest = f"{_LONGEST_PRE_TRIGGER_S / 60:g}min"
            raise OptionsError(f"--pre-trigger is at most {longest}, as it is kept in memory")
        for name, size in (("--keep", self.keep_bytes), ("--segment-size", self._asked_bytes)):
            if size is not None and size < 1:
                raise OptionsError(f"{name} is more than nothing")

    def at(self, place: Callable[[str], str]) -> RecordOptions:
        """The same for another folder, which `place` makes of this one's name."""
        return self if self.record is None else replace(self, record=place(self.record))

    @property
    def segment_s(self) -> float:
        """The longest that a segment becomes, in seconds; the next key frame begins a new one."""
        return _parsed("--segment", self.segment, seconds_of, "30s, 10min or 1h")

    @property
    def pre_trigger_s(self) -> float:
        """How much is kept in memory while nothing is recorded, in seconds."""
        return _parsed("--pre-trigger", self.pre_trigger, seconds_of, "0, 10s or 1min")

    @property
    def segment_bytes(self) -> int | None:
        """The size in bytes at which a new segment begins, so that a quota keeps several."""
        quarter = None if self.keep_bytes is None else max(1, self.keep_bytes // 4)
        return min((size for size in (self._asked_bytes, quarter) if size is not None), default=None)

    @property
    def _asked_bytes(self) -> int | None:
        return self._bytes("--segment-size", self.segment_size)

    @property
    def keep_bytes(self) -> int | None:
        """How much the segments of the folder may take, in bytes."""
        return self._bytes("--keep", self.keep)

    @staticmethod
    def _bytes(name: str, text: str | None) -> int | None:
        return None if text is None else _parsed(name, text, bytes_of, "500MB or 20GB")


def _parsed(name: str, text: str, parse: Callable[[str], T], such_as: str) -> T:
    try:
        return parse(text)
    except ValueError:
        raise OptionsError(f"{name} takes an amount such as {such_as}, got {text!r}") from None
