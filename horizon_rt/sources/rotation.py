"""Pictures of a camera that is mounted turned and does not say it."""

from __future__ import annotations

from dataclasses import replace

from horizon_rt.frame import Frame
from horizon_rt.sources.base import Source, SourceInfo, WrappedSource
from horizon_rt.sources.orientation import quarter_turns, upright

__all__ = ["rotated"]


def rotated(source: Source, degrees: int) -> Source:
    """The source with its frames turned clockwise by 90, 180 or 270 degrees, as views."""
    return _Rotated(source, degrees)


class _Rotated(WrappedSource):
    def __init__(self, source: Source, degrees: int) -> None:
        super().__init__(source)
        self._turn = quarter_turns(-degrees // 90)
        self.info, self.on_gpu = _info(source.info, degrees), False

    def _next_frame(self) -> Frame | None:
        frame = self._source.read()
        return None if frame is None else replace(frame, planes=upright(frame.planes, self._turn))


def _info(info: SourceInfo, degrees: int) -> SourceInfo:
    if degrees == 180:
        return replace(info, turned_left=not info.turned_left)
    turned_left = degrees == 270 and not info.turned_left
    return replace(
        info,
        width=info.height,
        height=info.width,
        turned_left=turned_left,
        pixel_aspect=1 / info.pixel_aspect,
    )
