"""Views of a levelled panorama with a known horizon."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.fitting import up_vector
from support.synth import sky_areas

from horizon_rt.camera import Camera
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import UpVector
from horizon_rt.synth.clip import find_panorama
from horizon_rt.synth.panorama import Panorama, load_panoramas, panorama_view
from horizon_rt.synth.render import camera_rays

CAMERA = Camera.from_hfov(320, 180, 60)
ROWS = 512
ATTITUDES = [(0, 0), (5, 10), (-30, -12), (44, 3), (180, 5), (-150, -8)]


def _panorama(image: np.ndarray) -> Panorama:
    return Panorama("made", "sea", True, image)


def _halves() -> Panorama:
    image = np.zeros((ROWS, 2 * ROWS, 3), np.uint8)
    image[: ROWS // 2] = 255
    return _panorama(image)


@pytest.mark.parametrize(("roll", "pitch"), ATTITUDES)
@pytest.mark.parametrize("heading", [0.0, 100.0, 180.0])
def test_the_middle_row_is_the_horizon(roll: float, pitch: float, heading: float) -> None:
    up = up_vector(roll, pitch)
    expected, inside = sky_areas(CAMERA, up)
    view = panorama_view(_halves(), camera_rays(CAMERA), UpVector.from_vector(up), heading_deg=heading)
    error = view[:, :, 0].sum(axis=0, dtype=float) - expected
    # OpenCV's remap rounds to 1/32 px of the panorama, which is 1/15 px of the view.
    assert np.abs(error[inside]).max() < 1 / 15
    assert abs(error[inside].mean()) < 1 / 30


def test_there_is_no_seam_behind() -> None:
    x = np.arange(2 * ROWS)
    wave = (127 + 100 * np.cos(2 * np.pi * (x + 0.5) / (2 * ROWS))).astype(np.uint8)
    image = np.repeat(np.repeat(wave[None, :, None], ROWS, axis=0), 3, axis=2)
    view = panorama_view(_panorama(image), camera_rays(CAMERA), UpVector(0, -1, 0), heading_deg=180)
    assert np.abs(np.diff(view[:, :, 0], axis=1)).max() < 0.02


def test_the_heading_turns_the_view() -> None:
    x = np.arange(2 * ROWS)
    image = np.zeros((ROWS, 2 * ROWS, 3), np.uint8)
    image[:, np.abs(x - (0.5 + 90 / 360) * 2 * ROWS) < 8] = 255  # azimuth 90°
    for heading, lit in ((90.0, True), (-90.0, False), (0.0, False)):
        view = panorama_view(_panorama(image), camera_rays(CAMERA), UpVector(0, -1, 0), heading_deg=heading)
        assert bool(view[90, 160, 0] > 0.9) is lit


def test_what_is_right_of_the_middle_is_right_of_the_middle() -> None:
    image = np.zeros((ROWS, 2 * ROWS, 3), np.uint8)
    image[:, ROWS + 20 : ROWS + 60] = 255
    view = panorama_view(_panorama(image), camera_rays(CAMERA), UpVector(0, -1, 0))
    assert view[:, 160:].sum() > view[:, :160].sum()


def _folder(folder: Path, table: str = "file,terrain,horizon\na.png,sea,open\nb.png,city,occluded\n") -> Path:
    (folder / "images").mkdir()
    for name in "ab":
        cv2.imwrite(str(folder / "images" / f"{name}.png"), np.full((8, 16, 3), (10, 20, 200), np.uint8))
    (folder / "panoramas.csv").write_text(table)
    return folder


def test_a_folder_of_panoramas(tmp_path: Path) -> None:
    first, second = load_panoramas(_folder(tmp_path))
    assert (first.name, first.terrain, first.is_open, second.is_open) == ("a", "sea", True, False)
    assert first.image[0, 0].tolist() == [200, 20, 10]
    assert first.is_level
    assert find_panorama(tmp_path, "b").name == "b"
    with pytest.raises(DatasetError, match=r"no panorama 'c'.*a, b"):
        find_panorama(tmp_path, "c")


def test_a_panorama_that_is_not_levelled_is_known(tmp_path: Path) -> None:
    table = "file,terrain,horizon,level\na.png,sea,open,yes\nb.png,city,occluded,not levelled by its author\n"
    assert [panorama.is_level for panorama in load_panoramas(_folder(tmp_path, table))] == [True, False]


@pytest.mark.parametrize("table", ["file,terrain\na.png,sea\n", "file,terrain,horizon\nnone.png,sea,open\n"])
def test_a_damaged_folder_is_refused(tmp_path: Path, table: str) -> None:
    with pytest.raises(DatasetError):
        load_panoramas(_folder(tmp_path, table))


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no panoramas\.csv"):
        load_panoramas(tmp_path)


@pytest.mark.parametrize("lift", [0.0, 20.0, 45.0])
def test_a_lifted_sky_is_squeezed_between_the_horizon_and_the_zenith(lift: float) -> None:
    """A panorama whose tone is its elevation: linear from the lift at the horizon to 90° at the zenith."""
    elevation = 90 - (np.arange(ROWS) + 0.5) * 180 / ROWS
    tone = np.clip(127.5 + elevation * 1.4, 0, 255)
    image = np.repeat(np.repeat(tone.astype(np.uint8)[:, None, None], 2 * ROWS, axis=1), 3, axis=2)
    for pitch in (10.0, 50.0, 80.0):
        up, rays = UpVector.from_roll_pitch(12.0, pitch), camera_rays(CAMERA)
        view = panorama_view(_panorama(image), rays, up, lift_deg=lift)
        seen = np.degrees(np.arcsin(np.clip(rays.astype(float) @ up.as_array(), -1, 1)))
        shown = lift + seen * (90 - lift) / 90
        above = seen > 0
        np.testing.assert_allclose(view[:, :, 0][above] * 255, 127.5 + 1.4 * shown[above], rtol=0, atol=1.6)
