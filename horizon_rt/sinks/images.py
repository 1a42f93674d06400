"""Overlay pictures for sources that are folders of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from horizon_rt.errors import OutputError
from horizon_rt.sinks.base import Sink, SinkContext
from horizon_rt.system.files import output_error, write_atomic

if TYPE_CHECKING:
    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon
    from horizon_rt.sinks.overlay import Overlay

__all__ = ["ImageSink"]

_KEPT_SUFFIXES = (".jpg", ".jpeg", ".png")


class ImageSink(Sink):
    """Writes each picture with its overlay into a folder, under its own name.

    JPEG stays JPEG, everything else becomes PNG, `x.tif` as `x.tif.png`; a frame without a name is
    `frame_000123.png`. Every picture is whole or absent, and none replaces a picture of the source.
    """

    def __init__(self, folder: Path | str, context: SinkContext, overlay: Overlay) -> None:
        """Make the folder; raises OutputError, also when it is that of the source."""
        self._folder, self._overlay = Path(folder), overlay
        self._originals = {_identity(picture) for picture in context.pictures} - {None}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(folder, error) from error
        source = Path(context.source)
        home = source if source.is_dir() else source.parent
        if home.exists() and self._folder.samefile(home):
            raise self._would_replace()

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        image = self._overlay.render(frame, horizon).to_bgr()[: frame.height, : frame.width]
        path = _overlay_path(self._folder, frame.name, frame.index)
        if _identity(path) in self._originals:
            raise self._would_replace()
        write_atomic(path, cv2.imencode(path.suffix, image)[1].tobytes())

    def _finish(self) -> None:
        """Every picture is finished already."""

    def _would_replace(self) -> OutputError:
        return OutputError(
            f"overlays in {self._folder} would replace the pictures there; choose another folder"
        )


def _overlay_path(folder: Path, name: str | None, index: int) -> Path:
    """Where the overlay of a picture goes, by its name or number: always inside the folder."""
    parts = [p for p in Path(name or "").parts if p not in ("..", "/", ".")]
    file = Path(*parts) if parts else Path(f"frame_{index:06d}.png")
    return folder / (file if file.suffix.lower() in _KEPT_SUFFIXES else file.with_name(f"{file.name}.png"))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
