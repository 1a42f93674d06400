"""What every source is: a stream of frames with a description, that can be closed from any thread."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from horizon_rt.errors import SourceError

if TYPE_CHECKING:
    from horizon_rt.frame import Frame

__all__ = ["Health", "Receiving", "Source", "SourceInfo", "SourceKind", "WrappedSource", "as_live"]

_log = logging.getLogger(__name__)

_STALL_S, _USUAL_RATE_HZ = 1.0, 25.0

SourceKind = Literal["file", "images", "device", "stdin", "synthetic", "network"]


Receiving = Literal["receiving", "stalled", "reconnecting", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a live source fares: `age_s` of its newest frame, how often it was opened anew, and why last."""

    state: Receiving
    age_s: float
    reconnects: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What is known of a source before it is read.

    `width` and `height` are those of the first upright frame in px; later frames may differ. `frame_rate`
    is the average in Hz, `frame_count` what the container declares (for images: the number of files) and
    `duration_s` the declared length in seconds; each is None where it is unknown. `live` sources produce
    frames whether or not they are read. `still` means that each picture is on its own, so that nothing is
    filtered over time; `pictures` are then the files. `turned_left` is True where stored pictures are turned
    counterclockwise by a quarter to stand upright. `pixel_aspect` is the width of a pixel by its height in
    the upright picture.
    """

    name: str
    kind: SourceKind
    width: int
    height: int
    frame_rate: float | None = None
    frame_count: int | None = None
    duration_s: float | None = None
    live: bool = False
    is_image_set: bool = False
    pictures: tuple[Path, ...] = ()
    turned_left: bool = False
    pixel_aspect: float = 1.0

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height of the picture as a player shows it, in square pixels."""
        return max(1, round(self.width * self.pixel_aspect)), self.height


class Source(ABC):
    """A stream of frames.

    Iterate over it, or call `read` until it returns None. Frames stay valid after the source is closed.
    `warnings` holds one line for everything that was repaired or skipped; each is logged as well.

    Subclasses set `info` and implement `_next_frame` and, if they hold anything, `_release`. Neither of the
    two is ever called at the same time as the other or as itself; a `_next_frame` that waits must watch
    `_closing`.
    """

    info: SourceInfo
    on_gpu = False
    """Whether the first frame is in the memory of a GPU."""
    released = False
    """Whether what the source held is given back, as it is soon after `close`."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self.reopener: Callable[[], Source] | None = None
        self._came_s = time.monotonic()

    @abstractmethod
    def _next_frame(self) -> Frame | None:
        """Return the next frame, or None at the end."""

    def _release(self) -> None:  # noqa: B027 - holding nothing is usual
        """Give back what the source holds; called once."""

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end and after `close`.

        Raises SourceError when the source fails in a way that no further frame can follow.
        """
        try:
            with self._lock:
                frame = None if self._closing.is_set() else self._next_frame()
                self._came_s = self._came_s if frame is None else time.monotonic()
            return as_live(frame) if frame is not None and self.info.live else frame
        finally:
            self._release_if_closing()

    @property
    def health(self) -> Health | None:
        """How a live source fares now; None of others."""
        if not self.info.live:
            return None
        age_s = time.monotonic() - self._came_s
        return Health(state="receiving" if age_s <= self.patience_s else "stalled", age_s=age_s)

    @property
    def patience_s(self) -> float:
        """How long a live source may give no frame until it has stalled: a second and two intervals."""
        return _STALL_S + 2 / (self.info.frame_rate or _USUAL_RATE_HZ)

    def reopen(self) -> Source:
        """Open the same once more, from its start; this source may be closed by then.

        `reopener` does it, which `open_source` sets where that is possible; other sources may set it, too.
        Raises SourceError where nothing can be read twice, and as `open_source` does.
        """
        if self.reopener is None:
            raise SourceError(f"{self.info.name} cannot be opened a second time")
        return self.reopener()

    def close(self) -> None:
        """Stop and release everything; may be called from any thread and more than once.

        It does not wait: a `read` that is under way in another thread ends by itself and releases then.
        """
        self._closing.set()
        self._release_if_closing()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    def _release_if_closing(self) -> None:
        # A decoder freed under a running read is a crash, so whoever leaves last releases.
        if not self._closing.is_set() or not self._lock.acquire(blocking=False):
            return
        try:
            if not self.released:
                self.released = True
                self._release()
        finally:
            self._lock.release()

    def warn(self, message: str) -> None:
        """Record and log a line in `warnings`."""
        self.warnings.append(message)
        _log.warning("%s", message)

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self.read()) is not None:
            yield frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def as_live(frame: Frame) -> Frame:
    """The frame as one that came just now, unless its source says when."""
    if frame.live:
        return frame
    return replace(frame, live=True, decoded_at_s=frame.decoded_at_s or time.perf_counter())


class WrappedSource(Source):
    """Another source's frames, as `_next_frame` of a subclass takes them from it; closes it, too."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.info, self.warnings, self.on_gpu = source.info, source.warnings, source.on_gpu
        self._source = source

    @property
    def health(self) -> Health | None:
        """That of the other source."""
        return self._source.health

    @property
    def patience_s(self) -> float:
        """That of the other source."""
        return self._source.patience_s

    def close(self) -> None:
        """As of any source; the other one may be waiting for a frame."""
        super().close()
        self._source.close()
