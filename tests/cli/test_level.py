"""`horizon-rt level`: what it says, and how it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from support.cli import RunCli, full_disk, pictures_in, write_horizon
from support.sources import av_frame, chroma_size, write_clip

from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.imaging.codecs import choose_encoder
from horizon_rt.options import EncodeOptions
from horizon_rt.pipeline.levelling import Observed


def test_it_says_what_it_did(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    out, look = tmp_path / "level.mp4", tmp_path / "look.png"
    done = cli("level", clip, out, "--preview", look, "--model", "nano")
    assert done.code == 0
    assert pictures_in(out) == 12
    assert look.exists()
    assert done.errors[-3:-1] == [f"written: {out}", f"written: {look}"]
    assert "turned by up to 5." in done.errors[-1]
    assert "sure in 100.0 % of the frames" in done.errors[-1]


def test_what_the_zoom_does_not_allow_is_told(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    done = cli("level", clip, tmp_path / "a.mp4", "--model", "nano", "--crop", "100%")
    assert done.code == 0
    assert "levelled in part" in done.errors[-1]


@pytest.mark.parametrize(
    "options", [["--crop", "99%"], ["--crop", "x"], ["--strength", "2"], ["--lock", "yaw"]]
)
def test_what_is_no_option_is_a_usage_error(
    cli: RunCli, clip: Path, tmp_path: Path, options: list[str]
) -> None:
    assert cli("level", clip, tmp_path / "a.mp4", *options).code == 2
    assert not list(tmp_path.glob("a.mp4*"))


def test_photographs_are_sent_to_straighten(cli: RunCli, pictures: Path, tmp_path: Path) -> None:
    for source in (pictures, min(pictures.glob("*.*"))):
        done = cli("level", source, tmp_path / "a.mp4")
        assert (done.code, len(done.errors)) == (1, 1)
        assert "`straighten`" in done.err
        assert "live" not in done.err


def test_a_pipe_and_a_missing_file_are_one_line(cli: RunCli, tmp_path: Path) -> None:
    done = cli("level", tmp_path / "none.mp4", tmp_path / "a.mp4")
    assert done.code == 1
    assert len(done.errors) == 1
    assert not list(tmp_path.glob("a.mp4*"))


def test_a_folder_that_takes_no_file_is_one_line_before_anything_is_tracked(
    cli: RunCli, clip: Path, tmp_path: Path
) -> None:
    done = cli("level", clip, tmp_path / "flight.mkv" / "a.mp4", "--model", "nano")
    assert done.code == 1
    assert len(done.errors) == 1
    assert "cannot write" in done.err


@pytest.mark.skipif(os.name == "nt", reason="limits the size of files as Unix does")
def test_a_full_disk_is_one_line(cli: RunCli, tmp_path: Path) -> None:
    clip = write_horizon(tmp_path / "long.mkv", count=60, width=256, height=192)
    with full_disk(3000):
        done = cli("level", clip, tmp_path / "a.mp4", "--model", "nano")
    assert done.code == 1
    assert "a.mp4" in done.errors[-1]
    assert not (tmp_path / "a.mp4").exists()


def test_a_recording_without_a_horizon_is_told_to_be_not_levelled(cli: RunCli, tmp_path: Path) -> None:
    grey = [np.full((64, 96), 120, np.uint8), *[np.full(chroma_size(96, 64, "420"), 128, np.uint8)] * 2]
    clip = write_clip(tmp_path / "grey.mkv", [av_frame("yuv420p", grey)] * 5)
    done = cli("level", clip, tmp_path / "a.mp4", "--model", "nano", "--quiet")
    assert (done.code, done.errors) == (0, ["no horizon found: the output is not levelled"])
    assert pictures_in(tmp_path / "a.mp4") == 5


def test_ctrl_c_while_it_is_tracked_says_that_nothing_is_written(
    cli: RunCli, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Observed.write

    def interrupted(sink: Observed, frame: Frame, horizon: Horizon) -> None:
        write(sink, frame, horizon)
        if frame.index == 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Observed, "write", interrupted)
    out = tmp_path / "a.mp4"
    out.write_bytes(b"of an earlier run")
    done = cli("level", clip, out, "--model", "nano")
    assert done.code == 130
    assert done.errors[-2].startswith("interrupted after 6 frames")
    assert done.errors[-1].startswith(f"{out} is not written")
    assert out.read_bytes() == b"of an earlier run"


def test_a_graphics_card_is_asked_and_the_processor_does_it_where_there_is_none(
    cli: RunCli, clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = cli("level", clip, tmp_path / "a.mp4", "--model", "nano", "--encoder", "hardware")
    assert done.code == 0
    assert pictures_in(tmp_path / "a.mp4") == 12
    hardware = EncodeOptions(encoder="hardware")
    encoder = choose_encoder(hardware, bit_depth=8)
    assert (encoder.name == "libx264") == ("no graphics card" in caplog.text)
