"""Rendered datasets: their truth against their pixels, the same bytes every time, whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import math
import os
import shlex
import signal
import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import av
import cv2
import numpy as np
import pytest
from conftest import RunCli
from fitting_support import up_vector
from hypothesis import given, settings
from hypothesis import strategies as st
from synth_support import flat_scene, sky_areas

from horizon_rt.camera import Pinhole
from horizon_rt.cli.synth import Kind, MotionChoice
from horizon_rt.datasets import LabelledImage, read_horizons
from horizon_rt.errors import DatasetError, OutputError, SourceError
from horizon_rt.synth import source, stills
from horizon_rt.synth.dataset import whole_folder, write_clip, write_pictures
from horizon_rt.synth.panorama import find_panoramas
from horizon_rt.synth.scene import KINDS
from horizon_rt.synth.source import SyntheticOptions
from horizon_rt.synth.stills import StillOptions, Stills, random_attitude, view_of
from horizon_rt.synth.trajectory import MOTIONS, make_path

SIZE = (96, 64)
FLAT = StillOptions(kinds=("fields",), size=(160, 90), clean=True, seed=5)


@pytest.fixture
def flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every scene is white sky on black ground."""
    for module in (stills, source):
        monkeypatch.setattr(module, "random_scene", lambda rng, kind: flat_scene())


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as rows:
        return list(csv.DictReader(rows))


def _above(picture: LabelledImage, shape: tuple[int, ...]) -> np.ndarray:
    """Distance in px of each pixel from the line of horizon.csv, positive on the sky's side."""
    x1, y1, x2, y2 = picture.ends
    y, x = np.mgrid[: shape[0], : shape[1]]
    distance = ((y1 - y) * (x2 - x1) + (x - x1) * (y2 - y1)) / math.hypot(x2 - x1, y2 - y1)
    return distance if picture.sky_above else -distance


def _bytes_of(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


# --- pictures


@pytest.mark.usefixtures("flat")
def test_lines_and_masks_agree_with_the_pixels(tmp_path: Path) -> None:
    write_pictures(tmp_path / "set", FLAT, count=24, masks=True)
    sides = set()
    for picture in read_horizons(tmp_path / "set"):
        image = cv2.imread(str(picture.path), cv2.IMREAD_GRAYSCALE)
        mask = cv2.imread(str(tmp_path / "set" / "masks" / picture.path.name), cv2.IMREAD_UNCHANGED)
        distance = _above(picture, image.shape)
        assert (image[distance > 1] > 250).all()
        assert (image[distance < -1] < 5).all()
        assert (mask == np.where(distance > 0, 255, 0)).mean() > 0.9999
        assert 0 < (distance > 0).sum() < distance.size
        sides.add(picture.sky_above)
    assert sides == {True, False}


@pytest.mark.usefixtures("flat")
def test_a_line_fitted_to_the_edge_is_the_one_of_the_table(tmp_path: Path) -> None:
    write_pictures(tmp_path / "set", FLAT, count=24)
    fitted = 0
    for picture in read_horizons(tmp_path / "set"):
        image = cv2.imread(str(picture.path), cv2.IMREAD_GRAYSCALE) / 255
        _, y1, x2, y2 = picture.ends
        if not picture.sky_above or not (min(y1, y2) > 5 and max(y1, y2) < 84):
            continue
        x = np.arange(image.shape[1])
        slope, start = np.polyfit(x, image.sum(axis=0) - 0.5, 1)  # sky per column ends half a pixel lower
        assert start == pytest.approx(y1, abs=0.05)
        assert start + slope * x2 == pytest.approx(y2, abs=0.05)
        fitted += 1
    assert fitted > 3


@pytest.mark.usefixtures("flat")
def test_attitude_and_lens_give_the_line(tmp_path: Path) -> None:
    """tan(pitch) of the focal length below the centre, tilted against the roll."""
    write_pictures(tmp_path / "set", FLAT, count=12)
    for picture, row in zip(
        read_horizons(tmp_path / "set"), _table(tmp_path / "set/pictures.csv"), strict=True
    ):
        assert (row["file"], row["kind"], row["view"]) == (picture.path.name, "fields", "horizon")
        roll, pitch = math.radians(float(row["roll_deg"])), math.radians(float(row["pitch_deg"]))
        focal = 80 / math.tan(math.radians(float(row["hfov_deg"])) / 2)
        centre = _above(picture, (90, 160))[44:46, 79:81].mean()
        assert centre == pytest.approx(focal * math.tan(pitch), abs=1e-3)
        x1, y1, x2, y2 = picture.ends
        assert math.sin(math.atan2(y2 - y1, x2 - x1) + roll) == pytest.approx(0, abs=1e-5)


@pytest.mark.usefixtures("flat")
def test_pictures_without_a_horizon_are_sky_ground_and_nothing(tmp_path: Path) -> None:
    options = StillOptions(kinds=("fields",), size=SIZE, clean=True, without=0.3)
    write_pictures(tmp_path / "set", options, count=20, masks=True)
    rows = _table(tmp_path / "set/pictures.csv")
    assert [row["view"] for row in rows if row["view"] != "horizon"] == ["sky", "ground", "nothing"] * 2
    for picture, row in zip(read_horizons(tmp_path / "set"), rows, strict=True):
        assert (picture.ends is None) is (row["view"] != "horizon")
        image = cv2.imread(str(picture.path), cv2.IMREAD_GRAYSCALE)
        mask = tmp_path / "set/masks" / row["file"]
        assert mask.is_file() is (row["view"] != "nothing")
        if row["view"] in ("sky", "ground"):
            white = row["view"] == "sky"
            assert (image > 250).all() if white else (image < 5).all()
            assert (cv2.imread(str(mask), cv2.IMREAD_UNCHANGED) == (255 if white else 0)).all()
    nothing = [row for row in rows if row["view"] == "nothing"]
    assert all((r["kind"], r["hfov_deg"], r["roll_deg"]) == ("nothing", "", "") for r in nothing)


@settings(max_examples=100)
@given(st.floats(0, 1), st.integers(0, 500))
def test_pictures_without_a_horizon_are_spread_evenly(share: float, count: int) -> None:
    found = sum(view_of(index, share) != "horizon" for index in range(count))
    assert abs(found - share * count) < 1
    assert [view_of(i, 0.0) for i in range(3)] == ["horizon"] * 3
    assert [view_of(i, 1.0) for i in range(3)] == ["sky", "ground", "nothing"]


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(640, 360), (360, 640), (300, 300)]),
    st.floats(1, 170),
    st.sampled_from(["horizon", "sky", "ground"]),
)
def test_the_horizon_is_well_in_view_or_out_of_it(
    seed: int, size: tuple[int, int], hfov: float, view: stills.StillView
) -> None:
    camera = Pinhole.from_hfov(*size, hfov)
    up = random_attitude(np.random.default_rng(seed), camera, view).as_array()
    y, x = np.mgrid[: size[1], : size[0]]
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(x.shape)], axis=2)
    share = ((rays @ up) > 0).mean()
    expected = {"sky": share == 1, "ground": share == 0, "horizon": 0.01 < share < 0.99}
    assert expected[view]


def test_a_dataset_says_where_it_comes_from(tmp_path: Path) -> None:
    options = StillOptions(kinds=("sea", "town"), size=SIZE, hfov_deg=(50.0, 60.5), seed=7)
    write_pictures(tmp_path / "a 'set'", options, count=2)
    about = tomllib.loads((tmp_path / "a 'set'" / "dataset.toml").read_text())
    assert (about["name"], about["scene"], about["truth"]) == ("a 'set'", "sea, land", "line")
    assert (about["seed"], about["frames"], about["modality"]) == (7, 2, "rgb, thermal")
    assert sorted(p.name for p in (tmp_path / "a 'set'").iterdir()) == [
        "dataset.toml", "horizon.csv", "images", "pictures.csv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        ["--count", "3", "--size", "96x64", "--without", "0.4", "--masks", "--seed", "3"],
        ["--count", "2", "--size", "96x64", "--kind", "town", "--kind", "sea", "--clean", "--hfov", "50"],
        ["--clip", "0.3", "--size", "96x64", "--motion", "boat", "--fps", "10", "--hfov", "55.5"],
    ],
)
def test_the_command_of_a_dataset_makes_it_again(cli: RunCli, tmp_path: Path, options: list[str]) -> None:
    """With any number of threads."""
    first = cli("synth", tmp_path / "a" / "set", *options, "--workers", "1")
    assert (first.code, first.out) == (0, "")
    assert f"written: {tmp_path / 'a' / 'set'} (" in first.err
    command = tomllib.loads((tmp_path / "a/set/dataset.toml").read_text())["command"]
    words = shlex.split(command.replace("OUT", shlex.quote(str(tmp_path / "b" / "set"))))
    assert cli(*words[1:], "--workers", "4").code == 0
    assert _bytes_of(tmp_path / "a") == _bytes_of(tmp_path / "b")


def test_a_picture_depends_on_seed_and_number_only(tmp_path: Path) -> None:
    few, many = (Stills(StillOptions(size=SIZE, seed=2), count) for count in (2, 9))
    other = Stills(StillOptions(size=SIZE, seed=3), 2)
    assert all((few[i].image == many[i].image).all() for i in range(2))
    assert (few[0].image != few[1].image).any()
    assert (few[0].image != other[0].image).any()
    assert len(list(few)) == 2


# --- panoramas


def _halves(path: Path, value: int = 255) -> Path:
    image = np.zeros((256, 512, 3), np.uint8)
    image[:128] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return path


def test_views_of_a_panorama_agree_with_their_line(tmp_path: Path) -> None:
    file = _halves(tmp_path / "beach.png")
    options = StillOptions(kinds=(), panorama=file, size=(160, 90), clean=True, without=0.2)
    write_pictures(tmp_path / "set", options, count=10)
    for picture, row in zip(
        read_horizons(tmp_path / "set"), _table(tmp_path / "set/pictures.csv"), strict=True
    ):
        image = cv2.imread(str(picture.path), cv2.IMREAD_GRAYSCALE)
        if row["view"] == "horizon":
            distance, cell = _above(picture, image.shape), 512 / 360 * float(row["hfov_deg"]) / 160
            assert (image[distance > 2 + 2 / cell] > 250).all()
            assert (image[distance < -2 - 2 / cell] < 5).all()
        assert row["kind"] == ("nothing" if row["view"] == "nothing" else "beach")
    about = tomllib.loads((tmp_path / "set/dataset.toml").read_text())
    assert about["scene"] == "panorama"
    assert str(file) in about["command"]
    assert "that of the panorama" in about["licence"]


def test_a_folder_of_panoramas_is_its_pictures_or_the_open_ones_of_its_table(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "note.txt"):
        _halves(tmp_path / "plain" / name) if name.endswith("png") else (tmp_path / "plain" / name).touch()
    assert [p.name for p in find_panoramas(tmp_path / "plain")] == ["a.png", "b.png"]
    for name in ("sea.png", "wood.png"):
        _halves(tmp_path / "listed" / "images" / name)
    table = tmp_path / "listed" / "panoramas.csv"
    table.write_text("file,terrain,horizon\nwood.png,forest,occluded\nsea.png,sea,open\n")
    assert find_panoramas(tmp_path / "listed") == (tmp_path / "listed" / "images" / "sea.png",)
    table.write_text("name\nsea.png\n")
    with pytest.raises(DatasetError, match="cannot look for panoramas"):
        find_panoramas(tmp_path / "listed")


def test_what_is_no_panorama_is_refused_in_one_line(cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    cv2.imwrite(str(tmp_path / "square.png"), np.zeros((64, 64, 3), np.uint8))
    for name, message in {
        "empty": "no panoramas in",
        "absent": "cannot look for panoramas in",
        "broken.png": "not a picture, or damaged",
        "square.png": "64x64; an equirectangular panorama is twice as wide as high",
    }.items():
        for what in (("--count", "1"), ("--clip", "0.1")):
            done = cli("synth", tmp_path / "set", *what, "--size", "96x64", "--panorama", tmp_path / name)
            assert done.code == 1
            assert message in done.errors[-1]
            assert not (tmp_path / "set").exists()


def test_a_clip_of_a_panorama(tmp_path: Path) -> None:
    options = SyntheticOptions(motion="rest", size="96x64", seconds=0.2)
    write_clip(tmp_path / "set", options, panorama=_halves(tmp_path / "beach.png"))
    (frame, *_) = _decoded(tmp_path / "set/video/clip.mp4")
    assert frame[1][:28].min() > 200 > 60 > frame[1][36:].max()


# --- clips


def _decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return [(float(f.time), f.to_ndarray(format="gray")) for f in container.decode(video=0)]


@pytest.mark.usefixtures("flat")
def test_the_frames_of_a_clip_show_their_attitude(tmp_path: Path) -> None:
    options = SyntheticOptions(kind="sea", motion="aerobatics", size="160x90", fps=12.5, seconds=4, seed=2)
    write_clip(tmp_path / "set", options, workers=2)
    frames, rows = _decoded(tmp_path / "set/video/clip.mp4"), _table(tmp_path / "set/attitude.csv")
    assert [int(row["frame"]) for row in rows] == list(range(50))
    assert [time_s for time_s, _ in frames] == pytest.approx([float(row["time_s"]) for row in rows], abs=1e-4)
    about = tomllib.loads((tmp_path / "set/dataset.toml").read_text())
    camera = Pinhole.from_hfov(160, 90, about["hfov_deg"])
    compared = 0
    for (_, image), row in zip(frames, rows, strict=True):
        up = up_vector(float(row["roll_deg"]), float(row["pitch_deg"]))
        expected, inside = sky_areas(camera, up)
        if inside.sum() > 40:
            # Counted by whole pixels, a level edge is off by up to half a pixel.
            assert abs(((image > 125).sum(axis=0) - expected)[inside].mean()) < 0.5
            compared += 1
    assert compared > 40


def test_the_attitude_of_a_clip_is_that_of_its_path(tmp_path: Path) -> None:
    options = SyntheticOptions(kind="fields", motion="aerobatics", size="32x18", fps=10, seconds=12, seed=4)
    write_clip(tmp_path / "set", options)
    path = make_path("aerobatics", 12, 4)
    for row in _table(tmp_path / "set/attitude.csv"):
        pose = path.at(int(row["frame"]) / 10)
        assert float(row["time_s"]) == pytest.approx(int(row["frame"]) / 10)
        turn = float(row["roll_deg"]) - pose.roll_deg
        assert turn == pytest.approx(360 * round(turn / 360), abs=1e-5)
        assert float(row["pitch_deg"]) == pytest.approx(pose.pitch_deg, abs=1e-5)
        assert -180 <= float(row["roll_deg"]) <= 180
    about = tomllib.loads((tmp_path / "set/dataset.toml").read_text())
    assert (about["truth"], about["frames"], about["frame_rate"]) == ("attitude", 120, 10)
    assert about["hfov_deg"] == 70


def test_a_clip_of_odd_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="even width and height, got 33x18"):
        write_clip(tmp_path / "set", SyntheticOptions(size="33x18", seconds=0.1))
    assert list(tmp_path.iterdir()) == []


# --- whole or not at all


def test_nothing_that_exists_is_replaced(cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    mine = tmp_path / "set" / "mine.txt"
    mine.write_text("mine")
    for out in (tmp_path / "set", mine, mine / "deeper"):
        done = cli("synth", out, "--count", "1", "--size", "32x32")
        assert done.code == 1
        assert done.errors[-1].startswith(f"error: cannot write {out}: ")
    assert mine.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_an_empty_folder_may_become_the_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set").mkdir()
    monkeypatch.chdir(tmp_path)
    write_pictures(Path("set"), StillOptions(size=(32, 32)), count=1)
    assert len(read_horizons(tmp_path / "set")) == 1


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(28, "No space left on device"), ValueError("odd")]
)
def test_a_block_that_fails_leaves_the_partial_name(tmp_path: Path, error: BaseException) -> None:
    partial = tmp_path / "set.partial"
    partial.mkdir()
    (partial / "of an earlier run").touch()
    expected = OutputError if isinstance(error, OSError) else type(error)

    def fail() -> None:
        with whole_folder(tmp_path / "set") as folder:
            assert list(folder.iterdir()) == []
            (folder / "begun").touch()
            raise error

    with pytest.raises(expected) as caught:
        fail()
    assert [p.name for p in tmp_path.rglob("*")] == ["set.partial", "begun"]
    if expected is OutputError:
        assert "No space left on device; what was written is in" in str(caught.value)


@pytest.mark.parametrize("what", [("--count", "100000"), ("--clip", "10000")])
def test_an_interrupted_run_leaves_nothing_that_reads_as_whole(
    process: Callable[..., subprocess.Popen[str]], tmp_path: Path, what: tuple[str, str]
) -> None:
    child = process("synth", tmp_path / "set", *what, "--size", "64x36", "--workers", "2")
    partial, end = tmp_path / "set.partial", time.monotonic() + 60
    started = (partial / "images" / "000003.png", partial / "video" / "clip.mp4.partial")
    while not any(path.exists() and path.stat().st_size > 0 for path in started):
        assert time.monotonic() < end
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    assert (child.wait(30), child.communicate()) == (130, ("", ""))
    assert [p.name for p in tmp_path.iterdir()] == ["set.partial"]
    tables = ("horizon.csv", "attitude.csv", "dataset.toml", "video/clip.mp4")
    assert not any((partial / name).exists() for name in tables)
    with pytest.raises(DatasetError):
        read_horizons(partial)


# --- options


def test_the_choices_of_the_verb_are_those_of_the_engine() -> None:
    assert tuple(Kind) == KINDS
    assert tuple(MotionChoice) == MOTIONS
    assert get_args(stills.StillView)[1:] == tuple(view_of(i, 1.0) for i in range(3))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["out"],
        ["out", "--count", "2", "--clip", "3"],
        ["out", "--count", "0"],
        ["out", "--count", "2", "--kind", "moon"],
        ["out", "--count", "2", "--size", "96"],
        ["out", "--count", "2", "--hfov", "wide"],
        ["out", "--count", "2", "--hfov", "40..x"],
        ["out", "--count", "2", "--without", "1.5"],
        ["out", "--count", "2", "--without", "nan"],
        ["out", "--count", "2", "--motion", "boat"],
        ["out", "--count", "2", "--fps", "25"],
        ["out", "--count", "2", "--seed", "-1"],
        ["out", "--count", "2", "--workers", "0"],
        ["out", "--clip", "2", "--masks"],
        ["out", "--clip", "2", "--clean"],
        ["out", "--clip", "2", "--without", "0.1"],
        ["out", "--clip", "2", "--kind", "sea", "--kind", "coast"],
        ["out", "--clip", "2", "--kind", "sea", "--panorama", "x.png"],
        ["out", "--clip", "2", "--motion", "hover"],
        ["out", "--clip", "2", "--size", "0x0"],
    ],
)
def test_usage_errors(
    cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("synth", *arguments).code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "1", "--size", "8x8"], "a picture has 16 to 16384 px a side, got 8x8"),
        (["--count", "1", "--hfov", "90..40"], "field of view lies within 1..170 degrees, got 90..40"),
        (["--count", "1", "--hfov", "nan"], "field of view lies within 1..170 degrees"),
        (["--count", "1", "--hfov", "0..200"], "field of view lies within 1..170 degrees"),
        (["--clip", "1", "--hfov", "40..100"], "hfov must be a number, got '40..100'"),
        (["--clip", "1", "--hfov", "0"], "hfov lies between 1 and 170"),
        (["--clip", "1", "--size", "63x36"], "even width and height, got 63x36"),
    ],
)
def test_values_out_of_range_are_refused_in_one_line(
    cli: RunCli, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = cli("synth", tmp_path / "set", *arguments)
    assert done.code == 1
    assert message in done.errors[-1]
    assert list(tmp_path.iterdir()) == []


def test_pictures_need_something_to_show() -> None:
    with pytest.raises(DatasetError, match="a kind of scene or a panorama"):
        Stills(StillOptions(kinds=()), 1)


@pytest.mark.skipif(os.name == "nt", reason="needs locks of POSIX")
def test_a_second_run_into_one_folder_leaves_the_first_alone(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "set") as first:
        (first / "theirs").touch()
        with pytest.raises(OutputError, match="another run is writing it"), whole_folder(tmp_path / "set"):
            pass
        assert (first / "theirs").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["set", "theirs"]
