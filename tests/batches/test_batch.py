"""Many recordings: what is found, what it is called, what is whole, what is done again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.cli import RunCli, write_horizon
from support.sources import h264_clip

import horizon_rt as hz
from horizon_rt.batches.inputs import find_inputs
from horizon_rt.batches.options import BatchOptions
from horizon_rt.batches.plan import make_items, plan, settings_of
from horizon_rt.batches.run import run_batch
from horizon_rt.batches.work import Result
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.camera.profile_files import save_profile
from horizon_rt.errors import OptionsError, OutputError, SourceError, SourceNotFound
from horizon_rt.options import RunOptions
from horizon_rt.sinks import TelemetrySink
from horizon_rt.system.objects import find_objects, object_facts, open_object

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def archive(tmp_path: Path, pictures: Path) -> Path:
    """Two good clips of one name, broken ones, pictures, and what is no recording."""
    root = tmp_path / "archive"
    (root / "day1").mkdir(parents=True)
    (root / "day2").mkdir()
    write_horizon(root / "day1" / "flight.mkv")
    write_horizon(root / "day2" / "flight.mkv", 8)
    (root / "day2" / "empty.mp4").touch()
    (root / "text.MP4").write_text("no video\n" * 99)
    (root / "notes.txt").write_text("sunny")
    (root / "._flight.mp4").write_bytes(b"a Mac's shadow of a file")
    shutil.move(pictures, root / "day1" / "pictures")
    return root


def stamps(folder: Path) -> dict[str, int]:
    """When the files that a user sees there were written."""
    seen = [
        path for path in sorted(folder.rglob("*.*")) if ".horizon-rt" not in path.parts and path.is_file()
    ]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in seen}


def outputs_in(folder: Path) -> list[str]:
    """What a user sees there."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def run_in_python(out: Path, *inputs: str | Path) -> list[Result]:
    how, options = BatchOptions(), RunOptions()
    items = make_items(find_inputs([str(one) for one in inputs]), out, how)
    settings = settings_of(options, how)
    return run_batch(plan(items, options, settings, resume=False), options, settings, how)


def frames_in(telemetry: Path) -> int:
    return len([json.loads(line) for line in telemetry.read_text().splitlines()]) - 1


# --- a whole batch


def test_good_ones_are_whole_and_broken_ones_named(cli: RunCli, archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = cli("batch", archive, "--out", out, "--name", "{parent}_{stem}")
    assert done.code == 1
    assert outputs_in(out) == [
        "day1_flight.jsonl",
        "day1_flight.overlay.mp4",
        "day1_pictures.jsonl",
        "day1_pictures.overlay",
        "day2_flight.jsonl",
        "day2_flight.overlay.mp4",
    ]
    assert [frames_in(path) for path in sorted(out.glob("*.jsonl"))] == [12, 3, 8]
    assert sorted(line.split(":")[0] for line in done.errors) == ["done"] * 3 + ["failed"] * 2
    assert any("empty.mp4" in line and "empty" in line for line in done.errors)
    assert [line.count("empty.mp4") for line in done.errors if "empty" in line] == [1]
    heading, *rows = (line.split("\t") for line in done.out.splitlines())
    assert heading == ["input", "status", "frames", "frames/s", "with horizon"]
    assert {row[0]: row[1] for row in rows} == {
        "day1_flight": "done",
        "day2_flight": "done",
        "day1_pictures": "done",
        "day2_empty": "failed",
        "archive_text": "failed",
        "5 inputs": "3 whole",
    }


def test_resume_does_the_rest(cli: RunCli, archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("batch", archive, "--out", out, "--name", "{path}")
    cli(*words)
    before = stamps(out)
    (out / "day2/flight.overlay.mp4").unlink()
    shutil.copy(archive / "day1" / "flight.mkv", archive / "text.MP4")
    done = cli(*words, "--resume")
    assert done.code == 1, "one is still empty"
    after = stamps(out)
    again = {name for name in after if after[name] != before.get(name)}
    assert again == {
        "day2/flight.jsonl",
        "day2/flight.overlay.mp4",
        "text.jsonl",
        "text.overlay.mp4",
    }
    assert sum(line.startswith("skipped: ") for line in done.errors) == 2


def test_resume_looks_at_whose_outputs_they_are(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    out, telemetry = tmp_path / "out", tmp_path / "out" / "flight.jsonl"
    other = write_horizon(tmp_path / "flight.avi", 5, codec="mpeg4")
    assert cli("batch", clip, "--out", out, "--write=telemetry").code == 0
    assert cli("batch", other, "--out", out, "--write=telemetry", "--resume").errors[0].startswith("done")
    assert frames_in(telemetry) == 5
    assert cli("batch", other, "--out", out, "--write=telemetry", "--resume").errors[0].startswith("skipped")
    os.utime(other, (time.time() + 60, time.time() + 60))
    assert cli("batch", other, "--out", out, "--write=telemetry", "--resume").errors[0].startswith("done")
    telemetry.write_text("no telemetry")
    assert cli("batch", other, "--out", out, "--write=telemetry", "--resume").errors[0].startswith("done")


def test_resume_looks_at_options_and_length(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    out, words = tmp_path / "out", ("--out", tmp_path / "out", "--write=telemetry", "--resume")

    def status(*more: str) -> str:
        return cli("batch", clip, *words, *more).errors[0].partition(":")[0]

    assert [status(), status(), status("--decoder", "cpu")] == ["done", "skipped", "skipped"]
    for text in ("--model nano", "--smooth none", "--hfov 90", "--every 2", "--precision float32"):
        changed = text.split()
        assert [status(*changed), status(*changed)] == ["done", "skipped"], changed
    telemetry = out / "flight.jsonl"
    lines = telemetry.read_text().splitlines(keepends=True)
    telemetry.write_text("".join(lines[:4]))
    assert status("--precision", "float32") == "done", "an interrupted track bears the same name"
    assert telemetry.read_text().splitlines()[-1] != lines[3].strip()


Damage = Callable[[Path], object]


def _cut(path: Path, lines: int) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))


DAMAGE: dict[str, tuple[str, Damage]] = {
    "overlay of 0 bytes": ("flight.overlay.mp4", lambda path: path.write_bytes(b"")),
    "cut overlay": ("flight.overlay.mp4", lambda path: os.truncate(path, path.stat().st_size // 2)),
    "garbage after the header": (
        "flight.jsonl",
        lambda path: path.write_text(path.read_text().splitlines()[0] + "\n" + "\0\n" * 12),
    ),
    "one line fewer": ("flight.jsonl", lambda path: _cut(path, 12)),
    "header alone": ("flight.jsonl", lambda path: _cut(path, 1)),
    "deep header": ("flight.jsonl", lambda path: path.write_text("[" * 100_000)),
    "deep record": ("flight.jsonl", lambda path: path.write_text(path.read_text() + "[" * 100_000)),
    "long number": ("flight.jsonl", lambda path: path.write_text("9" * 5000)),
    "odd values": (
        "flight.jsonl",
        lambda path: path.write_text('{"schema":"horizon-rt/1","source":[],"options":3}\n'),
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_resume_does_damaged_results_again(cli: RunCli, clip: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    words = ("batch", clip, "--out", out, "--resume", "--model", "nano")
    assert cli(*words).errors[0].startswith("done")
    assert cli(*words).errors[0].startswith("skipped")
    name, damage = DAMAGE[kind]
    damage(out / name)
    done = cli(*words)
    assert (done.code, done.errors[0].partition(":")[0]) == (0, "done"), done.err
    assert cli(*words).errors[0].startswith("skipped")


def test_resume_misses_an_overlay_of_a_picture(cli: RunCli, pictures: Path, tmp_path: Path) -> None:
    words = ("batch", pictures, "--out", tmp_path / "out", "--resume", "--model", "nano")
    assert [cli(*words).errors[0].partition(":")[0] for _ in range(2)] == ["done", "skipped"]
    overlay = tmp_path / "out" / "pictures.overlay" / "b.jpg"
    for damage in (overlay.unlink, lambda: overlay.write_bytes(b"")):
        damage()
        assert cli(*words).errors[0].startswith("done")
        assert overlay.stat().st_size > 0


@pytest.mark.parametrize("smooth", ["causal", "offline"])
def test_resume_ends_what_an_interrupted_track_began(
    process: Start, cli: RunCli, tmp_path: Path, smooth: str
) -> None:
    """However near to its end it was cut."""
    clip, out = write_horizon(tmp_path / "long.mkv", 200), tmp_path / "out"
    words = ("--out", out, "--smooth", smooth, "--model", "nano")
    stop = """
import os, signal
from horizon_rt.tracker import HorizonTracker
update = HorizonTracker.update
def stopping(tracker, frame, *rest):
    if frame.index == 197: os.kill(os.getpid(), signal.SIGINT)
    return update(tracker, frame, *rest)
HorizonTracker.update = stopping
"""
    child = process("track", clip, *words, before=stop)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert 190 <= frames_in(out / "long.jsonl") < 200
    (out / "long.overlay.mp4").unlink(missing_ok=True)
    done = cli("batch", clip, *words, "--resume", "--write=telemetry")
    assert (done.code, done.errors[0].partition(":")[0]) == (0, "done")
    assert frames_in(out / "long.jsonl") == 200


def test_resume_looks_at_what_a_profile_holds(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    profile = tmp_path / "lens.toml"
    save_profile(CameraProfile.from_hfov(96, 64, 80), profile)
    words = ("batch", clip, "--out", tmp_path / "out", "--resume", "--model", "nano", "--write=telemetry")
    words += ("--camera-profile", profile)
    assert [cli(*words).errors[0].partition(":")[0] for _ in range(2)] == ["done", "skipped"]
    before = profile.stat().st_mtime
    save_profile(CameraProfile.from_hfov(96, 64, 81), profile)
    os.utime(profile, (before, before))
    assert [cli(*words).errors[0].partition(":")[0] for _ in range(2)] == ["done", "skipped"]


def test_track_leaves_the_results_of_another_video_alone(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    namesake = shutil.copy(clip, other / clip.name)
    assert cli("track", clip, "--out", out).code == 0
    before = stamps(out)
    done = cli("track", namesake, "--out", out)
    assert (done.code, done.errors) == (
        1,
        [f"error: {out / 'flight.jsonl'} holds the results of {clip}; give another folder"],
    )
    assert stamps(out) == before
    assert cli("track", clip, "--out", out).code == 0, "its own it replaces"
    assert stamps(out) != before


def test_an_unforeseen_error_fails_one_input(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("odd")

    other = write_horizon(tmp_path / "other.mkv", 5)
    monkeypatch.setattr("horizon_rt.pipeline.run.make_tracker", broken)
    results = run_in_python(tmp_path / "out", clip, other)
    assert [result.status for result in results] == ["failed"] * 2
    assert results[0].reason.startswith("unexpected RuntimeError: odd")


def test_interrupt_and_resume(process: Start, cli: RunCli, tmp_path: Path) -> None:
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    write_horizon(videos / "a.mkv")
    write_horizon(videos / "b.mkv", 4000, codec="mpeg4")
    write_horizon(videos / "c.mkv")
    child = process("batch", videos, "--out", out)
    end = time.monotonic() + 60
    while not ((b := out / "b.jsonl.partial").exists() and b.stat().st_size > 2000):
        assert time.monotonic() < end
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    table, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    *told, rest = errors.splitlines()
    assert [line.split(":")[0] for line in told] == ["done", "interrupted"]
    assert rest == "1 input not begun"
    assert "2 inputs\t1 whole" in table
    kept = {"a.jsonl", "a.overlay.mp4", "b.jsonl.partial", "b.overlay.mp4.partial"}
    assert set(outputs_in(out)) == kept
    write_horizon(videos / "b.mkv", 20)
    done = cli("batch", videos, "--out", out, "--resume")
    assert done.code == 0
    assert [line.split(":")[0] for line in done.errors] == ["skipped", "done", "done"]
    assert frames_in(out / "b.jsonl") == 20
    assert not list(out.glob("*.partial"))


def test_an_output_folder_that_cannot_be(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cli("batch", clip, "--out", tmp_path / "file")
    assert done.code == 1
    assert done.errors[0].startswith(f"failed: {clip} (cannot write ")


def test_a_kill_costs_nothing_that_was_whole(process: Start, cli: RunCli, tmp_path: Path) -> None:
    """benchmarks/batch_kills.py does this for 200 clips and 50 kills."""
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    for name in "abcd":
        write_horizon(videos / f"{name}.mkv", 40 if name < "c" else 200, codec="mpeg4")
    (videos / "bad.mp4").write_bytes(b"no video")
    words = ("batch", videos, "--model=nano", "--hfov=70")
    assert cli(*words, "--out", tmp_path / "calm").code == 1
    child = process(*words, "--out", out, "--resume", "--jobs=2")
    end = time.monotonic() + 90
    while not list(out.glob("*.jsonl")):
        assert time.monotonic() < end
        assert child.poll() is None
        time.sleep(0.01)
    child.kill()
    child.communicate()
    before = stamps(out)
    done = cli(*words, "--out", out, "--resume")
    assert done.code == 1
    assert sum(line.startswith("failed: ") for line in done.errors) == 1
    calm, now = (
        {p.relative_to(r): p.read_bytes() for p in r.rglob("*.*") if p.is_file()}
        for r in (tmp_path / "calm", out)
    )
    assert calm == now
    skipped = [line for line in done.errors if line.startswith("skipped: ")]
    assert all(
        stamps(out)[f"{Path(line.split()[1]).stem}.jsonl"] == before[f"{Path(line.split()[1]).stem}.jsonl"]
        for line in skipped
    )


# --- what is found


def found(*inputs: str | Path, out: Path = Path("out"), name: str = "{stem}") -> list[str]:
    items = make_items(find_inputs([str(path) for path in inputs]), out, BatchOptions(name=name))
    return [f"{item.source} {item.name}" for item in items]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes empty files in the working folder."""
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> None:
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()

    return make


def test_folders_files_and_patterns(here: Callable[..., None]) -> None:
    here(
        "v/a.mp4", "v/b.MOV", "v/deep/c.mkv", "v/d.txt", "v/.hidden/e.mp4", "v/.f.mp4", "p/1.png", "g[1].mp4"
    )
    assert found("v") == ["v/a.mp4 a", "v/b.MOV b", "v/deep/c.mkv c"]
    assert found("v/*.mp4", "v/a.mp4") == ["v/a.mp4 a"]
    assert found("**/*.mkv") == ["v/deep/c.mkv c"]
    assert found("v/d.txt") == ["v/d.txt d"], "a named file is taken"
    assert found("p") == ["p p"]
    assert found("g[1].mp4") == ["g[1].mp4 g[1]"]
    assert found("missing.mp4") == ["missing.mp4 missing"], "it fails by name"
    assert found("v/*") == ["v/a.mp4 a", "v/b.MOV b", "v/deep/c.mkv c"]
    assert found("v/*.txt") == ["v/d.txt d"]
    with pytest.raises(SourceNotFound, match="no videos or pictures"):
        found("*.avi")
    assert found(".", out=Path("out")) == [
        "g[1].mp4 g[1]",
        "p p",
        "v/a.mp4 a",
        "v/b.MOV b",
        "v/deep/c.mkv c",
    ]


def test_links_do_not_lead_in_circles(here: Callable[..., None]) -> None:
    here("v/a.mp4", "elsewhere/b.mp4")
    Path("v/up").symlink_to("..")
    Path("v/linked.mp4").symlink_to("../elsewhere/b.mp4")
    Path("v/dangling.mp4").symlink_to("nowhere")
    assert found("v") == ["v/a.mp4 a", "v/dangling.mp4 dangling", "v/linked.mp4 linked"]


def test_an_unreadable_folder_is_an_input_that_fails(
    here: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    here("v/a.mp4", "v/locked/b.mp4")
    listed = Path.iterdir

    def iterdir(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert found("v") == ["v/a.mp4 a", "v/locked locked"]
    results = run_in_python(Path("out"), "v/locked")
    assert results[0].status == "failed"
    assert "no permission" in results[0].reason


@pytest.mark.parametrize("out", [".", "out", "v"])
def test_outputs_of_an_earlier_run_are_no_inputs(cli: RunCli, here: Callable[..., None], out: str) -> None:
    here("v/x.txt")
    write_horizon(Path("v/a.mkv"), 4)
    for _ in range(2):
        assert cli("batch", ".", "--out", out).code == 0
    names = {"a.jsonl", "a.overlay.mp4"}
    assert {path.name for path in Path(out).iterdir()} >= names
    assert {Path(name).name for name in stamps(Path("."))} == names | {"a.mkv", "x.txt"}
    assert found("v/*", f"{out}/*.mp4", "v/a.mkv") == ["v/a.mkv a"]
    assert found(f"{out}/a.overlay.mp4", out=Path("o")) == [f"{Path(out) / 'a.overlay.mp4'} a.overlay"]


def test_a_named_overlay_is_taken_but_beside_its_recording(here: Callable[..., None]) -> None:
    here("a.mp4", "a.overlay.mp4", "a.jsonl")
    assert found("a.overlay.mp4") == ["a.overlay.mp4 a.overlay"]
    assert found("*.mp4") == ["a.mp4 a"]
    assert found("a.mp4", "a.overlay.mp4", out=Path(".")) == ["a.mp4 a"], "as a shell expands *.mp4"


def test_pictures_in_the_working_folder(here: Callable[..., None]) -> None:
    here("1.png")
    assert found(".")[0].startswith(". ")


def test_a_signal_after_the_last_frame_ends_the_batch_with_that_file_done(
    cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = TelemetrySink.close

    def interrupted(sink: TelemetrySink, *, complete: bool = True) -> None:
        signal.raise_signal(signal.SIGINT)
        close(sink, complete=complete)

    monkeypatch.setattr(TelemetrySink, "close", interrupted)
    clips = [write_horizon(tmp_path / f"{name}.mkv", 4) for name in "ab"]
    done = cli("batch", *clips, "--out", tmp_path / "out", "--write=telemetry")
    assert done.code == 130
    assert [line.split(" (")[0] for line in done.errors] == [f"done: {clips[0]}", "1 input not begun"]
    assert outputs_in(tmp_path / "out") == ["a.jsonl"]


def test_overlays_of_pictures_are_no_inputs(here: Callable[..., None]) -> None:
    here("p/1.png", "out/p.jsonl", "out/p.overlay/1.png", "out/q.jsonl.partial", "out/q.overlay.mp4")
    assert found(".") == ["p p"]
    here("kept/r.overlay.mp4")
    assert found(".") == ["kept/r.overlay.mp4 r.overlay", "p p"], "without telemetry it is a recording"


def test_a_name_does_not_depend_on_siblings(here: Callable[..., None]) -> None:
    here("x/a.mp4")
    before = found("x")
    here("x/b.mp4", "x/deep/c.mp4")
    assert before[0] in found("x")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("{stem}", ["a", "b.c"]),
        ("{parent}_{stem}", ["x_a", "deep_b.c"]),
        ("{path}", ["a", "deep/b.c"]),
        ("{name}", ["a.mp4", "b.c.mkv"]),
        ("{index:03d}-{stem}{ext}", ["001-a.mp4", "002-b.c.mkv"]),
    ],
)
def test_names_are_made_by_a_template(here: Callable[..., None], name: str, expected: list[str]) -> None:
    here("x/a.mp4", "x/deep/b.c.mkv")
    assert [line.split()[1] for line in found("x", name=name)] == expected


def test_a_clash_is_an_error_before_anything_runs(here: Callable[..., None]) -> None:
    here("x/a.mp4", "y/A.mp4", "y/b.mp4", "y/b.mkv")
    with pytest.raises(OutputError, match=r"x/a.mp4 and y/A.mp4 would both .* --name '\{parent\}_\{stem\}'"):
        found("x", "y/A.mp4")
    with pytest.raises(OutputError, match=r"b.mkv and y/b.mp4 .* --name '\{name\}'"):
        found("y")
    assert len(found("x", "y", name="{parent}_{name}")) == 4


@pytest.mark.parametrize("name", ["", "a", "{stm}", "{stem", "/{stem}", "../{stem}", "{}", "{stem.x}", "{0}"])
def test_a_template_that_is_none_is_a_usage_error(cli: RunCli, clip: Path, name: str) -> None:
    done = cli("batch", clip, "--out", clip.parent / "out", "--name", name)
    assert done.code == 2
    assert "--name" in done.err


def test_a_list_names_inputs(here: Callable[..., None]) -> None:
    here("v/a.mp4", "v/b.mp4", "w/c.mp4")
    Path("v/list.txt").write_text("# flights\n\na.mp4\n../w\n a.mp4 \n", encoding="utf-8-sig")
    assert found("@v/list.txt") == ["v/a.mp4 a", "w/c.mp4 c"]
    with pytest.raises(SourceNotFound, match=r"none.txt cannot be read: No such"):
        found("@none.txt")


def test_a_dry_run_tells_what_and_why(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("batch", clip, "--out", out, "--write=telemetry", "--resume")

    def told(*more: str) -> list[str]:
        done = cli(*words, *more, "--dry-run")
        assert done.code == 0
        return done.out.splitlines()[1].split("\t")[1:]

    assert told() == ["track", "new", "0.5 s", "flight.jsonl"]
    assert not out.exists()
    assert cli(*words).code == 0
    assert told()[:2] == ["skip", "is whole"]
    assert told("--hfov", "90")[1] == "other settings: hfov_deg"
    assert told("--write=telemetry,csv")[1] == "flight.csv is not written yet"
    (out / "flight.jsonl").unlink()
    assert told()[1] == "flight.jsonl is missing"
    clip.write_bytes(clip.read_bytes() + b"\0")
    assert told()[1] == "the input has changed"


def test_several_jobs_write_what_one_does(cli: RunCli, archive: Path, tmp_path: Path) -> None:
    words = ("batch", archive, "--name", "{path}")
    ends = [cli(*words, "--out", tmp_path / n, "--jobs", n) for n in "12"]
    assert [end.code for end in ends] == [1, 1]
    assert [sorted(line.split("\t")[1] for line in end.out.splitlines()) for end in ends][1:] == [
        sorted(line.split("\t")[1] for line in ends[0].out.splitlines())
    ]
    one, two = ({p.relative_to(tmp_path / n): p for p in (tmp_path / n).rglob("*.*")} for n in "12")
    assert one.keys() == two.keys()
    assert [p for p in one if one[p].is_file() and one[p].read_bytes() != two[p].read_bytes()] == []


def test_pictures_beside_videos(here: Callable[..., None]) -> None:
    here("v/a.mp4", "v/1.jpg", "v/seq/images/1.png", "v/other/images/1.png")
    assert found("v", name="{path}") == [
        "v v",
        "v/a.mp4 a",
        "v/other/images other/images",
        "v/seq/images seq/images",
    ]


def test_an_input_is_never_replaced(here: Callable[..., None]) -> None:
    here("a.mp4", "a.overlay.mp4")
    with pytest.raises(OutputError, match="is an input"):
        found("a.mp4", "a.overlay.mp4", out=Path("."))
    assert len(found("a.mp4", "a.overlay.mp4", out=Path("out"))) == 2


def test_names_that_no_terminal_can_show(cli: RunCli, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff[red].mp4")
    h264_clip(tmp_path / "x.mp4", 4).rename(tmp_path / name)
    done = cli("batch", tmp_path / name, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "\\udcff[red]\tdone" in done.out


def test_a_recording_is_never_called_as_the_page_of_all(here: Callable[..., None]) -> None:
    here("Batch.mp4")
    with pytest.raises(OutputError, match="the page of the whole batch"):
        make_items(find_inputs(["Batch.mp4"]), Path("out"), BatchOptions(write="report"))
    assert found("Batch.mp4") == ["Batch.mp4 Batch"]


def test_names_of_objects_are_made_as_those_of_files() -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for name in ("day1/flight.mp4", "day2/flight.mp4", "day2/more/b.mov", "day2/notes.txt"):
        memory.pipe(f"/names/{name}", b"no video")
    root = "memory://names"
    whole = ["day1/flight", "day2/flight", "day2/more/b"]
    for address in (root, f"{root}/", f"{root}/**/*.m*"):
        assert [line.split()[1] for line in found(address, name="{path}")] == whole
    assert [line.split()[1] for line in found(f"{root}/day2/*.mp4", name="{path}")] == ["flight"]
    assert [line.split()[1] for line in found(f"{root}/day1/flight.mp4", name="{path}")] == ["flight"]


def test_errors_of_a_store_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores raise errors of their own families, such as those of access."""
    store = type(pytest.importorskip("fsspec").filesystem("memory"))

    class Refused(Exception):
        """No OSError."""

    def refuse(*_: object, **__: object) -> None:
        raise Refused("no token")

    for name in ("isfile", "info", "open"):
        monkeypatch.setattr(store, name, refuse)
    for look in (find_objects, open_object):
        with pytest.raises(SourceError, match=r"memory://a/b.mp4 cannot be read: no token"):
            look("memory://a/b.mp4")
    with pytest.raises(OSError, match="no token"):
        object_facts("memory://a/b.mp4")


# --- levelled video, codecs


def test_a_levelled_video_is_that_of_its_own_command(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    """The batch tracks once for telemetry and the levelled video."""
    assert cli("batch", clip, "--out", tmp_path / "out", "--write", "telemetry,level").code == 0
    assert outputs_in(tmp_path / "out") == ["flight.jsonl", "flight.level.mp4"]
    assert cli("level", clip, tmp_path / "one.mp4").code == 0
    assert (tmp_path / "out" / "flight.level.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()


@pytest.mark.parametrize("smooth", ["none", "offline"])
def test_a_levelled_video_is_the_same_however_the_rest_is_smoothed(
    cli: RunCli, clip: Path, tmp_path: Path, smooth: str
) -> None:
    options = ["--write", "telemetry,level", "--smooth", smooth]
    assert cli("batch", clip, "--out", tmp_path / "out", *options).code == 0
    assert cli("level", clip, tmp_path / "one.mp4").code == 0
    assert (tmp_path / "out" / "flight.level.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()


def test_pictures_are_not_levelled(cli: RunCli, pictures: Path, tmp_path: Path) -> None:
    assert cli("batch", pictures, "--out", tmp_path / "out", "--write", "telemetry,level").code == 0
    assert outputs_in(tmp_path / "out") == [f"{pictures.name}.jsonl"]


def test_another_codec_or_look_is_done_again(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    usual = ["batch", clip, "--out", tmp_path, "--write", "overlay", "--resume"]
    for options, done in (
        ([], "12 frames"),
        ([], "skipped"),
        (["--codec", "hevc"], "12 frames"),
        (["--codec", "hevc"], "skipped"),
        (["--codec", "hevc", "--draw", "line"], "12 frames"),
    ):
        found = cli(*usual, *options)
        assert found.code == 0
        assert done in found.out + found.err


def test_what_is_levelled_leaves_no_frame_out(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    done = cli("batch", clip, "--out", tmp_path / "out", "--write", "level", "--every", "2")
    assert done.code != 0
    assert "leave --every out" in done.err
    assert not (tmp_path / "out").exists()


# --- what is there already


@pytest.mark.parametrize(
    ("ending", "resume"),
    [
        (".gcsv", []),
        (".srt", ["--resume"]),
        (".jsonl", ["--resume"]),
        (".overlay.mp4", []),
        (".thumbnails", []),
    ],
)
def test_what_others_wrote_is_left_and_the_rest_goes_on(
    cli: RunCli, clip: Path, tmp_path: Path, ending: str, resume: list[str]
) -> None:
    log = clip.with_suffix("").with_name(f"flight{ending}")
    log.write_text("by the camera")
    other = write_horizon(tmp_path / "other.mkv", 4)
    kinds = "telemetry,overlay,gcsv,srt,report,thumbnails"
    words = ("batch", clip, other, "--out", clip.parent, f"--write={kinds}", "--model=nano", *resume)
    for _ in range(2):  # a first refusal does not make it ours
        done = cli(*words)
        assert done.code == 1
        assert [line for line in done.errors if line.startswith("failed")] == [
            f"failed: {clip} ({log} exists and is by no earlier run; "
            "move it away or give another folder for --out)"
        ]
        assert log.read_text() == "by the camera"
        assert {path.name for path in tmp_path.glob("flight*")} == {clip.name, log.name}
    assert (tmp_path / "other.jsonl").exists()
    assert f"{log} exists" in (tmp_path / "batch.html").read_text()
    log.unlink()
    assert cli(*words).code == 0
    assert cli(*words).code == 0, "its own it replaces"


def test_segments_and_dry_runs_leave_what_others_wrote(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    log = clip.with_suffix(".gcsv")
    words = ("batch", clip, "--out", tmp_path, "--write=gcsv", "--model=nano")
    assert cli(*words, "--resume").code == 0
    shutil.rmtree(tmp_path / ".horizon-rt")
    log.write_text("by the camera")
    rows = cli(*words, "--dry-run").out.splitlines()
    assert rows[1].split("\t")[1:3] == ["refuse", rows[1].split("\t")[2]]
    assert str(log) in rows[1]
    assert rows[-1].split("\t")[1] == "0 to track"
    for more in (["--jobs=2"], ["--segment=5s"]):
        assert cli(*words, *more).code == 1
        assert log.read_text() == "by the camera"


def test_a_page_that_is_by_no_batch_is_left(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    page = tmp_path / "out" / "batch.html"
    page.parent.mkdir()
    page.write_text("my own notes")
    words = ("batch", clip, "--out", page.parent, "--write=report", "--model=nano")
    done = cli(*words)
    assert (done.code, len(done.errors)) == (1, 1)
    assert str(page) in done.err
    assert page.read_text() == "my own notes"
    page.unlink()
    assert [cli(*words).code for _ in range(2)] == [0, 0]


def test_from_python_it_does_what_the_command_does(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    words = {"write": "telemetry,srt,report", "model": "nano", "resume": True}
    (bad := tmp_path / "bad.mp4").write_bytes(b"no video")
    for expected in ("done", "skipped"):
        results = hz.batch(clip, bad, out=tmp_path / "out", **words)
        assert [result.status for result in results] == [expected, "failed"]
    cli("batch", clip, bad, "--out", tmp_path / "cli", "--write", words["write"], "--model=nano")
    for name in ("flight.jsonl", "flight.srt", "batch.html"):
        assert (tmp_path / "out" / name).read_text().replace("<title>out", "<title>cli").replace(
            "<h1>out", "<h1>cli"
        ) == (tmp_path / "cli" / name).read_text()
    for name in ("watch", "dry_run", "wrote"):
        with pytest.raises(OptionsError, match=f"no option '{name}'"):
            hz.batch(clip, out=tmp_path / "out", **{name: True})


def test_from_python_what_was_not_begun_is_named(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    others = [write_horizon(tmp_path / f"{name}.mkv", 4) for name in "xy"]
    monkeypatch.setattr("horizon_rt.batches.work.open_source", interrupted)
    results = hz.batch(clip, *others, out=tmp_path / "out", write="telemetry", model="nano")
    assert [(result.item.source, result.status, result.reason) for result in results] == [
        (str(clip), "interrupted", ""),
        *((str(other), "interrupted", "not begun") for other in others),
    ]


def test_a_batch_of_nothing_says_what_to_name(cli: RunCli, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="no inputs; name files or folders"):
        hz.batch(out=tmp_path / "out")
    done = cli("batch", "--out", tmp_path / "out")
    assert (done.code, "no inputs; name files or folders" in done.err) == (2, True)
