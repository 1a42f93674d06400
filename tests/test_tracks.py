"""Tracks: of a run and of its telemetry, the same arrays."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.cli import horizon_luma, lines, write_horizon

import horizon_rt as hz
from horizon_rt.errors import MissingExtra, SourceError, SourceNotFound


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_horizon(tmp_path_factory.mktemp("clip") / "flight.mp4", codec="mpeg4")


def same(one: hz.Track, other: hz.Track) -> bool:
    """Whether all arrays are equal, NaN among them."""
    skipped = {"header", "summary", "file"}
    names = [item.name for item in dataclasses.fields(hz.Track) if item.name not in skipped]
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    return one.file == other.file and all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs
    )


@pytest.mark.parametrize("smooth", ["causal", "offline", "none"])
def test_a_track_holds_what_the_telemetry_says(clip: Path, tmp_path: Path, smooth: str) -> None:
    target = tmp_path / "t.jsonl"
    track = hz.track(clip, telemetry=target, smooth=smooth, model="nano")
    rows = lines(target)[1:]
    assert len(track) == track.frames == len(rows) == 12
    for name in ("time_s", "roll_deg", "pitch_sd_deg", "roll_rate_dps", "confidence"):
        said = [np.nan if row[name] is None else row[name] for row in rows]
        assert np.array_equal(getattr(track, name), said, equal_nan=True)
    assert track.state.tolist() == [row["state"] for row in rows]
    loaded = hz.load_track(target)
    assert same(track, loaded)
    assert loaded.summary.states == track.summary.states
    assert loaded.share_with_horizon == track.share_with_horizon
    assert loaded.header["source"] == str(clip)


def test_a_run_without_outputs_writes_nothing(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    track = hz.track(clip, model="nano")
    assert not any(tmp_path.iterdir())
    assert not track.interrupted
    assert track.warnings == []
    assert track.fps > 0
    assert "12 frames" in repr(track)


def test_pictures_have_names(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), cv2.merge([horizon_luma(96, 64)] * 3))
    track = hz.track(tmp_path, model="nano")
    assert track.file == ("0.png", "1.png", "2.png")


def test_a_table_has_the_columns(clip: Path) -> None:
    pytest.importorskip("pandas", reason="needs the extra 'tables'")
    track = hz.track(clip, model="nano")
    table = track.to_pandas()
    assert len(table) == 12
    assert np.array_equal(table["roll_deg"], track.roll_deg, equal_nan=True)
    assert "file" not in table.columns


def test_a_plot_shows_both_angles(clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'report'")
    track = hz.track(clip, model="nano")
    figure = track.plot()
    assert [axes.get_ylabel() for axes in figure.axes] == ["roll, °", "pitch, °"]
    (line,) = figure.axes[0].lines
    assert np.array_equal(line.get_ydata(), track.roll_deg, equal_nan=True)
    figure.savefig(tmp_path / "track.png")
    assert cv2.imread(str(tmp_path / "track.png")) is not None


def test_packages_are_needed_on_request_only(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    track = hz.track(clip, model="nano")
    monkeypatch.setattr("horizon_rt.system.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="tables"):
        track.to_pandas()
    with pytest.raises(MissingExtra, match="report"):
        track.plot()


def test_telemetry_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="no such file"):
        hz.load_track(tmp_path / "absent.jsonl")
    bad = tmp_path / "bad.jsonl"
    for text in ("", "{}", '{"schema":"horizon-rt/1","source":"x"}\n{"frame":0,"state":3}\n'):
        bad.write_text(text)
        with pytest.raises(SourceError, match="no whole telemetry"):
            hz.load_track(bad)
    bad.write_text(json.dumps({"schema": "horizon-rt/1", "source": "x"}) + "\n")
    assert len(hz.load_track(bad)) == 0
