"""Lenses by metadata: hand-made boxes and tags, which exiftool reads alike; damage never stops a run."""

from __future__ import annotations

import json
import math
import random
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cli import RunCli, lines, write_horizon
from support.metadata import box, exif_jpeg, gpmf, klv, mdta

from horizon_rt.camera import KannalaBrandt
from horizon_rt.metadata import lens_of_file, lens_of_pictures
from horizon_rt.metadata.gpmf import items
from horizon_rt.metadata.nominal import NOMINAL, nominal_of
from horizon_rt.metadata.picture import picture_data
from horizon_rt.metadata.quicktime import user_data
from horizon_rt.options import DEFAULT_FOCAL_SD, DEFAULT_HFOV_DEG

SIZE = 192, 128
needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")


def with_user_data(clip: Path, body: bytes, out: Path) -> Path:
    """A copy of an MP4 whose movie, at its end, has more boxes."""
    data = clip.read_bytes()
    at = data.rindex(b"moov") - 4
    size = struct.unpack_from(">I", data, at)[0]
    assert at + size == len(data)
    out.write_bytes(data[:at] + struct.pack(">I", size + len(body)) + data[at + 4 :] + body)
    return out


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return write_horizon(folder / "plain.mp4", codec="libx264", width=SIZE[0], height=SIZE[1])


def exiftool(path: Path) -> dict[str, Any]:
    done = subprocess.run(["exiftool", "-json", "-n", path], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


# --- videos


@pytest.mark.parametrize(("view", "straight"), [(b"L", True), (b"S", False), (b"H", False)])
def test_gopros_diagonal_gives_the_focal_length(
    clip: Path, tmp_path: Path, view: bytes, straight: bool
) -> None:
    path = with_user_data(clip, box(b"udta", box(b"GPMF", gpmf(100.0, view))), tmp_path / "g.mp4")
    found = lens_of_file(path, *SIZE)
    assert found is not None
    half = math.hypot(*SIZE) / 2
    focal = half / math.tan(math.radians(50)) if straight else half / math.radians(50)
    assert found.focal_share * SIZE[0] == pytest.approx(focal, rel=1e-6)
    assert found.profile(*SIZE).model.fx == pytest.approx(focal, rel=1e-6)
    assert found.source == "GoPro HERO10 Black, diagonal field of view of 100° by its metadata"
    assert 0 < found.sd < DEFAULT_FOCAL_SD


PUBLISHED = {
    "HERO10, 16:9": ((3840, 2160), 1796.32, (0.0342139, 0.0676732, -0.0740897, 0.0299444)),
    "HERO10, 4:3": ((5312, 3984), 2373.25, (0.0328576, 0.0557373, -0.0383989, 0.0068649)),
    "HERO11, 8:7": ((5312, 4648), 2357.12, (0.0313955, 0.0597411, -0.0433668, 0.0099241)),
}


@pytest.mark.parametrize("view", [b"W", b"M"])
@pytest.mark.parametrize("crop", [1.0, 0.928])
@pytest.mark.parametrize("name", PUBLISHED)
def test_gopros_wide_lens_is_the_published_one(
    clip: Path, tmp_path: Path, name: str, crop: float, view: bytes
) -> None:
    """Calibrations that Gyroflow publishes, read by OpenCV, give the diagonal, and that their lens."""
    (width, height), focal, distortion = PUBLISHED[name]
    matrix = np.array([[focal / crop, 0, 0], [0, focal / crop, 0], [0, 0, 1]])
    points = np.array([[[0.5 * math.hypot(width, height), 0.0]], [[0.35 * width, 0.0]]])
    seen = cv2.fisheye.undistortPoints(points, matrix, np.array(distortion))[:, 0, 0]
    corner, beside = np.degrees(np.arctan(seen))
    data = box(b"udta", box(b"GPMF", gpmf(2 * corner, view)))
    found = lens_of_file(with_user_data(clip, data, tmp_path / "g.mp4"), width, height)
    assert found is not None
    camera = found.profile(width, height).model
    assert camera.fx == pytest.approx(focal / crop, rel=0.01)
    ray = camera.rays(np.array([[(width - 1) / 2 + 0.35 * width, (height - 1) / 2]]))[0]
    assert math.degrees(math.atan2(ray[0], ray[2])) == pytest.approx(beside, abs=0.5)
    assert isinstance(camera.distortion, KannalaBrandt)


def test_wider_than_the_published_lens_is_no_such(clip: Path, tmp_path: Path) -> None:
    data = box(b"udta", box(b"GPMF", gpmf(170.0, b"W")))
    found = lens_of_file(with_user_data(clip, data, tmp_path / "g.mp4"), *SIZE)
    assert found is not None
    assert found.distortion is None


@needs_exiftool
def test_exiftool_reads_the_same_of_gopro(clip: Path, tmp_path: Path) -> None:
    path = with_user_data(clip, box(b"udta", box(b"GPMF", gpmf())), tmp_path / "g.mp4")
    theirs = exiftool(path)
    ours = {item.key: item for item in items(user_data(path).boxes[b"GPMF"])}
    assert theirs["Model"] == ours[b"MINF"].text == "HERO10 Black"
    assert theirs["FieldOfView"] == ours[b"VFOV"].text == "W"
    zfov = ours[b"ZFOV"].number
    assert zfov == pytest.approx(theirs.get("DiagonalFieldOfView", 121.5))


@needs_exiftool
def test_exiftool_writes_a_model_that_is_found(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "d.mp4"
    shutil.copy(clip, path)
    subprocess.run(
        ["exiftool", "-q", "-overwrite_original", "-UserData:Model=FC3411", "-Keys:Make=DJI", path],
        check=True,
    )
    found = lens_of_file(path, *SIZE)
    assert found is not None
    assert found.source.startswith("DJI Air 2S, nominally 22.1 mm")
    assert found.focal_share == pytest.approx(22.1 / 36)


@needs_exiftool
def test_exiftool_writes_keys_that_are_found(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "k.mov"
    shutil.copy(clip, path)
    subprocess.run(["exiftool", "-q", "-overwrite_original", "-Keys:Model=iPhone 15 Pro", path], check=True)
    assert user_data(path).keys == {"com.apple.quicktime.model": "iPhone 15 Pro"}
    found = lens_of_file(path, *SIZE)
    assert found is not None
    assert "24 mm" in found.source


@pytest.mark.parametrize("value", [28.0, "28"])
def test_a_phones_focal_length_counts_before_its_model(
    clip: Path, tmp_path: Path, value: float | str
) -> None:
    key = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
    body = mdta({"com.apple.quicktime.model": "iPhone 15 Pro", key: value})
    found = lens_of_file(with_user_data(clip, body, tmp_path / "k.mov"), *SIZE)
    assert found is not None
    assert found.focal_share == pytest.approx(28 / 36)


def test_nothing_is_found_where_nothing_is_said(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    for path in (clip, tmp_path / "empty.mp4", tmp_path / "none.mp4"):
        assert lens_of_file(path, *SIZE) is None
    unknown = with_user_data(clip, mdta({"com.apple.quicktime.model": "Camera 1"}), tmp_path / "u.mp4")
    assert lens_of_file(unknown, *SIZE) is None


@pytest.mark.parametrize("fov_deg", [0.0, -5.0, 200.0, math.nan, math.inf])
def test_a_field_of_view_that_is_none_is_not_believed(clip: Path, tmp_path: Path, fov_deg: float) -> None:
    path = with_user_data(clip, box(b"udta", box(b"GPMF", gpmf(fov_deg))), tmp_path / "g.mp4")
    assert lens_of_file(path, *SIZE) is None


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_gpmf_or_not(data: bytes) -> None:
    for item in items(data):
        assert len(item.key) == 4
        assert isinstance(item.text, str)


def test_deep_nests_end() -> None:
    data = gpmf()
    for _ in range(40):
        data = klv(b"DEVC", b"", 1, data)
    assert list(items(data)) == []


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_user_data_is_read_or_left(
    clip: Path, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    rng = random.Random(seed)
    body = bytearray(
        box(b"udta", box(b"GPMF", gpmf()) + box(b"\xa9mdl", b"\0\6\0\0FC3411")) + mdta({"a": 3.0})
    )
    for _ in range(rng.randint(1, 8)):
        k = rng.randrange(len(body))
        body[k : k + rng.choice((0, 1, 4))] = rng.choice((b"", b"\0", b"\xff\xff\xff\xff", rng.randbytes(3)))
    path = with_user_data(clip, bytes(body), tmp_path_factory.getbasetemp() / "damaged.mp4")
    found = lens_of_file(path, *SIZE)
    assert found is None or 0.01 < found.focal_share < 100


# --- pictures


def _photo(path: Path) -> Path:
    cv2.imwrite(str(path), np.full((120, 160, 3), 90, np.uint8))
    return path


@needs_exiftool
def test_exif_gives_the_focal_length(tmp_path: Path) -> None:
    path = _photo(tmp_path / "a.jpg")
    tags = ["-FocalLengthIn35mmFormat=26", "-Make=Apple", "-Model=iPhone 12"]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *tags, path], check=True)
    data = picture_data(path)
    assert (data.make, data.model, data.focal_35mm) == ("Apple", "iPhone 12", 26)
    found = lens_of_pictures([path], 160, 120)
    assert found is not None
    assert found.profile(160, 120).model.fx == pytest.approx(26 / math.hypot(36, 24) * 200)
    other = _photo(tmp_path / "b.jpg")
    assert lens_of_pictures([path, other], 160, 120) is None


def test_a_hand_made_head_gives_the_focal_length(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(exif_jpeg())
    assert picture_data(tmp_path / "a.jpg")[:3] == ("", "X1", 24)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_pictures_say_nothing_or_something(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    rng = random.Random(seed)
    data = bytearray(exif_jpeg())
    for _ in range(rng.randint(0, 6)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path = tmp_path_factory.getbasetemp() / "damaged.jpg"
    path.write_bytes(data)
    found = lens_of_pictures([path], 160, 120)
    assert found is None or 0.01 < found.focal_share < 200


# --- the table, and a run


def test_the_table_has_each_model_once_with_a_source() -> None:
    assert len({one.model.casefold() for one in NOMINAL}) == len(NOMINAL)
    for one in NOMINAL:
        assert one.source
        assert 10 < one.focal_35mm < 100
        assert nominal_of(f" {one.model.upper()} ") is one


def test_a_run_says_which_lens_was_found(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    path = with_user_data(clip, box(b"udta", box(b"\xa9mdl", b"\0\6\0\0FC3411")), tmp_path / "d.mp4")
    done = cli("track", path, "--out", tmp_path / "out")
    head, *rows = lines(tmp_path / "out" / "d.jsonl")
    said = "hfov 78.32° (DJI Air 2S, nominally 22.1 mm on 35 mm film ("
    said += "lensfun, data/db/actioncams.xml: focal length times crop factor))"
    assert head["assumed"] == [said]
    assert head["camera"]["focal_sd"] == 0.12  # type: ignore[index]
    assert any(line.startswith("lens assumed: horizontal field of view 78.32° (DJI") for line in done.errors)
    given = cli("track", path, "--out", tmp_path / "given", "--hfov", 60)
    assert given.code == 0
    assert "lens assumed" not in given.err
    assert "focal_sd" not in lines(tmp_path / "given" / "d.jsonl")[0]["camera"]  # type: ignore[operator]
    assert len(rows) == 12


def test_the_sigma_of_a_guess_reaches_usual_lenses() -> None:
    """The nominal ones lie within one sigma, the widest of action cameras, 122°, within two and a half."""
    guess = 0.5 / math.tan(math.radians(DEFAULT_HFOV_DEG / 2))
    wide = 0.5 / math.tan(math.radians(122 / 2))
    assert all(abs(math.log(one.focal_35mm / 36 / guess)) < DEFAULT_FOCAL_SD for one in NOMINAL)
    assert abs(math.log(wide / guess)) < 2.5 * DEFAULT_FOCAL_SD


def test_a_measured_lens_lies_within_two_sigma(clip: Path, tmp_path: Path) -> None:
    """Video of a Mavic Air has a diagonal of 74.5°, not the advertised 85° (mavicpilots.com, 85331)."""
    measured = 0.5 * math.hypot(1, 9 / 16) / math.tan(math.radians(74.5 / 2))
    body = box(b"udta", box(b"\xa9mdl", b"\0\6\0\0FC2103"))
    found = lens_of_file(with_user_data(clip, body, tmp_path / "d.mp4"), *SIZE)
    assert found is not None
    assert abs(math.log(measured / found.focal_share)) < 2 * found.sd
