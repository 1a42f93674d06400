"""Folders, patterns and single files of pictures."""

from __future__ import annotations

import glob
import os
import re
import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from horizon_rt.errors import DecodeError, SourceError, SourceNotFound
from horizon_rt.frame import Frame, Plane, Sampling
from horizon_rt.imaging.picture import load_picture, reason
from horizon_rt.imaging.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from horizon_rt.sources.base import Source, SourceInfo

__all__ = ["ImageSource", "frame_from_image", "natural_key", "open_images", "open_pictures", "read_frame"]

# As stored, grey or colour, 8 or 16 bits; unlike IMREAD_UNCHANGED these apply the EXIF orientation.
_READ_FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH


def open_images(spec: str | Path) -> ImageSource:
    """Open a folder, a glob pattern or one file of pictures, in natural order (img2 before img10).

    Raises SourceNotFound where nothing matches and DecodeError where no picture can be read.
    """
    path = Path(spec)
    if path.is_dir():
        return ImageSource(_in_folder(path), root=path, name=str(spec))
    if path.exists():
        return ImageSource([path], root=path.parent, name=str(spec))
    return _matching(str(spec))


def _in_folder(folder: Path) -> list[Path]:
    try:
        paths = _pictures(folder.iterdir())
    except PermissionError as error:
        raise SourceError(f"{folder}: no permission to list the folder; see chmod +rx") from error
    if not paths:
        raise DecodeError(f"{folder}: no pictures in this folder{_hint(folder)}")
    return paths


def _hint(folder: Path) -> str:
    if (inner := folder / "images").is_dir():
        return f"; did you mean {inner}?"
    if any(path.suffix.lower() in VIDEO_SUFFIXES for path in folder.iterdir()):
        return f"; for its videos use: horizon-rt batch {shlex.quote(str(folder))} --out results"
    return f" ({', '.join(sorted(IMAGE_SUFFIXES))})"


def _matching(pattern: str) -> ImageSource:
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]
    if not matches:
        raise SourceNotFound(f"{pattern}: no file matches; check the name or quote the pattern")
    paths = _pictures(matches)
    if not paths:
        raise DecodeError(f"{pattern}: matches {len(matches)} files, none of them a picture")
    return ImageSource(paths, root=_common_folder(paths), name=pattern)


def open_pictures(files: Sequence[str | Path]) -> ImageSource:
    """Open several files as one source, in natural order, as a shell gives them that has expanded a pattern.

    As of a pattern, what is no picture is left out. The name of the source is their folder with the first and
    the last of them. Raises SourceNotFound where one is missing and DecodeError where no picture can be read.
    """
    for file in files:
        if not os.path.exists(file):
            raise SourceNotFound(f"{file}: no such file; check the name")
    paths = _pictures({Path(os.path.abspath(file)) for file in files})
    if not paths:
        raise DecodeError(f"{files[0]} and what follows: none of {len(files)} files is a picture")
    root = _common_folder(paths)
    several = f"{paths[0].name} … {paths[-1].name} ({len(paths)} pictures)"
    return ImageSource(paths, root=root, name=str(root / several if len(paths) > 1 else paths[0]))


def _common_folder(paths: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths]))


def _pictures(paths: Iterable[Path]) -> list[Path]:
    chosen = [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    return sorted(chosen, key=lambda path: natural_key(str(path)))


def natural_key(text: str) -> list[tuple[int, str]]:
    """Sort key by which the numbers in a name count as numbers."""
    parts = re.findall(r"\d+|\D+", text)
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in parts] + [(-2, text)]


class ImageSource(Source):
    """Pictures one by one; `Frame.name` is the path relative to `root`, `time_s` the index.

    Colour becomes full range BT.601 4:4:4 with 8 bits; grey pictures are luma only, 8 or 16 bits. A file
    that cannot be read is skipped with a warning, as are all but the first picture of an animation. Raises
    DecodeError if no file can be read.
    """

    def __init__(self, paths: list[Path], *, root: Path, name: str) -> None:
        super().__init__()
        self._paths = iter(paths)
        self._root = root
        self._count = 0
        self._first = self._load_next()
        if self._first is None:
            raise DecodeError(f"{name}: none of {len(paths)} pictures can be read ({self.warnings[-1]})")
        self.info = SourceInfo(
            name=name,
            kind="images",
            width=self._first.width,
            height=self._first.height,
            frame_count=len(paths),
            is_image_set=True,
            pictures=tuple(paths),
        )

    def _next_frame(self) -> Frame | None:
        frame, self._first = self._first, None
        return frame or self._load_next()

    def _load_next(self) -> Frame | None:
        for path in self._paths:
            try:
                image, animated = _load(path)
            except (OSError, ValueError) as error:
                self.warn(f"{path}: picture skipped ({reason(error)})")
                continue
            if animated:
                self.warn(f"{path}: only the first picture of its animation is used; {_advice(path)}")
            return self._frame(image, path)
        return None

    def _frame(self, image: Plane, path: Path) -> Frame:
        frame = replace(
            frame_from_image(image, index=self._count),
            decoded_at_s=time.perf_counter(),
            name=path.relative_to(self._root).as_posix(),
        )
        self._count += 1
        return frame


def _load(path: Path) -> tuple[Plane, bool]:
    """The picture, and whether it is the first of an animation."""
    image, header = load_picture(path, _READ_FLAGS)
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False), header.animated
    if image.dtype == np.uint16:
        return image.astype(np.uint16, copy=False), header.animated
    raise ValueError(f"samples are {image.dtype}; save it with 8 or 16 bits")


def _advice(path: Path) -> str:
    return "give it by itself" if path.suffix.lower() == ".png" else "convert it to a video to track all"


def read_frame(path: Path, *, index: int = 0) -> Frame:
    """One picture file as a frame named after it, as `ImageSource` reads it; raises DecodeError."""
    try:
        return replace(frame_from_image(_load(path)[0], index=index), name=path.name)
    except (OSError, ValueError) as error:
        raise DecodeError(f"{path}: the picture cannot be read ({reason(error)})") from error


def frame_from_image(image: Plane, *, index: int) -> Frame:
    """From a BGR (height, width, 3) or grey (height, width) array with 8 or 16 bits; colour keeps 8."""
    if image.ndim == 2 and image.dtype == np.uint16:
        return Frame((image,), index, float(index), Sampling(16, full_range=True, matrix="bt601"))
    eight = (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image.astype(np.uint8, copy=False)
    return Frame.from_bgr(eight, index=index, time_s=float(index))
