"""Files that are whole or absent, written by one run at a time, on disks that are full."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import RunCli, full_disk, write_horizon
from support.sinks import ROOT

from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.profile_files import save_profile
from horizon_rt.errors import OutputError
from horizon_rt.system import locks
from horizon_rt.system.files import AtomicFile, append_line, free_name, write_atomic

posix = pytest.mark.skipif(os.name == "nt", reason="needs signals and locks of POSIX")
HOLD = """
import sys, time
from horizon_rt.system.files import AtomicFile
file = AtomicFile(sys.argv[1])
file.write(b"theirs")
print("open", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is writing `out.jsonl`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out.jsonl")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    yield child
    child.kill()
    child.communicate()


@posix
def test_what_another_run_writes_is_refused_until_that_dies(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    target, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    for attempt in (AtomicFile, lambda path: write_atomic(path, b"mine")):
        with pytest.raises(OutputError, match=r"out\.jsonl: another run is writing it; choose another"):
            attempt(target)
        assert partial.read_bytes() == b"theirs"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    write_atomic(target, b"mine")
    assert target.read_bytes() == b"mine"
    assert not partial.exists()


def test_a_target_is_free_again_once_its_file_is_closed(tmp_path: Path) -> None:
    target = tmp_path / "a"
    for end in (AtomicFile.commit, AtomicFile.close, AtomicFile.remove):
        file = AtomicFile(target)
        with pytest.raises(OutputError, match="another run"):
            AtomicFile(target)
        end(file)
    write_atomic(target, b"last")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@posix
def test_a_second_run_into_one_folder_fails_at_once_and_leaves_the_first_alone(
    cli: RunCli, holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    clip = write_horizon(tmp_path / "out.mkv", 3)
    done = cli("track", clip, "--out", tmp_path)
    assert (done.code, len(done.errors)) == (1, 1)
    assert "another run is writing it" in done.err
    assert (tmp_path / "out.jsonl.partial").read_bytes() == b"theirs"
    assert not (tmp_path / "out.jsonl").exists()


@posix
def test_a_partial_name_that_leads_elsewhere_is_never_followed(tmp_path: Path) -> None:
    victim = tmp_path / "precious"
    victim.write_text("kept")
    (tmp_path / "a.partial").symlink_to(victim)
    (tmp_path / "b.partial").symlink_to(tmp_path / "made")
    os.mkfifo(tmp_path / "c.partial")
    (tmp_path / "d.partial").mkdir()
    for name, reason in {"a": "symbolic link", "b": "symbolic link", "c": "", "d": "directory"}.items():
        with pytest.raises(OutputError, match=f"cannot write .*{name}.*{reason}"):
            write_atomic(tmp_path / name, b"mine")
    assert victim.read_text() == "kept"
    assert not (tmp_path / "made").exists()


@posix
def test_a_link_put_there_in_the_last_moment_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.partial").symlink_to(tmp_path / "made")
    monkeypatch.setattr(Path, "is_symlink", lambda _path: False)
    with pytest.raises(OutputError, match="cannot write"):
        write_atomic(tmp_path / "a", b"mine")
    assert not (tmp_path / "made").exists()


@posix
def test_a_file_that_another_run_finished_between_opening_and_locking_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = AtomicFile(tmp_path / "a")
    other.write(b"theirs")
    lock, finish = locks.lock_file, [other.commit]

    def late(descriptor: int) -> None:
        if finish:
            finish.pop()()
            assert (tmp_path / "a").read_bytes() == b"theirs"
        lock(descriptor)

    monkeypatch.setattr(locks, "lock_file", late)
    mine = AtomicFile(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"theirs"
    mine.write(b"mine")
    mine.commit()
    assert (tmp_path / "a").read_bytes() == b"mine"


def test_a_file_system_without_locks_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_descriptor: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "lock_file", none)
    write_atomic(tmp_path / "a", b"mine")
    assert (tmp_path / "a").read_bytes() == b"mine"


@posix
def test_a_folder_is_locked_until_its_block_ends(tmp_path: Path) -> None:
    with (
        locks.lock_folder(tmp_path),
        pytest.raises(OSError, match="another run"),
        locks.lock_folder(tmp_path),
    ):
        pass
    with locks.lock_folder(tmp_path):
        pass


# --- full disks


@posix
@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_line_that_finds_no_room_leaves_nothing_of_itself(tmp_path: Path, left: int) -> None:
    path = tmp_path / "log.jsonl"
    append_line(path, b"one\n")
    with full_disk(4 + left), pytest.raises(OutputError, match=r"cannot write .*log\.jsonl: File too large"):
        append_line(path, b"second\n")
    assert path.read_bytes() == b"one\n"
    append_line(path, b"third\n")
    assert path.read_bytes() == b"one\nthird\n"


@posix
def test_a_full_disk_never_leaves_a_part_under_the_final_name(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"old")
    with full_disk(2), pytest.raises(OutputError, match="File too large"):
        write_atomic(tmp_path / "a", b"newer")
    assert (tmp_path / "a").read_bytes() == b"old"


@posix
@pytest.mark.parametrize(
    "words",
    [
        ("cameras", "convert", "hfov70", "out.yaml"),
        ("calibrate", "--print-board", "out.svg"),
    ],
    ids=["convert", "board"],
)
def test_commands_leave_no_empty_file_on_a_full_disk(words: tuple[str, ...], tmp_path: Path) -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
    code += "from horizon_rt.cli import main; main()"
    (before := tmp_path / words[-1]).write_text("the one before")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: cannot write {words[-1]}: File too large")
    assert before.read_text() == "the one before"


@posix
def test_a_calibration_on_a_full_disk_leaves_no_empty_profile(tmp_path: Path) -> None:
    with full_disk(100), pytest.raises(OutputError, match=r"camera\.toml: File too large"):
        save_profile(CameraProfile.from_hfov(640, 480, 70), tmp_path / "camera.toml")
    assert not (tmp_path / "camera.toml").exists()


def test_a_free_name_is_nobodys(tmp_path: Path) -> None:
    target = tmp_path / "run.1.jsonl"
    assert free_name(target) == target
    target.touch()
    (tmp_path / "run.1-2.jsonl.partial").touch()
    (tmp_path / "run.1-3.jsonl").symlink_to("nowhere")
    assert free_name(target) == tmp_path / "run.1-4.jsonl"
    assert free_name(tmp_path) == tmp_path
    assert free_name(Path("/dev/null")) == Path("/dev/null")
