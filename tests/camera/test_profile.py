"""Camera profiles: round trips, files that OpenCV writes itself, foreign and damaged files."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.camera import brown
from typer.testing import CliRunner

from horizon_rt.camera import (
    BrownConrady,
    Camera,
    CameraProfile,
    coefficients_of,
    load_profile,
    profile_names,
    profiles_folder,
    save_profile,
)
from horizon_rt.camera.profile_files import replace_lens
from horizon_rt.cli.cameras import app
from horizon_rt.errors import CameraModelError
from horizon_rt.geometry import Mount

MATRIX = np.array([[1234.5678901234567, 0, 963.25], [0, 1230.25, 531.125], [0, 0, 1]])
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LENS = brown(
    width=1920, height=1080, fx=1301.1, fy=1299.7, cx=955.3, cy=541.9, k1=-0.31, k2=0.11, p1=1e-3, p2=-2e-4
)

finite = st.floats(-1e3, 1e3, allow_nan=False)
focal = st.floats(1e-3, 1e6, allow_nan=False)
size = st.integers(1, 10000)
pinholes = st.builds(Camera, width=size, height=size, fx=focal, fy=focal, cx=finite, cy=finite)
browns = st.builds(
    brown,
    width=size,
    height=size,
    fx=focal,
    fy=focal,
    cx=finite,
    cy=finite,
    **dict.fromkeys(("k1", "k2", "p1", "p2", "k3"), finite),
)
line = st.text(st.characters(codec="utf-8"), max_size=20).filter(str.isprintable)
profiles = st.builds(
    CameraProfile,
    name=line.filter(bool),
    model=pinholes | browns,
    rms_px=st.none() | st.floats(0, 100),
    source=line,
    assumed=st.booleans(),
    mount=st.none()
    | st.builds(
        Mount, roll_deg=st.floats(-180, 180), pitch_deg=st.floats(-90, 90), yaw_deg=st.floats(-180, 180)
    ),
)


def _opencv_file(path: Path, *, distortion: np.ndarray, **extra: object) -> Path:
    """As OpenCV's calibration sample writes it."""
    storage = cv2.FileStorage(str(path), cv2.FileStorage_WRITE)
    storage.write("calibration_time", "Sun 22 Nov 2026 03:00:00 AM")
    storage.write("nframes", 12)
    storage.write("image_width", 1920)
    storage.write("image_height", 1080)
    for key, value in extra.items():
        storage.write(key, value)
    storage.write("camera_matrix", MATRIX)
    storage.write("distortion_coefficients", distortion)
    storage.write("avg_reprojection_error", 0.2345)
    storage.write("extrinsic_parameters", np.arange(72.0).reshape(12, 6))
    storage.release()
    return path


def test_the_doubt_of_a_focal_length_is_kept(tmp_path: Path) -> None:
    guess = CameraProfile.guess(640, 360)
    assert guess.model.focal_sd > 0
    save_profile(guess, path := tmp_path / "guess.toml")
    assert load_profile(path) == guess


@QUICK
@given(profile=profiles)
def test_toml_round_trip(profile: CameraProfile, tmp_path: Path) -> None:
    save_profile(profile, tmp_path / "a.toml")
    assert load_profile(tmp_path / "a.toml") == profile


@QUICK
@given(profile=profiles)
def test_yaml_round_trip_keeps_the_lens(profile: CameraProfile, tmp_path: Path) -> None:
    save_profile(profile, tmp_path / "a.yml")
    loaded = load_profile(tmp_path / "a.yml")
    assert loaded.model.distortion == profile.model.distortion
    assert replace(loaded, model=profile.model, source=profile.source) == profile
    for key in ("width", "height", "fx", "fy", "cx", "cy"):
        assert getattr(loaded.model, key) == getattr(profile.model, key)


@pytest.mark.parametrize("suffix", ["yml", "yaml", "json"])
@pytest.mark.parametrize("count", [4, 5, 8, 14])
def test_files_written_by_opencv(tmp_path: Path, suffix: str, count: int) -> None:
    distortion = np.zeros((count, 1))
    distortion[:4, 0] = -0.3, 0.1, 1e-3, -2e-4
    profile = load_profile(_opencv_file(tmp_path / f"gimbal.{suffix}", distortion=distortion))
    model = profile.model
    assert (model.width, model.height) == (1920, 1080)
    assert (model.fx, model.fy, model.cx, model.cy) == (
        MATRIX[0, 0],
        MATRIX[1, 1],
        MATRIX[0, 2],
        MATRIX[1, 2],
    )
    assert model.distortion == BrownConrady(k1=-0.3, k2=0.1, p1=1e-3, p2=-2e-4)
    assert (profile.name, profile.rms_px, profile.assumed) == ("gimbal", 0.2345, False)


def test_opencv_reads_our_yaml(tmp_path: Path) -> None:
    save_profile(CameraProfile(name='a "b" \\ c', model=LENS, rms_px=0.5), tmp_path / "a.yml")
    storage = cv2.FileStorage(str(tmp_path / "a.yml"), cv2.FileStorage_READ)
    expected = [[LENS.fx, 0, LENS.cx], [0, LENS.fy, LENS.cy], [0, 0, 1]]
    np.testing.assert_array_equal(storage.getNode("camera_matrix").mat(), expected)
    np.testing.assert_array_equal(
        storage.getNode("distortion_coefficients").mat().ravel(), LENS.distortion.coefficients
    )
    assert storage.getNode("image_width").real() == 1920
    assert storage.getNode("name").string() == 'a "b" \\ c'
    storage.release()


def test_the_old_header_without_a_document_mark(tmp_path: Path) -> None:
    """OpenCV 2 wrote its header alone."""
    path = _opencv_file(tmp_path / "new.yml", distortion=np.zeros(5))
    body = path.read_text().split("---\n")[1]
    (tmp_path / "old.yml").write_text("%YAML:1.0\n" + body)
    assert load_profile(tmp_path / "old.yml").model == load_profile(path).model


def test_ros_camera_info(tmp_path: Path) -> None:
    (tmp_path / "ros.yaml").write_text(
        "image_width: 640\nimage_height: 480\ncamera_name: head\n"
        "camera_matrix:\n  rows: 3\n  cols: 3\n  data: [500, 0, 320, 0, 501, 240, 0, 0, 1]\n"
        "distortion_model: plumb_bob\n"
        "distortion_coefficients:\n  rows: 1\n  cols: 5\n  data: [-0.2, 0.1, 0, 0, 1e-3]\n"
    )
    profile = load_profile(tmp_path / "ros.yaml")
    assert profile.name == "head"
    assert profile.model == brown(
        width=640, height=480, fx=500, fy=501, cx=320, cy=240, k1=-0.2, k2=0.1, k3=1e-3
    )


@pytest.mark.parametrize(
    ("distortion", "extra", "line"),
    [
        (np.zeros(3), {}, "got 3"),
        (np.array([0.1, np.nan, 0, 0, 0]), {}, "number"),
        (np.array([0.1, np.inf, 0, 0, 0]), {}, "number"),
        (np.zeros(5), {"fisheye_model": 1}, "has 4"),
        (np.zeros(8), {"distortion_model": "equidistant"}, "has 4"),
        (np.zeros(4), {"distortion_model": "magic"}, "magic"),
    ],
)
def test_lenses_that_are_not_supported(tmp_path: Path, distortion, extra, line: str) -> None:
    path = _opencv_file(tmp_path / "a.yml", distortion=distortion, **extra)
    with pytest.raises(CameraModelError, match=line) as caught:
        load_profile(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("1234.5678901234567", "-3.0", "positive"),
        ("963.25", '"none"', "number"),
        ("image_width: 1920", "image_width: 1920.5", "whole"),
        ("image_width: 1920", "image_width: 0", "whole"),
        ("image_width: 1920", "image_width: 1e999", "whole"),
        ("image_width: 1920", "nothing: 1", "missing"),
        ("[ 1234.5678901234567, 0.,", "[ 1234.5678901234567, 5.,", "skew"),
        ("[ 1234.5678901234567, 0.,", "[ 1234.5678901234567,", "got 8"),
        ("avg_reprojection_error: 0.23", "avg_reprojection_error: -0.23", "rms"),
        ("camera_matrix: !!opencv-matrix", "camera_matrix: 3\nx:", "not a matrix"),
    ],
)
def test_damaged_opencv_files(tmp_path: Path, old: str, new: str, line: str) -> None:
    path = _opencv_file(tmp_path / "a.yml", distortion=np.zeros(5))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(CameraModelError, match=line) as caught:
        load_profile(path)
    assert "\n" not in str(caught.value)


HEAD = 'format = "horizon-rt-camera/1"\n'
PLAIN = HEAD + '[image]\nwidth = 640\nheight = 480\n[lens]\nmodel = "pinhole"\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "format"),
        ('format = "other/2"', "other/2"),
        (HEAD, "'image' is missing"),
        (HEAD + "image = 3\nlens = 4", "'image'"),
        (PLAIN, "'fx' is missing"),
        (PLAIN + "fx = 1\nfy = 1\ncx = 1\ncy = true", "'cy' must be a number"),
        (PLAIN + "fx = nan\nfy = 1\ncx = 1\ncy = 1", "finite"),
        (PLAIN + "fx = 1\nfy = 1\ncx = 1\ncy = 1\nk1 = 0.5", "unknown key 'k1'"),
        (PLAIN + "hfov_deg = 190", "180"),
        (PLAIN + "hfov_deg = 5e-324", "180"),
        (PLAIN + "fx = 1e308\nfy = 1e308\ncx = 1\ncy = 1", "finite"),
        (PLAIN + "fx = 5e-324\nfy = 1\ncx = 1\ncy = 1", "positive"),
        (PLAIN.replace("pinhole", "fish"), "'fish'"),
        (HEAD + "name = 3\n" + PLAIN.removeprefix(HEAD) + "hfov_deg = 70", "'name' must be text"),
        (HEAD + "assumed = 1\n" + PLAIN.removeprefix(HEAD) + "hfov_deg = 70", "true or false"),
        (HEAD + "rms_px = inf\n" + PLAIN.removeprefix(HEAD) + "hfov_deg = 70", "rms_px"),
        (HEAD + 'name = "a\\nb"\n' + PLAIN.removeprefix(HEAD) + "hfov_deg = 70", "one line"),
        ("a = " + "[" * 2000, "nested"),
        ("a" + ".a" * 900 + " = 1", "parts"),
        ("a = " + "9" * 5000, "too long"),
        ("a" + ".a" * 100_000 + " = 1", "too long"),
        ("a = 1\n" * 10_000, "too long"),
        ("camera_matrix: " + "[" * 5000, "YAML"),
        ("camera_matrix: &a [*a]", "YAML"),
        ("camera_matrix: " + "- " * 100_000, "YAML"),
        ("camera_matrix:\n" + "\n".join(" " * n + "a:" for n in range(500)), "YAML"),
        ("- camera_matrix: 3", "neither a TOML"),
        ("<?xml version='1.0'?>", "XML"),
        ("%YAML:1.0", "no keys"),
        ("# " + "x" * 600_000, "KiB"),
    ],
)
def test_malformed_texts(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(CameraModelError, match=line) as caught:
        load_profile(tmp_path / "a.toml")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("key", ["distortion_model", "fisheye_model", "assumed"])
def test_a_bomb_of_aliases_is_refused_unseen(tmp_path: Path, key: str) -> None:
    """Nine lists of nine aliases: a file of 1 kB whose text has 9⁹ parts."""
    path = _opencv_file(tmp_path / "a.yml", distortion=np.zeros(5))
    lines = [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 10)]
    path.write_text("\n".join([path.read_text(), "x0: &x0 [a]", *lines, f"{key}: *x9", ""]))
    tracemalloc.start()
    with pytest.raises(CameraModelError, match=f"'{key}' must be text or a number, got list"):
        load_profile(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16e6


@settings(QUICK, max_examples=250)
@given(data=st.data())
def test_mutated_files_give_a_profile_or_one_line(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "profile"
    toml, yml = tmp_path / "good.toml", tmp_path / "good.yml"
    if not toml.exists():
        save_profile(CameraProfile(name="good", model=LENS, rms_px=0.3), toml)
        save_profile(CameraProfile(name="good", model=LENS, rms_px=0.3), yml)
    content = bytearray(data.draw(st.sampled_from([toml.read_bytes(), yml.read_bytes()])))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        stop = start + data.draw(st.integers(0, 12))
        content[start:stop] = data.draw(
            st.binary(max_size=6) | st.text("[]{}:&*!-#%'\" \n=.e9", max_size=6).map(str.encode)
        )
    path.write_bytes(bytes(content))
    try:
        model = load_profile(path).model
    except CameraModelError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert all(
            math.isfinite(v)
            for v in (model.fx, model.fy, model.cx, model.cy, *coefficients_of(model.distortion).values())
        )


@settings(QUICK, max_examples=80)
@given(
    content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_give_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(CameraModelError) as caught:
        load_profile(tmp_path / "a")
    assert "\n" not in str(caught.value)


def test_shipped_profiles_are_guesses_and_say_so() -> None:
    assert {"hfov70", "hfov90", "fisheye150", "fisheye180", "fisheye190"} <= set(profile_names())
    for name in profile_names():
        profile = load_profile(name)
        assert profile.name == name
        assert profile.assumed
        assert profile.rms_px is None
        kind, fov = name.rstrip("0123456789"), name.lstrip("abcdefghijklmnopqrstuvwxyz")
        assert profile.model.distortion.name == {"hfov": "pinhole", "fisheye": "kannala-brandt"}[kind]
        assert profile.model.hfov_deg == pytest.approx(float(fov))
        assert profile.fit_to(1280, 960).model.hfov_deg == pytest.approx(float(fov))
        assert (profiles_folder() / f"{name}.toml").is_file()


@pytest.mark.parametrize("name", ["nothing", "", "a\0b", "x" * 5000, "../hfov70", "two\nlines"])
def test_unknown_names_list_the_shipped_ones(name: str) -> None:
    with pytest.raises(CameraModelError) as caught:
        load_profile(name)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(CameraModelError, match="cannot be read"):
        load_profile(tmp_path)


@pytest.mark.parametrize("name", ["a.xml", "a", "missing/a.toml"])
def test_names_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(CameraModelError):
        save_profile(CameraProfile(name="a", model=LENS), tmp_path / name)


def test_fit_to_another_size_scales_the_lens() -> None:
    profile = CameraProfile(name="a", model=LENS, rms_px=0.3)
    half = profile.fit_to(960, 540)
    assert half.model == LENS.resized(960, 540)
    assert half.rms_px == 0.3
    assert profile.fit_to(1920, 1080) is profile
    assert profile.fit_to(1920, 1088).model.height == 1088  # coded size; within 1 %


@pytest.mark.parametrize("clockwise", [True, False])
def test_a_landscape_profile_fits_a_turned_clip(clockwise: bool) -> None:
    """What the lens sees at a pixel it sees at the turned pixel, by OpenCV's own turn of a picture."""
    lens = brown(
        width=64, height=36, fx=44.0, fy=45.0, cx=30.0, cy=19.0, k1=-0.2, k2=0.03, p1=0.004, p2=-0.01
    )
    turned = CameraProfile(name="a", model=lens).fit_to(36, 64, clockwise=clockwise).model
    code = cv2.ROTATE_90_CLOCKWISE if clockwise else cv2.ROTATE_90_COUNTERCLOCKWISE
    where = np.stack(np.meshgrid(np.arange(64.0), np.arange(36.0)), axis=-1)
    points = np.stack([cv2.rotate(where[..., k], code) for k in (0, 1)], axis=-1).reshape(-1, 2)
    upright = np.stack(np.meshgrid(np.arange(36.0), np.arange(64.0)), axis=-1).reshape(-1, 2)
    x, y, z = lens.rays(points).T
    expected = np.stack([-y, x, z] if clockwise else [y, -x, z], axis=1)
    assert np.allclose(turned.rays(upright), expected, atol=1e-9)


def test_a_mounted_profile_does_not_fit_a_turned_clip() -> None:
    mount = Mount(roll_deg=1.0, pitch_deg=2.0, yaw_deg=0.0)
    with pytest.raises(CameraModelError, match="1920x1080"):
        CameraProfile(name="a", model=LENS, mount=mount).fit_to(1080, 1920)


@pytest.mark.parametrize("video", [(1440, 1080), (1080, 1440), (1920, 1040), (0, 0), (1920, -1080)])
def test_another_aspect_ratio_is_refused(video: tuple[int, int]) -> None:
    with pytest.raises(CameraModelError, match="1920x1080"):
        CameraProfile(name="a", model=LENS).fit_to(*video)


@QUICK
@given(width=st.integers(16, 8000), height=st.integers(16, 8000), hfov=st.floats(5, 170))
def test_a_guess_fits_any_size_with_its_field_of_view(width: int, height: int, hfov: float) -> None:
    model = CameraProfile.from_hfov(1920, 1080, hfov).fit_to(width, height).model
    assert math.degrees(2 * math.atan(max(width, height) / 2 / model.fx)) == pytest.approx(hfov)
    assert (model.fx, model.cx, model.cy) == (model.fy, (width - 1) / 2, (height - 1) / 2)


@pytest.mark.parametrize(
    "bad", [{"name": ""}, {"name": "a\nb"}, {"source": "\x1b[31m"}, {"source": "x" * 1001}, {"rms_px": -1.0}]
)
def test_values_that_no_profile_has(bad: dict[str, object]) -> None:
    with pytest.raises(CameraModelError):
        CameraProfile(**{"name": "a", "model": LENS, **bad})


def test_the_command_lists_shows_and_converts(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert "hfov70" in run(app, ["list"]).output
    shown = run(app, ["show", "hfov90"]).output
    assert "horizontal field of view\t90.0°" in shown.splitlines()
    assert "90.0°" in shown
    assert "yes" in shown
    source, out = _opencv_file(tmp_path / "a.yml", distortion=np.zeros(5)), tmp_path / "b.toml"
    assert run(app, ["convert", str(source), str(out)]).exit_code == 0
    assert load_profile(out).model == load_profile(source).model
    assert isinstance(run(app, ["show", "nothing"]).exception, CameraModelError)


@pytest.mark.parametrize(
    ("format", "lost"), [("opencv", 1), ("ros", 4), ("kalibr", 4), ("gyroflow", 3)], ids=lambda v: str(v)
)
def test_the_command_says_what_a_format_does_not_hold(format: str, lost: int, tmp_path: Path) -> None:
    model = replace(LENS, distortion=BrownConrady(), focal_sd=0.1)
    profile = CameraProfile(
        name="a", model=model, assumed=True, readout_s=0.01, mount=Mount(roll_deg=2.0, pitch_deg=0.0)
    )
    save_profile(profile, tmp_path / "a.toml")
    out = tmp_path / ("b.json" if format == "gyroflow" else "b.yaml")
    result = CliRunner().invoke(app, ["convert", str(tmp_path / "a.toml"), str(out), "--format", format])
    assert result.exit_code == 0, result.output
    assert result.output.count("does not hold") == 1
    told = result.output.partition("does not hold")[2]
    names = ("the mount", "the readout time", "the sigma of its focal", "that its lens is assumed")
    assert sum(name in told for name in names) == lost
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "a.toml")]).output
    assert "mount\troll +2.00°, pitch +0.00°, yaw +0.00°" in shown
    assert "sigma of the focal length\t10.0%" in shown


def test_a_lens_leaves_the_mount_of_the_profile_that_it_replaces(tmp_path: Path) -> None:
    path, mount = tmp_path / "lens.toml", Mount(roll_deg=1.0, pitch_deg=-8.0)
    save_profile(CameraProfile(name="old", model=LENS, mount=mount), path)
    assert replace_lens(CameraProfile(name="new", model=LENS), path).mount == mount
    assert (load_profile(path).name, load_profile(path).mount) == ("new", mount)
    path.write_text("none")
    assert replace_lens(CameraProfile(name="new", model=LENS), path).mount is None
    assert load_profile(path).mount is None


def test_text_of_a_file_is_never_taken_for_markup(tmp_path: Path) -> None:
    save_profile(CameraProfile(name="[/red]", model=LENS, source="[bold]x[/]"), tmp_path / "a.toml")
    result = CliRunner().invoke(app, ["show", str(tmp_path / "a.toml")])
    assert result.exit_code == 0
    assert "[bold]x[/]" in result.output
