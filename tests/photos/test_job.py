"""Which photographs are turned, which are left and why, and what is never written to."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.cli import RunCli

import horizon_rt as hz
from horizon_rt.errors import OptionsError, OutputError, SourceNotFound
from horizon_rt.photos.inputs import FOLDER, find_photos
from horizon_rt.photos.options import StraightenOptions

pytest.importorskip("PIL", reason="needs Pillow")
ANY = {"most_sd": 5.0, "most_spread": 2.0, "model": "small"}


def sea(tilt: float, *, width: int = 640, height: int = 480) -> np.ndarray:
    """A bright sky over a dark, rough sea in BGR; tilted by so many degrees, the right end lower."""
    rows, columns = np.mgrid[:height, :width]
    below = rows - height * 0.45 - math.tan(math.radians(tilt)) * (columns - (width - 1) / 2)
    waves = np.random.default_rng(1).normal(0, 12, (height, width)).clip(-30, 30)
    luma = np.where(below > 0, 70 + cv2.GaussianBlur(waves, (0, 0), 1.5) * 3, 215 - 20 * rows / height)
    blue = np.where(below > 0, luma + 25, luma + 20)
    return np.uint8(np.dstack([blue, luma, luma - 10]).clip(0, 255))


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def tilt_of(path: Path) -> float:
    """The tilt of the end of the sky in degrees, column by column."""
    rows = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) < 160).argmax(axis=0)
    return math.degrees(math.atan(np.polyfit(np.arange(len(rows)), rows, 1)[0]))


@pytest.mark.parametrize("tilt", [-8.0, 5.0])
def test_a_tilted_photograph_becomes_level(tmp_path: Path, tilt: float) -> None:
    photo = save(tmp_path / "sea.png", sea(tilt))
    before = hashlib.sha256(photo.read_bytes()).digest()
    (result,) = hz.straighten(photo, **ANY)
    assert result.status == "turned"
    assert result.tilt_deg == pytest.approx(tilt, abs=0.2)
    assert result.written == tmp_path / FOLDER / "sea.png"
    assert tilt_of(photo) == pytest.approx(tilt, abs=0.1)
    assert tilt_of(result.written) == pytest.approx(0, abs=0.2)
    assert hashlib.sha256(photo.read_bytes()).digest() == before


def test_the_others_are_left_alone_and_say_why(tmp_path: Path) -> None:
    save(tmp_path / "level.png", sea(0.05))
    save(tmp_path / "steep.png", sea(30))
    save(tmp_path / "unsure.png", sea(4))
    save(tmp_path / "none.png", np.full((240, 320, 3), 120, np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    reasons = {r.photo.name: r for r in hz.straighten(tmp_path, **ANY)}
    assert reasons["level.png"].reason.startswith("already level")
    assert reasons["steep.png"].reason.startswith("tilted too far (30")
    assert reasons["none.png"].reason == "no horizon"
    assert reasons["broken.jpg"].status == "failed"
    assert reasons["unsure.png"].status == "turned"
    (unsure,) = hz.straighten(tmp_path / "unsure.png", out=tmp_path / "o", **{**ANY, "most_sd": 1e-6})
    assert unsure.reason.startswith("not sure")
    assert sorted(p.name for p in (tmp_path / FOLDER).iterdir()) == ["unsure.png"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_copies_of_earlier_runs_are_replaced_where_that_is_wanted(tmp_path: Path, suffix: str) -> None:
    photo = save(tmp_path / f"sea{suffix}", sea(5))
    copy = tmp_path / FOLDER / photo.name
    assert hz.straighten(photo, **ANY)[0].status == "turned"
    assert hz.straighten(photo, **ANY)[0].reason.endswith("exists already")
    save(photo, sea(-5))
    assert hz.straighten(photo, overwrite=True, **ANY)[0].status == "turned"
    assert tilt_of(copy) == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
def test_originals_of_the_same_name_elsewhere_are_left(tmp_path: Path, suffix: str) -> None:
    photo, other = (
        save(tmp_path / f"sea{suffix}", sea(5)),
        save(tmp_path / "archive" / f"sea{suffix}", sea(3)),
    )
    before = other.read_bytes()
    (left,) = hz.straighten(photo, out=other.parent, overwrite=True, **ANY)
    assert left.status == "left"
    assert "is not by horizon-rt" in left.reason
    assert other.read_bytes() == before


def test_sidecars_of_other_programs_are_left(tmp_path: Path) -> None:
    photo, path = save(tmp_path / "sea.png", sea(5)), tmp_path / "sea.xmp"
    assert hz.straighten(photo, xmp=True, **ANY)[0].status == "turned"
    own = path.read_bytes()
    assert hz.straighten(photo, xmp=True, overwrite=True, **ANY)[0].status == "turned"
    edited = own.replace(b"crs:HasCrop", b'crs:Exposure2012="+0.50"\n    crs:HasCrop')
    for theirs in (edited, own.replace(b'"horizon-rt ', b'"Adobe Lightroom ')):
        path.write_bytes(theirs)
        (left,) = hz.straighten(photo, xmp=True, overwrite=True, **ANY)
        assert "is not by horizon-rt" in left.reason
        assert path.read_bytes() == theirs


def test_a_photograph_is_never_replaced(tmp_path: Path) -> None:
    photo = save(tmp_path / "sea.png", sea(5))
    (tmp_path / "link").symlink_to(tmp_path)
    for out in (tmp_path, tmp_path / "link"):
        with pytest.raises(OutputError, match="would be replaced"):
            hz.straighten(photo, out=out, overwrite=True, **ANY)


def test_photographs_of_one_name_get_copies_of_their_own(tmp_path: Path) -> None:
    photos = [save(tmp_path / folder / "a.jpg", sea(5)) for folder in ("x", "y", "z/x")]
    tasks = find_photos(photos, tmp_path / "out", xmp=False)
    assert [task.target.name for task in tasks] == ["x_a.jpg", "y_a.jpg", "x_a-2.jpg"]
    assert [t.target for t in find_photos(photos[:1], None, xmp=True)] == [tmp_path / "x" / "a.xmp"]


def test_photographs_of_one_name_and_folder_get_sidecars_of_their_own(tmp_path: Path) -> None:
    photos = [
        save(tmp_path / folder / name, sea(5)) for folder in "xy" for name in ("a.jpg", "a.png", "a-2.png")
    ]
    targets = [task.target for task in find_photos(photos, None, xmp=True)]
    assert targets == [
        tmp_path / folder / name for folder in "xy" for name in ("a.xmp", "a-3.xmp", "a-2.xmp")
    ]
    names = [task.target.name for task in find_photos(photos, tmp_path / "out", xmp=True)]
    assert names == ["x_a.xmp", "x_a-3.xmp", "x_a-2.xmp", "y_a.xmp", "y_a-3.xmp", "y_a-2.xmp"]


def test_folders_and_patterns_give_photographs_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.jpg", "9.png", ".hidden.jpg", "notes.txt"):
        (tmp_path / name).touch()
    for given in (tmp_path, tmp_path / "*"):
        assert [t.photo.name for t in find_photos([given], None, xmp=False)] == ["9.png", "10.jpg"]
    with pytest.raises(SourceNotFound, match="no photographs"):
        find_photos([tmp_path / "*.gif"], None, xmp=False)


def test_bounds_are_checked() -> None:
    for wrong in ({"least_turn": 5.0, "most_turn": 2.0}, {"most_turn": 60.0}, {"most_sd": -1.0}):
        with pytest.raises(OptionsError):
            StraightenOptions(**wrong)


def test_the_command_writes_sidecars_and_sums_up(tmp_path: Path, cli: RunCli) -> None:
    save(tmp_path / "sea.png", sea(5))
    save(tmp_path / "none.png", np.full((240, 320, 3), 120, np.uint8))
    done = cli("straighten", tmp_path, "--xmp", "--model", "small", "--most-sd", "5", "--most-spread", "2")
    assert done.code == 0, done.err
    assert "sea.png\tturned" in done.out
    assert "none.png\tleft\t\t\tno horizon" in done.out
    assert "2 photographs\t1 turned, 1 left" in done.out
    assert "crs:CropAngle=" in (tmp_path / "sea.xmp").read_text()
    assert not (tmp_path / FOLDER).exists()


def test_an_unreadable_photograph_fails_the_command_and_not_the_others(tmp_path: Path, cli: RunCli) -> None:
    save(tmp_path / "sea.png", sea(5))
    (tmp_path / "broken.jpg").write_text("no picture")
    done = cli(
        "straighten",
        tmp_path,
        tmp_path / "absent.jpg",
        "--model",
        "small",
        "--most-sd",
        "5",
        "--most-spread",
        "2",
    )
    assert done.code == 1
    assert "1 turned, 2 failed" in done.out
    assert f"failed: {tmp_path / 'absent.jpg'}" in done.err
    assert cli("straighten", tmp_path, "--least-turn", "9", "--most-turn", "3").code == 2
    assert cli("straighten", tmp_path / "*.gif").code == 1
