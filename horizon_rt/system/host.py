"""The operating system: all that differs between Linux, macOS and Windows stands here."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = [
    "ARGUMENTS_CAN_BE_HIDDEN",
    "CUDA_VIDEO_LIBRARY",
    "FOLDERS_CAN_BE_LOCKED",
    "OPEN_FILES_CAN_BE_RENAMED",
    "PIPES_CAN_BE_AWAITED",
    "STOP_SIGNALS",
    "control_device",
    "find_cameras",
    "give_back_memory",
    "has_cuda_driver",
    "has_library",
    "interrupts_blocked",
    "is_private",
    "lock_file",
    "lower_priority",
    "lower_thread_priority",
    "make_nonblocking",
    "needs_display_server",
    "peak_memory_mb",
    "spare_cores",
    "temporary_name",
    "unix_socket",
    "usable_cores",
    "uses_v4l2",
]

CUDA_VIDEO_LIBRARY = "nvcuvid.dll" if sys.platform == "win32" else "libnvcuvid.so.1"
"""The part of the CUDA driver that decodes video."""
PIPES_CAN_BE_AWAITED = sys.platform != "win32"
"""Whether `select` takes pipes."""
ARGUMENTS_CAN_BE_HIDDEN = sys.platform != "win32"
"""Whether a process can change what the list of processes shows of it."""
FOLDERS_CAN_BE_LOCKED = sys.platform != "win32"
OPEN_FILES_CAN_BE_RENAMED = sys.platform != "win32"
STOP_SIGNALS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
"""What asks a program to end: Ctrl-C, a service manager, and (SIGHUP) a terminal that closes."""
if sys.platform != "win32":
    STOP_SIGNALS = (*STOP_SIGNALS, signal.SIGHUP)
_CAMERA_FORMATS = {"darwin": "avfoundation", "win32": "dshow"}  # of FFmpeg


def has_cuda_driver() -> bool:
    """Whether a driver for CUDA is installed; takes no time, as the import of PyTorch would."""
    return has_library("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def has_library(name: str) -> bool:
    """Whether a shared library can be loaded."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def usable_cores() -> int:
    """Cores that this process may use, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def lower_priority() -> None:
    """Let other processes come first, where a process can ask for that."""
    nice = getattr(os, "nice", None)
    if nice is not None:
        nice(5)


def lower_thread_priority() -> None:
    """Let other threads come before this one and those that it starts, where a thread can ask for that."""
    if sys.platform == "linux":  # elsewhere it would be the whole process
        lower_priority()


def give_back_memory() -> None:
    """Have the C library return the pages that it keeps for later; glibc alone does so on demand."""
    if sys.platform == "linux" and has_library("libc.so.6"):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def peak_memory_mb() -> float | None:
    """The most that this process has held in memory, in MiB; None where the system does not tell."""
    try:
        import resource
    except ModuleNotFoundError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20  # type: ignore[attr-defined,unused-ignore]


def temporary_name(stem: str) -> str:
    """A name for a folder of this user in the temporary folder, which all users may share."""
    user = getattr(os, "getuid", None)
    return stem if user is None else f"{stem}-{user()}"


def is_private(folder: Path) -> bool:
    """Whether a folder is this user's own and nobody else can write there; on Windows by its place."""
    user = getattr(os, "getuid", None)
    if user is None:
        return True
    facts = folder.lstat()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == user() and not facts.st_mode & 0o022


def uses_v4l2() -> bool:
    """Whether cameras are files such as /dev/video0."""
    return sys.platform == "linux"


def find_cameras() -> tuple[list[str], list[str]]:
    """Cameras, each with its name after a space, and those of /dev/video* that this user may not open."""
    if not uses_v4l2():
        return _listed_cameras(), []
    devices = sorted(Path("/dev").glob("video*"))
    usable = [device for device in devices if os.access(device, os.R_OK | os.W_OK)]
    return [*map(_camera_name, usable)], [device.name for device in devices if device not in usable]


def _camera_name(device: Path) -> str:
    try:
        return f"{device} {Path('/sys/class/video4linux', device.name, 'name').read_text().strip()}"
    except OSError:
        return str(device)


def _listed_cameras() -> list[str]:
    """In the order in which they are numbered; none where FFmpeg cannot ask this system."""
    from av.device import enumerate_input_devices
    from av.error import FFmpegError

    try:
        found = enumerate_input_devices(_CAMERA_FORMATS.get(sys.platform, ""))
    except (FFmpegError, ValueError):
        return []
    names = [camera.description for camera in found if "video" in camera.media_types]
    return [f"{number} {name}" for number, name in enumerate(names)]


def needs_display_server() -> bool:
    """Whether a window needs an X or Wayland server, which may be absent."""
    return sys.platform.startswith("linux")


def unix_socket(kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """A socket for addresses that are paths; raises OSError where there are none."""
    if sys.platform == "win32":
        raise OSError("this system has no sockets of that kind")
    else:  # noqa: RET506 (mypy follows the branches)
        return socket.socket(socket.AF_UNIX, kind)


def make_nonblocking(path: str) -> None:
    """Let reads of an open device file of Linux return at once when there is nothing yet.

    FFmpeg's v4l2 has no option for it, but the driver looks at the flags of the open file on every read.
    """
    if sys.platform == "linux":
        device = os.stat(path).st_rdev
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):  # closed meanwhile
                if os.fstat(int(name)).st_rdev == device:
                    os.set_blocking(int(name), False)


def spare_cores(used: int) -> int:
    """Cores that this process may use beside `used` of them, at least 1."""
    return max(1, usable_cores() - used)


if sys.platform == "win32":
    import msvcrt

    # Windows locks bytes instead of files; those far behind the end are in nobody's way.
    _FAR = 1 << 62

    def control_device(descriptor: int, request: int, data: bytearray) -> None:
        """Raises OSError: Windows has no such requests."""
        raise OSError("this system has no requests to devices")

    def lock_file(descriptor: int) -> None:
        """Lock an open file for this process; raises OSError where another one has it."""
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

    @contextmanager
    def interrupts_blocked() -> Iterator[None]:
        """Without effect: Windows has no signals to block."""
        yield

else:
    import fcntl
    from multiprocessing.resource_tracker import ensure_running
    from signal import SIG_BLOCK, SIG_SETMASK, pthread_sigmask

    def control_device(descriptor: int, request: int, data: bytearray) -> None:
        """Have a driver answer a request in `data`, which it may change (ioctl); raises OSError."""
        fcntl.ioctl(descriptor, request, data, True)

    def lock_file(descriptor: int) -> None:
        """Lock an open file or folder for this process; raises OSError where another one has it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @contextmanager
    def interrupts_blocked() -> Iterator[None]:
        """`STOP_SIGNALS` wait until the block has ended; processes started in it never get them."""
        ensure_running()  # starting it later would let both through
        mask = pthread_sigmask(SIG_BLOCK, STOP_SIGNALS)
        try:
            yield
        finally:
            pthread_sigmask(SIG_SETMASK, mask)
