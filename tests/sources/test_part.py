"""Parts of recordings, against the whole recording and what another reader says of its frames."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sources import h264_clip, moving_frames, write_clip

from horizon_rt.errors import OptionsError, SourceError
from horizon_rt.frame import Frame
from horizon_rt.options import Part
from horizon_rt.sources import open_source

FRAMES = 60
OPEN_GOP = {"g": "12", "bf": "3", "x264-params": "open-gop=1:keyint=12:bframes=3:b-adapt=0", "threads": "1"}


@pytest.fixture(scope="module", params=["mp4", "mkv", "ts", "avi", "h264", "open.ts", "open.mp4"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("part") / f"clip.{request.param}"
    if request.param.startswith("open"):
        return write_clip(path, moving_frames(FRAMES, 64, 48), codec="libx264", options=OPEN_GOP)
    return h264_clip(path, FRAMES)


def read(path: Path, part: Part) -> list[Frame]:
    with open_source(path, part=part) as source:
        frames = list(source)
        assert path.suffix == ".h264" or source.warnings == []  # which has no times
    return frames


def check_same(frames: list[Frame], wanted: list[Frame]) -> None:
    assert [frame.index for frame in frames] == list(range(len(wanted)))
    assert [frame.time_s for frame in frames] == pytest.approx([frame.time_s for frame in wanted], abs=1e-6)
    for frame, other in zip(frames, wanted, strict=True):
        assert np.array_equal(frame.luma, other.luma)


@given(start=st.floats(0, 3), length=st.floats(0.001, 3), every=st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_a_part_has_those_frames_of_the_whole(clip: Path, start: float, length: float, every: int) -> None:
    part = Part(start_s=start, end_s=start + length, every=str(every))
    wanted = [frame for frame in read(clip, Part()) if start <= frame.time_s < start + length][::every]
    if wanted:
        check_same(read(clip, part), wanted)
    else:
        with pytest.raises(SourceError, match="no frame between --start and --end"):
            open_source(clip, part=part)


def test_key_frames_are_those_that_are_coded_whole(clip: Path) -> None:
    if clip.suffix == ".h264":
        pytest.skip("it has no times")
    with av.open(str(clip)) as container:
        keys = [k for k, picture in enumerate(container.decode(video=0)) if picture.key_frame]
    whole = read(clip, Part())
    assert 1 < len(keys) < len(whole) / 2
    check_same(read(clip, Part(every="key")), [whole[k] for k in keys])


def test_the_info_is_that_of_the_part(tmp_path: Path) -> None:
    clip = h264_clip(tmp_path / "clip.mp4", FRAMES)
    with open_source(clip) as whole, open_source(clip, part=Part(start_s=1.0, every="5")) as source:
        assert source.info.frame_rate == pytest.approx(whole.info.frame_rate / 5)
        assert source.info.duration_s == pytest.approx(whole.info.duration_s - 1.0)
        assert source.info.frame_count is None
        first = source.read()
        again = source.reopen().read()
    assert first is not None
    assert again is not None
    assert first.time_s == again.time_s >= 1.0


def test_rendered_scenes_have_parts_too() -> None:
    frames = list(open_source("synth:sea?size=320x192&seconds=1&fps=10", part=Part(start_s=0.35, every="2")))
    assert [frame.time_s for frame in frames] == pytest.approx([0.4, 0.6, 0.8])


@pytest.mark.parametrize("every", ["0", "-1", "2.5", "keys", "", "٣", "9" * 5000])
def test_what_is_no_number_of_frames_is_refused(every: str) -> None:
    with pytest.raises(OptionsError, match="--every is a number"):
        Part(every=every)


@pytest.mark.parametrize("time_s", [-1.0, float("nan"), float("inf"), 1e15])
def test_what_is_no_time_is_refused(time_s: float) -> None:
    with pytest.raises(OptionsError, match="is a time in seconds"):
        Part(start_s=time_s)
    with pytest.raises(OptionsError, match="is a time in seconds"):
        Part(end_s=time_s)


def test_a_part_from_the_beginning_to_the_end_is_the_whole() -> None:
    assert Part(start_s=0.0, every="1").is_whole


def test_what_is_live_has_no_parts() -> None:
    with pytest.raises(SourceError, match="is live"):
        open_source("lavfi:testsrc2=size=32x24:rate=50", part=Part(start_s=1.0))


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(OptionsError, match="later than --start"):
        Part(start_s=2.0, end_s=2.0)
