"""A video file that grows by whole fragments, so that it can be read at any moment."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from horizon_rt.errors import OutputError
from horizon_rt.system.files import AtomicFile

__all__ = ["FragmentFile"]

_FRAGMENT = b"moof"  # the box that a fragment of MP4 begins with


class FragmentFile:
    """What a muxer writes through; `flush` puts it on the disk at once, `commit` ends it.

    There is no file before its first fragment, as nobody could read it. Where a flush fails the file stays as
    it was before, and takes no more.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.size = 0
        self._held = bytearray()
        self._start = 0  # where in the file the held bytes begin
        self._file: AtomicFile | None = None
        self._error: OSError | OutputError | None = None

    def write(self, data: bytes | memoryview) -> int:
        """Take bytes; they are held until the next flush (PyAV)."""
        self._held += data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As `io.RawIOBase.seek` (PyAV); what fails is raised by the next flush."""
        at = (0, self.tell(), max(self.size, self.tell()))[whence] + offset
        with suppress(OSError, OutputError):  # which PyAV would print
            self._put()
            self._opened().seek(at)
        self._start = at
        return at

    def tell(self) -> int:
        """As `io.RawIOBase.tell` (PyAV)."""
        return self._start + len(self._held)

    def flush(self) -> None:
        """Write what is held, once there is a fragment; raises OSError and OutputError."""
        if self._file is not None or _FRAGMENT in self._held:
            self._put()

    def sync(self) -> None:
        """Have the disk hold all that is written."""
        if self._file is not None:
            self._file.sync()

    def commit(self) -> None:
        """Give the file its final name; raises OSError and OutputError."""
        self._put()
        self._opened().commit()

    def close(self) -> None:
        """Let go of it under its partial name."""
        if self._file is not None:
            self._file.close()

    def _put(self) -> None:
        held, self._held = self._held, bytearray()
        if self._error is not None:
            raise self._error
        try:
            self._opened().write(held)
        except (OSError, OutputError) as error:
            self._error = error
            if self._file is not None:
                self._file.truncate(self.size)
            raise
        self._start += len(held)
        self.size = max(self.size, self._start)

    def _opened(self) -> AtomicFile:
        if self._file is None:
            self._file = AtomicFile(self.target)
        return self._file
