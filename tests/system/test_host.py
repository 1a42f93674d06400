"""What differs between operating systems, with stand-ins for those that are not this one."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from av.device import DeviceInfo
from support.bench import bench_result

import horizon_rt
from horizon_rt.bench import doctor
from horizon_rt.bench.tables import make_tables
from horizon_rt.sinks import display_available
from horizon_rt.system import host
from horizon_rt.training.batches import prepare_worker

UNIX = {"fcntl", "grp", "posix", "pwd", "resource", "termios", "tty"}
# Of the modules that are everywhere, as the Python documentation has them with "Availability: Unix", and what
# asks for the system.
UNIX_NAMES = {
    "os": {
        "chown",
        "fchmod",
        "fork",
        "getegid",
        "geteuid",
        "getgid",
        "getloadavg",
        "getpgid",
        "getuid",
        "killpg",
        "major",
        "mkfifo",
        "name",
        "nice",
        "pread",
        "sched_getaffinity",
        "set_blocking",
        "setpgid",
        "setsid",
        "statvfs",
        "sysconf",
        "uname",
    },
    "socket": {"AF_UNIX"},
    "signal": {
        "SIGHUP",
        "SIGKILL",
        "SIGUSR1",
        "SIGUSR2",
        "alarm",
        "pthread_kill",
        "pthread_sigmask",
        "setitimer",
    },
    "sys": {"platform"},
}


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "resource", None)
    for name in ("nice", "sched_getaffinity", "getuid"):
        monkeypatch.delattr(f"os.{name}", raising=False)


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr("os.sched_getaffinity", raising=False)


def test_what_differs_stands_in_one_place() -> None:
    package = Path(horizon_rt.__file__).parent
    found = []
    for path in package.rglob("*.py"):
        if path != Path(host.__file__):
            nodes = list(ast.walk(ast.parse(path.read_text())))
            names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
            names |= {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
            pairs = [
                (n.value.id, n.attr)
                for n in nodes
                if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
            ]
            used = [f"{a}.{b}" for a, b in pairs if b in UNIX_NAMES.get(a, ())]
            found += [f"{path.relative_to(package)}: {name}" for name in (*(names & UNIX), *used)]
    assert found == []


@pytest.mark.usefixtures("windows")
def test_windows_has_no_unit_of_priority_and_no_account_of_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    for name in ("torch.set_num_threads", "cv2.setNumThreads", "signal.signal"):
        monkeypatch.setattr(name, lambda *_: None)
    prepare_worker(0)
    assert host.peak_memory_mb() is None
    assert host.usable_cores() == 6
    assert host.temporary_name("stem") == "stem"
    assert host.is_private(tmp_path)
    assert not host.uses_v4l2()
    assert display_available()
    with pytest.raises(OSError, match="no sockets"):
        host.unix_socket()


def test_the_peak_of_memory_is_in_the_unit_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: SimpleNamespace(ru_maxrss=3 * 2**20))
    monkeypatch.setitem(sys.modules, "resource", usage)
    for platform, mb in (("linux", 3 * 1024), ("darwin", 3)):
        monkeypatch.setattr(sys, "platform", platform)
        assert host.peak_memory_mb() == mb


def test_a_report_without_an_account_of_memory_says_so() -> None:
    result = bench_result()
    tables = make_tables([result, type(result)(**{**_fields(result), "peak_memory_mb": None})])
    means = next(table for table in tables if table.title == "Means")
    assert [row[-2] for row in means.rows] == [f"{result.peak_memory_mb:.0f}", "not measured"]


def _fields(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__slots__}  # type: ignore[attr-defined]


def test_cameras_of_macos_and_windows_are_listed_by_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def listed(format_name: str) -> list[DeviceInfo]:
        asked.append(format_name)
        return [
            DeviceInfo("0", "FaceTime HD Camera", True, ["video"]),
            DeviceInfo("0", "Microphone", True, ["audio"]),
            DeviceInfo("1", "USB Camera", False, ["video"]),
        ]

    monkeypatch.setattr("av.device.enumerate_input_devices", listed)
    for platform in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        finding = doctor.examine_part("cameras")
        assert (finding.state, finding.text) == ("ok", "0 FaceTime HD Camera; 1 USB Camera")
    assert asked == ["avfoundation", "dshow"]


@pytest.mark.usefixtures("macos")
def test_a_system_that_lists_no_cameras_has_none() -> None:
    finding = doctor.examine_part("cameras")  # this FFmpeg has no avfoundation
    assert (finding.state, finding.text) == ("none", "no camera found")


def test_the_doctor_says_that_the_gpu_of_a_mac_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    finding = doctor.examine_part("GPU")
    assert finding.state == "none"
    assert "Apple" in finding.text
    assert "CPU" in finding.text
