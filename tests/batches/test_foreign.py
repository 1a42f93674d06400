"""Which outputs a batch takes for its own, and what its notes keep of them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support.sources import h264_clip

import horizon_rt as hz
from horizon_rt.batches.work import Result
from horizon_rt.errors import OutputError

FOREIGN = "exists and is by no earlier run"


def track(source: Path, write: str, **options: object) -> Result:
    """What becomes of one recording whose outputs lie beside it."""
    return hz.batch(source, out=source.parent, write=write, model="nano", **options)[0]


def ended(*_: object, **__: object) -> None:
    """As a kill ends a run: without a last word."""
    raise SystemExit


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def flight(tmp_path: Path) -> Path:
    """A recording of ten frames."""
    return h264_clip(tmp_path / "flight.mp4", 10)


@pytest.fixture
def captions(flight: Path) -> Path:
    """Where captions of the recording go, by a camera as by a batch."""
    return flight.with_suffix(".srt")


# --- runs that wrote nothing, or not all


def test_a_failed_run_claims_no_names(flight: Path, captions: Path) -> None:
    whole = flight.read_bytes()
    flight.write_bytes(whole[: len(whole) // 2])
    assert track(flight, "telemetry,srt").status == "failed"
    flight.write_bytes(whole)
    captions.write_text("by the camera")
    for resume in (False, True):
        assert FOREIGN in track(flight, "telemetry,srt", resume=resume).reason
        assert captions.read_text() == "by the camera"


def test_an_interrupted_run_claims_no_names(
    flight: Path, captions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("horizon_rt.batches.work.open_source", interrupted)
        assert track(flight, "telemetry,srt").status == "interrupted"
    captions.write_text("by the camera")
    assert FOREIGN in track(flight, "telemetry,srt", resume=True).reason
    captions.unlink()
    assert track(flight, "telemetry,srt", resume=True).status == "done"


def test_a_killed_run_does_not_claim_what_is_older(
    flight: Path, captions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies from cards keep their times."""
    with monkeypatch.context() as patch:
        patch.setattr("horizon_rt.batches.work.open_source", ended)
        with pytest.raises(SystemExit):
            track(flight, "telemetry,srt")
    captions.write_text("by the camera")
    os.utime(captions, (time.time() - 3600, time.time() - 3600))
    assert FOREIGN in track(flight, "telemetry,srt", resume=True).reason
    assert captions.read_text() == "by the camera"


@pytest.mark.parametrize("end", [ended, interrupted])
@pytest.mark.parametrize("runs_before", [0, 1])
def test_what_a_run_had_finished_before_its_end_is_its_own(
    flight: Path, monkeypatch: pytest.MonkeyPatch, end: object, runs_before: int
) -> None:
    kinds = "telemetry,srt,level"
    for _ in range(runs_before):
        assert track(flight, kinds).status == "done"
    with monkeypatch.context() as patch:
        patch.setattr("horizon_rt.batches.work.level_video", end)
        try:
            assert track(flight, kinds).status == "interrupted"
        except SystemExit:
            assert end is ended
    assert flight.with_suffix(".srt").exists()
    assert track(flight, kinds, resume=True).status == "done"
    assert track(flight, kinds, resume=True).status == "skipped"


def test_what_a_failed_run_had_finished_is_its_own(flight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("odd")

    with monkeypatch.context() as patch:
        patch.setattr("horizon_rt.batches.work.level_video", broken)
        assert track(flight, "srt,level").status == "failed"
    assert track(flight, "srt,level", resume=True).status == "done"


# --- runs with other outputs


def test_a_run_with_fewer_outputs_keeps_the_rest_its_own(flight: Path) -> None:
    for kinds in ("telemetry,report", "telemetry", "srt", "telemetry,report,srt"):
        result = track(flight, kinds)
        assert (result.status, result.reason) == ("done", "")


def test_a_run_that_ends_early_keeps_the_rest_its_own(flight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert track(flight, "telemetry,report").status == "done"
    for end in (interrupted, ended):
        with monkeypatch.context() as patch:
            patch.setattr("horizon_rt.batches.work.open_source", end)
            try:
                assert track(flight, "telemetry").status == "interrupted"
            except SystemExit:
                assert end is ended
    assert track(flight, "telemetry,report").status == "done"


def test_a_page_of_other_settings_is_not_taken_for_done(flight: Path) -> None:
    assert track(flight, "telemetry,report").status == "done"
    assert track(flight, "telemetry", smooth="none").status == "done"
    assert track(flight, "telemetry", smooth="none", resume=True).status == "skipped"
    page = flight.with_suffix(".html")
    before = page.stat().st_mtime_ns
    assert track(flight, "telemetry,report", smooth="none", resume=True).status == "done"
    assert page.stat().st_mtime_ns > before


def test_what_others_changed_since_is_no_longer_its_own(flight: Path) -> None:
    assert track(flight, "telemetry,report").status == "done"
    page = flight.with_suffix(".html")
    page.write_text("my own notes")
    assert track(flight, "telemetry").status == "done"
    assert FOREIGN in track(flight, "telemetry,report").reason
    assert page.read_text() == "my own notes"


# --- refusals


def test_a_refusal_leaves_what_is_whole_so(flight: Path, captions: Path) -> None:
    assert track(flight, "telemetry").status == "done"
    captions.write_text("by the camera")
    assert FOREIGN in track(flight, "telemetry,srt").reason
    assert track(flight, "telemetry", resume=True).status == "skipped"


def test_the_page_of_all_names_a_refusal_of_what_was_whole(flight: Path, captions: Path) -> None:
    assert track(flight, "telemetry,report").status == "done"
    captions.write_text("by the camera")
    assert track(flight, "telemetry,report,srt").status == "failed"
    assert f"{captions} {FOREIGN}" in (flight.parent / "batch.html").read_text()


@pytest.mark.parametrize("resume", [False, True])
def test_a_page_that_cannot_be_read_is_an_output_error(flight: Path, resume: bool) -> None:
    page = flight.parent / "batch.html"
    page.mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*batch\.html: Is a directory"):
        track(flight, "telemetry,report", resume=resume)
    assert not flight.with_suffix(".jsonl").exists()
