"""The demonstration: a flight whose attitude is known."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from support.cli import RunCli

from horizon_rt.errors import SourceError
from horizon_rt.pipeline.demo import Demo


def test_demo_says_how_far_off_it_was(cli: RunCli, tmp_path: Path) -> None:
    size = ("--seconds", "1", "--size", "128x96", "--scene", "sea", "--motion", "boat")
    done = cli("demo", "--out", tmp_path, *size)
    assert done.code == 0
    heading, *rows = (line.split("\t") for line in done.out.splitlines())
    assert heading == ["error against truth", "median", "95 %", "max", "within ±2 sigma"]
    assert [row[0] for row in rows] == ["roll", "pitch"]
    for row in rows:
        median, high, most = (float(cell.rstrip("°")) for cell in row[1:4])
        assert 0 <= median <= high <= most <= 180
        assert row[4].endswith(" %")
    header, *records = [json.loads(line) for line in (tmp_path / "demo.jsonl").read_text().splitlines()]
    assert (header["width"], header["height"], len(records)) == (128, 96, 25)
    with av.open(str(tmp_path / "demo.overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 25


def test_the_error_is_that_of_the_telemetry(tmp_path: Path) -> None:
    flight = Demo("sea", tmp_path, motion="boat", size="128x96", seconds=1.0, seed=1)
    seen: list[tuple[float, float]] = []

    def look(frame: object, horizon: object) -> None:
        truth = flight.source.clip.truth(horizon.frame).up  # type: ignore[attr-defined]
        if (roll := horizon.roll_deg) is not None:  # type: ignore[attr-defined]
            seen.append((abs(roll - truth.roll_deg), abs(horizon.pitch_deg - truth.pitch_deg)))  # type: ignore[attr-defined]

    flight.run(look)
    largest = [f"{max(errors):.2f}°" for errors in zip(*seen, strict=True)]
    rows = flight.table().rows
    assert [row[3] for row in rows] == largest
    assert [row[0] for row in rows] == ["roll", "pitch"]


def test_without_an_estimate(tmp_path: Path) -> None:
    flight = Demo("sea", tmp_path, motion="boat", size="64x48", seconds=1.0)
    flight.source.close()
    assert [row[1] for row in flight.table().rows] == ["no estimate"] * 2


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--motion", "spin", "unknown motion 'spin'"),
        ("--scene", "moon", "unknown scene 'moon'"),
        ("--scene", "sea?fps=0&x=", "synth: "),
        ("--size", "big", "size is WIDTHxHEIGHT"),
        ("--size", "0x5", "size must lie between"),
    ],
)
def test_wrong_wishes(cli: RunCli, tmp_path: Path, option: str, value: str, reason: str) -> None:
    done = cli("demo", "--out", tmp_path, option, value)
    assert (done.code, len(done.errors)) == (1, 1)
    assert reason in done.err
    assert list(tmp_path.iterdir()) == []


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="seed"):
        Demo("sea", tmp_path, motion="boat", size="64x48", seconds=1.0, seed=-1)
