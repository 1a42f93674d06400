"""A part of a recording: from one time to another, every Nth frame."""

from __future__ import annotations

from dataclasses import replace

from horizon_rt.errors import SourceError
from horizon_rt.frame import Frame
from horizon_rt.options import Part
from horizon_rt.sources.base import Source, SourceInfo, WrappedSource

__all__ = ["part_of"]


def part_of(source: Source, part: Part) -> Source:
    """The frames of a source that belong to the part, or the source itself if that is the whole.

    They keep their times and are counted anew. Raises SourceError where there is none, and
    for a live source.
    """
    if part.is_whole:
        return source
    try:
        return _PartOf(source, part)
    except BaseException:
        source.close()
        raise


class _PartOf(WrappedSource):
    def __init__(self, source: Source, part: Part) -> None:
        super().__init__(source)
        self._part, self._seen = part, 0
        whole, self.info = source.info, _info(source.info, part)
        if whole.live:
            raise SourceError(f"{whole.name} is live; --start, --end and --every are for recordings")
        self._first = self._next()
        if self._first is None:
            length = "" if whole.duration_s is None else f"; it is {whole.duration_s:.2f} s long"
            raise SourceError(f"{whole.name}: no frame between --start and --end{length}")

    def _next_frame(self) -> Frame | None:
        frame, self._first = self._first, None
        return frame or self._next()

    def _next(self) -> Frame | None:
        while (frame := self._source.read()) is not None:
            if self._part.end_s is not None and frame.time_s >= self._part.end_s:
                return None
            if frame.time_s < self._part.from_s:
                continue
            index, beyond = divmod(self._seen, self._part.stride)
            self._seen += 1
            if beyond == 0:
                return replace(frame, index=index)
        return None


def _info(info: SourceInfo, part: Part) -> SourceInfo:
    rate = None if part.key_only or info.frame_rate is None else info.frame_rate / part.stride
    ends = [end_s for end_s in (part.end_s, info.duration_s) if end_s is not None]
    length = max(min(ends) - part.from_s, 0.0) if ends else None
    return replace(info, frame_rate=rate, frame_count=None, duration_s=length)
