"""Files and standard input."""

from __future__ import annotations

import os
import select
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from av.codec.hwaccel import HWAccel
from av.error import FFmpegError

from horizon_rt.errors import DecodeError, SourceError, SourceNotFound
from horizon_rt.imaging.opening import open_failure, open_input
from horizon_rt.options import WHOLE, DecoderChoice, Part
from horizon_rt.sources.container import ContainerOptions, ContainerSource
from horizon_rt.sources.gpu import accelerator_for
from horizon_rt.system.host import PIPES_CAN_BE_AWAITED
from horizon_rt.system.objects import open_object

__all__ = ["open_file", "open_stdin", "open_stored"]

# FFmpeg plays plain text as a terminal recording.
_NOT_VIDEO = {"tty"}
_POLL_S = 0.1


def open_file(
    path: str | Path, *, threads: int = 0, decoder: DecoderChoice = "cpu", part: Part = WHOLE
) -> ContainerSource:
    """Open a video file; what the GPU does not decode is decoded on the CPU.

    Frames before `part` may be passed over, and those that are not coded whole if only the others count.

    Raises SourceNotFound where there is no file, SourceError where it cannot be read and DecodeError where
    it holds no picture.
    """
    _check_readable(Path(path))
    accelerator = accelerator_for(decoder)
    if accelerator is not None:
        with suppress(DecodeError):
            source = _opened(path, threads, part, accelerator)
            if source.on_gpu:
                return source
            source.close()
    return _opened(path, threads, part)


def open_stored(address: str, *, threads: int = 0, part: Part = WHOLE) -> ContainerSource:
    """Open a video in an object store, of which as much is read as is needed; raises as `open_file`."""
    file = open_object(address)
    try:
        container = open_input(file)
    except FFmpegError as error:
        file.close()
        raise open_failure(address, error) from error
    return ContainerSource(
        container,
        ContainerOptions(
            name=address, kind="file", threads=threads, from_s=part.from_s, key_only=part.key_only
        ),
    )


def _opened(
    path: str | Path, threads: int, part: Part, accelerator: HWAccel | None = None
) -> ContainerSource:
    name = str(path)
    try:
        container = open_input(path, hwaccel=accelerator)
    except (FFmpegError, UnicodeError) as error:
        raise open_failure(name, error) from error
    if container.format.name in _NOT_VIDEO:
        container.close()
        raise DecodeError(f"{name}: plain text, not a video")
    return ContainerSource(
        container,
        ContainerOptions(name=name, kind="file", threads=threads, from_s=part.from_s, key_only=part.key_only),
    )


def _check_readable(path: Path) -> None:
    try:
        status = path.stat()
    except PermissionError as error:
        raise SourceError(f"{path}: no permission to look into its folder") from error
    except (OSError, ValueError) as error:
        raise SourceNotFound(f"{path}: no such file, folder or camera; check the name") from error
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path}: no permission to read it; see chmod +r")
    if path.is_file() and status.st_size == 0:
        raise DecodeError(f"{path}: the file is empty (0 bytes); was it copied completely?")


def open_stdin(
    stream: BinaryIO | None = None,
    *,
    threads: int = 0,
    decoder: DecoderChoice = "cpu",
    part: Part = WHOLE,
) -> ContainerSource:
    """Read a video from a pipe, standard input by default.

    The container must be readable from front to back (MPEG-TS, Matroska, raw H.264, MP4 with its index in
    front). Raises DecodeError, or SourceError where standard input is a terminal.
    """
    closing = threading.Event()
    pipe = _Pipe(stream or _standard_input(), closing)
    try:
        container = open_input(pipe, hwaccel=accelerator_for(decoder))
    except FFmpegError as error:
        if not pipe.has_given:
            raise DecodeError("stdin: nothing came through the pipe; look at what should fill it") from error
        raise DecodeError(f"{open_failure('stdin', error)}; MPEG-TS and Matroska can be piped") from error
    return ContainerSource(
        container,
        ContainerOptions(name="stdin", kind="stdin", threads=threads, key_only=part.key_only),
        closing=closing,
    )


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():
        raise SourceError("stdin: nothing is piped in; use for example: cat clip.ts | horizon-rt live -")
    return sys.stdin.buffer


class _Pipe:
    """Blocking reads that end when `closing` is set; offers no seek, so that FFmpeg does not try."""

    def __init__(self, stream: BinaryIO, closing: threading.Event) -> None:
        # Unbuffered, since select does not see what a buffer holds.
        self._stream = getattr(stream, "raw", stream)
        self._closing = closing
        self.has_given = False
        self._selectable = PIPES_CAN_BE_AWAITED and _has_descriptor(self._stream)

    def read(self, size: int) -> bytes:
        while self._selectable and not self._closing.is_set():
            if select.select([self._stream], [], [], _POLL_S)[0]:
                break
        data = b"" if self._closing.is_set() else self._stream.read(size) or b""
        self.has_given |= bool(data)
        return data


def _has_descriptor(stream: BinaryIO) -> bool:
    try:
        stream.fileno()
    except (OSError, AttributeError):
        return False
    return True
