"""What videos of recordings in an object store keep, and what is told where they do not."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from support.cli import write_horizon

import horizon_rt as hz

fsspec = pytest.importorskip("fsspec", reason="needs fsspec")
pytest.importorskip("s3fs", reason="needs the extra cluster")


@pytest.mark.parametrize("verb", ["track", "level"])
def test_one_line_tells_that_sound_and_tags_are_not_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, verb: str
) -> None:
    local = write_horizon(tmp_path / "flight.mp4", codec="mpeg4")
    stored = "memory://flights/flight.mp4"
    with fsspec.open(stored, "wb") as file:
        file.write(local.read_bytes())
    for source, told in ((str(local), 0), (stored, 1)):
        caplog.clear()
        out = tmp_path / f"{told}.mp4"
        with caplog.at_level(logging.WARNING):
            if verb == "level":
                hz.level(source, out, model="nano")
            else:
                hz.track(source, overlay=out, model="nano")
        lines = [r.getMessage() for r in caplog.records if "sound and tags are not kept" in r.getMessage()]
        assert len(lines) == told
        assert all(stored in line for line in lines)
        assert out.stat().st_size
