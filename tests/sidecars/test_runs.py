"""Sidecars of runs and of the command line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.cli import RunCli, horizon_luma, lines, write_horizon

NAMES = ("t.srt", "t.vtt", "t.gcsv", "t.motion.csv")


def test_a_run_writes_what_convert_makes_of_its_telemetry(tmp_path: Path, cli: RunCli) -> None:
    clip = write_horizon(tmp_path / "flight.mp4", codec="mpeg4")
    (live := tmp_path / "live").mkdir()
    asked = [part for name in ("t.jsonl", *NAMES) for part in ("--telemetry", live / name)]
    done = cli("track", clip, "--model", "nano", *asked)
    assert done.code == 0, done.err
    (later := tmp_path / "later").mkdir()
    done = cli("convert", live / "t.jsonl", *(later / name for name in NAMES))
    assert done.code == 0, done.err
    assert "12 frames read" in done.err
    for name in NAMES:
        assert (live / name).read_text() == (later / name).read_text(), name
        assert (live / name).stat().st_size


def test_pictures_get_poses(tmp_path: Path, cli: RunCli) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), cv2.merge([horizon_luma(96, 64, 0.1)] * 3))
    poses, gravity = tmp_path / "p.gpano", tmp_path / "p.gravity.txt"
    told = ("--telemetry", tmp_path / "t.jsonl", "--telemetry", poses, "--telemetry", gravity)
    done = cli("track", tmp_path / "in", "--model", "nano", *told)
    assert done.code == 0, done.err
    rows = lines(tmp_path / "t.jsonl")[1:]
    assert sorted(path.name for path in poses.iterdir()) == [
        Path(str(row["file"])).with_suffix(".xmp").name for row in rows if row["roll_deg"] is not None
    ]
    for line, row in zip(gravity.read_text().splitlines(), rows, strict=True):
        name, *down = line.split()
        assert name == row["file"]
        assert np.linalg.norm(np.array(down, float)) == pytest.approx(1, abs=1e-6)


def test_a_run_refuses_what_it_cannot_write(tmp_path: Path, cli: RunCli) -> None:
    clip = write_horizon(tmp_path / "flight.mp4", codec="mpeg4")
    done = cli("track", clip, "--model", "nano", "--telemetry", tmp_path / "geo.txt")
    assert done.code == 1
    assert "needs positions" in done.err
    done = cli("track", clip, "--model", "nano", "--telemetry", tmp_path / "t.odt")
    assert ".gcsv" in done.err
    (tmp_path / "t.jsonl").write_text(json.dumps({"no": "telemetry"}) + "\n")
    done = cli("convert", tmp_path / "t.jsonl", tmp_path / "t.srt")
    assert (done.code, done.out) == (1, "")
    assert "no whole telemetry" in done.err
    assert cli("convert", tmp_path / "absent.jsonl", tmp_path / "t.srt").code == 1
    assert not (tmp_path / "t.srt").exists()


def test_a_batch_writes_them_beside_its_telemetry(tmp_path: Path, cli: RunCli) -> None:
    clip = write_horizon(tmp_path / "flight.mp4", codec="mpeg4")
    told = ("batch", clip, "--out", tmp_path / "out", "--model", "nano", "--write")
    assert cli(*told, "telemetry,srt").code == 0
    names = sorted(path.name for path in (tmp_path / "out").glob("[!.]*"))
    assert names == ["flight.jsonl", "flight.srt"]
    assert "skipped" in cli(*told, "telemetry,srt", "--resume").err
    assert "done" in cli(*told, "telemetry,srt,gcsv", "--resume").err
    assert (tmp_path / "out" / "flight.gcsv").stat().st_size
    done = cli(*told, "odt")
    assert done.code == 2


def test_a_batch_leaves_formats_of_pictures_out_for_videos(tmp_path: Path, cli: RunCli) -> None:
    mixed = tmp_path / "mixed"
    (mixed / "stills").mkdir(parents=True)
    write_horizon(mixed / "flight.mp4", codec="mpeg4")
    cv2.imwrite(str(mixed / "stills" / "0.png"), cv2.merge([horizon_luma(96, 64, 0.1)] * 3))
    done = cli(
        "batch", mixed, "--out", tmp_path / "out", "--model", "nano", "--write", "telemetry,gpano,gravity.txt"
    )
    assert done.code == 0, done.err
    names = {path.name for path in (tmp_path / "out").rglob("[!.]*")}
    assert "flight.jsonl" in names
    assert not names & {"flight.gpano", "flight.gravity.txt"}
    assert any(name.endswith(".gravity.txt") for name in names)
    alone = cli("batch", mixed / "flight.mp4", "--out", tmp_path / "o", "--model", "nano", "--write", "gpano")
    assert alone.code == 1
    assert "is for pictures" in alone.err
