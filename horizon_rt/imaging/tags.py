"""What a video file says of itself beside its pictures: colour, and when and with what it was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from av.error import FFmpegError
from av.video.stream import VideoStream

from horizon_rt.imaging.opening import open_input

if TYPE_CHECKING:
    from av.container import OutputContainer

__all__ = ["VideoTags"]

# Of the file itself, not of what it shows.
_OWN = {
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "handler_name",
    "vendor_id",
    "duration",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTags:
    """Colour primaries and transfer as numbers of ITU-T H.273 (2 where unknown), and the metadata.

    `aspect` is the width of a stored pixel by its height, and `size` that of the stored picture in px.
    """

    primaries: int = 2
    transfer: int = 2
    metadata: Mapping[str, str] = field(default_factory=dict)
    aspect: Fraction = Fraction(1)
    size: tuple[int, int] = (1, 1)

    @classmethod
    def of(cls, path: Path | str) -> VideoTags:
        """Those of a file; none where it cannot be read."""
        try:
            with open_input(path) as container:
                stream = container.streams.best("video")
                kept = {key: text for key, text in container.metadata.items() if key.lower() not in _OWN}
                if not isinstance(stream, VideoStream) or stream.codec_context is None:
                    return cls(metadata=kept)
                codec = stream.codec_context
                return cls(
                    primaries=int(codec.color_primaries),
                    transfer=int(codec.color_trc),
                    metadata=kept,
                    aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
                    size=(codec.width, codec.height),
                )
        except (FFmpegError, UnicodeError):
            return cls()

    def upright_aspect(self, width: int, height: int) -> Fraction:
        """The width of a pixel by its height in the upright picture of this size in px."""
        is_turned = (width > height) != (self.size[0] > self.size[1])
        return 1 / self.aspect if is_turned else self.aspect

    def write(self, container: OutputContainer, stream: VideoStream) -> None:
        """Put them into a file that has not begun."""
        container.metadata.update(self.metadata)
        stream.codec_context.color_primaries = self.primaries
        stream.codec_context.color_trc = self.transfer
        aspect = self.upright_aspect(stream.width, stream.height)
        if aspect != 1:
            stream.codec_context.sample_aspect_ratio = aspect
