"""Lines as rows of the table and as proposals, lines carried along, and which frames are chosen."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.camera import brown
from support.edges import apart_px

from horizon_rt.camera import Camera
from horizon_rt.datasets import read_horizons
from horizon_rt.datasets.lines import line_row, write_lines
from horizon_rt.errors import SourceError
from horizon_rt.frame import Frame
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.horizon import Measurement, Observation
from horizon_rt.label.card import write_card
from horizon_rt.label.carry import carry_line
from horizon_rt.label.choice import Chosen, FrameChoice, spacing
from horizon_rt.label.proposal import Proposal, image_line
from horizon_rt.sources import SourceInfo
from horizon_rt.sources.synthetic import SyntheticOptions, make_clip

SIZE = (640, 360)

# --- the table

_angles = st.floats(-180, 180) | st.sampled_from([0.0, 90.0, -90.0, 180.0, -180.0, 89.9999, -90.0001, 1e-9])


@given(angle=_angles, offset=st.floats(-170, 170), width=st.integers(16, 4000), height=st.integers(16, 3000))
def test_a_row_is_read_back_as_the_same_line(angle: float, offset: float, width: int, height: int) -> None:
    line = HorizonLine(angle, offset * min(width, height) / 360)
    nx, ny = np.abs(line.normal)
    assume(abs(line.offset_px) < (nx * width + ny * height) / 2 - 1.5)  # in view
    *ends, side = line_row(line, width, height)
    x1, y1, x2, y2 = map(float, ends)
    back = HorizonLine.from_points(x1, y1, x2, y2, width, height, sky_above=side == "above")
    assert apart_px(back, line, width, height) < 3e-3


def test_the_points_of_a_usual_line_lie_on_the_sides() -> None:
    row = line_row(HorizonLine(0.0, 20.0), 640, 360)
    assert row == ("0", "199.5", "639", "199.5", "above")
    assert line_row(HorizonLine(180.0, -20.0), 640, 360) == ("0", "199.5", "639", "199.5", "below")
    x1, y1, x2, y2, side = line_row(HorizonLine(math.degrees(math.atan(0.5)), 0.0), 641, 361)
    assert (float(x1), float(y1), float(x2), float(y2), side) == (0, 20, 640, 340, "above")


def test_a_vertical_line_runs_down_with_the_sky_on_its_right() -> None:
    assert line_row(HorizonLine(90.0, -10.0), 640, 360) == ("329.5", "0", "329.5", "359", "above")
    assert line_row(HorizonLine(-90.0, 10.0), 640, 360) == ("329.5", "359", "329.5", "0", "above")


def test_names_of_any_kind_survive_the_table(tmp_path: Path) -> None:
    names = ['a,"b".png', "späß 1.png", " lead.png"]
    write_lines(tmp_path, [(name, line_row(None, 9, 9)) for name in names])
    assert [row.path.name for row in read_horizons(tmp_path)] == names
    assert not list(tmp_path.glob("*.partial"))


@settings(max_examples=30)
@given(text=st.text(max_size=40))
def test_any_text_is_written_as_toml(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("card")
    assert write_card(folder, name="set", source="clip.mp4", scene="sea", licence=text)
    card = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
    assert card["licence"] == (text or "not stated")
    assert card["scene"] == "sea"
    assert not write_card(folder, name="other", source="", scene=None, licence=None)


# --- proposals


def _observed(up: UpVector) -> Observation:
    measured = Measurement(up=up, covariance=up.isotropic_covariance(0.5), inliers=99)
    return Observation(view="horizon", confidence=0.9, sky_fraction=0.5, measurement=measured)


@pytest.mark.parametrize(("roll", "pitch"), [(0, 0), (20, 5), (-90, 3), (179, -4), (90, 0), (-135, 8)])
def test_the_line_of_a_lens_without_distortion_is_exact(roll: float, pitch: float) -> None:
    camera = Camera.from_hfov(*SIZE, 70)
    up = UpVector.from_roll_pitch(roll, pitch)
    line, exact = image_line(up, camera), up.line(camera.focal_px)
    assert line is not None
    assert exact is not None
    assert apart_px(line, exact, *SIZE) < 1e-6


def test_with_distortion_the_line_lies_along_the_curve() -> None:
    plain = Camera.from_hfov(*SIZE, 80)
    camera = brown(width=640, height=360, fx=plain.fx, fy=plain.fy, cx=plain.cx, cy=plain.cy, k1=-0.15)
    up = UpVector.from_roll_pitch(10, 8)
    line = image_line(up, camera)
    assert line is not None
    x, y = np.meshgrid(np.arange(640.0), np.arange(360.0))
    rays = camera.rays(np.stack([x.ravel(), y.ravel()], axis=1))
    near = np.abs(rays @ up.as_array()).reshape(360, 640) < 0.3 / camera.focal_px
    distances = line.signed_distance(x[near], y[near], *SIZE)
    assert np.abs(distances).max() < 15
    assert abs(distances.mean()) < 1


def test_what_is_out_of_view_gives_no_line() -> None:
    camera = Camera.from_hfov(*SIZE, 60)
    assert image_line(UpVector.from_roll_pitch(0, 60), camera) is None
    assert Proposal.of(_observed(UpVector.from_roll_pitch(0, 60)), camera).line is None


def test_the_deviations_of_a_line_are_those_of_the_attitude() -> None:
    camera = Camera.from_hfov(*SIZE, 70)
    proposal = Proposal.of(_observed(UpVector.from_roll_pitch(5, 12)), camera)
    moved = [camera.focal_px * math.tan(math.radians(12 + d)) for d in (0.5, -0.5)]
    assert proposal.offset_sd_px == pytest.approx((moved[0] - moved[1]) / 2, rel=1e-3)
    assert proposal.angle_sd_deg == pytest.approx(0.5 / math.cos(math.radians(12)), rel=1e-3)


# --- carried lines


@pytest.mark.parametrize(
    ("kind", "motion", "apart"), [("sea", "boat", 25), ("town", "flight", 5), ("mountains", "flight", 5)]
)
def test_a_line_is_carried_through_a_clip_better_than_the_tracker_knows_it(
    kind: str, motion: str, apart: int
) -> None:
    clip = make_clip(SyntheticOptions(kind=kind, motion=motion, size="640x360", seconds=4, seed=5))
    truth = [clip.camera.line(clip.truth(i).up) for i in (30, 30 + apart)]
    lumas = [np.ascontiguousarray(clip.frame(i).luma) for i in (30, 30 + apart)]
    # a tracker that is off by different amounts in both
    tracked = (
        HorizonLine(truth[0].angle_deg + 0.4, truth[0].offset_px + 6),
        HorizonLine(truth[1].angle_deg - 0.3, truth[1].offset_px + 2),
    )
    carried, method = carry_line(truth[0], (lumas[0], lumas[1]), tracked)
    assert method == "flow"
    assert apart_px(carried, truth[1], *SIZE) < 0.6


def test_without_texture_the_tracker_tells_the_motion() -> None:
    flat = np.full((360, 640), 90, np.uint8)
    before, after = HorizonLine(3.0, 10.0), HorizonLine(-9.0, -20.0)
    line, method = carry_line(HorizonLine(3.5, 12.0), (flat, flat), (before, after))
    assert method == "tracker"
    assert apart_px(line, HorizonLine(-8.5, -18.0), *SIZE) < 0.01
    line, method = carry_line(before, (flat, flat), (before, None))
    assert method == "same"
    assert apart_px(line, before, *SIZE) < 1e-9


def test_carrying_follows_a_turned_picture() -> None:
    rng = np.random.default_rng(2)
    before = cv2.GaussianBlur(rng.uniform(0, 255, (360, 640)), (0, 0), 2)
    before = cv2.normalize(before, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    matrix = cv2.getRotationMatrix2D((319.5, 179.5), -4.0, 1.0)  # OpenCV turns the other way round
    matrix[:, 2] += (3.0, -5.0)
    after = cv2.warpAffine(before, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)
    line = HorizonLine(10.0, 15.0)
    n = np.array([math.sin(math.radians(14)), -math.cos(math.radians(14))])
    expected = HorizonLine(14.0, 15.0 - float(n @ (3.0, -5.0)))
    carried, method = carry_line(line, (before, after), (None, None))
    assert method == "flow"
    assert apart_px(carried, expected, *SIZE) < 0.3


# --- the choice of frames


def _info(**known: object) -> SourceInfo:
    return SourceInfo(name="x", kind="file", width=64, height=48, **known)  # type: ignore[arg-type]


def test_the_spacing_covers_the_whole_source() -> None:
    assert spacing(_info(frame_count=1000)) == 10
    assert spacing(_info(frame_count=1000), count=30) == 34
    assert spacing(_info(frame_count=10), count=30) == 1
    assert spacing(_info(frame_count=1000), every=7) == 7
    assert spacing(_info(duration_s=60.0, frame_rate=25.0), count=10) == 150
    assert spacing(_info(frame_count=900, is_image_set=True)) == 1
    assert spacing(_info(frame_count=900, is_image_set=True), count=9) == 100
    with pytest.raises(SourceError, match="--every"):
        spacing(_info())


def _look(index: int, grey: float, confidence: float = 1.0) -> Chosen:
    luma = np.full((48, 64), grey, np.uint8)
    luma += np.random.default_rng(index).integers(0, 3, luma.shape, dtype=np.uint8)
    return Chosen(
        Frame((luma,), index, float(index)),
        Observation(view="unknown", confidence=confidence, sky_fraction=0.5),
    )


def _choose(looks: list[Chosen], every: int, **options: bool) -> list[int]:
    choice = FrameChoice(every, **options)
    taken = [choice.add(look) for look in looks if choice.wants(look.frame.index)]
    return [chosen.frame.index for chosen in [*taken, choice.finish()] if chosen is not None]


def test_one_frame_of_each_run_is_taken() -> None:
    assert len(_choose([_look(i, 10 * (i % 20)) for i in range(60)], 6)) == 10


def test_a_camera_at_rest_gives_one_frame_and_a_folder_all() -> None:
    looks = [_look(i, 100) for i in range(40)]
    assert len(_choose(looks, 10)) == 1
    assert _choose(looks[:4], 1, keep_similar=True) == [0, 1, 2, 3]


def test_what_differs_and_what_the_tracker_is_unsure_of_comes_first() -> None:
    greys = [_look(i, 100 + (40 if i == 13 else i % 3)) for i in range(20)]
    assert _choose(greys, 8)[1] == 13
    unsure = [_look(i, 100 + 2 * i, 0.55 if i in (4, 17) else 0.98) for i in range(20)]
    assert _choose(unsure, 8)[::2] == [4, 17]


def test_only_some_frames_of_a_long_run_are_looked_at() -> None:
    choice = FrameChoice(1000)
    assert sum(choice.wants(i) for i in range(5000)) == 40
