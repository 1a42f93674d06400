"""What is kept between starts: folders that cannot be written, full disks, damaged files."""

from __future__ import annotations

import errno
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from numba.core.caching import IndexDataCacheFile
from support.cli import RunCli

import horizon_rt
from horizon_rt.models.weights import weights_folder
from horizon_rt.system import cache, kernels

TOY = """
from horizon_rt.system.kernels import kernel

@kernel()
def twice(x):
    return 2 * x
"""

Damage = Callable[[bytes], bytes]
DAMAGES: dict[str, Damage] = {
    "nothing left": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "end missing": lambda data: data[:-1],
    "zeros": lambda data: bytes(len(data)),
    "zeros at the end": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    "a bit of its middle": lambda data: _flipped(data, len(data) // 2),
    "its first bit": lambda data: _flipped(data, 0),
}


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "said", set())


@pytest.fixture
def toy(tmp_path: Path) -> Callable[[], ModuleType]:
    """Starts a module with a kernel anew, whose folder is its own."""
    path = tmp_path / "toy.py"
    path.write_text(TOY)

    def start() -> ModuleType:
        spec = importlib.util.spec_from_file_location("toy", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return start


def _files(folder: Path, suffix: str) -> list[Path]:
    return sorted(folder.rglob(f"*{suffix}"))


def test_a_kernel_is_compiled_once(toy: Callable[[], ModuleType]) -> None:
    first, again = toy(), toy()
    assert first.twice(2) == 4
    assert again.twice(3) == 6
    assert [
        sum(stats.values()) for stats in (first.twice.stats.cache_misses, again.twice.stats.cache_hits)
    ] == [1, 1]


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_kernel_is_compiled_anew(
    toy: Callable[[], ModuleType], tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str, damage: str
) -> None:
    assert toy().twice(2) == 4
    [file] = _files(tmp_path, suffix)
    whole = file.read_bytes()
    file.write_bytes(DAMAGES[damage](whole))
    assert toy().twice(2) == 4
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) <= 1
    assert file.read_bytes() != DAMAGES[damage](whole)
    after = toy()
    assert after.twice(2) == 4
    assert after.twice.stats.cache_hits
    assert sum(r.levelno == logging.WARNING for r in caplog.records) <= 1


def test_a_full_disk_is_one_line(
    toy: Callable[[], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(IndexDataCacheFile, "_save_data", full)
    module = toy()
    assert (module.twice(2), module.twice(2.5)) == (4, 5.0)
    [line] = caplog.messages
    assert str(tmp_path) in line
    assert "No space left" in line
    monkeypatch.undo()
    assert toy().twice(2) == 4


def test_kernels_go_into_the_cache_folder_where_their_own_cannot_be_written(
    toy: Callable[[], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "__pycache__").touch()  # no folder can be made there
    monkeypatch.setenv("HORIZON_RT_CACHE", str(tmp_path / "cache"))
    assert toy().twice(2) == 4
    assert toy().twice(2) == 4
    assert len(_files(tmp_path / "cache" / "kernels", ".nbc")) == 1
    assert caplog.messages == []


def test_the_temporary_folder_is_the_next_place_and_none_the_last(
    toy: Callable[[], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "__pycache__").touch()
    monkeypatch.setenv("HORIZON_RT_CACHE", str(tmp_path / "toy.py" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert toy().twice(2) == 4
    assert "is kept in" in caplog.text
    [folder] = tmp_path.glob("horizon-rt*")
    assert len(_files(folder, ".nbc")) == 1
    shutil.rmtree(folder)
    folder.touch()
    monkeypatch.setenv("HORIZON_RT_CACHE", str(tmp_path / "toy.py" / "other"))
    caplog.clear()
    module = toy()
    assert (module.twice(2), module.twice(3)) == (4, 6)
    assert len(caplog.messages) == 1
    assert "each start makes it anew" in caplog.text


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs the owners of POSIX")
def test_a_temporary_folder_that_others_can_write_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HORIZON_RT_CACHE", str(Path(__file__) / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = cache.cache_folder()
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert cache.cache_folder() is None
    folder.rmdir()
    (tmp_path / "theirs").mkdir()
    folder.symlink_to(tmp_path / "theirs")
    assert cache.cache_folder() is None


def test_a_home_that_is_unknown_leaves_no_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HORIZON_RT_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: Path("~/.cache", name))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert cache.cache_folder() == next(tmp_path.glob("horizon-rt*"))
    assert not Path("~").exists()


def test_what_is_kept_comes_back_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HORIZON_RT_CACHE", str(tmp_path))
    data = bytes(range(256)) * 9
    assert cache.kept("a") is None
    for damage in DAMAGES.values():
        cache.keep("a", data)
        assert cache.kept("a") == data
        (tmp_path / "a").write_bytes(damage((tmp_path / "a").read_bytes()))
        caplog.clear()
        assert cache.kept("a") is None
        assert "a is damaged and is made anew" in caplog.text
        assert list(tmp_path.iterdir()) == []


def test_the_first_run_is_told_by_what_is_kept(
    toy: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "caches", [])
    module = toy()
    assert not kernels.are_compiled()
    module.twice(2)
    assert kernels.are_compiled()


def test_an_error_of_the_end_of_a_file_is_one_line(
    cli: RunCli, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    def ends(*_: object, **__: object) -> None:
        raise EOFError("Ran out of input")

    monkeypatch.setattr("horizon_rt.pipeline.run.run", ends)
    monkeypatch.setattr("horizon_rt.sources.open_source", ends)
    done = cli("track", clip, "--telemetry", "-")
    assert done.code == 1
    [line] = done.errors
    assert "Ran out of input" in line
    assert "Aborted" not in done.err


def _unprivileged() -> list[str]:
    """What makes root heed the modes of files, as all other users do."""
    if not hasattr(os, "getuid") or os.getuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root writes everywhere, and there is no setpriv to change that")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]


@pytest.fixture
def read_only_install(tmp_path: Path) -> Iterator[Path]:
    """A copy of the package that nobody can write."""
    place = tmp_path / "install"
    shutil.copytree(
        Path(horizon_rt.__file__).parent,
        place / "horizon_rt",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copytree(weights_folder(), place / "weights")
    folders = [place, *(path for path in place.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield place
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs the modes of POSIX")
def test_a_read_only_install_without_a_home_tracks_a_clip(
    read_only_install: Path, clip: Path, tmp_path: Path
) -> None:
    """In containers and under systemd's DynamicUser; the second start finds what the first has compiled."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(read_only_install),
        "HOME": str(read_only_install / "nobody"),
        "TMPDIR": str(temporary),
    }
    command = [sys.executable, "-m", "horizon_rt", "track", str(clip), "--telemetry", "-", "--model", "nano"]
    for start in range(2):
        done = subprocess.run(
            [*_unprivileged(), *command], capture_output=True, text=True, env=environment, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(rows) == 13
        assert rows[-1]["roll_deg"] is not None
        assert done.stderr.count("cannot be kept") == 1
        assert ("compiles its kernels" in done.stderr) == (start == 0)
    assert len(_files(temporary, ".nbc")) > 10
    assert not _files(read_only_install, ".nbi")
