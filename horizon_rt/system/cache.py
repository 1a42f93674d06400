"""What can be made again and is kept for the next start: compiled kernels and converted nets."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from horizon_rt.system.host import is_private, temporary_name

__all__ = ["cache_folder", "keep", "kept", "said", "say_once", "seal", "unseal"]

_log = logging.getLogger(__name__)
said: set[str] = set()
"""What `say_once` has told."""
_DIGEST = hashlib.sha256
_DIGEST_SIZE = _DIGEST().digest_size


def cache_folder() -> Path | None:
    """A folder that this user can write.

    It is that of HORIZON_RT_CACHE, else the usual one for caches, else, which one line says, one in the
    temporary folder; None where that cannot be written, or is another user's.
    """
    from platformdirs import user_cache_path

    wanted = Path(os.environ.get("HORIZON_RT_CACHE") or user_cache_path("horizon-rt"))
    refusal = _refusal(wanted)
    if refusal is None:
        return wanted
    temporary = _temporary_folder()
    instead = "each start makes it anew" if temporary is None else f"it is kept in {temporary}"
    hint = f"{instead}; HORIZON_RT_CACHE names another folder"
    say_once(str(wanted), f"what is compiled cannot be kept in {wanted}: {refusal}; {hint}")
    return temporary


def _refusal(folder: Path) -> str | None:
    """Why nothing can be written there; None where it can."""
    if folder.parts[:1] == ("~",):
        return "this user has no home"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _temporary_folder() -> Path | None:
    """A folder of this user alone, as whoever can write there can have code of theirs run by us."""
    try:
        folder = Path(tempfile.gettempdir(), temporary_name("horizon-rt"))
        return folder if _refusal(folder) is None and is_private(folder) else None
    except OSError:
        return None


def say_once(what: str, message: str) -> None:
    """Warn of something for the first time, and in the process that the user started."""
    if what not in said and multiprocessing.parent_process() is None:
        _log.warning("%s", message)
    said.add(what)


def seal(data: bytes) -> bytes:
    """The data behind their checksum."""
    return _DIGEST(data).digest() + data


def unseal(sealed: bytes) -> bytes:
    """What was sealed; raises ValueError if it is damaged, as after a power cut."""
    data = sealed[_DIGEST_SIZE:]
    if _DIGEST(data).digest() != sealed[:_DIGEST_SIZE]:
        raise ValueError("damaged")
    return data


def kept(name: str) -> bytes | None:
    """What `keep` was given under this name; None where it is not there. A damaged file is dropped."""
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / name
    try:
        return unseal(path.read_bytes())
    except OSError:
        return None
    except ValueError:
        _log.warning("%s is damaged and is made anew", path)
        with suppress(OSError):
            path.unlink()
        return None


def keep(name: str, data: bytes) -> None:
    """Have `kept` find the data at the next start, if they can be written; others may be writing, too."""
    folder = cache_folder()
    if folder is None:
        return
    try:
        _write(folder / name, seal(data))
    except OSError as error:
        _log.warning("%s cannot be kept in %s: %s", name, folder, error.strerror)


def _write(path: Path, data: bytes) -> None:
    handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
