"""A rolling shutter, rendered row by row: the horizon that it bends is straight again, and level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.synth import flat_scene

from horizon_rt.camera import Camera, CameraProfile, load_profile, save_profile
from horizon_rt.errors import CameraModelError
from horizon_rt.frame import Frame
from horizon_rt.geometry import UpVector
from horizon_rt.levelling import AttitudeTrack, Leveller, LevelSettings, plan_level
from horizon_rt.synth.clip import to_frame
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.sensor import to_uint8

CAMERA, READOUT_S, BAND = Camera.from_hfov(320, 180, 80), 0.03, 2
ROLL_RATE, PITCH_RATE = 120.0, 40.0


def attitude(time_s: float) -> UpVector:
    return UpVector.from_roll_pitch(20 + ROLL_RATE * time_s, 4 + PITCH_RATE * time_s)


def rolled(row: float) -> Frame:
    """A picture whose rows are read one after the other; that at time 0 is `row`."""
    rays, rows = camera_rays(CAMERA), []
    for first in range(0, CAMERA.height, BAND):
        late_s = READOUT_S * (first + (BAND - 1) / 2 - row) / CAMERA.height
        rows.append(render(flat_scene(), rays[first : first + BAND], attitude(late_s)))
    return to_frame(to_uint8(np.concatenate(rows)))


def track(roll_deg: float, pitch_deg: float) -> AttitudeTrack:
    values = np.radians([[roll_deg], [pitch_deg], [0.1], [ROLL_RATE], [PITCH_RATE]])
    names = ("roll", "pitch", "sd", "roll_rate", "pitch_rate")
    return AttitudeTrack(time_s=np.zeros(1), starts=np.ones(1, bool), **dict(zip(names, values, strict=True)))


def horizon_of(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Columns, and the height of the border in each, in px."""
    luma = frame.arrays()[0].astype(float)
    sky = ((luma - luma.min()) / (luma.max() - luma.min())).sum(axis=0)
    inside = (sky > 4) & (sky < luma.shape[0] - 4)
    return np.flatnonzero(inside).astype(float), sky[inside]


def bend_and_tilt(frame: Frame) -> tuple[float, float]:
    """By how much the border is no line, rms in px, and its tilt in degrees."""
    x, y = horizon_of(frame)
    slope, offset = np.polyfit(x, y, 1)
    return float(np.std(y - slope * x - offset)), float(np.degrees(np.arctan(slope)))


def test_rows_that_were_read_later_are_turned_by_more() -> None:
    source = track(20.0, 4.0)
    first = plan_level(source, CAMERA, LevelSettings(readout_s=READOUT_S))
    assert first.turn.shutter is not None
    frame = rolled(float(first.turn.shutter.row[0]))
    found = {}
    for readout_s in (0.0, READOUT_S):
        plan = plan_level(source, CAMERA, LevelSettings(readout_s=readout_s))
        levelled = Leveller(CAMERA).level(frame, plan.turn, float(plan.zoom[0]))
        found[readout_s] = bend_and_tilt(levelled)
    assert found[READOUT_S][0] < 0.15
    assert abs(found[READOUT_S][1]) < 0.1
    assert found[0.0][0] > 4 * found[READOUT_S][0]


def test_the_zoom_knows_of_the_shutter() -> None:
    plain, shutter = (plan_level(track(20, 4), CAMERA, LevelSettings(readout_s=s)).zoom[0] for s in (0, 0.03))
    assert shutter > plain * 1.01


def test_a_profile_keeps_its_readout(tmp_path: Path) -> None:
    path = tmp_path / "bow.toml"
    profile = CameraProfile(name="bow", model=CAMERA, readout_s=0.0165)
    save_profile(profile, path)
    assert load_profile(str(path)) == profile


@pytest.mark.parametrize("readout_s", [-0.01, 0.5, float("nan")])
def test_what_is_no_readout_is_refused(readout_s: float) -> None:
    with pytest.raises(CameraModelError, match="readout_s"):
        CameraProfile(name="bow", model=CAMERA, readout_s=readout_s)
