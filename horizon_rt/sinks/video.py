"""Overlay video."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from horizon_rt.imaging.video_writer import VideoWriter
from horizon_rt.options import EncodeOptions
from horizon_rt.sinks.base import Sink, SinkContext

if TYPE_CHECKING:
    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon
    from horizon_rt.imaging.tags import VideoTags
    from horizon_rt.sinks.overlay import Overlay

__all__ = ["VideoSink"]

_log = logging.getLogger(__name__)


class VideoSink(Sink):
    """Encodes the overlay video to .mp4, .m4v, .mov or .mkv.

    The time of each picture is `frame.time_s - context.starts_s`. The size is that of the first frame, made
    even; for later frames of another size, `audio_from`, `encoder`, `coding` and `tags` see `VideoWriter`.
    Overlays have 8 bits; one line tells where the frames have more.
    """

    def __init__(
        self,
        target: Path | str,
        context: SinkContext,
        overlay: Overlay,
        *,
        audio_from: Path | str | None = None,
        encoder: str | None = None,
        coding: EncodeOptions | None = None,
        tags: VideoTags | None = None,
    ) -> None:
        """Open the file; raises OutputError."""
        self._overlay, self._starts_s = overlay, context.starts_s
        self._writer = VideoWriter(
            target,
            frame_rate=context.frame_rate,
            audio_from=audio_from,
            encoder=encoder,
            coding=coding,
            tags=tags,
        )
        self._target, self._told = target, False

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        if frame.sampling.bit_depth > 8 and not self._told:
            self._told = True
            depth = frame.sampling.bit_depth
            _log.warning("%s: the %d bits of the pictures become 8 in an overlay", self._target, depth)
        self._writer.write(self._overlay.render(frame, horizon), frame.time_s - self._starts_s)

    def _finish(self) -> None:
        self._writer.close()

    def _abandon(self) -> None:
        self._writer.abort()
