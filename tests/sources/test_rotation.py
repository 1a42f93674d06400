"""Pictures that are turned on demand, against NumPy's rot90."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.cli import RunCli
from support.sources import h264_clip

from horizon_rt.camera import BrownConrady, Camera, CameraProfile, save_profile
from horizon_rt.errors import OptionsError
from horizon_rt.frame import Frame
from horizon_rt.options import Lens, Part, RunOptions
from horizon_rt.pipeline.level_options import LevelOptions
from horizon_rt.pipeline.run import camera_for
from horizon_rt.sources import Source, open_source
from horizon_rt.sources.base import SourceInfo
from horizon_rt.sources.rotation import rotated

QUARTERS = {90: -1, 180: 2, 270: 1}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    h264_clip(path := tmp_path_factory.mktemp("clip") / "clip.ts", 4)
    return path


@pytest.mark.parametrize("degrees", QUARTERS)
def test_planes_are_turned(path: Path, degrees: int) -> None:
    with open_source(path) as plain, open_source(path, rotate=degrees) as turned:
        for one, other in zip(plain, turned, strict=True):
            assert (one.index, one.time_s) == (other.index, other.time_s)
            for plane, expected in zip(other.arrays(), one.arrays(), strict=True):
                assert np.array_equal(plane, np.rot90(expected, QUARTERS[degrees]))
        assert (turned.info.width, turned.info.height) == (other.width, other.height)


@pytest.mark.parametrize("degrees", QUARTERS)
def test_a_turn_goes_with_a_part_and_a_second_reading(path: Path, degrees: int) -> None:
    part = Part(start_s=0.04)
    with open_source(path, rotate=degrees, part=part) as source, source.reopen() as again:
        firsts = [next(iter(one)).arrays()[0] for one in (source, again)]
    assert np.array_equal(*firsts)


def test_which_way_stored_pictures_are_turned_is_known(path: Path) -> None:
    assert not open_source(path, rotate=90).info.turned_left
    assert open_source(path, rotate=270).info.turned_left


def test_a_turn_adds_to_that_of_the_file(tmp_path: Path) -> None:
    clip = h264_clip(tmp_path / "v.mp4", 1, rotation=(90, False, False))
    with open_source(clip) as stored, open_source(clip, rotate=270) as turned:
        one, other = next(iter(stored)), next(iter(turned))
        assert np.array_equal(np.rot90(one.arrays()[0]), other.arrays()[0])
        assert (stored.info.width, stored.info.height) == (turned.info.height, turned.info.width)


class Endless(Source):
    """A live source that waits for a picture until it is closed."""

    info = SourceInfo(name="endless", kind="network", width=16, height=12, live=True)

    def _next_frame(self) -> Frame | None:
        self._closing.wait(30)
        return None


def test_close_reaches_a_source_that_waits() -> None:
    source = rotated(Endless(), 90)
    read = threading.Thread(target=source.read)
    read.start()
    source.close()
    read.join(10)
    assert not read.is_alive()


def test_a_turned_camera_has_the_roll_of_the_world(cli: RunCli, tmp_path: Path) -> None:
    with open_source("synth:sea?size=320x192&seconds=0.1") as scene:
        picture = next(iter(scene)).to_bgr()
    rows = []
    for name, turn, options in (("level", 0, ()), ("side", 1, ("--rotate", "90"))):
        cv2.imwrite(str(path := tmp_path / f"{name}.png"), np.rot90(picture, turn))
        out = tmp_path / f"{name}.jsonl"
        assert cli("track", path, "--telemetry", out, "--model", "small", *options).code == 0
        rows.append(json.loads(out.read_text().splitlines()[1]))
    assert rows[0]["roll_deg"] == rows[1]["roll_deg"] is not None
    assert json.loads(out.read_text().splitlines()[0])["options"]["rotate"] == 90


def test_pictures_that_are_named_one_by_one_are_turned_as_well(cli: RunCli, tmp_path: Path) -> None:
    names = [str(tmp_path / f"{name}.png") for name in "ab"]
    for name in names:
        cv2.imwrite(name, np.zeros((48, 96), np.uint8))
    done = cli("track", *names, "--telemetry", tmp_path / "t.jsonl", "--model", "nano", "--rotate", "90")
    assert done.code == 0
    head = json.loads((tmp_path / "t.jsonl").read_text().splitlines()[0])
    assert (head["width"], head["height"]) == (48, 96)


def test_other_angles_are_a_usage_error(cli: RunCli, path: Path) -> None:
    assert cli("track", path, "--rotate", "45").code == 2


def test_a_profile_turns_with_its_pictures(path: Path, tmp_path: Path) -> None:
    lens = Camera(width=64, height=48, fx=60, fy=62, cx=30, cy=20, distortion=BrownConrady(k1=-0.1, p1=0.01))
    save_profile(CameraProfile(name="off", model=lens, readout_s=0.01), file := tmp_path / "off.toml")
    points = np.array([[10.0, 5.0], [50.0, 40.0]])
    for degrees in QUARTERS:
        options = RunOptions(lens=Lens(camera_profile=str(file)), rotate=degrees)
        with open_source(path, rotate=degrees) as source:
            found = camera_for(options, source.info)
        model, x, y = found.model, points[:, 0], points[:, 1]
        turned = {90: (47 - y, x), 180: (63 - x, 47 - y), 270: (y, 63 - x)}[degrees]
        rays = model.rays(np.column_stack(turned))
        a, b = lens.rays(points)[:, 0], lens.rays(points)[:, 1]
        expected = {90: (-b, a), 180: (-a, -b), 270: (b, -a)}[degrees]
        assert rays[:, :2] == pytest.approx(np.column_stack(expected), abs=1e-9)
        assert found.readout_s is None


@pytest.mark.parametrize("kind", [RunOptions, LevelOptions])
@pytest.mark.parametrize("degrees", [0, 45, -90, 360])
def test_other_angles_are_no_options(kind: type[RunOptions], degrees: int) -> None:
    with pytest.raises(OptionsError, match="90, 180 or 270"):
        kind(rotate=degrees)


def test_patience_is_that_of_the_source() -> None:
    class Patient(Endless):
        patience_s = 15.0  # type: ignore[assignment]

    with rotated(Patient(), 180) as source:
        assert source.patience_s == 15.0
