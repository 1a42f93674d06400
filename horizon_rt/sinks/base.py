"""What every sink shares: the life cycle, the context it opens with, and safe files."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from horizon_rt.errors import OutputError

if TYPE_CHECKING:
    from horizon_rt.camera import CameraModel
    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon

__all__ = ["PartialFile", "Sink", "SinkContext", "output_error", "write_whole"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkContext:
    """What a sink may need when it opens.

    `width` and `height` are those of the source in px; `frame_rate` is nominal, None where it is unknown and
    for pictures. `assumed` names what was guessed, such as 'hfov 70°'. `still` is true for folders of
    pictures, and `pictures` are their files.
    """

    source: str
    width: int
    height: int
    camera: CameraModel
    frame_rate: float | None = None
    model: str = ""
    version: str = ""
    assumed: tuple[str, ...] = ()
    still: bool = False
    pictures: tuple[Path, ...] = ()


class Sink(ABC):
    """Takes every frame with its horizon, in order, from one thread.

    `close` finishes the output and gives it its final name. `abort` lets go of what is written under a
    partial name, still readable. Both may be called again without effect. As a context manager a sink
    closes on a normal end and on Ctrl-C, and aborts on any other exception. A write that fails aborts the
    sink and raises OutputError; `close` does nothing after that.
    """

    _done = False

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

    def close(self) -> None:
        """Finish the output and give it its final name; raises OutputError when that fails."""
        if self._done:
            return
        self._done = True
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
            self.close()
        else:
            self.abort()


def output_error(target: Path | str, error: OSError, partial: Path | None = None) -> OutputError:
    """One line: which output, why, where the written part lies, what to do."""
    kept = f"; what was written is in {partial}" if partial is not None else ""
    reason = error.strerror or str(error)
    return OutputError(f"cannot write {target}: {reason}{kept}; free space or choose another place")


class PartialFile:
    """A binary file that bears the name NAME.partial until it is whole.

    It offers write, seek and tell as a raw file does, unbuffered, so that a killed process leaves all
    that was written. After a failed write it takes no more, so that nobody can damage what lies on the
    disk. A target that exists and is no regular file, such as a pipe or /dev/null, is written in place.
    """

    def __init__(self, target: Path | str) -> None:
        """Open NAME.partial, with missing folders; raises OutputError."""
        self.target = Path(target)
        in_place = self.target.exists() and not (self.target.is_file() or self.target.is_dir())
        self.path = self.target if in_place else self.target.with_name(self.target.name + ".partial")
        self.error: OSError | None = None
        try:
            if self.target.is_dir():
                raise IsADirectoryError(0, "it is a folder; give a file name")
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "wb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise output_error(target, error) from error

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of it; raises OSError now and ever after once that failed."""
        if self.error is not None:
            raise self.error
        view = memoryview(data)
        total, done = view.nbytes, 0
        try:
            while done < total:
                done += self._file.write(view[done:])
        except OSError as error:
            self.error = error
            raise
        return total

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As `io.RawIOBase.seek`."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As `io.RawIOBase.tell`."""
        return self._file.tell()

    def truncate(self, size: int) -> None:
        """Cut to `size` bytes, where the target can be cut."""
        with suppress(OSError):
            self._file.truncate(size)

    def commit(self) -> None:
        """Flush to the disk, close and give the final name; raises OutputError."""
        if self._file.closed:
            return
        try:
            if self.path != self.target:
                os.fsync(self._file.fileno())
            self._file.close()
            if self.path != self.target:
                os.replace(self.path, self.target)
        except OSError as error:
            raise self.failure(error) from error

    def close(self) -> None:
        """Close under the partial name."""
        with suppress(OSError):
            self._file.close()

    def remove(self) -> None:
        """Close and delete the partial file."""
        self.close()
        if self.path != self.target:
            self.path.unlink(missing_ok=True)

    def failure(self, error: OSError) -> OutputError:
        """The error to show to the user."""
        return output_error(self.target, error, self.path if self.path != self.target else None)


def write_whole(target: Path, data: bytes | memoryview) -> None:
    """Write a file whole or not at all; raises OutputError."""
    file = PartialFile(target)
    try:
        file.write(data)
    except OSError as error:
        file.close()
        raise file.failure(error) from error
    file.commit()
