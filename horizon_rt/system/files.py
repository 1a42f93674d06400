"""Files that are whole or absent under their name."""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from horizon_rt.errors import OutputError
from horizon_rt.system.host import OPEN_FILES_CAN_BE_RENAMED
from horizon_rt.system.locks import lock_folder, open_locked

__all__ = [
    "AtomicFile",
    "append_line",
    "free_name",
    "make_folder",
    "output_error",
    "own_folder",
    "partial_of",
    "toml_text",
    "write_atomic",
]


def output_error(target: Path | str, error: OSError, partial: Path | None = None) -> OutputError:
    """One line: which output, why, where the written part lies, what to do."""
    kept = f"; what was written is in {partial}" if partial is not None else ""
    reason = error.strerror or str(error)
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = "free space or choose another place" if full else "choose another place"
    return OutputError(f"cannot write {target}: {reason}{kept}; {advice}")


def make_folder(folder: Path) -> None:
    """Have a folder to write into before the work that fills it; raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Have a folder to write into, without other runs that want it like this, too; raises OutputError."""
    make_folder(folder)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_folder(folder))
        except OSError as error:
            raise output_error(folder, error) from error
        yield


_PARTIAL = ".partial"


def partial_of(target: Path) -> Path:
    """The name that a file bears until it is whole."""
    return target.with_name(target.name + _PARTIAL)


def free_name(target: Path) -> Path:
    """A name that no file bears, whole or partial: the target's, or NAME-2, NAME-3 and so on.

    What is no regular file, such as a folder, a pipe or /dev/null, keeps its name.
    """
    for number in itertools.count(1):
        name = target.name if number == 1 else f"{target.stem}-{number}{target.suffix}"
        free = target.with_name(name)
        if (free.exists() and not free.is_file()) or not any(map(os.path.lexists, (free, partial_of(free)))):
            return free
    raise AssertionError("there is always another number")


class AtomicFile:
    """A binary file that bears the name NAME.partial until it is whole.

    It offers write, seek and tell as a raw file does, unbuffered, so that a killed process leaves all
    that was written. After a failed write it takes no more, so that nobody can damage what lies on the
    disk. While it is open, no other run can write the same target. A target that exists and is no regular
    file, such as a pipe or /dev/null, is written in place.
    """

    def __init__(self, target: Path | str) -> None:
        """Open NAME.partial, with missing folders; raises OutputError."""
        self.target = Path(target)
        self.in_place = self.target.exists() and not (self.target.is_file() or self.target.is_dir())
        self.path = self.target if self.in_place else partial_of(self.target)
        self.error: OSError | None = None
        try:
            if self.target.is_dir():
                raise IsADirectoryError(0, "it is a folder; give a file name")
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._file = io.FileIO(self.path, "wb") if self.in_place else open_locked(self.path)
        except OSError as error:
            raise output_error(target, error) from error

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of it; raises OSError now and ever after once that failed."""
        if self.error is not None:
            raise self.error
        try:
            return _write_all(self._file, data)
        except OSError as error:
            self.error = error
            raise

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

    def sync(self) -> None:
        """Have the disk hold all that is written, where it can; may be called from any thread."""
        with suppress(OSError, ValueError):  # ValueError: it is closed meanwhile
            os.fsync(self._file.fileno())

    def commit(self) -> None:
        """Flush to the disk, close and give the final name; raises OutputError."""
        if self._file.closed:
            return
        try:
            if not self.in_place:
                os.fsync(self._file.fileno())
                if not OPEN_FILES_CAN_BE_RENAMED:
                    self._file.close()
                os.replace(self.path, self.target)  # before the lock goes, so that nobody can slip in
            self._file.close()
        except OSError as error:
            self.close()
            raise self.failure(error) from error

    def close(self) -> None:
        """Close under the partial name."""
        with suppress(OSError):
            self._file.close()

    def remove(self) -> None:
        """Close and delete the partial file; raises OSError where it cannot be deleted."""
        if not OPEN_FILES_CAN_BE_RENAMED:
            self.close()
        try:
            if not self.in_place:
                self.path.unlink(missing_ok=True)
        finally:
            self.close()

    def failure(self, error: OSError) -> OutputError:
        """The error to show to the user."""
        return output_error(self.target, error, None if self.in_place else self.path)


def write_atomic(path: Path, data: bytes | memoryview) -> None:
    """Write a file that is whole or absent, with missing folders; raises OutputError."""
    file = AtomicFile(path)
    try:
        file.write(data)
    except OSError as error:
        file.close()
        raise file.failure(error) from error
    file.commit()


def append_line(path: Path, data: bytes) -> None:
    """Add a line to a file: all of it or, as on a full disk, nothing; raises OutputError."""
    try:
        with io.FileIO(path, "ab") as file:
            size = file.seek(0, os.SEEK_END)
            try:
                _write_all(file, data)
            except OSError:
                with suppress(OSError):
                    file.truncate(size)
                raise
    except OSError as error:
        raise output_error(path, error) from error


def _write_all(file: io.FileIO, data: bytes | bytearray | memoryview) -> int:
    view = memoryview(data)
    total, done = view.nbytes, 0
    while done < total:
        done += file.write(view[done:])
    return total


def toml_text(value: str) -> str:
    """A string of TOML, which Python only reads: JSON's is one, but for the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
