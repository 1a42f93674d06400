"""Readers of foreign datasets: files as published, and damaged ones, of which only DatasetError may come."""

from __future__ import annotations

import io
import json
import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.datasets import (
    IMU_TO_VELO,
    P_RECT_02,
    RECT_00,
    VELO_TO_CAM,
    kitti_drive,
    mat_file,
    picture,
    smd_folder,
)

from horizon_rt.datasets import Dataset, LabelledFrame, open_dataset, open_mask_folder, parse_palette
from horizon_rt.datasets.matfile import read_struct_array
from horizon_rt.errors import DatasetError
from horizon_rt.evaluation.predictors import TelemetryPredictor
from horizon_rt.geometry import HorizonLine

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FIELDS = ("X", "Y", "Nx", "Ny")


def _complaint(action: Callable[[], object]) -> str | None:
    """The text of the DatasetError that the action raises; any other error comes through."""
    try:
        action()
    except DatasetError as error:
        return str(error)
    return None


def _frames(dataset: Dataset) -> list[LabelledFrame]:
    return list(dataset.frames())


# --- Singapore Maritime Dataset


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [True, False])
def test_struct_arrays_are_read_in_every_form(tmp_path: Path, order: str, deflate: bool) -> None:
    rows = [(48.5, 32.25, 0.01, -1.0), (1.0, 2.0, 3.0, 255.0), (None, 7.5, 0.0, -1.0)]
    path = tmp_path / "a.mat"
    path.write_bytes(mat_file(rows, order=order, deflate=deflate))
    found = read_struct_array(path, FIELDS)
    assert found[:2] == rows[:2]
    assert math.isnan(found[2][0])
    assert read_struct_array(path, ("Ny", "X"))[1] == (255.0, 1.0)


def test_files_of_scipy_are_read(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    rng = np.random.default_rng(0)
    rows = [tuple(map(float, rng.normal(size=4))) for _ in range(20)]
    array = np.empty((1, 20), [(name, object) for name in FIELDS])
    for i, row in enumerate(rows):
        array[0, i] = row
    for packed in (False, True):
        path = tmp_path / f"{packed}.mat"
        scipy_io.savemat(path, {"other": np.eye(3), "structXML": array}, do_compression=packed)
        assert read_struct_array(path, FIELDS) == rows


def test_scipy_reads_what_the_tests_write() -> None:
    scipy_io = pytest.importorskip("scipy.io")
    loaded = scipy_io.loadmat(io.BytesIO(mat_file([(48.5, 32.0, 0.0, -1.0)])))
    assert loaded["structXML"].dtype.names == FIELDS
    assert [loaded["structXML"][0, 0][name].item() for name in FIELDS] == [48.5, 32.0, 0.0, -1.0]


def test_smd_lines_pass_through_the_point_at_right_angles_to_the_normal(tmp_path: Path) -> None:
    rows = [(48.5, 33.0, 0.1, -1.0), (None, None, None, None), (20.0, 30.0, 0.0, 2.0)]
    table = smd_folder(tmp_path / "VIS_Onboard", rows)
    for path in (table, tmp_path / "VIS_Onboard"):
        dataset = open_dataset(path)
        frames = _frames(dataset)
        assert [f.label is None for f in frames] == [False, True, False]
        assert [f.sequence for f in frames] == ["MVI_0001_VIS_OB.avi"] * 3
        assert (dataset.truth, dataset.still, frames[0].scene, dataset.count()) == ("line", False, "sea", 2)
    for labelled, (x, y, nx, ny) in ((frames[0], rows[0]), (frames[2], rows[2])):
        assert labelled.label is not None
        ends = labelled.label.ends_in(96, 64)
        assert ends is not None
        line = HorizonLine.from_points(*ends, 96, 64)
        # 1-based points; n·(p − p0) = 0
        for column in (0.0, 95.0):
            expected = (y - 1) - nx / ny * (column - (x - 1))  # type: ignore[operator]
            assert line.y_at(column, 96, 64) == pytest.approx(expected)
        assert abs(line.angle_deg) < 90


def test_the_buoy_sets_names_are_known(tmp_path: Path) -> None:
    table = smd_folder(tmp_path, [(48.5, 32.5, 0.0, -1.0)], "buoyGT_2_5_3_0")
    moved = table.with_name("buoyGT_2_5_3_0HorizonGT.mat")
    table.rename(moved)
    assert open_dataset(moved).name == "buoyGT_2_5_3_0"


def test_a_video_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x_HorizonGT.mat"
    path.write_bytes(mat_file([(1.5, 2.0, 0.0, 1.0)]))
    with pytest.raises(DatasetError, match=r"its video x\.avi"):
        open_dataset(path)


@pytest.mark.parametrize("row", [(1.5, 2.0, 0.0, 0.0), (math.inf, 2.0, 0.0, 1.0)])
def test_a_line_that_is_none_is_refused_with_its_frame(tmp_path: Path, row: tuple[float, ...]) -> None:
    table = smd_folder(tmp_path, [(1.5, 2.0, 0.0, 1.0), row])
    with pytest.raises(DatasetError, match=r"HorizonGT\.mat, frame 2"):
        open_dataset(table)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "version"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM", "save it with -v7"),
        (mat_file([(1.0,)], ("X",)), "no struct with the fields"),
        (mat_file([(1.5, 2.5, 3.5, 4.5)], deflate=False)[:-20], "ends within"),
    ],
)
def test_unusable_matlab_files_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        read_struct_array(tmp_path / "a.mat", FIELDS)


def test_a_matlab_cell_without_its_value_is_refused(tmp_path: Path) -> None:
    """The last cell has 48 bytes: flags, dimensions, a name and 8 bytes of value, here left out of it."""
    raw = bytearray(mat_file([(1.0, 2.0, 3.0, 4.0)], deflate=False))
    assert raw[-52:-48] == struct.pack("<I", 48)
    raw[-52:-48] = struct.pack("<I", 40)
    (tmp_path / "a.mat").write_bytes(raw)
    with pytest.raises(DatasetError, match="ends where an element is needed"):
        read_struct_array(tmp_path / "a.mat", FIELDS)


def test_a_matlab_file_of_bombs_is_refused(tmp_path: Path) -> None:
    """A thousandth of what they inflate to: the sum is bounded, not only each."""
    bomb = zlib.compress(struct.pack("<II", 99, 24 << 20) + bytes(24 << 20), 9)
    raw = mat_file([(1.0,)], ("X",)) + (struct.pack("<II", 15, len(bomb)) + bomb) * 20
    (tmp_path / "a.mat").write_bytes(raw)
    with pytest.raises(DatasetError, match="inflates to more"):
        read_struct_array(tmp_path / "a.mat", FIELDS)


@FUZZ
@given(data=st.data(), deflate=st.booleans())
def test_damaged_matlab_files_raise_nothing_else(tmp_path: Path, data: st.DataObject, deflate: bool) -> None:
    raw = bytearray(mat_file([(48.5, 32.0, 0.01, -1.0)] * 3, deflate=deflate))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    path = tmp_path / "a.mat"
    path.write_bytes(raw[:cut] if data.draw(st.booleans()) else raw)
    complaint = _complaint(lambda: read_struct_array(path, FIELDS))
    assert complaint is None or "a.mat" in complaint


# --- Horizon Lines in the Wild


@pytest.mark.parametrize("size", ["", "64,96,"])
def test_hlw_points_are_relative_to_the_middle_with_y_up(tmp_path: Path, size: str) -> None:
    picture(tmp_path / "images" / "model" / "a.jpg")
    (tmp_path / "metadata.csv").write_text(f"model/a.jpg,{size}-48,10,48,-2.5\n\n")
    (found,) = _frames(open_dataset(tmp_path))
    assert found.label is not None
    ends = found.label.ends_in(96, 64)
    assert ends == pytest.approx((47.5 - 48, 31.5 - 10, 47.5 + 48, 31.5 + 2.5))
    assert (found.label.in_view, found.file, found.sequence) == (True, "a.jpg", "")
    assert open_dataset(tmp_path / "metadata.csv").count() == 1


@pytest.mark.parametrize("line", ["b.jpg,1,2,3", "b.jpg,1,2,x,4", "b.jpg,1,2,nan,4", "b.jpg,1,2,1,2"])
def test_a_wrong_line_of_hlw_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "metadata.csv").write_text(f"a.jpg,-48,10,48,-2.5\n{line}\n")
    with pytest.raises(DatasetError, match=r"metadata\.csv, line 2"):
        open_dataset(tmp_path)


def test_a_field_of_hlw_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """Python's reader of CSV takes 131,072 characters a field."""
    (tmp_path / "metadata.csv").write_text(f"a.jpg,-48,10,48,-2.5\n{'b' * 200_000},1,2,3,4\n")
    with pytest.raises(DatasetError, match=r"metadata\.csv cannot be read: field larger"):
        open_dataset(tmp_path)


# --- KITTI Horizon


def _numbers(text: str, shape: tuple[int, int]) -> np.ndarray:
    return np.array([float(word) for word in text.split()]).reshape(shape)


def test_kitti_horizons_are_those_of_the_authors_formula(tmp_path: Path) -> None:
    """h = K⁻ᵀ R_cam_imu R_imuᵀ (0, 0, 1), as in kitti_horizon_raw.py, with full rotation matrices."""
    attitudes = [(0.02, -0.01, 1.1), (-0.05, 0.03, -2.0), (0.0, 0.0, 0.0)]
    dataset = open_dataset(kitti_drive(tmp_path / "2011_09_26", attitudes))
    frames = _frames(dataset)
    assert [f.frame.time_s for f in frames] == pytest.approx([0, 0.1, 0.2])
    camera = dataset.camera
    assert camera is not None
    k = _numbers(P_RECT_02, (3, 4))[:, :3]
    chain = _numbers(RECT_00, (3, 3)) @ _numbers(VELO_TO_CAM, (3, 3)) @ _numbers(IMU_TO_VELO, (3, 3))
    for labelled, (roll, pitch, yaw) in zip(frames, attitudes, strict=True):
        rx = cv2.Rodrigues(np.array([roll, 0, 0]))[0]
        ry = cv2.Rodrigues(np.array([0, pitch, 0]))[0]
        rz = cv2.Rodrigues(np.array([0, 0, yaw]))[0]
        h = np.linalg.inv(k).T @ chain @ (rz @ ry @ rx).T @ np.array([0, 0, 1])
        assert labelled.label is not None
        assert labelled.label.up is not None
        line = camera.line(labelled.label.up)
        assert line is not None
        for x in (0, 1241):
            assert line.y_at(x, 1242, 375) == pytest.approx(-(h[0] * x + h[2]) / h[1], abs=1e-6)
        assert line.signed_distance(600, -1000, 1242, 375) > 0


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("calib_imu_to_velo.txt", "R: 1 2 3\n", "line 1: 9 numbers"),
        ("calib_velo_to_cam.txt", "T: 0 0 0\n", "no line 'R: …'"),
        ("calib_cam_to_cam.txt", f"R_rect_00: {RECT_00}\nP_rect_02: x\n", "line 2"),
        ("D/oxts/data/0000000001.txt", "1 2 3\n", "line 1: at least 6"),
        ("D/oxts/data/0000000001.txt", "1 2 3 4 nan 6\n", "finite"),
        ("D/image_02/timestamps.txt", "2011-09-26 13:02:25.1\nsoon\n", "line 2"),
        ("D/image_02/timestamps.txt", "2011-09-26 13:02:25.1\n", "1 times for 2 pictures"),
        ("D/image_02/timestamps.txt", "2011-09-26 13:02:25+02:00\n2011-09-26 13:02:26\n", "without a zone"),
        ("D/image_02/timestamps.txt", "2011-09-26 13:02:25\n2011-09-26 13:02:24\n", "line 2: .*backwards"),
        ("calib_imu_to_velo.txt", "R: 1e300 0 0 0 1 0 0 0 1\n", "line 1: .*finite"),
        ("calib_imu_to_velo.txt", "R: 4 0 0 0 0.5 0 0 0 0.5\n", "rotations"),
        (
            "calib_cam_to_cam.txt",
            f"R_rect_00: {RECT_00}\nP_rect_02: {P_RECT_02}\nS_rect_02: 1e9 1\n",
            "pixels",
        ),
    ],
)
def test_wrong_files_of_kitti_are_named(tmp_path: Path, file: str, text: str, message: str) -> None:
    drive = kitti_drive(tmp_path / "2011_09_26", [(0, 0, 0), (0, 0, 0)])
    (tmp_path / "2011_09_26" / file.replace("D/", f"{drive.name}/")).write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_dataset(drive)


# --- masks


def _camvid(folder: Path) -> np.ndarray:
    """One picture with sky, road and void, its mask as CamVid names and colours it; returns the RGB."""
    picture(folder / "images" / "0001TP.png")
    rgb = np.zeros((64, 96, 3), np.uint8)
    rgb[:30], rgb[30:60] = (128, 128, 128), (128, 64, 128)
    (folder / "labels").mkdir()
    cv2.imwrite(str(folder / "labels" / "0001TP_L.png"), rgb[:, :, ::-1])
    return rgb


def test_masks_by_palette(tmp_path: Path) -> None:
    rgb = _camvid(tmp_path)
    sky, void = parse_palette(["sky=128,128,128", "void=0,0,0"])
    (found,) = _frames(open_mask_folder(tmp_path / "images", tmp_path / "labels", sky=sky, void=void))
    assert found.label is not None
    assert found.label.mask is not None
    above, valid = found.label.mask.read(96, 64)
    assert (above == (rgb == (128, 128, 128)).all(axis=2)).all()
    assert valid is not None
    assert (valid == rgb.any(axis=2)).all()
    with pytest.raises(DatasetError, match="96x64, but its picture is 95x64"):
        found.label.mask.read(95, 64)


def test_a_coloured_mask_is_not_taken_for_a_grey_one(tmp_path: Path) -> None:
    _camvid(tmp_path)
    (found,) = _frames(open_mask_folder(tmp_path / "images", tmp_path / "labels"))
    assert found.label is not None
    assert found.label.mask is not None
    with pytest.raises(DatasetError, match=r"0001TP_L.png is coloured: name its colours as \[classes\]"):
        found.label.mask.read(96, 64)


@pytest.mark.parametrize("entry", ["sky", "sky=1,2", "sky=1,2,256", "road=1,2,3", "sky=1,2,-3"])
def test_wrong_palettes_are_refused(entry: str) -> None:
    with pytest.raises(DatasetError, match="palette entry"):
        parse_palette([entry])


def test_masks_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be listed"):
        open_mask_folder(tmp_path / "no", tmp_path / "no")
    with pytest.raises(DatasetError, match="has a mask of its name"):
        open_mask_folder(tmp_path, tmp_path)


# --- folders of this project


def test_folders_with_masks_and_scenes(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text('name = "mine"\nscene = "sea"\n')
    rows = "file,x1,y1,x2,y2,sky_side,scene\na.png,0,31,95,33,above,\nb.png,,,,,,land\n"
    (tmp_path / "horizon.csv").write_text(rows)
    for name in ("a.png", "b.png"):
        picture(tmp_path / "images" / name)
    picture(tmp_path / "masks" / "a.png")
    dataset = open_dataset(tmp_path)
    first, second = _frames(dataset)
    assert (dataset.name, first.scene, second.scene) == ("mine", "sea", "land")
    assert first.label is not None
    assert second.label is not None
    assert (first.label.in_view, second.label.in_view, second.label.mask) == (True, False, None)
    assert first.label.mask is not None
    assert first.label.mask.read(96, 64)[0].sum() == 96 * 32
    assert [f.file for f in dataset.frames(lambda name: name < "b")] == ["a.png"]
    (tmp_path / "horizon.csv").unlink()
    assert open_dataset(tmp_path).truth == "mask"


@pytest.mark.parametrize("row", ["x,0,1,2", "1,0,91,2e3", "1,0,nan,2", "1,0,1", "1,0,1,"])
def test_a_wrong_row_of_attitudes_is_named(tmp_path: Path, row: str) -> None:
    text = f"frame,time_s,roll_deg,pitch_deg\n0,0,,\n{row}\n"
    (tmp_path / "attitude.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"attitude\.csv, line 3"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", ["horizon.csv", "attitude.csv", "dataset.toml", "metadata.csv", "run.jsonl"])
@FUZZ
@given(data=st.binary(max_size=200) | st.text(max_size=80).map(lambda t: t.encode("utf-8", "replace")))
def test_tables_of_anything_raise_nothing_else(tmp_path: Path, name: str, data: bytes) -> None:
    heads = {
        "horizon.csv": b"file,x1,y1,x2,y2,sky_side\n",
        "attitude.csv": b"frame,time_s,roll_deg,pitch_deg\n",
        "metadata.csv": b"a.jpg,1,2,3,4\n",
        "run.jsonl": b'{"schema":"horizon-rt/1"}\n',
    }
    (tmp_path / name).write_bytes(heads.get(name, b"") + data)
    opened = tmp_path / name if name == "run.jsonl" else tmp_path
    complaint = _complaint(lambda: (TelemetryPredictor if name == "run.jsonl" else open_dataset)(opened))
    assert complaint is None or str(tmp_path) in complaint


def test_telemetry_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for text in (
        "",
        "[1]\n",
        '{"frame":1}\n',
        json.dumps({"schema": "horizon-rt/1", "camera": {"model": "?"}}),
    ):
        path.write_text(text)
        with pytest.raises(DatasetError, match=r"run\.jsonl"):
            TelemetryPredictor(path)


CAMERA = {"model": "Pinhole", "width": 96, "height": 64, "fx": 70, "fy": 70, "cx": 47.5, "cy": 31.5}
HEAD = json.dumps({"schema": "horizon-rt/1", "source": "clip.mp4", "camera": CAMERA})


@pytest.mark.parametrize(
    "line",
    [
        '{"frame":[0],"view":"horizon"}', '{"frame":{},"view":"horizon"}', '{"view":"horizon"}',
        '{"frame":0,"time_s":' + "9" * 5000 + "}", '{"frame":0,"a":' + "[" * 100_000, "[]", "\xff",
    ],
)  # fmt: skip
def test_a_wrong_line_of_telemetry_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(f"{HEAD}\n".encode() + line.encode("latin-1") + b"\n")
    with pytest.raises(DatasetError, match=r"run\.jsonl, line 2: ") as caught:
        TelemetryPredictor(path)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("change", [{"width": "9" * 5000}, {"fx": 10**400}, {"model": []}, {"width": 1.5}])
def test_a_lens_that_is_none_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(HEAD.replace(json.dumps(CAMERA), json.dumps(CAMERA | change)))
    with pytest.raises(DatasetError, match=r"run\.jsonl: its header has no lens"):
        TelemetryPredictor(path)


@pytest.mark.parametrize("name", ["nothing", "a.txt"])
def test_paths_that_are_no_datasets_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("hello\n")
    with pytest.raises(DatasetError, match=name):
        open_dataset(tmp_path / name)


def test_pictures_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"no picture")
    (tmp_path / "horizon.csv").write_text("file,x1,y1,x2,y2,sky_side\na.png,0,31,95,33,above\n")
    with pytest.raises(DatasetError, match=r"a\.png"):
        _frames(open_dataset(tmp_path))
