"""What every sink shares: the life cycle and the context it opens with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from horizon_rt.errors import OutputError

if TYPE_CHECKING:
    from horizon_rt.camera import Camera
    from horizon_rt.frame import Frame
    from horizon_rt.geometry import Mount
    from horizon_rt.horizon import Horizon

__all__ = ["RecordSink", "RecordSwitch", "Sink", "SinkContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkContext:
    """What a sink may need when it opens.

    `width` and `height` are those of the source in px; `frame_rate` is nominal, None where it is unknown and
    for pictures. `assumed` names what was guessed, such as 'hfov 70°'. `is_image_set` is true for folders of
    pictures, and `pictures` are their files. `backend` ran the net, `options` are those that were asked for.
    The times of a video are those of the frames less `starts_s`; `is_whole` says that nothing of it is left
    out. A `live` run cannot be done again. With a `mount` the angles are the vehicle's. From
    `height_m` over the sea the horizon is seen below level, which is corrected.
    """

    source: str
    width: int
    height: int
    camera: Camera
    frame_rate: float | None = None
    starts_s: float = 0.0
    is_whole: bool = True
    model: str = ""
    version: str = ""
    assumed: tuple[str, ...] = ()
    is_image_set: bool = False
    pictures: tuple[Path, ...] = ()
    backend: str = ""
    live: bool = False
    options: Mapping[str, str | float] = field(default_factory=dict)
    mount: Mount | None = None
    height_m: float | None = None


class RecordSwitch(Protocol):
    """What starts and stops a recording, from any thread; `failure` says why it cannot record now."""

    @property
    def recording(self) -> bool:
        """Whether it is started."""

    @property
    def failure(self) -> str:
        """Why nothing is recorded though it is started; empty where it is."""

    def start(self) -> None:
        """Record from now on."""

    def stop(self) -> None:
        """Record no more."""


class Sink(ABC):
    """Takes every frame with its horizon, in order, from one thread.

    `close` finishes the output and gives it its final name. `abort` lets go of what is written under a
    partial name, still readable. Both may be called again without effect. As a context manager a sink
    closes on a normal end and on Ctrl-C, and aborts on any other exception. A write that fails aborts the
    sink and raises OutputError; `close` does nothing after that.
    """

    _done = _complete = False

    def write(self, frame: Frame, horizon: Horizon) -> None:
        """Take one frame; raises OutputError when it cannot be stored, ValueError after `close`."""
        if self._done:
            raise ValueError(f"{type(self).__name__} is closed")
        try:
            self._write(frame, horizon)
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):
                self.abort()
            raise

    def close(self, *, complete: bool = True) -> None:
        """Finish the output and give it its final name; raises OutputError when that fails.

        `complete` says that it holds every frame of the source, as a run that was cut short does not.
        """
        if self._done:
            return
        self._done, self._complete = True, complete
        self._finish()

    def abort(self) -> None:
        """Let go of the output under its partial name; never raises OutputError."""
        if self._done:
            return
        self._done = True
        with suppress(OutputError):
            self._abandon()

    @property
    def wants_stop(self) -> bool:
        """True once the user asked this sink to end the run, as by closing its window."""
        return False

    @abstractmethod
    def _write(self, frame: Frame, horizon: Horizon) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...

    def _abandon(self) -> None:
        self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self.close(complete=kind is None)
        else:
            self.abort()


class RecordSink(Sink):
    """A sink that needs the horizons alone, not the pictures; `_still` where each is a picture by itself."""

    _still = False

    @abstractmethod
    def put(self, horizon: Horizon) -> None:
        """Write the record of a frame whose picture is not at hand; raises OutputError."""

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        named = self._still and horizon.file is None
        self.put(replace(horizon, file=frame.name) if named else horizon)
