"""Live levelling: the roll that is followed, horizons of turned pictures, and the command line."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli import RunCli, write_horizon
from support.sinks import horizon, noisy_frame

from horizon_rt.camera import Camera
from horizon_rt.frame import Frame
from horizon_rt.geometry import Mount
from horizon_rt.horizon import Horizon
from horizon_rt.levelling import Leveller, RollFollower, Turn, source_points
from horizon_rt.pipeline.levelled_sink import LevelledSink, LiveLevel, levelled_horizon
from horizon_rt.sinks import Sink

CAMERA = Camera.from_hfov(96, 64, 70)


@given(st.lists(st.none() | st.floats(-3, 3), min_size=1, max_size=60))
def test_a_lost_roll_is_held_and_taken_up_without_a_jump(rolls: list[float | None]) -> None:
    follower, found = RollFollower(), []
    for number, roll in enumerate(rolls):
        found.append(follower.update(number / 25, roll))
    for number in range(1, len(rolls)):
        step = abs(found[number] - found[number - 1])
        if rolls[number] is None:
            assert step == 0
        elif rolls[number - 1] is None and any(roll is not None for roll in rolls[:number]):
            assert step <= math.radians(60) / 25 + 1e-9


def test_a_sure_roll_is_followed_at_once() -> None:
    follower = RollFollower()
    assert [follower.update(t, r) for t, r in ((0.0, None), (0.1, 1.0), (0.2, -2.0))] == [0.0, 1.0, -2.0]


@given(roll=st.floats(-179, 179), pitch=st.floats(-20, 20), turned=st.floats(-math.pi, math.pi))
@pytest.mark.parametrize("mount", [None, Mount(roll_deg=5, pitch_deg=-12, yaw_deg=30)])
def test_angles_stay_and_the_line_moves_with_the_picture(
    roll: float, pitch: float, turned: float, mount: Mount | None
) -> None:
    before = horizon(roll=roll, pitch=pitch, camera=CAMERA)
    before = type(before)(**{name: getattr(before, name) for name in before.__slots__} | {"mount": mount})
    after = levelled_horizon(before, turned, CAMERA)
    assert after.pitch_deg == pytest.approx(before.pitch_deg, abs=1e-6)
    assert math.remainder(after.roll_deg - before.roll_deg, 360) == pytest.approx(0, abs=1e-6)  # type: ignore[operator]
    assert after.roll_sd_deg == pytest.approx(before.roll_sd_deg)
    assert after.line is not None
    assert before.up is not None
    middle = np.array([(95 / 2, 63 / 2)]) - after.line.offset_px * np.array([after.line.normal])
    turn = Turn(roll=np.array([turned]), pitch=np.zeros(1))
    source = source_points(CAMERA, middle, np.ones(1), turn)[0]
    assert CAMERA.rays(source)[0] @ before.up.as_array() == pytest.approx(0, abs=1e-6)


class _Kept(Sink):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Frame, Horizon]] = []

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self.pairs.append((frame, horizon))

    def _finish(self) -> None:
        pass


def test_sinks_of_a_run_share_one_turned_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    turned: list[Frame] = []
    level_of = Leveller.level

    def counted(leveller: Leveller, frame: Frame, turn: Turn, zoom: float) -> Frame:
        turned.append(frame)
        return level_of(leveller, frame, turn, zoom)

    monkeypatch.setattr(Leveller, "level", counted)
    level, shown = LiveLevel(CAMERA), (_Kept(), _Kept())
    frames = [noisy_frame(k) for k in range(3)]
    for frame in frames:
        seen = horizon(roll=3.0 + frame.index, camera=CAMERA)
        for sink in shown:
            LevelledSink(sink, level).write(frame, seen)
    assert [one is other for one, other in zip(turned, frames, strict=True)] == [True] * 3
    for (picture, level_one), (same, same_one) in zip(shown[0].pairs, shown[1].pairs, strict=True):
        assert picture is same
        assert level_one is same_one
    assert len({id(picture) for picture, _ in shown[0].pairs}) == 3


def test_live_writes_an_overlay_that_is_level(cli: RunCli, tmp_path: Path) -> None:
    clip = write_horizon(tmp_path / "in.mkv", count=20)
    out = tmp_path / "out.mp4"
    assert cli("live", clip, "--no-window", "--level", "--overlay", out, "--model", "nano").code == 0
    with av.open(str(out)) as container:
        assert next(container.decode(video=0)).width == 96
