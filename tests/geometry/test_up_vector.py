"""Attitude and lines: round trips, Jacobians and signs, against OpenCV, differences and samples."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from horizon_rt.geometry import HorizonLine, UpVector, wrap_degrees
from horizon_rt.horizon import roll_pitch_sd_deg

QUICK = settings(max_examples=120, deadline=None)
WIDTH, HEIGHT = 1920, 1080
CENTRE = (WIDTH - 1) / 2, (HEIGHT - 1) / 2

rolls = st.floats(-180, 180) | st.sampled_from([-180.0, -90.0, 0.0, 90.0, 180.0])
pitches = st.floats(-89.9, 89.9) | st.sampled_from([-45.0, 0.0, 45.0])
focals = st.floats(50, 20000)
angles = rolls
offsets = st.floats(-5000, 5000)
coordinates = st.floats(-3000, 5000)


def _turned(roll_deg: float, pitch_deg: float) -> np.ndarray:
    """World (x right, y down, z ahead) to camera, by elementary rotations only.

    Nose up by pitch: what is level ahead moves down in the image. Right wing down by roll: the world turns
    counter-clockwise in the image.
    """
    p, r = math.radians(pitch_deg), math.radians(roll_deg)
    pitch = np.array([[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]])
    roll = np.array([[math.cos(r), math.sin(r), 0], [-math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return roll @ pitch


def _angle_between(a: float, b: float) -> float:
    return abs(wrap_degrees(a - b))


@given(angle=st.floats(-1e6, 1e6))
def test_wrapping_keeps_the_angle(angle: float) -> None:
    wrapped = wrap_degrees(angle)
    assert -180 <= wrapped <= 180
    assert math.cos(math.radians(wrapped - angle)) == pytest.approx(1)


@QUICK
@given(roll=rolls, pitch=pitches)
def test_up_vector_and_roll_pitch_round_trip(roll: float, pitch: float) -> None:
    up = UpVector.from_roll_pitch(roll, pitch)
    assert _angle_between(up.roll_deg, roll) < 1e-6
    assert up.pitch_deg == pytest.approx(pitch, abs=1e-9)
    assert np.linalg.norm(up.as_array()) == pytest.approx(1)


@QUICK
@given(roll=rolls, pitch=pitches)
def test_up_vector_is_the_worlds_up_seen_by_the_turned_camera(roll: float, pitch: float) -> None:
    expected = _turned(roll, pitch) @ (0, -1, 0)
    np.testing.assert_allclose(UpVector.from_roll_pitch(roll, pitch).as_array(), expected, atol=1e-12)


@pytest.mark.parametrize("pitch", [90.0, -90.0])
@pytest.mark.parametrize("roll", [0.0, 60.0, -170.0])
def test_straight_up_and_down(roll: float, pitch: float) -> None:
    up = UpVector.from_roll_pitch(roll, pitch)
    assert up.pitch_deg == pytest.approx(pitch)
    assert up.line(1000) is None
    assert np.isfinite(up.roll_pitch_jacobian()).all()
    assert UpVector(0.0, 0.0, math.copysign(1.0, pitch)).pitch_deg == pitch


def test_signs_in_words() -> None:
    right_wing_down = UpVector.from_roll_pitch(20, 0).line(1000)
    assert right_wing_down is not None
    # The world turns counter-clockwise: the right end of the horizon rises.
    assert right_wing_down.y_at(WIDTH - 1, WIDTH, HEIGHT) < right_wing_down.y_at(0, WIDTH, HEIGHT)
    assert right_wing_down.angle_deg == pytest.approx(-20)
    nose_up = UpVector.from_roll_pitch(0, 10).line(1000)
    assert nose_up is not None
    assert nose_up.y_at(0, WIDTH, HEIGHT) > CENTRE[1]
    assert nose_up.offset_px == pytest.approx(1000 * math.tan(math.radians(10)))
    inverted = UpVector.from_roll_pitch(180, 10).line(1000)
    assert inverted is not None
    assert abs(inverted.angle_deg) == pytest.approx(180)
    assert inverted.signed_distance(*CENTRE, WIDTH, HEIGHT) > 0
    assert inverted.y_at(0, WIDTH, HEIGHT) < CENTRE[1]


@QUICK
@given(roll=rolls, pitch=pitches, focal=focals)
def test_line_round_trip(roll: float, pitch: float, focal: float) -> None:
    up = UpVector.from_roll_pitch(roll, pitch)
    line = up.line(focal)
    assert line is not None
    assert up.angle_to(line.up_vector(focal)) < 1e-6
    assert _angle_between(line.angle_deg, -roll) < 1e-6


@QUICK
@given(angle=angles, offset=offsets, focal=focals)
def test_line_to_up_vector_round_trip(angle: float, offset: float, focal: float) -> None:
    line = HorizonLine(angle, offset).up_vector(focal).line(focal)
    assert line is not None
    assert _angle_between(line.angle_deg, angle) < 1e-6
    assert line.offset_px == pytest.approx(offset, abs=1e-6, rel=1e-9)


@QUICK
@given(roll=rolls, pitch=pitches, focal=focals)
def test_far_horizon_points_lie_on_the_line(roll: float, pitch: float, focal: float) -> None:
    """Points at infinity on the world's horizon, projected by OpenCV."""
    azimuth = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    world = np.stack([np.sin(azimuth), np.zeros(60), np.cos(azimuth)], axis=1)
    far = 1e6 * world @ _turned(roll, pitch).T
    far = far[far[:, 2] > 5e4]
    assume(len(far))
    matrix = np.array([[focal, 0, CENTRE[0]], [0, focal, CENTRE[1]], [0, 0, 1]])
    points = cv2.projectPoints(far, np.zeros(3), np.zeros(3), matrix, None)[0][:, 0]
    line = UpVector.from_roll_pitch(roll, pitch).line(focal)
    assert line is not None
    for x, y in points:
        assert abs(line.signed_distance(x, y, WIDTH, HEIGHT)) < 1e-8 * (1 + abs(x) + abs(y))


@QUICK
@given(
    roll=rolls, pitch=st.floats(-60, 60), focal=focals, azimuth=st.floats(-30, 30), height=st.floats(1, 20)
)
def test_the_sky_side_is_positive(
    roll: float, pitch: float, focal: float, azimuth: float, height: float
) -> None:
    """A direction above the world's horizon lies in the sky, the same below it does not."""
    line = UpVector.from_roll_pitch(roll, pitch).line(focal)
    assert line is not None
    for sign in (1, -1):
        a, e = math.radians(azimuth), math.radians(sign * height)
        ray = _turned(roll, pitch) @ (math.cos(e) * math.sin(a), -math.sin(e), math.cos(e) * math.cos(a))
        if ray[2] > 0.05:
            x, y = (focal * ray[i] / ray[2] + CENTRE[i] for i in range(2))
            assert sign * line.signed_distance(x, y, WIDTH, HEIGHT) > 0


@QUICK
@given(roll=rolls, pitch=st.floats(-89, 89))
def test_roll_pitch_jacobian_against_central_differences(roll: float, pitch: float) -> None:
    """Along two tangents of the sphere, where alone the up vector can move."""
    up = UpVector.from_roll_pitch(roll, pitch)
    u = up.as_array()
    tangents = np.linalg.svd(u[None])[2][1:]
    step = 1e-6 * math.cos(math.radians(pitch))
    for tangent in tangents:
        plus, minus = (UpVector.from_vector(u + sign * step * tangent) for sign in (1, -1))
        expected = [wrap_degrees(plus.roll_deg - minus.roll_deg), plus.pitch_deg - minus.pitch_deg]
        found = up.roll_pitch_jacobian() @ tangent
        np.testing.assert_allclose(found, np.radians(expected) / (2 * step), rtol=1e-4, atol=2e-4)


@QUICK
@given(roll=rolls, pitch=st.floats(-89, 89))
def test_roll_pitch_jacobian_ignores_length(roll: float, pitch: float) -> None:
    up = UpVector.from_roll_pitch(roll, pitch)
    np.testing.assert_allclose(up.roll_pitch_jacobian() @ up.as_array(), 0, atol=1e-9)


@QUICK
@given(angle=angles, offset=offsets, focal=focals)
def test_up_vector_jacobian_against_central_differences(angle: float, offset: float, focal: float) -> None:
    found = HorizonLine(angle, offset).up_vector_jacobian(focal)
    step = 1e-4
    by_angle = [HorizonLine(angle + sign * step, offset).up_vector(focal).as_array() for sign in (1, -1)]
    by_offset = [
        HorizonLine(angle, offset + sign * step * focal).up_vector(focal).as_array() for sign in (1, -1)
    ]
    np.testing.assert_allclose(found[:, 0], np.subtract(*by_angle) / (2 * math.radians(step)), atol=1e-7)
    np.testing.assert_allclose(found[:, 1] * focal, np.subtract(*by_offset) / (2 * step), atol=1e-7)


@QUICK
@given(angle=angles, offset=offsets, focal=focals)
def test_the_two_jacobians_compose_to_the_closed_form(angle: float, offset: float, focal: float) -> None:
    """roll = −angle and pitch = atan(offset / focal)."""
    line = HorizonLine(angle, offset)
    found = line.up_vector(focal).roll_pitch_jacobian() @ line.up_vector_jacobian(focal)
    expected = [[-1, 0], [0, focal / (focal**2 + offset**2)]]
    np.testing.assert_allclose(found, expected, atol=1e-7)


@QUICK
@given(angle=angles, offset=offsets, x=coordinates)
def test_y_at_lies_on_the_line(angle: float, offset: float, x: float) -> None:
    assume(abs(math.cos(math.radians(angle))) > 1e-3)
    line = HorizonLine(angle, offset)
    y = line.y_at(x, WIDTH, HEIGHT)
    assert line.signed_distance(x, y, WIDTH, HEIGHT) == pytest.approx(0, abs=1e-6)


def test_a_vertical_line_has_no_row() -> None:
    assert math.isinf(HorizonLine(90, 3).y_at(100, WIDTH, HEIGHT))


@QUICK
@given(x1=coordinates, y1=coordinates, x2=coordinates, y2=coordinates, above=st.booleans())
def test_a_line_through_points(x1: float, y1: float, x2: float, y2: float, above: bool) -> None:
    assume(math.hypot(x2 - x1, y2 - y1) > 1)
    line = HorizonLine.from_points(x1, y1, x2, y2, WIDTH, HEIGHT, sky_above=above)
    for x, y in ((x1, y1), (x2, y2)):
        assert line.signed_distance(x, y, WIDTH, HEIGHT) == pytest.approx(0, abs=1e-6)
    if abs(x2 - x1) > 1e-3:
        middle = (x1 + x2) / 2, (y1 + y2) / 2
        up = line.signed_distance(middle[0], middle[1] - 100, WIDTH, HEIGHT)
        assert (up > 0) == above


@QUICK
@given(angle=angles, offset=offsets)
def test_points_of_a_line_give_it_back(angle: float, offset: float) -> None:
    assume(abs(math.cos(math.radians(angle))) > 1e-3)
    line = HorizonLine(angle, offset)
    ends = [(x, line.y_at(x, WIDTH, HEIGHT)) for x in (0.0, WIDTH - 1.0)]
    above = math.cos(math.radians(angle)) > 0
    again = HorizonLine.from_points(*ends[0], *ends[1], WIDTH, HEIGHT, sky_above=above)
    assert _angle_between(again.angle_deg, angle) < 1e-6
    assert again.offset_px == pytest.approx(offset, abs=1e-6)


@pytest.mark.parametrize("sky_above", [True, False])
@pytest.mark.parametrize(("y1", "y2"), [(0.0, 100.0), (100.0, 0.0)])
def test_a_vertical_line_has_its_sky_where_the_docstring_says(y1: float, y2: float, sky_above: bool) -> None:
    line = HorizonLine.from_points(700, y1, 700, y2, WIDTH, HEIGHT, sky_above=sky_above)
    right_is_sky = line.signed_distance(800, 50, WIDTH, HEIGHT) > 0
    assert right_is_sky == ((y2 > y1) == sky_above)


@pytest.mark.parametrize("point", [(3.0, 4.0), (math.nan, 1.0)])
def test_one_point_is_no_line(point: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="distinct"):
        HorizonLine.from_points(*point, *point, WIDTH, HEIGHT)


@pytest.mark.parametrize("vector", [(0, 0, 0), (math.nan, 0, 1), (math.inf, 0, 0)])
def test_no_up_vector_of_no_direction(vector: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="normalise"):
        UpVector.from_vector(np.array(vector, float))
    with pytest.raises(ValueError, match="length 1"):
        UpVector(*vector)


@QUICK
@given(roll=rolls, pitch=pitches, turn=st.floats(0, 180), about=st.floats(0, 2 * math.pi))
def test_the_angle_between_up_vectors(roll: float, pitch: float, turn: float, about: float) -> None:
    """Turning by a rotation about an axis square to u moves u by that angle."""
    up = UpVector.from_roll_pitch(roll, pitch)
    tangents = np.linalg.svd(up.as_array()[None])[2][1:]
    axis = math.cos(about) * tangents[0] + math.sin(about) * tangents[1]
    turned = cv2.Rodrigues(axis * math.radians(turn))[0] @ up.as_array()
    assert up.angle_to(UpVector.from_vector(turned)) == pytest.approx(turn, abs=1e-6)


@pytest.mark.parametrize(("roll", "pitch"), [(0, 0), (30, -20), (175, 40), (-100, 60)])
def test_sigmas_against_samples(roll: float, pitch: float) -> None:
    """Monte Carlo: up vectors scattered in the tangent plane."""
    rng = np.random.default_rng(1)
    up = UpVector.from_roll_pitch(roll, pitch)
    tangents = np.linalg.svd(up.as_array()[None])[2][1:]
    root = 1e-3 * np.array([[1.0, 0.0], [0.6, 0.4]])
    samples = up.as_array() + rng.normal(size=(20000, 2)) @ root.T @ tangents
    covariance = tangents.T @ root @ root.T @ tangents
    drawn_roll = np.degrees(np.arctan2(-samples[:, 0], -samples[:, 1])) - up.roll_deg
    drawn_roll = (drawn_roll + 180) % 360 - 180
    drawn_pitch = np.degrees(np.arcsin(samples[:, 2] / np.linalg.norm(samples, axis=1)))
    found = roll_pitch_sd_deg(up, covariance)
    np.testing.assert_allclose(found, (drawn_roll.std(), drawn_pitch.std()), rtol=0.03)


@QUICK
@given(roll=rolls, pitch=st.floats(-89, 89), sd=st.floats(1e-6, 1e-3))
def test_sigmas_of_an_even_scatter(roll: float, pitch: float, sd: float) -> None:
    """sigma in pitch; sigma / cos(pitch) in roll."""
    up = UpVector.from_roll_pitch(roll, pitch)
    covariance = sd**2 * (np.eye(3) - np.outer(up.as_array(), up.as_array()))
    expected = math.degrees(sd) / math.cos(math.radians(pitch)), math.degrees(sd)
    assert roll_pitch_sd_deg(up, covariance) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("distance", [1e-12, 1e-10, 1e-8, 1e-5, 1e-4])
def test_sigmas_are_continuous_towards_straight_up(distance: float) -> None:
    """The roll of a camera that looks nearly straight up is unknown, never perfectly known."""
    up = UpVector.from_vector(np.array([distance * 0.6, distance * 0.8, 1.0]))
    covariance = np.diag([1e-6, 1e-6, 0])
    roll_sd, pitch_sd = roll_pitch_sd_deg(up, covariance)
    assert roll_sd == 180.0
    assert pitch_sd == pytest.approx(math.degrees(1e-3))


@pytest.mark.parametrize("z", [1.0, -1.0])
def test_sigmas_straight_up_and_down_are_capped(z: float) -> None:
    roll_sd, pitch_sd = roll_pitch_sd_deg(UpVector(0.0, 0.0, z), np.diag([1e-6, 1e-6, 0]))
    assert roll_sd == 180.0
    assert pitch_sd == pytest.approx(math.degrees(1e-3))


def test_sigmas_are_never_above_their_caps() -> None:
    assert roll_pitch_sd_deg(UpVector.from_roll_pitch(10, 20), np.eye(3) * 1e6) == (180.0, 90.0)
