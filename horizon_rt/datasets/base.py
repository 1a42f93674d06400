"""What every dataset gives: frames with labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from horizon_rt.errors import DatasetError, SourceError
from horizon_rt.geometry import UpVector

if TYPE_CHECKING:
    from horizon_rt.camera import Camera
    from horizon_rt.frame import Frame

__all__ = [
    "NO_CLASS",
    "Colours",
    "Dataset",
    "Ends",
    "Example",
    "Keep",
    "Label",
    "LabelledFrame",
    "MaskFile",
    "PictureSet",
    "Recording",
    "TruthKind",
    "VideoSet",
]

TruthKind = Literal["line", "mask", "attitude"]
Keep = Callable[[str], bool]
Ends = tuple[float, float, float, float]
Colours = tuple[tuple[int, int, int], ...]
NO_CLASS = 255
"""Of a pixel that is of no class that a mask knows."""
_SLIGHT, _FEW = 24, 0.01
"""By how much the channels of a grey mask may differ, and in which part of its pixels by more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFile:
    """A picture of the truth: grey, 128 and more above the horizon, or with RGB colours of the sky side.

    Pixels of a `void` colour do not count. `classes` are the colours of several classes, the first of which
    is the sky; then what is of no class does not count.
    """

    path: Path
    sky: Colours = ()
    void: Colours = ()
    classes: tuple[Colours, ...] = ()

    def read(self, width: int, height: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None]:
        """The sky side and, with void colours, what counts; (height, width). Raises DatasetError."""
        image = _sized(self.path, width, height)
        if not self.sky:
            return _grey(image, self.path) >= 128, None
        if self.classes:
            return _among(image, self.sky), _among(image, sum(self.classes, ()))
        return _among(image, self.sky), ~_among(image, self.void) if self.void else None

    def read_classes(self, width: int, height: int) -> NDArray[np.uint8] | None:
        """The number of each pixel's class, (height, width), `NO_CLASS` where it is of none; None without
        classes. Raises DatasetError.
        """
        if not self.classes:
            return None
        image = _sized(self.path, width, height)
        found = np.full((height, width), NO_CLASS, np.uint8)
        for number, colours in enumerate(self.classes):
            found[_among(image, colours)] = number
        return found


def _grey(bgr: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """Raises DatasetError for a mask of colours, which greys do not tell."""
    if (np.ptp(bgr, axis=2) > _SLIGHT).mean() > _FEW:
        raise DatasetError(f"{path} is coloured: name its colours as [classes] in dataset.toml")
    return bgr[:, :, 1]


def _sized(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    image = _read_picture(path)
    if image.shape[:2] != (height, width):
        rows, columns = image.shape[:2]
        raise DatasetError(f"{path} is {columns}x{rows}, but its picture is {width}x{height}")
    return image


def _read_picture(path: Path) -> NDArray[np.uint8]:
    import cv2

    from horizon_rt.imaging.picture import read_picture

    try:
        return read_picture(path, cv2.IMREAD_COLOR)
    except SourceError as error:
        raise DatasetError(str(error)) from error


def _among(bgr: NDArray[np.uint8], colours: Colours) -> NDArray[np.bool_]:
    packed = (bgr.astype(np.uint32) * (1, 256, 65536)).sum(axis=2)
    return np.isin(packed, [65536 * r + 256 * g + b for r, g, b in colours])


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is known of a frame.

    `in_view` says whether a horizon shows, None where nobody said. `ends` are two points (x1, y1, x2, y2) of
    the horizon in px, with `centred` relative to the middle of the picture and y up. `up` is the attitude,
    `mask` the file of the mask.
    """

    in_view: bool | None = None
    ends: Ends | None = None
    sky_above: bool = True
    centred: bool = False
    up: UpVector | None = None
    mask: MaskFile | None = None

    def ends_in(self, width: int, height: int) -> Ends | None:
        """The two points in px of a picture of this size, x right and y down from the top left pixel."""
        if self.ends is None or not self.centred:
            return self.ends
        x1, y1, x2, y2 = self.ends
        cx, cy = (width - 1) / 2, (height - 1) / 2
        return cx + x1, cy - y1, cx + x2, cy - y2


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A picture file with its label; `time_s` orders the pictures of a recording."""

    path: Path
    label: Label | None
    scene: str
    time_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A video file with the labels of its frames by index."""

    path: Path
    labels: Mapping[int, Label]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFrame:
    """A frame, its label (None: not evaluated), its file within the dataset, and the recording it belongs to.

    `sequence` is empty for pictures that stand alone; `path` is the picture, or the video.
    """

    frame: Frame
    label: Label | None
    file: str
    path: Path
    scene: str
    sequence: str = ""


class Dataset(ABC):
    """Frames with truth; the labels are read when it is opened, the pictures one by one.

    `camera` is the lens, where the dataset knows it. `still` pictures stand alone; other frames follow one
    another in time.
    """

    def __init__(self, *, name: str, truth: TruthKind, still: bool, camera: Camera | None = None) -> None:
        self.name, self.truth, self.still, self.camera = name, truth, still, camera

    @abstractmethod
    def frames(self, keep: Keep | None = None) -> Iterator[LabelledFrame]:
        """All frames, or those of files whose name `keep` accepts; raises DatasetError or SourceError."""

    @abstractmethod
    def count(self, keep: Keep | None = None) -> int:
        """How many labels those frames have, for the progress."""

    def recording(self, sequence: str, keep: Keep | None = None) -> Iterator[LabelledFrame]:
        """Those of them that are of one recording."""
        return (one for one in self.frames(keep) if one.sequence == sequence)


class PictureSet(Dataset):
    """Picture files, each with its label."""

    def __init__(
        self,
        examples: Sequence[Example],
        *,
        name: str,
        truth: TruthKind,
        still: bool = True,
        camera: Camera | None = None,
    ) -> None:
        super().__init__(name=name, truth=truth, still=still, camera=camera)
        self.examples = tuple(examples)

    def frames(self, keep: Keep | None = None) -> Iterator[LabelledFrame]:
        """See `Dataset`."""
        from horizon_rt.sources.images import read_frame

        for index, example in enumerate(self.examples):  # numbers have gaps where frames are left out
            if not (keep is None or keep(example.path.name)):
                continue
            try:
                frame = read_frame(example.path, index=index)
            except SourceError as error:
                raise DatasetError(str(error)) from error
            if not self.still:
                frame = replace(frame, time_s=example.time_s)
            yield LabelledFrame(
                frame=frame,
                label=example.label,
                file=example.path.name,
                path=example.path,
                scene=example.scene,
                sequence="" if self.still else self.name,
            )

    def count(self, keep: Keep | None = None) -> int:
        """See `Dataset`."""
        return sum(keep is None or keep(e.path.name) for e in self.examples)


class VideoSet(Dataset):
    """Videos with the truth of their frames; frames without a label are read but not evaluated."""

    def __init__(
        self,
        clips: Sequence[Recording],
        *,
        name: str,
        truth: TruthKind,
        scene: str,
        camera: Camera | None = None,
    ) -> None:
        super().__init__(name=name, truth=truth, still=False, camera=camera)
        self.clips, self.scene = tuple(clips), scene

    def frames(self, keep: Keep | None = None) -> Iterator[LabelledFrame]:
        """See `Dataset`."""
        from horizon_rt.sources import open_source

        for clip in self._kept(keep):
            with open_source(clip.path) as source:
                for frame in source:
                    yield LabelledFrame(
                        frame=frame,
                        label=clip.labels.get(frame.index),
                        file=clip.path.name,
                        path=clip.path,
                        scene=self.scene,
                        sequence=clip.path.name,
                    )

    def recording(self, sequence: str, keep: Keep | None = None) -> Iterator[LabelledFrame]:
        """See `Dataset`; the other videos are not read."""
        return self.frames(lambda name: name == sequence and (keep is None or keep(name)))

    def count(self, keep: Keep | None = None) -> int:
        """See `Dataset`."""
        return sum(len(clip.labels) for clip in self._kept(keep))

    def _kept(self, keep: Keep | None) -> list[Recording]:
        return [clip for clip in self.clips if keep is None or keep(clip.path.name)]
