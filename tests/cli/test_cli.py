"""The command line: exit codes, messages, bad input, interrupts, full disks."""

from __future__ import annotations

import csv
import json
import logging
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from support import ROOT
from support.cli import LENS, VERBS, RunCli, horizon_luma, lines, pictures_in, write_horizon
from support.sources import av_frame, h264_clip, random_planes, write_clip, write_silence

from horizon_rt.camera import load_profile
from horizon_rt.cli import main
from horizon_rt.cli.console import print_table
from horizon_rt.errors import SourceNotFound
from horizon_rt.models import weights
from horizon_rt.pipeline import run
from horizon_rt.sources import SourceInfo, open_source
from horizon_rt.sources.names import output_name

Start = Callable[..., "subprocess.Popen[str]"]
ENDLESS = "synth:sea?size=48x32&seconds=100000"


def wait_for(condition: Callable[[], bool], child: subprocess.Popen[str], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.02)


def has_lines(path: Path, count: int) -> Callable[[], bool]:
    return lambda: path.exists() and path.read_bytes().count(b"\n") >= count


# --- what starts without the heavy packages


@pytest.mark.parametrize("code", ["import horizon_rt", "from horizon_rt.cli import main\nmain(['--help'])"])
def test_the_start_loads_no_heavy_package(code: str) -> None:
    after = (
        "import sys\nsys.stderr.write(' '.join({'torch', 'numba', 'cv2', 'av', 'numpy'} & set(sys.modules)))"
    )
    wrapped = (
        f"try:\n{_indent(code)}\nexcept SystemExit as end: assert not end.code\nfinally:\n{_indent(after)}"
    )
    done = subprocess.run([sys.executable, "-c", wrapped], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def _indent(code: str) -> str:
    return "\n".join("    " + line for line in code.splitlines())


def test_help_names_every_verb(cli: RunCli) -> None:
    done = cli("--help")
    assert (done.code, done.err) == (0, "")
    assert all(f" {verb} " in done.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(cli: RunCli, verb: str) -> None:
    assert cli(verb, "--help").code == 0


def test_version(cli: RunCli) -> None:
    from horizon_rt import __version__

    assert cli("--version").out == f"horizon-rt {__version__}\n"
    done = subprocess.run([sys.executable, "-m", "horizon_rt", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"horizon-rt {__version__}\n")


def test_the_names_of_the_package_are_listed() -> None:
    import horizon_rt

    assert {"HorizonTracker", "open_source", "Frame"} <= set(dir(horizon_rt))
    assert all(getattr(horizon_rt, name) is not None for name in dir(horizon_rt))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["track"],
        ["--camera"],
        ["track", "x.mp4", "--hfov", "0"],
        ["track", "x.mp4", "--hfov", "60", "--camera-profile", "hfov70"],
        ["track", "x.mp4", "--smooth", "much"],
        ["live", "0", "--size", "640"],
        ["live", "0", "--size", "-640x480"],
        ["live", "0", "--size", "0x0"],
        ["batch", "x.mp4"],
        ["track", "x.mp4", "--camera", "0"],
    ],
    ids=" ".join,
)
def test_usage_errors(cli: RunCli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert "Traceback" not in done.err


# --- what goes right


def test_track_writes_telemetry_and_overlay(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    done = cli("track", clip, "--out", tmp_path / "out")
    assert done.code == 0
    header, *records = lines(tmp_path / "out" / "flight.jsonl")
    assert header["schema"] == "horizon-rt/1"
    assert header["assumed"] == ["hfov 70°"]
    assert [record["frame"] for record in records] == list(range(12))
    assert [record["time_s"] for record in records] == pytest.approx(np.arange(12) / 25)
    assert pictures_in(tmp_path / "out" / "flight.overlay.mp4") == 12
    assert done.out == ""
    assert done.errors[0].startswith("12 frames in ")
    assert done.errors[1:] == [
        f"written: {tmp_path}/out/flight.jsonl",
        f"written: {tmp_path}/out/flight.overlay.mp4",
        LENS,
    ]


def test_telemetry_on_stdout_is_nothing_but_json_lines(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    done = cli("track", clip, "--telemetry", "-", "--telemetry", tmp_path / "t.csv")
    header, *records = [json.loads(line) for line in done.out.splitlines()]
    assert header["source"] == str(clip)
    assert len(records) == 12
    with (tmp_path / "t.csv").open() as table:
        assert len(list(csv.DictReader(table))) == 12


def test_options_reach_the_tracker(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    profile = ROOT / "calibration" / "hfov90.toml"
    for options in (["--hfov", "90"], ["--camera-profile", profile], ["--camera-profile", "hfov90"]):
        done = cli("track", clip, "--telemetry", "-", "--smooth", "none", *options)
        header, *records = [json.loads(line) for line in done.out.splitlines()]
        assert header["camera"]["fx"] == pytest.approx(48, rel=1e-3)
        assert all(record["roll_rate_dps"] is None for record in records)


def test_pictures_stand_alone(cli: RunCli, pictures: Path, tmp_path: Path) -> None:
    done = cli("track", pictures, "--out", tmp_path / "out")
    assert done.code == 0
    records = lines(tmp_path / "out" / "pictures.jsonl")[1:]
    assert [record["file"] for record in records] == ["a.png", "b.jpg", "c.png"]
    assert sorted(p.name for p in (tmp_path / "out" / "pictures.overlay").iterdir()) == [
        "a.png",
        "b.jpg",
        "c.png",
    ]


def test_a_lens_that_was_assumed_is_said_where_no_header_says_it(
    cli: RunCli, clip: Path, tmp_path: Path
) -> None:
    line = LENS
    table = ("--telemetry", tmp_path / "t.csv")
    assert cli("track", clip, *table).errors[-1] == line
    for more in (("--hfov", "70"), ("--camera-profile", "hfov70"), ("--telemetry", "-")):
        assert line not in cli("track", clip, *table, *more).err


def test_a_profile_is_read_once(cli: RunCli, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(run, "load_profile", lambda name: read.append(name) or load_profile(name))
    assert cli("track", clip, "--camera-profile", "hfov90", "--telemetry", "-").code == 0
    assert read == ["hfov90"]


def test_a_live_source_has_its_nominal_rate_in_the_header(cli: RunCli) -> None:
    done = cli("live", "lavfi:testsrc2=size=48x32:rate=20:duration=0.2", "--telemetry", "-", "--no-window")
    assert json.loads(done.out.splitlines()[0])["frame_rate"] == 20


def test_live_plays_a_recording_at_its_own_speed(
    cli: RunCli, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")  # where nobody answers
    start = time.monotonic()
    done = cli("live", clip, "--telemetry", "-")
    assert time.monotonic() - start > 0.4
    assert done.code == 0
    records = [json.loads(line) for line in done.out.splitlines()][1:]
    assert 1 <= len(records) <= 12
    assert done.errors[0] == "no display: going on without a window"


# --- bad input: one line, or a right result


def mangled(path: Path) -> Path:
    """Zeros in the middle of each of the packets' data, but not in the index."""
    data = bytearray(h264_clip(path, 40, 96, 64).read_bytes())
    start, end = data.find(b"mdat"), data.find(b"moov")
    assert 0 < start < end
    for place in range(start + 2000, end - 100, 1500):
        data[place : place + 60] = bytes(60)
    path.write_bytes(data)
    return path


BAD: dict[str, tuple[Callable[[Path], str | Path], str]] = {
    "missing": (lambda d: d / "nothing.mp4", "no such file"),
    "empty": (lambda d: (d / "empty.mp4", (d / "empty.mp4").touch())[0], "empty"),
    "text": (lambda d: (d / "text.mp4", (d / "text.mp4").write_text("hello\n" * 99))[0], "not a video"),
    "noise": (lambda d: (d / "noise.mp4", (d / "noise.mp4").write_bytes(os.urandom(9999)))[0], ""),
    "audio": (lambda d: write_silence(d / "sound.wav"), "no video in it"),
    "camera": (lambda d: "77", "no camera 77"),
    "device": (lambda d: "/dev/video77", "no camera"),
    "folder": (lambda d: d, "no pictures in this folder"),
    "pattern": (lambda d: d / "*.png", "no file matches"),
    "network": (lambda d: "rtsp://127.0.0.1:1/x", "nothing listens there"),
    "graph": (lambda d: "lavfi:nonsense", "not a filter graph"),
    "scene": (lambda d: "synth:moon", "unknown scene"),
    "nothing": (lambda d: "", "source is empty"),
    "newline": (lambda d: d / "two\nlines.mp4", "no such file"),
}


def test_live_tells_when_a_link_has_sent_its_first_message(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="needs the extra 'links'")
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{receiver.getsockname()[1]}"
        done = cli("live", clip, "--no-window", "--link", f"json://me:swordfish@{place}?rate=100")
        assert json.loads(receiver.recv(4096))["frame"] >= 0
    assert done.code == 0
    assert done.errors.count(f"telemetry goes to json://{place}") == 1
    assert "swordfish" not in done.err


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("verb", ["track", "live"])
def test_bad_sources_fail_with_one_line(cli: RunCli, tmp_path: Path, name: str, verb: str) -> None:
    make, reason = BAD[name]
    source = make(tmp_path)
    out = tmp_path / "out.jsonl"
    done = cli(verb, source, "--telemetry", out)
    assert done.code == 1
    assert len(done.errors) == 1, done.err
    assert done.err.startswith("error: ")
    assert reason in done.err
    assert not list(tmp_path.glob("out.jsonl*"))


def test_camera_is_short_for_live(cli: RunCli) -> None:
    for arguments in (["--camera", "77"], ["--camera=77", "--no-window"], ["--debug", "--version"]):
        done = cli(*arguments)
        assert done.code == ("77" in "".join(arguments))
        assert done.err == "" or done.err.startswith("error: no camera 77")


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(SourceNotFound, match="no camera 77"):
        main(["--debug", "--camera", "77"])


def test_an_error_that_nobody_foresaw(cli: RunCli, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by\nnothing")

    monkeypatch.setattr("horizon_rt.tracker.answer_for", broken)
    done = cli("track", clip, "--telemetry", "-")
    assert done.code == 1
    assert done.errors == [
        "error: unexpected ZeroDivisionError: by nothing; please report it with what --debug shows"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_sources(cli: RunCli, clip: Path, pictures: Path) -> None:
    for path in (clip, pictures):
        path.chmod(0)
        done = cli("track", path)
        path.chmod(0o755)
        assert done.code == 1
        assert "no permission" in done.err


@pytest.mark.parametrize("make", [mangled, lambda path: h264_clip(path, 40, 96, 64)])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_damaged_videos_give_what_they_have(
    cli: RunCli, tmp_path: Path, make: Callable[[Path], Path], share: float
) -> None:
    clip = make(tmp_path / "clip.mp4")
    if share < 1:
        make(clip.with_suffix(".ts") if make is not mangled else clip)
        clip = clip.with_suffix(".ts") if make is not mangled else clip
        clip.write_bytes(clip.read_bytes()[: int(share * clip.stat().st_size)])
    done = cli("track", clip, "--out", tmp_path / "out")
    if done.code == 0:
        count = len(lines(tmp_path / "out" / "clip.jsonl")) - 1
        assert 10 <= count <= 40
        assert pictures_in(tmp_path / "out" / "clip.overlay.mp4") == count
        advice = ("few frames hold", "no horizon was found")
        known = ("WARNING: ", "written: ", "lens assumed: ", *advice, f"{count} frames")
        assert all(e.startswith(known) for e in done.errors)
    else:
        assert (done.code, len(done.errors)) == (1, 1)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [(1, 1), (2, 1)])
def test_sizes_too_small_for_an_encoder(cli: RunCli, tmp_path: Path, size: tuple[int, int]) -> None:
    clip = write_clip(tmp_path / "clip.mkv", [av_frame("gray", (horizon_luma(*size),))] * 3)
    assert cli("track", clip, "--telemetry", tmp_path / "t.jsonl").code == 0
    assert [record["view"] for record in lines(tmp_path / "t.jsonl")[1:]].count("horizon") == 0
    done = cli("track", clip, "--overlay", tmp_path / "o.mp4")
    assert (done.code == 0 and pictures_in(tmp_path / "o.mp4") == 3) or (done.code, len(done.errors)) == (
        1,
        1,
    )


@pytest.mark.parametrize("size", [(1921, 1081), (8000, 100), (31, 500)])
def test_odd_sizes(cli: RunCli, tmp_path: Path, size: tuple[int, int]) -> None:
    frames = [av_frame("gray", (horizon_luma(*size),))] * 3
    clip = write_clip(tmp_path / "clip.mkv", frames)
    done = cli("track", clip, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    header, *records = lines(tmp_path / "out" / "clip.jsonl")
    assert (header["width"], header["height"], len(records)) == (*size, 3)
    assert pictures_in(tmp_path / "out" / "clip.overlay.mp4") == 3


def test_a_size_that_changes_in_mid_stream(cli: RunCli, tmp_path: Path) -> None:
    small = h264_clip(tmp_path / "small.h264", 10, 96, 64).read_bytes()
    (tmp_path / "clip.h264").write_bytes(
        small + h264_clip(tmp_path / "b.h264", 10, 160, 90).read_bytes() + small
    )
    done = cli("track", tmp_path / "clip.h264", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert len(lines(tmp_path / "out" / "clip.jsonl")) == 31
    assert pictures_in(tmp_path / "out" / "clip.overlay.mp4") == 30


def test_a_damaged_picture_among_good_ones(
    cli: RunCli, pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = (pictures / "a.png").read_bytes()
    (pictures / "bad.png").write_bytes(data[: len(data) // 2])
    (pictures / "none.jpg").touch()
    done = cli("track", pictures, "--telemetry", tmp_path / "t.jsonl")
    assert done.code == 0
    assert 4 <= len(lines(tmp_path / "t.jsonl")) <= 5
    assert "none.jpg: picture skipped" in caplog.text


def test_warnings_are_plain_lines(cli: RunCli) -> None:
    cli("--version")
    assert logging.lastResort is not None
    record = logging.makeLogRecord({"levelname": "WARNING", "msg": "%s: picture skipped", "args": ("d.png",)})
    assert logging.lastResort.format(record) == "WARNING: d.png: picture skipped"
    assert logging.lastResort.level == logging.WARNING


# --- bad output


def test_unknown_extensions(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    for option, name in (("--telemetry", "out.xml"), ("--overlay", "out.gif")):
        done = cli("track", clip, option, tmp_path / name)
        assert done.code == 1
        assert "unknown extension" in done.err
        assert len(done.errors) == 1
    assert sorted(tmp_path.iterdir()) == [clip]


def test_outputs_that_cannot_be_written(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for option, target in (
        ("--out", tmp_path / "file"),
        ("--telemetry", tmp_path / "file" / "t.jsonl"),
        ("--overlay", Path("/proc/o.mp4")),
        ("--overlay", tmp_path / ("x" * 300 + ".mp4")),
    ):
        done = cli("track", clip, option, target)
        assert (done.code, len(done.errors)) == (1, 1), done.err
        assert done.err.startswith("error: ")
        assert "unexpected" not in done.err


@pytest.mark.parametrize("how", ["same", "link", "hard link"])
def test_the_source_is_never_replaced(cli: RunCli, tmp_path: Path, how: str) -> None:
    clip = write_horizon(tmp_path / "flight.mp4", codec="mpeg4")
    before, target = clip.read_bytes(), tmp_path / "other.mp4"
    if how == "same":
        target = clip.parent / ".." / clip.parent.name / clip.name
    elif how == "link":
        target.symlink_to(clip)
    else:
        target.hardlink_to(clip)
    done = cli("track", clip, "--overlay", target)
    assert done.code == 1
    assert "is the source" in done.err
    assert clip.read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("pattern", ["**/*.jpg", "*/*.jpg", "*.jpg"])
def test_pictures_of_a_pattern_are_never_replaced(cli: RunCli, tmp_path: Path, pattern: str) -> None:
    photos = tmp_path / "photos"
    for name in ("a.jpg", "day/b.jpg", "day/day/b.jpg"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(photos / name), horizon_luma(96, 64))
    before = {path: path.read_bytes() for path in photos.rglob("*.jpg")}
    for folder in (photos, photos / "day"):
        done = cli("track", photos / pattern, "--overlay", folder)
        assert (done.code, "would replace" in done.err) in ((1, True), (0, False))
        assert {path: path.read_bytes() for path in before} == before
    assert cli("track", photos / "**/*.jpg", "--overlay", photos).code == 1


def test_two_outputs_of_one_name(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    done = cli("track", clip, "--telemetry", tmp_path / "t.csv", "--telemetry", f"{tmp_path}/./t.csv")
    assert done.code == 1
    assert "wanted for two outputs" in done.err
    assert cli("track", clip, "--telemetry", "/dev/null", "--telemetry", "/dev/null").code == 0
    done = cli("track", clip, "--telemetry", "-", "--telemetry", "-")
    assert (done.code, done.out, len(done.errors)) == (1, "", 1)
    assert "wanted for two outputs" in done.err


def test_a_failed_run_keeps_the_earlier_output(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("earlier")
    done = cli("track", clip, "--telemetry", tmp_path / "t.jsonl", "--overlay", "/proc/o.mp4")
    assert done.code == 1
    assert (tmp_path / "t.jsonl").read_text() == "earlier"


def test_damaged_weights(cli: RunCli, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = weights.weights_folder()
    for file in shipped.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    net = tmp_path / weights.find_model().path.name
    net.write_bytes(net.read_bytes()[:-1] + b"!")
    monkeypatch.setattr(weights, "weights_folder", lambda: tmp_path)
    done = cli("track", clip, "--telemetry", "-")
    assert (done.code, len(done.errors), done.out) == (1, 1, "")
    assert "sha256" in done.err
    assert cli("track", clip, "--model", "none").errors[-1].startswith("error: there is no model 'none'")
    (tmp_path / "manifest.toml").write_text("default = ")
    assert "manifest" in cli("track", clip).errors[-1]


# --- interrupts and full disks, in processes of their own


@pytest.mark.parametrize(
    ("verb", "number", "code"),
    [
        ("track", signal.SIGINT, 130),
        ("track", signal.SIGTERM, 130),
        ("live", signal.SIGINT, 0),
    ],
)
def test_interrupted_files_are_whole(
    process: Start, tmp_path: Path, verb: str, number: int, code: int
) -> None:
    telemetry, video = tmp_path / "t.jsonl", tmp_path / "o.mp4"
    source = ENDLESS if verb == "track" else "lavfi:testsrc2=size=48x32:rate=50"
    extra = [] if verb == "track" else ["--no-window"]
    child = process(verb, source, "--telemetry", telemetry, "--telemetry", "-", "--overlay", video, *extra)
    wait_for(has_lines(tmp_path / "t.jsonl.partial", 10), child)
    child.send_signal(number)
    out, errors = child.communicate(timeout=30)
    assert child.returncode == code, errors
    records = lines(telemetry)[1:]
    assert len(records) >= 9
    assert pictures_in(video) == len(records)
    assert [json.loads(line) for line in out.splitlines()] == lines(telemetry)
    assert not list(tmp_path.glob("*.partial"))
    assert errors.splitlines()[0].startswith(f"interrupted after {len(records)} frames")


def test_interrupted_while_a_pipe_gives_nothing(process: Start) -> None:
    children = [process(verb, "-", stdin=subprocess.PIPE) for verb in ("track", "live")]
    time.sleep(8)  # a busy machine takes as long to start
    for child, code in zip(children, (130, 0), strict=True):
        child.send_signal(signal.SIGINT)
        # Not communicate(), which would end the pipe.
        assert child.wait(timeout=20) == code
        assert child.stderr is not None
        assert child.stderr.read() == ""


def test_a_full_disk(process: Start, tmp_path: Path) -> None:
    chroma = random_planes(48, 32, None)[0]
    frames = [av_frame("yuv420p", (*random_planes(96, 64, None, seed=i), chroma, chroma)) for i in range(90)]
    clip = write_clip(tmp_path / "noise.mkv", frames)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))"
    child = process("track", clip, "--out", tmp_path / "out", before=limit)
    out, errors = child.communicate(timeout=60)
    assert (child.returncode, out) == (1, "")
    assert len(errors.splitlines()) == 1, errors
    assert "File too large" in errors
    video, telemetry = (tmp_path / "out" / f"noise{end}.partial" for end in (".overlay.mp4", ".jsonl"))
    assert sorted((tmp_path / "out").iterdir()) == sorted([video, telemetry])
    with open_source(video) as kept:
        count = len(list(kept))
    assert 10 <= count <= len(lines(telemetry)) - 1


def test_a_reader_that_leaves(process: Start, tmp_path: Path) -> None:
    child = process("track", ENDLESS, "--telemetry", "-")
    assert child.stdout is not None
    assert child.stdout.readline().startswith('{"schema"')
    child.stdout.close()
    assert child.stderr is not None
    errors = child.stderr.read().splitlines()
    assert child.wait(timeout=30) == 1
    assert errors == [line for line in errors if "standard output" in line]
    assert len(errors) == 1


# --- on a terminal


def test_progress_on_a_terminal_only(process: Start, tmp_path: Path) -> None:
    clip = write_horizon(tmp_path / "[bold]odd name.mkv")
    controller, terminal = pty.openpty()
    with os.fdopen(controller, "rb", buffering=0) as screen:
        child = process("track", clip, "--telemetry", "-", stderr=terminal)
        os.close(terminal)
        out, _ = child.communicate(timeout=60)
        shown = b""
        while chunk := _read(screen.fileno()):
            shown += chunk
    assert child.returncode == 0, shown
    assert all(json.loads(line) for line in out.splitlines())
    assert b"12/12" in shown, "the total follows from length and rate"
    assert b"[bold]odd" in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux's end of a terminal
        return b""


def test_tables_are_plain_lines_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("input", "state")
    table.add_row(Text("[/b].mp4"), "ok")
    print_table(table)
    assert capsys.readouterr().out == "input\tstate\n[/b].mp4\tok\n"


# --- names


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("file", "a/flight 1.mp4", "flight_1"),
        ("file", "a/flight.2024.mp4", "flight.2024"),
        ("images", "a/frames/*.png", "frames"),
        ("device", "/dev/video0", "dev_video0"),
        ("device", "0", "0"),
        ("stdin", "stdin", "stdin"),
        ("synthetic", "synth:sea?seed=1", "synth_sea_seed_1"),
        ("synthetic", "???", "horizon"),
        ("file", "Überflug.mov", "Überflug"),
    ],
)
def test_output_names(
    kind: str, name: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if kind == "file":
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    info = SourceInfo(name=name, kind=kind, width=1, height=1)  # type: ignore[arg-type]
    assert output_name(info) == expected


@pytest.mark.parametrize(
    ("address", "live", "expected"),
    [
        ("http://host:81/a/flight.mp4", False, "flight"),
        ("http://host:81/", False, "http_host_81"),
        ("rtsp://host:554/live", True, "rtsp_host_554_live"),
    ],
)
def test_output_names_of_streams(address: str, live: bool, expected: str) -> None:
    info = SourceInfo(name=address, kind="network", width=32, height=24, live=live)
    assert output_name(info) == expected


def test_a_picture_by_name(cli: RunCli, pictures: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), horizon_luma(33, 21))
    assert cli("track", tmp_path / "one.png", "--out", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "one.jsonl").exists()
    assert (tmp_path / "out" / "one.overlay" / "one.png").exists()
    assert cli("track", pictures, "--overlay", pictures).code == 1
