"""Locks on what is being written; the system lets go of them when their process ends or is killed."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from horizon_rt.system.host import FOLDERS_CAN_BE_LOCKED, lock_file

__all__ = ["lock_folder", "open_locked"]

_TAKEN = "another run is writing it"


def open_locked(path: Path) -> io.FileIO:
    """A file to write, emptied, that no other run can open like this before it is closed.

    Raises OSError, for a file that another run is writing and for a symbolic link or a pipe, too: these
    would lead elsewhere.
    """
    while True:
        if path.is_symlink():
            raise OSError(errno.ELOOP, f"{path.name} beside it is a symbolic link")
        careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | careful, 0o666)
        file = io.FileIO(descriptor, "wb")
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, f"{path.name} beside it is no file")
            _lock_or_refuse(descriptor)
            if _bears_name(descriptor, path):  # else another run has just finished it
                file.truncate(0)
                return file
        except BaseException:
            file.close()
            raise
        file.close()


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other runs that lock this folder, too, out of it; without effect on Windows. Raises OSError."""
    if not FOLDERS_CAN_BE_LOCKED:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock_or_refuse(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock_or_refuse(descriptor: int) -> None:
    try:
        lock_file(descriptor)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            raise OSError(error.errno, _TAKEN) from error
        # Some network file systems know no locks.


def _bears_name(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
