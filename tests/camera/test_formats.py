"""Profiles of other programs: samples after their documentation, the circle through all formats, damage."""

from __future__ import annotations

import json
import math
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from horizon_rt.camera import (
    BrownConrady,
    Camera,
    CameraProfile,
    KannalaBrandt,
    coefficients_of,
    load_profile,
    save_profile,
)
from horizon_rt.cli.cameras import app
from horizon_rt.errors import CameraModelError, HorizonError

CORPUS = Path(__file__).with_name("corpus")
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# As camera_calibration_parsers writes it.
ROS = """image_width: 800
image_height: 600
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [514.03, 0, 399.5, 0, 518.92, 300.25, 0, 0, 1]
distortion_model: rational_polynomial
distortion_coefficients:
  rows: 1
  cols: 8
  data: [0.3, -0.02, 0.0002, -0.0001, 0.001, 0.62, 0.01, -0.003]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
projection_matrix:
  rows: 3
  cols: 4
  data: [514.03, 0, 399.5, 0, 0, 518.92, 300.25, 0, 0, 0, 1, 0]
"""
# A printed sensor_msgs/CameraInfo.
ROS_MESSAGE = """header:
  seq: 0
  frame_id: camera
height: 600
width: 800
distortion_model: equidistant
d: [0.01, -0.02, 0.003, -0.0004]
k: [300.0, 0.0, 399.5, 0.0, 301.0, 300.25, 0.0, 0.0, 1.0]
r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
p: [300.0, 0.0, 399.5, 0.0, 0.0, 301.0, 300.25, 0.0, 0.0, 0.0, 1.0, 0.0]
"""
# github.com/ethz-asl/kalibr/wiki/yaml-formats
KALIBR = """cam0:
  camera_model: pinhole
  intrinsics: [461.629, 460.152, 362.680, 246.049]
  distortion_model: radtan
  distortion_coeffs: [-0.27695497, 0.06712482, 0.00087538, 0.00011556]
  T_cam_imu:
  - [0.01779318, 0.99967549,-0.01822936, 0.07008565]
  - [-0.9998017, 0.01795239, 0.00860714,-0.01771023]
  - [0.00893160, 0.01807260, 0.99979678, 0.00399246]
  - [0.0, 0.0, 0.0, 1.0]
  timeshift_cam_imu: -8.121e-05
  rostopic: /cam0/image_raw
  resolution: [752, 480]
cam1:
  camera_model: omni
  intrinsics: [0.80065662, 833.006, 830.345, 373.850, 253.749]
  distortion_model: radtan
  distortion_coeffs: [-0.33518750, 0.13211436, 0.00055967, 0.00057686]
  rostopic: /cam1/image_raw
  resolution: [752, 480]
"""
GYROFLOW = {
    "name": "GoPro_HERO_Wide_4by3",
    "note": "",
    "calibrated_by": "someone",
    "camera_brand": "GoPro",
    "camera_model": "HERO",
    "lens_model": "Wide",
    "camera_setting": "",
    "calib_dimension": {"w": 2704, "h": 2028},
    "orig_dimension": {"w": 2704, "h": 2028},
    "output_dimension": {"w": 2704, "h": 1520},
    "frame_readout_time": 15.5,
    "gyro_lpf": None,
    "input_horizontal_stretch": 1.0,
    "num_images": 15,
    "fps": 59.94,
    "official": False,
    "asymmetrical": False,
    "fisheye_params": {
        "RMS_error": 0.68,
        "camera_matrix": [[1178.9, 0.0, 1361.2], [0.0, 1179.2, 1010.4], [0.0, 0.0, 1.0]],
        "distortion_coeffs": [0.0441, 0.0371, -0.0209, 0.0051],
    },
    "distortion_model": "opencv_fisheye",
    "identifier": "",
    "calibrator_version": "1.4.0",
    "compatible_settings": [{"width": 1920, "height": 1440}],
}
FISHEYE = KannalaBrandt(k1=0.0441, k2=0.0371, k3=-0.0209, k4=0.0051)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_ros_camera_info(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path / "a.yaml", ROS))
    lens = BrownConrady.from_coefficients([0.3, -0.02, 2e-4, -1e-4, 1e-3, 0.62, 0.01, -0.003])
    size = {"width": 800, "height": 600, "cx": 399.5, "cy": 300.25}
    assert profile.model == Camera(**size, fx=514.03, fy=518.92, distortion=lens)
    assert (profile.name, profile.source) == ("narrow_stereo", "ROS camera_info")


@pytest.mark.parametrize("upper", [True, False])
def test_a_printed_ros_message(tmp_path: Path, upper: bool) -> None:
    text = ROS_MESSAGE.replace("\nd:", "\nD:").replace("\nk:", "\nK:") if upper else ROS_MESSAGE
    model = load_profile(written(tmp_path / "a.yaml", text)).model
    assert model.intrinsics == (300, 301, 399.5, 300.25)
    assert model.distortion == KannalaBrandt(k1=0.01, k2=-0.02, k3=0.003, k4=-0.0004)


def test_a_kalibr_chain_gives_its_first_camera(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path / "camchain.yaml", KALIBR))
    assert profile.source == "Kalibr camchain, cam0 of 2"
    assert profile.model.intrinsics == (461.629, 460.152, 362.680, 246.049)
    assert (profile.model.width, profile.model.height) == (752, 480)
    assert profile.model.distortion == BrownConrady(
        k1=-0.27695497, k2=0.06712482, p1=0.00087538, p2=0.00011556
    )
    fisheye = load_profile(written(tmp_path / "b.yaml", KALIBR.replace("radtan", "equidistant")))
    assert isinstance(fisheye.model.distortion, KannalaBrandt)


def test_a_gyroflow_profile_keeps_the_readout_time(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path / "a.json", json.dumps(GYROFLOW)))
    assert profile.readout_s == pytest.approx(0.0155)
    assert (profile.name, profile.rms_px) == ("GoPro_HERO_Wide_4by3", 0.68)
    centred = {"width": 2704, "height": 2028, "fx": 1178.9, "fy": 1179.2, "cx": 1352, "cy": 1014}
    assert profile.model == Camera(**centred, distortion=FISHEYE)
    own = load_profile(written(tmp_path / "b.json", json.dumps(GYROFLOW | {"asymmetrical": True})))
    assert own.model.intrinsics == (1178.9, 1179.2, 1361.2, 1010.4)
    project = load_profile(written(tmp_path / "c.gyroflow", json.dumps({"calibration_data": GYROFLOW})))
    assert project.model == profile.model


def test_a_gyroflow_profile_with_opencvs_standard_model(tmp_path: Path) -> None:
    values = GYROFLOW | {"distortion_model": "opencv_standard"}
    lens = load_profile(written(tmp_path / "a.json", json.dumps(values))).model.distortion
    assert lens == BrownConrady(k1=0.0441, k2=0.0371, p1=-0.0209, p2=0.0051)
    values |= {"fisheye_params": GYROFLOW["fisheye_params"] | {"distortion_coeffs": []}}
    assert load_profile(written(tmp_path / "b.json", json.dumps(values))).model.is_linear


def test_opencvs_fisheye_sample(tmp_path: Path) -> None:
    storage = cv2.FileStorage(str(tmp_path / "a.yml"), cv2.FileStorage_WRITE)
    for key, value in {
        "image_Width": 1280,
        "image_Height": 720,
        "fisheye_model": 1,
        "Camera_Matrix": np.array([[400.0, 0, 640], [0, 401, 360], [0, 0, 1]]),
        "Distortion_Coefficients": np.array([[0.01], [0.02], [-0.003], [1e-4]]),
    }.items():
        storage.write(key, value)
    storage.release()
    model = load_profile(tmp_path / "a.yml").model
    assert model.intrinsics == (400, 401, 640, 360)
    assert model.distortion == KannalaBrandt(k1=0.01, k2=0.02, k3=-0.003, k4=1e-4)


number, focal = st.floats(-1, 1), st.floats(1e-3, 1e6)
plain = st.builds(
    BrownConrady, **dict.fromkeys(("k1", "k2", "p1", "p2"), number.filter(bool))
)  # what radtan holds
profiles = st.builds(
    CameraProfile,
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.isprintable),
    readout_s=st.none() | st.floats(0, 0.2),
    model=st.builds(
        Camera,
        width=st.integers(1, 10000),
        height=st.integers(1, 10000),
        fx=focal,
        fy=focal,
        cx=st.floats(-1e4, 1e4),
        cy=st.floats(-1e4, 1e4),
        distortion=plain | st.builds(KannalaBrandt, **dict.fromkeys(("k1", "k2", "k3", "k4"), number)),
    ),
)
CIRCLE = [
    ("a.toml", None),
    ("b.yml", "opencv"),
    ("c.json", "opencv"),
    ("d.yaml", "ros"),
    ("e.yaml", "kalibr"),
]
CIRCLE += [("f.json", "gyroflow"), ("g.toml", "toml")]


@QUICK
@given(profile=profiles)
def test_the_circle_through_all_formats_keeps_the_lens(profile: CameraProfile, tmp_path: Path) -> None:
    save_profile(profile, tmp_path / "a.toml")
    for (one, _), (other, kind) in pairwise(CIRCLE):
        save_profile(load_profile(tmp_path / one), tmp_path / other, format=kind)
    found = load_profile(tmp_path / "g.toml").model
    assert type(found.distortion) is type(profile.model.distortion)
    assert (found.width, found.height) == (profile.model.width, profile.model.height)
    assert found.intrinsics == pytest.approx(profile.model.intrinsics, rel=1e-9, abs=1e-9)
    assert astuple(found.distortion) == pytest.approx(astuple(profile.model.distortion), abs=1e-9)


@QUICK
@given(profile=profiles)
def test_what_formats_hold_beside_the_lens(profile: CameraProfile, tmp_path: Path) -> None:
    for kind, name in (("opencv", "a.json"), ("opencv", "a.yml"), ("gyroflow", "b.json"), ("ros", "c.yaml")):
        save_profile(profile, tmp_path / name, format=kind)
        found = load_profile(tmp_path / name)
        assert found.name == profile.name
        if kind != "ros":
            expected = None if profile.readout_s is None else pytest.approx(profile.readout_s, abs=1e-9)
            assert found.readout_s == expected


@pytest.mark.parametrize("suffix", ["yml", "json"])
@pytest.mark.parametrize(
    "lens",
    [FISHEYE, BrownConrady.from_coefficients([0.1, -0.2, 1e-5, 2e-20, 0.3, 0.4, 0.5, -0.6] + [1e-3] * 6)],
)
def test_opencv_reads_what_is_written(tmp_path: Path, suffix: str, lens: KannalaBrandt) -> None:
    model = Camera(width=1280, height=720, fx=401.25, fy=399.125, cx=640.5, cy=355, distortion=lens)
    path = tmp_path / f"a.{suffix}"
    save_profile(CameraProfile(name='a "b" \\ c', model=model, rms_px=0.5), path)
    storage = cv2.FileStorage(str(path), cv2.FileStorage_READ)
    np.testing.assert_array_equal(storage.getNode("distortion_coefficients").mat().ravel(), lens.coefficients)
    assert storage.getNode("camera_matrix").mat()[0, 0] == 401.25
    assert storage.getNode("fisheye_model").real() == isinstance(lens, KannalaBrandt)
    assert storage.getNode("name").string() == 'a "b" \\ c'
    storage.release()
    assert load_profile(path).model == model


@pytest.mark.parametrize(
    ("kind", "name", "lens", "line"),
    [
        ("kalibr", "a.yaml", BrownConrady(k1=0.1, k3=0.1), "k3"),
        ("kalibr", "a.yaml", BrownConrady(k4=0.1), "holds 5"),
        ("ros", "a.yaml", BrownConrady(s1=0.1), "holds 8"),
        ("gyroflow", "a.json", BrownConrady(tau_x=0.1), "holds 12"),
        *((kind, "a.yaml", KannalaBrandt(limit_deg=95), "limit_deg") for kind in ("opencv", "ros", "kalibr")),
        ("gyroflow", "a.json", KannalaBrandt(limit_deg=95), "limit_deg"),
        ("gyroflow", "a.yaml", FISHEYE, "ends in .json"),
        ("toml", "a.json", FISHEYE, "ends in .toml"),
        ("magic", "a.json", FISHEYE, "no format 'magic'"),
    ],
)
def test_what_a_format_does_not_hold(tmp_path: Path, kind, name, lens, line: str) -> None:
    model = Camera(width=1280, height=720, fx=401, fy=399, cx=640, cy=355, distortion=lens)
    with pytest.raises(CameraModelError, match=line) as caught:
        save_profile(CameraProfile(name="a", model=model), tmp_path / name, format=kind)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / name).exists()


def _without(*path: str) -> str:
    values = json.loads(json.dumps(GYROFLOW))
    at = values
    for key in path[:-1]:
        at = at[key]
    del at[path[-1]]
    return json.dumps(values)


def _gyroflow(**changes: object) -> str:
    return json.dumps(GYROFLOW | changes)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (KALIBR.replace("pinhole", "ds", 1), "camera_model 'ds'"),
        (KALIBR.replace("radtan", "fov", 1), "distortion_model 'fov'"),
        (KALIBR.replace("461.629, ", "", 1), "got 3 and 2"),
        (KALIBR.replace("-0.27695497, ", "", 1), "got 3"),
        (KALIBR.replace("resolution", "size", 1), "'resolution' is missing"),
        ("cam0: 3", "'cam0' is missing or not a table"),
        ("cam0:\n  camera_model: [1]", "'camera_model' must be text"),
        (ROS.replace("rational_polynomial", "magic"), "magic"),
        (ROS.replace("image_width", "wide"), "'image_width' is missing"),
        (ROS.replace("-0.02, ", ""), "got 7"),
        (ROS_MESSAGE.replace("0.01, -0.02", "0.01"), "has 4"),
        (_without("calib_dimension"), "'calib_dimension' is missing"),
        (_without("fisheye_params", "camera_matrix"), "'camera_matrix' is missing"),
        (_gyroflow(distortion_model="sony"), "'sony'"),
        (_gyroflow(digital_lens="gopro_superview"), "gopro_superview"),
        (_gyroflow(input_horizontal_stretch=1.33), "input_horizontal_stretch"),
        (_gyroflow(fisheye_params=[1]), "'fisheye_params'"),
        (_gyroflow(frame_readout_time=[]), "'frame_readout_time' must be a number"),
        ('{"calibration_data": 3}', "'calibration_data'"),
        ('{"fisheye_params": ' + "[" * 5000, "YAML or JSON"),
        ("{}", "'image_width' is missing"),
        ('{"a": 1', "YAML or JSON"),
    ],
)
def test_broken_files_give_one_line(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(CameraModelError, match=line) as caught:
        load_profile(written(tmp_path / "a", text))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_a_readout_that_no_profile_holds_is_told(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path / "a.json", _gyroflow(frame_readout_time=-8.5)))
    assert profile.readout_s is None
    assert "-8.5 ms left out" in profile.source


@settings(QUICK, max_examples=250)
@given(data=st.data())
def test_mutated_files_give_a_profile_or_one_line(data: st.DataObject, tmp_path: Path) -> None:
    texts = [ROS, ROS_MESSAGE, KALIBR, json.dumps(GYROFLOW, indent=1)]
    content = bytearray(data.draw(st.sampled_from(texts)).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        stop = start + data.draw(st.integers(0, 12))
        content[start:stop] = data.draw(
            st.binary(max_size=6) | st.text("[]{}:&*!-#%'\" \n=.e9", max_size=6).map(str.encode)
        )
    (tmp_path / "a").write_bytes(bytes(content))
    try:
        model = load_profile(tmp_path / "a").model
    except HorizonError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert all(map(math.isfinite, (*model.intrinsics, *coefficients_of(model.distortion).values())))


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_files_that_did_not_hold_once(path: Path) -> None:
    """Found by `benchmarks/fuzz_profiles.py`, or by hand."""
    try:
        profile = load_profile(path)
    except HorizonError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert all(map(math.isfinite, profile.model.intrinsics))


def test_the_command_converts_to_a_named_format(tmp_path: Path) -> None:
    run = CliRunner().invoke
    source = written(tmp_path / "a.json", json.dumps(GYROFLOW))
    for kind, name in (("ros", "b.yaml"), ("kalibr", "c.yaml"), ("gyroflow", "d.json")):
        assert run(app, ["convert", str(source), str(tmp_path / name), "--format", kind]).exit_code == 0
        assert load_profile(tmp_path / name).model == load_profile(source).model
    assert "equidistant" in (tmp_path / "b.yaml").read_text()
    assert run(app, ["convert", str(source), str(tmp_path / "e.yaml"), "--format", "magic"]).exit_code == 2
    shown = run(app, ["show", str(source)]).output
    assert "kannala-brandt" in shown
    assert "0.0155" in shown
