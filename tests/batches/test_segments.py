"""Recordings cut into segments: the same as tracked in one go."""

from __future__ import annotations

import json
import signal
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.cli import RunCli, write_horizon
from support.sources import moving_frames

from horizon_rt.batches.segments import Segment, Tracked, cuts_of, track_segment
from horizon_rt.batches.work import Signals
from horizon_rt.bench.clips import write_clip
from horizon_rt.options import Part

WARM_UP = "horizon_rt.batches.segments.WARM_UP_S"


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 s with a key frame a second, and B-frames."""
    options = {"g": "25", "bf": "2", "qp": "12", "preset": "ultrafast"}
    folder = tmp_path_factory.mktemp("long")
    return write_horizon(folder / "long.mp4", 400, codec="libx264", options=options)


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_cuts_are_key_frames(long_clip: Path) -> None:
    assert cuts_of(long_clip, 5.0, Part()) == pytest.approx([5.0, 10.0], abs=1e-6)
    assert cuts_of(long_clip, 5.5, Part(start_s=1.0)) == pytest.approx([6.0, 12.0], abs=1e-6)
    assert cuts_of(long_clip, 60.0, Part()) == []
    assert cuts_of(Path(__file__), 5.0, Part()) == []


@pytest.fixture(scope="module")
def coast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """15 s that a tracker follows well."""
    path = tmp_path_factory.mktemp("coast") / "coast.mp4"
    write_clip(path, (192, 112), 300, rate_hz=20.0)
    return path


def compare(cli: RunCli, clip: Path, folder: Path, *more: str) -> list[str]:
    """Track it in one go and in segments; what is told of the second."""
    words = ("batch", clip, "--write=telemetry", "--model=nano", *more)
    assert cli(*words, "--out", folder / "one").code == 0
    done = cli(*words, "--out", folder / "cut", "--segment=5s")
    assert done.code == 0, done.err
    one, cut = (rows(folder / name / f"{clip.stem}.jsonl") for name in ("one", "cut"))
    assert one[0] == cut[0]
    known = ("frame", "time_s", "state")
    assert [[r[k] for k in known] for r in one[1:]] == [[r[k] for k in known] for r in cut[1:]]
    for name in ("roll_deg", "pitch_deg", "roll_sd_deg"):
        values = [np.array([r[name] or 0.0 for r in run[1:]], float) for run in (one, cut)]
        np.testing.assert_allclose(*values, atol=1e-3)
    return done.errors


@pytest.mark.parametrize("smooth", ["causal", "offline", "none"])
def test_segments_are_as_one_run(
    cli: RunCli, coast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smooth: str
) -> None:
    monkeypatch.setattr(WARM_UP, 4.0)
    told = compare(cli, coast, tmp_path, "--smooth", smooth)
    assert not any("do not fit together" in line for line in told)


def test_what_does_not_settle_is_tracked_in_one_go(
    cli: RunCli,
    long_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A picture so small that a track depends on where it began for long."""
    monkeypatch.setattr(WARM_UP, 1.0)
    compare(cli, long_clip, tmp_path)
    assert "its segments do not fit together" in caplog.text


def test_pictures_are_made_of_joined_segments(cli: RunCli, long_clip: Path, tmp_path: Path) -> None:
    words = ("batch", long_clip, "--write=overlay", "--model=nano", "--start=1", "--end=13")
    assert cli(*words, "--out", tmp_path / "one").code == 0
    assert cli(*words, "--out", tmp_path / "cut", "--segment=5s", "--jobs=2").code == 0
    one, cut = ((tmp_path / name / "long.overlay.mp4").read_bytes() for name in ("one", "cut"))
    assert one == cut
    assert "is whole" in cli(*words, "--out", tmp_path / "cut", "--resume", "--dry-run").out


def test_a_length_that_is_none(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    for length in ("1s", "soon"):
        done = cli("batch", clip, "--out", tmp_path / "out", f"--segment={length}")
        assert done.code == 2
        assert "--segment" in done.err


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_while_segments_are_cut(
    cli: RunCli, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    def cuts(*_: object) -> list[float]:
        signal.raise_signal(signal.SIGINT)
        return [0.2, 0.4]

    monkeypatch.setattr("horizon_rt.batches.run.cuts_of", cuts)
    done = cli("batch", clip, "--out", tmp_path / "out", "--segment=5s", f"--jobs={jobs}")
    assert done.code == 130, done.err
    assert not list((tmp_path / "out").glob("*.jsonl*"))


@pytest.mark.parametrize("engine", ["local", "dask"])
def test_a_recording_with_damaged_times_is_tracked_in_one_go(
    cli: RunCli, tmp_path: Path, caplog: pytest.LogCaptureFixture, engine: str
) -> None:
    if engine == "dask":
        pytest.importorskip("distributed")
    with av.open(str(tmp_path / "clip.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.codec_context.time_base = 64, 48, Fraction(1, 10)
        stream.time_base = Fraction(1, 1_000_000)
        for index, picture in enumerate(moving_frames(160)):
            picture.pts, picture.time_base = index, Fraction(1, 10)
            for packet in stream.encode(picture):
                packet.time_base = stream.time_base
                packet.pts = packet.dts = 100_000 * index - 99_999 * (index % 40 == 9)
                out.mux(packet)
    words = ("batch", tmp_path / "clip.mp4", "--write=telemetry", "--model=nano", "--out")
    assert cli(*words, tmp_path / "one").code == 0
    done = cli(*words, tmp_path / "cut", "--segment=5s", f"--engine={engine}")
    assert done.code == 0, done.err
    assert "its times are damaged; it is tracked in one go" in caplog.text
    one, cut = ((tmp_path / name / "clip.jsonl").read_text() for name in ("one", "cut"))
    assert one == cut


def test_segments_of_what_lies_in_an_object_store(
    cli: RunCli, coast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe("/flights/coast.mp4", coast.read_bytes())
    assert cuts_of("memory://flights/coast.mp4", 5.0, Part()) == cuts_of(coast, 5.0, Part()) != []
    assert cuts_of("memory://flights/none.mp4", 5.0, Part()) == []
    monkeypatch.setattr(WARM_UP, 4.0)
    cut = list[Segment]()

    def tracking(segment: Segment, signals: Signals) -> Tracked:
        cut.append(segment)
        return track_segment(segment, signals)

    monkeypatch.setattr("horizon_rt.batches.run.track_segment", tracking)
    words = ("--write=telemetry", "--model=nano", "--segment=5s", "--out")
    for name, source in (("here", coast), ("stored", "memory://flights/coast.mp4")):
        done = cli("batch", source, *words, tmp_path / name)
        assert done.code == 0, done.err
    assert [one.source for one in cut].count("memory://flights/coast.mp4") == len(cut) / 2 >= 2
    here, stored = (rows(tmp_path / name / "coast.jsonl") for name in ("here", "stored"))
    assert here[1:] == stored[1:]


def test_segments_have_all_frames(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    for every in ("2", "key"):
        done = cli("batch", clip, "--out", tmp_path, "--segment=5s", f"--every={every}", "--dry-run")
        assert done.code == 2
        assert "--segment does not go with --every" in done.err
