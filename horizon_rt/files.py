"""Files that are whole or absent under their name."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path

from horizon_rt.errors import OutputError

__all__ = ["PartialFile", "make_folder", "output_error", "toml_text", "write_whole"]


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


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is whole or absent, with missing folders; raises OutputError."""
    file = PartialFile(path)
    try:
        file.write(data)
    except OSError as error:
        file.close()
        raise file.failure(error) from error
    file.commit()


def toml_text(value: str) -> str:
    """A string of TOML, which Python only reads: JSON's is one, but for the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
