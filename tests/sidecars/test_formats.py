"""Sidecars, each read back by a program or library that is not ours."""

from __future__ import annotations

import errno
import io
import json
import math
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from support.cli import full_disk

from horizon_rt.errors import MissingExtra, OutputError, SourceError
from horizon_rt.geometry import Mount, UpVector
from horizon_rt.pipeline.convert import convert_telemetry
from horizon_rt.sidecars.attitude import camera_rate, camera_up
from horizon_rt.sidecars.gyroflow import to_gyroflow
from horizon_rt.sidecars.opening import open_sidecar
from horizon_rt.sidecars.tables import Motion
from horizon_rt.tracks import load_track

ROLLS = st.floats(-170, 170)
PITCHES = st.floats(-70, 70)
HEAD = {"schema": "horizon-rt/1", "source": "flight.mp4", "width": 640, "height": 480, "camera": {}}


def row(frame: int, roll: float | None, pitch: float | None = 0.0, **more: Any) -> dict[str, Any]:
    known = roll is not None
    return {
        "frame": frame, "time_s": frame / 30, "state": "tracking" if known else "lost", "view": "horizon",
        "confidence": 0.9, "roll_deg": roll, "pitch_deg": pitch if known else None,
        "roll_sd_deg": 0.2 if known else None, "pitch_sd_deg": 0.3 if known else None,
        "roll_rate_dps": 0.0 if known else None, "pitch_rate_dps": 0.0 if known else None,
        "angle_deg": None if roll is None else -roll, "offset_px": 3.0, "measured": None, "latency_ms": None,
        **more,
    }  # fmt: skip


def telemetry(path: Path, rows: Sequence[dict[str, Any]], **head: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in (HEAD | head, *rows)))
    return path


def converted(folder: Path, name: str, rows: Sequence[dict[str, Any]], **options: Any) -> Path:
    merge = options.pop("merge", None)
    source = telemetry(folder / "in.jsonl", rows, **options)
    assert convert_telemetry(source, [folder / name], merge=merge) == len(rows)
    return folder / name


# --- the camera's attitude


@given(ROLLS, PITCHES, st.floats(-60, 60), st.floats(-60, 60))
def test_rates_are_those_of_the_up_vector(roll: float, pitch: float, p: float, q: float) -> None:
    """u' = −ω × u, with u' by finite differences, and nothing about the vertical."""
    values = row(0, roll, pitch, roll_rate_dps=p, pitch_rate_dps=q)
    rate, step = camera_rate(values, None), 1e-5
    before, after = (
        UpVector.from_roll_pitch(roll + sign * p * step, pitch + sign * q * step).as_array()
        for sign in (-1, 1)
    )
    up = camera_up(values, None).as_array()
    assert np.allclose((after - before) / (2 * step), -np.cross(rate, up), atol=1e-5)
    assert abs(rate @ up) < 1e-9


@given(ROLLS, PITCHES)
def test_the_camera_of_a_mount_is_turned_against_its_vehicle(roll: float, pitch: float) -> None:
    mount = Mount(roll_deg=3, pitch_deg=-20, yaw_deg=40)
    values = row(0, roll, pitch, roll_rate_dps=5.0, pitch_rate_dps=-7.0)
    assert mount.vehicle_up(camera_up(values, mount)).angle_to(camera_up(values, None)) < 1e-6
    assert np.allclose(mount.rotation.T @ camera_rate(values, mount), camera_rate(values, None))


# --- subtitles


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs FFmpeg")
@pytest.mark.parametrize(("name", "codec"), [("s.srt", "subrip"), ("s.vtt", "webvtt")])
def test_ffmpeg_reads_the_subtitles(tmp_path: Path, name: str, codec: str) -> None:
    rows = [row(i, 12.34 if i < 45 else None) for i in range(60)]
    path = converted(tmp_path, name, rows)
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name:packet=pts_time,duration_time",
         "-of", "json", path],
        capture_output=True,
        check=True,
    )  # fmt: skip
    probed = json.loads(shown.stdout)
    assert probed["streams"][0]["codec_name"] == codec
    times = [float(packet["pts_time"]) for packet in probed["packets"]]
    assert len(times) == 8
    assert np.allclose(np.diff(times), 0.25, atol=1 / 30)
    assert all(0 < float(packet["duration_time"]) < 0.3 for packet in probed["packets"])
    text = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-f", "srt", "-"], capture_output=True, check=True
    ).stdout.decode()
    assert "roll +12.3° ± 0.2°" in text
    assert "no horizon (lost)" in text


# --- Gyroflow


def parsed_gcsv(path: Path) -> list[dict[str, Any]]:
    """Samples of telemetry-parser, the reader of Gyroflow: gyroscope in °/s, accelerometer in m/s²."""
    parser = pytest.importorskip("telemetry_parser", reason="needs telemetry-parser")
    samples: list[dict[str, Any]] = parser.Parser(str(path)).normalized_imu()
    return samples


def world_up(samples: list[dict[str, Any]]) -> np.ndarray:
    """The up vectors in Gyroflow's camera axes (x right, y up, z back), as it integrates them."""
    a = np.array([sample["accl"] for sample in samples])
    return np.stack([-a[:, 1], a[:, 0], a[:, 2]], axis=1) / np.linalg.norm(a, axis=1)[:, None]


@pytest.mark.parametrize(("roll", "pitch"), [(0.0, 0.0), (20.0, 0.0), (0.0, 15.0), (-35.0, -10.0)])
def test_gyroflows_reader_sees_gravity(tmp_path: Path, roll: float, pitch: float) -> None:
    samples = parsed_gcsv(converted(tmp_path, "g.gcsv", [row(i, roll, pitch) for i in range(30)]))
    assert [s["timestamp_ms"] for s in samples] == pytest.approx([1000 * i / 30 for i in range(30)], abs=0.01)
    u = UpVector.from_roll_pitch(roll, pitch)
    assert np.allclose(world_up(samples), [u.x, -u.y, -u.z], atol=1e-5)
    assert np.linalg.norm(samples[0]["accl"]) == pytest.approx(9.80665, rel=1e-3)


@pytest.mark.parametrize(("p", "q"), [(30.0, 0.0), (0.0, 20.0)])
def test_gyroflows_integration_gives_the_next_attitude(tmp_path: Path, p: float, q: float) -> None:
    """The rates of its reader, integrated as Gyroflow does, take the first up vector to the last."""
    count = 31
    rows = [row(i, p * i / 30, q * i / 30, roll_rate_dps=p, pitch_rate_dps=q) for i in range(count)]
    samples = parsed_gcsv(converted(tmp_path, "g.gcsv", rows))
    turn = Rotation.identity()
    for sample in samples[:-1]:
        g = np.radians(sample["gyro"])
        turn = turn * Rotation.from_rotvec(np.array([-g[1], g[0], g[2]]) / 30)
    ups = world_up(samples)
    assert np.allclose(turn.apply(ups[-1]), ups[0], atol=0.01)


OWN = """GYROFLOW IMU LOG
version,1.3
id,camera
orientation,{orientation}
tscale,0.001
gscale,0.001
ascale,0.0005
t,gx,gy,gz,ax,ay,az
"""


@pytest.mark.parametrize("orientation", ["XYZ", "YxZ", "zYx", "xyz"])
def test_a_merged_log_keeps_the_gyroscope_and_takes_our_gravity(tmp_path: Path, orientation: str) -> None:
    own = tmp_path / "own.gcsv"
    lines = "".join(f"{5 * i},{i},{-2 * i},7,100,200,300\n" for i in range(400))
    own.write_text(OWN.format(orientation=orientation) + lines)
    path = converted(tmp_path, "m.gcsv", [row(i, 25.0, -8.0) for i in range(31)], merge=own)
    before, after = parsed_gcsv(own), parsed_gcsv(path)
    assert [s["timestamp_ms"] for s in after] == [s["timestamp_ms"] for s in before]
    assert np.allclose([s["gyro"] for s in after], [s["gyro"] for s in before])
    u = UpVector.from_roll_pitch(25, -8)
    assert np.allclose(world_up(after[:200]), [u.x, -u.y, -u.z], atol=1e-4)
    assert after[399]["accl"] == pytest.approx(before[399]["accl"])  # beyond the telemetry


@pytest.mark.parametrize("columns", ["t,gx,gy,gz,ax,ay,az,mx,my,mz", "t,mx,gx,gy,gz,temp"])
def test_a_merged_log_keeps_the_text_of_all_but_the_accelerometer(tmp_path: Path, columns: str) -> None:
    (own := tmp_path / "own.gcsv").write_text(
        f"GYROFLOW IMU LOG\ntscale,0.000000001\n{columns}\n"
        + "".join(
            f"{1_234_567_890_123 + 5_000_001 * i},"
            + ",".join(f"{i}.{k}00" for k in range(1, columns.count(",") + 1))
            + "\n"
            for i in range(100)
        )
    )
    path = converted(tmp_path, "m.gcsv", [row(i, 25.0, time_s=1234.5 + i / 30) for i in range(31)], merge=own)
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    before, after = (pandas.read_csv(p, skiprows=s, dtype=str) for p, s in ((own, 2), (path, 3)))
    kept = [name for name in before.columns if name not in ("ax", "ay", "az")]
    assert after[kept].equals(before[kept])
    assert set(after.columns) == {*before.columns, "ax", "ay", "az"}
    assert np.allclose(np.linalg.norm(after[["ax", "ay", "az"]].astype(float), axis=1), 1)


def test_gravity_is_not_made_up_in_a_gap(tmp_path: Path) -> None:
    own = tmp_path / "own.gcsv"
    own.write_text(OWN.format(orientation="XYZ") + "".join(f"{10 * i},0,0,0,1,2,3\n" for i in range(300)))
    rows = [row(i, 10.0 if i < 15 or i > 60 else None) for i in range(90)]
    path = converted(tmp_path, "m.gcsv", rows, merge=own)
    data = np.loadtxt(path, delimiter=",", skiprows=8)
    in_gap = (data[:, 0] > 500) & (data[:, 0] < 2000)
    assert (data[in_gap][:, 4:] == [1, 2, 3]).all()
    assert not (data[~in_gap][:40, 4:] == [1, 2, 3]).any()


@pytest.mark.parametrize(
    "text",
    ["", "t,gx,gy,gz\n0,1,2,3\n", "GYROFLOW IMU LOG\n", "GYROFLOW IMU LOG\nt,gx\n0,1\n",
     "GYROFLOW IMU LOG\nt,gx,gy,gz\n", "GYROFLOW IMU LOG\nt,gx,gy,gz\n0,a,2,3\n",
     "GYROFLOW IMU LOG\norientation,XXZ\nt,gx,gy,gz\n0,1,2,3\n",
     "GYROFLOW IMU LOG\nt,gx,gy,gz\n5,1,2,3\n1,1,2,3\n",
     "GYROFLOW IMU LOG\nt,gx,gy,gz\n0,1,2\n"],
)  # fmt: skip
def test_a_log_that_is_none_says_so(tmp_path: Path, text: str) -> None:
    (own := tmp_path / "own.gcsv").write_text(text)
    with pytest.raises(SourceError, match=r"not a \.gcsv log"):
        open_sidecar(tmp_path / "m.gcsv", HEAD, pictures=False, merge=own)
    assert not (tmp_path / "m.gcsv").exists()


def test_axes_are_a_rotation() -> None:
    turned = to_gyroflow(np.eye(3)).T
    assert np.linalg.det(turned) == pytest.approx(1)


# --- tables


@given(ROLLS, PITCHES)
def test_blenders_camera_looks_the_same_way(roll: float, pitch: float) -> None:
    """By SciPy: its axes in a world with z up, from angles and from the quaternion."""
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    motion = Motion(HEAD)
    (values,) = pandas.read_csv(io.StringIO(motion.head() + motion.row(row(7, roll, pitch)))).to_dict(
        "records"
    )
    turns = (Rotation.from_euler(axis, values[f"blender_{axis}_deg"], degrees=True) for axis in "xyz")
    by_angles = math.prod(turns, start=Rotation.identity())
    by_quaternion = Rotation.from_quat([values[f"blender_q{axis}"] for axis in "xyzw"])
    up = UpVector.from_roll_pitch(roll, pitch)
    for camera in (by_angles, by_quaternion):
        seen = camera.inv().apply([0, 0, 1])  # up in axes x right, y up, z back
        assert np.allclose(seen, [up.x, -up.y, -up.z], atol=1e-5)
        assert camera.apply([0, 0, -1])[1] > 0  # it looks along +y, as no horizon tells the heading
    assert values["frame"] == 7
    assert (values["ae_x_rotation_deg"], values["ae_z_rotation_deg"]) == pytest.approx(
        (pitch, roll), abs=1e-4
    )


def test_colmap_takes_the_gravity(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap", reason="needs pycolmap")
    path = converted(
        tmp_path, "p.gravity.txt", [row(0, 10.0, 5.0, file="a/b.jpg"), row(1, None, file="c.jpg")]
    )
    name, *cells = path.read_text().split()
    assert name == "a/b.jpg"
    down = np.array(cells, float)
    prior = pycolmap.PosePrior(gravity=down)
    assert np.allclose(prior.gravity, -UpVector.from_roll_pitch(10, 5).as_array(), atol=1e-8)


def test_geo_txt_keeps_positions_and_gets_angles(tmp_path: Path) -> None:
    positions = tmp_path / "have.txt"
    positions.write_text("EPSG:4326\na.jpg 7.1 51.2 100\nb.jpg 7.2 51.3 101 45 0 0 0.5 0.8\nz.jpg 7.3 51.4\n")
    rows = [row(0, 3.0, -60.0, file="a.jpg"), row(1, -2.0, 0.0, file="in/b.jpg"), row(2, 1.0, file="no.jpg")]
    path = converted(tmp_path, "geo.txt", rows, merge=positions)
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    names = ["name", "x", "y", "z", "yaw", "pitch", "roll", "h", "v"]
    table = pandas.read_csv(path, sep=" ", skiprows=1, names=names, index_col="name")
    assert path.read_text().splitlines()[0] == "EPSG:4326"
    assert table.loc["a.jpg", ["x", "y", "z", "yaw", "pitch", "roll"]].tolist() == [7.1, 51.2, 100, 0, 30, 3]
    assert table.loc["b.jpg"].tolist() == [7.2, 51.3, 101, 45, 90, -2, 0.5, 0.8]
    assert table.loc["z.jpg", ["x", "y"]].tolist() == [7.3, 51.4]
    assert "no.jpg" not in table.index


def test_geo_txt_makes_up_no_height(tmp_path: Path) -> None:
    (positions := tmp_path / "have.txt").write_text("EPSG:4326\na.jpg 7.1 51.2\n")
    with pytest.raises(SourceError, match=r"a\.jpg has no height"):
        converted(tmp_path, "geo.txt", [row(0, 3.0, -60.0, file="a.jpg")], merge=positions)
    assert not (tmp_path / "geo.txt").exists()
    path = converted(tmp_path, "geo.txt", [row(0, None, file="a.jpg")], merge=positions)
    assert path.read_text().splitlines() == ["EPSG:4326", "a.jpg 7.1 51.2"]


def test_geo_txt_without_positions_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"needs positions, which no horizon tells.*--merge POSITIONS"):
        open_sidecar(tmp_path / "geo.txt", HEAD, pictures=True)
    (bad := tmp_path / "bad.txt").write_text("EPSG:4326\na.jpg here there\n")
    with pytest.raises(SourceError, match="no name with its position"):
        open_sidecar(tmp_path / "geo.txt", HEAD, pictures=True, merge=bad)


def test_pandas_reads_the_parquet(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="needs the extra 'tables'")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'tables'")
    measured = {"roll_deg": 1.5, "pitch_deg": 2.0, "inliers": 40}
    rows = [row(i, None if i == 2 else i / 10, measured=measured if i else None) for i in range(9000)]
    path = converted(tmp_path, "t.parquet", rows)
    table = pandas.read_parquet(path)
    assert len(table) == 9000
    assert np.isnan(table["roll_deg"][2])
    assert np.allclose(table["roll_deg"].drop(2), [r["roll_deg"] for r in rows if r["frame"] != 2])
    assert table["frame"].dtype == np.int64
    assert table["measured_inliers"][1] == 40
    assert table["state"][2] == "lost"
    assert json.loads(parquet.read_schema(path).metadata[b"horizon-rt"])["source"] == "flight.mp4"


# --- photographs


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
def test_exiftool_reads_the_pose(tmp_path: Path) -> None:
    rows = [row(0, 10.5, -3.25, file="in/a.jpg"), row(1, None, file="b.jpg")]
    folder = converted(tmp_path, "poses.gpano", rows)
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.xmp")] == ["in/a.xmp"]
    done = subprocess.run(
        ["exiftool", "-json", "-n", folder / "in" / "a.xmp"], capture_output=True, check=True
    )
    (tags,) = json.loads(done.stdout)
    assert (tags["PoseRollDegrees"], tags["PosePitchDegrees"]) == (10.5, -3.25)
    assert tags["UsePanoramaViewer"] is False
    assert "Warning" not in tags


@pytest.mark.parametrize("name", ["x.gravity.txt", "x.gpano"])
def test_a_video_has_no_pictures(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="for pictures"):
        open_sidecar(tmp_path / name, HEAD, pictures=False)
    with pytest.raises(OutputError, match="for pictures"):
        converted(tmp_path, name, [row(0, 1.0)])
    assert not (tmp_path / name).exists()


def test_pictures_that_differ_in_their_suffix_get_poses_of_their_own(tmp_path: Path) -> None:
    rows = [row(k, 10.0 + k, file=name) for k, name in enumerate(("a.jpg", "a.png", "b/a.png"))]
    folder = converted(tmp_path, "x.gpano", rows)
    for k, name in enumerate(("a.xmp", "a.png.xmp", "b/a.xmp")):
        assert f'PoseRollDegrees="{10 + k}.0000"' in (folder / name).read_text()


def test_a_picture_outside_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="outside"):
        converted(tmp_path, "x.gpano", [row(0, 1.0, file="../a.jpg")])


# --- what goes wrong


def test_telemetry_that_is_none_leaves_no_output(tmp_path: Path) -> None:
    (source := tmp_path / "in.jsonl").write_text('{"schema":"other"}\n')
    with pytest.raises(SourceError, match="no whole telemetry"):
        convert_telemetry(source, [tmp_path / "a.srt"])
    telemetry(source, [row(0, 1.0), row(1, 1.0)])
    with source.open("a") as file:
        file.write('{"frame": 5\n')
    with pytest.raises(SourceError, match=r"no whole telemetry as JSON lines \(line 4 is damaged\)"):
        convert_telemetry(source, [tmp_path / "a.srt", tmp_path / "a.parquet"])
    assert not list(tmp_path.glob("a.*"))
    with pytest.raises(OutputError, match="would be lost"):
        convert_telemetry(source, [source])
    with pytest.raises(OutputError, match="ends in none of"):
        convert_telemetry(telemetry(source, [row(0, 1.0)]), [tmp_path / "a.srt", tmp_path / "a.doc"])
    with pytest.raises(OutputError, match=r"a\.srt is wanted for two outputs"):
        convert_telemetry(source, [tmp_path / "a.srt", tmp_path / "." / "a.srt"])
    assert list(tmp_path.iterdir()) == [source]


def test_of_telemetry_that_is_cut_off_the_whole_rows_are_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = converted(tmp_path, "whole.srt", [row(i, 1.0) for i in range(3)])
    lines = telemetry(tmp_path / "in.jsonl", [row(i, 1.0) for i in range(4)]).read_bytes().splitlines(True)
    for length in (1, len(lines[-1]) // 2, len(lines[-1]) - 1):
        caplog.clear()
        source, target = tmp_path / "cut.jsonl", tmp_path / "cut.srt"
        source.write_bytes(b"".join(lines[:-1]) + lines[-1][:length])
        assert convert_telemetry(source, [target]) == len(load_track(source)) == 3
        assert target.read_bytes() == whole.read_bytes()
        told = f"{source}: line 5, the last one, is cut off and left out"
        assert [record.getMessage() for record in caplog.records] == [told] * 2


def test_a_full_disk_keeps_what_its_error_names_alone(tmp_path: Path) -> None:
    source = telemetry(tmp_path / "in.jsonl", [row(i, 1.0) for i in range(200)])
    with full_disk(3000), pytest.raises(OutputError, match=r"what was written is in .*a\.gcsv\.partial"):
        convert_telemetry(source, [tmp_path / "a.gcsv", tmp_path / "b.gcsv"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gcsv.partial", "in.jsonl"]


@pytest.mark.parametrize("ending", [".srt", ".parquet"])
def test_a_disk_that_deletes_nothing_hides_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    source = telemetry(tmp_path / "in.jsonl", [row(0, 1.0), row(0, 1.0)])
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SourceError, match="line 3 is damaged"):
        convert_telemetry(source, [tmp_path / f"a{ending}"])


def test_without_its_package_a_format_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("horizon_rt.system.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"horizon-rt\[tables\]"):
        open_sidecar(tmp_path / "a.parquet", HEAD, pictures=False)


def test_cues_of_a_long_recording_keep_their_times(tmp_path: Path) -> None:
    rows = [row(i, 1.0) | {"time_s": 3599.9 + i / 25} for i in range(30)]
    first = converted(tmp_path, "s.srt", rows).read_text().splitlines()[1]
    assert first.startswith("00:59:59,900 --> 01:00:00,0")
    assert math.isclose(float(first[-3:]) / 1000, 0.02, abs_tol=0.03)
