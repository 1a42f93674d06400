"""--mount from the command line to every output, and the mount that is found from a level horizon."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support import ROOT
from support.cli import RunCli, lines
from support.sources import av_frame, write_clip

from horizon_rt.camera import load_profile, save_profile
from horizon_rt.datasets import open_dataset
from horizon_rt.errors import CalibrationError, DatasetError
from horizon_rt.evaluation.predictors import TelemetryPredictor
from horizon_rt.evaluation.runner import EvalOptions, evaluate
from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Measurement
from horizon_rt.pipeline.mount_finder import Seen, level_mount
from horizon_rt.sources.synthetic import make_clip, parse_options

MOUNT = "6,-11.5,30"
VALIDATOR = jsonschema.Draft202012Validator(json.loads((ROOT / "docs" / "telemetry.schema.json").read_text()))
ANGLES = {"roll_deg", "pitch_deg", "roll_sd_deg", "pitch_sd_deg", "roll_rate_dps", "pitch_rate_dps"}


def vehicle_angles(roll: float, pitch: float) -> tuple[float, float]:
    """Roll and pitch of the vehicle by SciPy, from those of a camera in the mount above."""
    camera = Rotation.from_euler("ZYX", [0.0, pitch, roll], degrees=True)
    mount = Rotation.from_euler("ZYX", [30.0, -11.5, 6.0], degrees=True)
    _, pitch, roll = (camera * mount.inv()).as_euler("ZYX", degrees=True)
    return float(roll), float(pitch)


def test_telemetry_holds_the_vehicles_angles_and_the_pictures_line(
    cli: RunCli, clip: Path, tmp_path: Path
) -> None:
    plain, mounted = tmp_path / "plain.jsonl", tmp_path / "mounted.jsonl"
    assert cli("track", clip, "--telemetry", plain).code == 0
    assert cli("track", clip, "--telemetry", mounted, "--mount", MOUNT).code == 0
    (_, *camera), (head, *vehicle) = lines(plain), lines(mounted)
    assert head["mount"] == {"roll_deg": 6.0, "pitch_deg": -11.5, "yaw_deg": 30.0}
    assert head["options"]["mount"] == MOUNT  # type: ignore[index]
    for row in (head, *vehicle):
        VALIDATOR.validate(row)
    for seen, told in zip(camera, vehicle, strict=True):
        for one, other in ((seen, told), (seen["measured"], told["measured"])):
            expected = vehicle_angles(one["roll_deg"], one["pitch_deg"])  # type: ignore[index]
            assert (other["roll_deg"], other["pitch_deg"]) == pytest.approx(expected, abs=2e-3)  # type: ignore[index]
            same = one.keys() - ANGLES - {"measured"}  # type: ignore[union-attr]
            assert {k: one[k] for k in same} == {k: other[k] for k in same}  # type: ignore[index]


def test_a_profile_brings_its_mount_and_the_option_goes_before_it(
    cli: RunCli, clip: Path, tmp_path: Path
) -> None:
    text = (ROOT / "calibration" / "hfov90.toml").read_text()
    profile = tmp_path / "bow.toml"
    profile.write_text(text + "\n[mount]\nroll_deg = 1.5\npitch_deg = -20\n")
    for option, expected in (([], [1.5, -20.0, 0.0]), (["--mount", "-2,3"], [-2.0, 3.0, 0.0])):
        cli("track", clip, "--telemetry", tmp_path / "t.jsonl", "--camera-profile", profile, *option)
        assert list(lines(tmp_path / "t.jsonl")[0]["mount"].values()) == expected  # type: ignore[attr-defined]


@pytest.mark.parametrize("mount", ["5", "1,2,3,4", "a,b", "0,91", "181,0", "nan,0", "", "1;2"])
def test_what_is_no_mount_is_a_usage_error(cli: RunCli, clip: Path, mount: str) -> None:
    done = cli("track", clip, "--mount", mount)
    assert done.code == 2
    assert "ROLL,PITCH" in done.err


def test_a_resumed_batch_does_again_what_had_another_mount(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    profile, out = tmp_path / "bow.toml", tmp_path / "out"
    text = (ROOT / "calibration" / "hfov90.toml").read_text()
    statuses = []
    for pitch in (-20, -20, -21):
        profile.write_text(text + f"\n[mount]\nroll_deg = 0\npitch_deg = {pitch}\n")
        done = cli("batch", clip, "--out", out, "--write=telemetry", "--resume", "--camera-profile", profile)
        statuses.append(next(line for line in done.errors if "flight.mkv" in line).partition(":")[0])
    assert statuses == ["done", "skipped", "done"]


# --- found from a level horizon


def seen(
    roll: float, pitch: float, count: int = 100, *, noise: float = 0.05, every: int = 1, jump_deg: float = 0.0
) -> list[Seen]:
    """Frames of a level vehicle; every so many shows another horizon, that far off."""
    generator = np.random.default_rng(3)
    rows = []
    for k in range(count):
        off = jump_deg if every > 1 and k % every == 0 else 0.0
        errors = noise * generator.normal(size=2)
        up = UpVector.from_roll_pitch(roll + errors[0] + off, pitch + errors[1])
        whole = up.isotropic_covariance(0.1)
        rows.append(Seen(k / 10, Measurement(up=up, covariance=whole, inliers=50, white=0.75 * whole)))
    return rows


def test_the_mean_is_the_mount_and_its_sigma_has_what_no_average_takes_away() -> None:
    found = level_mount(seen(3.0, -12.0), yaw_deg=45.0)
    assert found.mount.roll_deg == pytest.approx(3.0, abs=0.02)
    assert found.mount.pitch_deg == pytest.approx(-12.0, abs=0.02)
    assert found.mount.yaw_deg == 45.0
    assert found.spread_deg == pytest.approx((0.05, 0.05), rel=0.3)
    assert found.sd_deg == pytest.approx((0.05, 0.05), rel=0.3)  # half of 0.1 is correlated
    assert (found.frames, found.seconds) == (100, 9.9)


def test_sigma_of_what_errs_alike_is_that_of_many_runs() -> None:
    generator = np.random.default_rng(11)
    errors, sigmas = [], []
    for _ in range(200):
        slow = np.repeat(generator.normal(size=10) * 0.3, 10)  # a new error each second
        ups = [UpVector.from_roll_pitch(1.0 + e + 0.02 * generator.normal(), 0.0) for e in slow]
        rows = [
            Seen(k / 10, Measurement(up=up, covariance=up.isotropic_covariance(0.02), inliers=9))
            for k, up in enumerate(ups)
        ]
        found = level_mount(rows)
        errors.append(found.mount.roll_deg - 1.0)
        sigmas.append(found.sd_deg[0])
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.sqrt(np.mean(np.square(sigmas))), rel=0.15)


def test_single_wrong_frames_do_not_count() -> None:
    found = level_mount(seen(3.0, -12.0, every=10, jump_deg=25.0))
    assert found.mount.roll_deg == pytest.approx(3.0, abs=0.02)
    assert found.frames == 90


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (seen(0, 0, 10), "tracked in 10 of 10 frames, too few"),
        ([*seen(0, 0, 60), *(Seen(9.0, None) for _ in range(40))], "tracked in 60 of 100"),
        (seen(0, 0, every=3, jump_deg=20.0), "moved too much: 34 %"),
        (seen(0, 0, noise=2.0), "moved too much"),
    ],
)
def test_what_is_no_mount_is_refused_with_the_reason(rows: list[Seen], reason: str) -> None:
    with pytest.raises(CalibrationError, match=reason):
        level_mount(rows)


def test_a_mount_that_is_hardly_known_is_refused() -> None:
    up = UpVector.from_roll_pitch(0, 0)
    vague = Measurement(up=up, covariance=up.isotropic_covariance(1.8), inliers=9, white=np.zeros((3, 3)))
    rows = [Seen(k / 10, vague) for k in range(100)]
    with pytest.raises(CalibrationError, match=r"±1\.8° of roll"):
        level_mount(rows)


@pytest.fixture(scope="module")
def level_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of a level vehicle whose camera is mounted at a roll of −6°: rendered, and turned."""
    rendered = make_clip(parse_options("fields?size=480x300&seconds=3&motion=rest&hfov=70&seed=2"))
    turn = cv2.getRotationMatrix2D((239.5, 149.5), -6.0, 1.0)  # clockwise
    lumas = [cv2.warpAffine(rendered.frame(k).luma, turn, (480, 300))[60:240, 80:400] for k in range(75)]
    chroma = [np.full((90, 160), 128, np.uint8)] * 2
    frames = [av_frame("yuv420p", (luma, *chroma)) for luma in lumas]
    return write_clip(tmp_path_factory.mktemp("level") / "level.mkv", frames)


def test_the_mount_that_is_found_makes_the_vehicle_level(
    cli: RunCli, level_clip: Path, tmp_path: Path
) -> None:
    done = cli("mount", "level", level_clip, "--seconds", "2")
    assert done.code == 0, done.err
    [option] = done.out.splitlines()
    roll, pitch = map(float, option.removeprefix("--mount=").split(","))
    assert (roll, pitch) == pytest.approx((-6.0, 0.0), abs=0.5)
    assert re.match(r"mount: roll -\d\.\d\d° ± \d\.\d\d°, pitch [+-]0\.\d\d° ± ", done.errors[0])
    assert "lens assumed" in done.errors[1]
    cli("track", level_clip, "--telemetry", tmp_path / "t.jsonl", option)
    last = lines(tmp_path / "t.jsonl")[-1]
    assert (last["roll_deg"], last["pitch_deg"]) == pytest.approx((0.0, 0.0), abs=0.05)
    assert last["angle_deg"] == pytest.approx(-roll, abs=0.05)


def test_the_mount_is_written_into_a_profile(cli: RunCli, level_clip: Path, tmp_path: Path) -> None:
    profile = tmp_path / "bow.toml"
    level = ("mount", "level", level_clip, "--seconds", "2", "--out", profile)
    assert cli(*level, "--hfov", "80", "--yaw", "90").code == 0
    first = load_profile(profile)
    assert first.mount is not None
    assert first.mount.yaw_deg == 90.0
    assert first.model.hfov_deg == pytest.approx(80)
    done = cli(*level)
    assert done.code == 1
    assert "exists; to add the mount to it give it as --camera-profile, too" in done.err
    save_profile(replace(first, rms_px=0.25, name="mine"), profile)
    done = cli(*level, "--camera-profile", profile)
    assert done.out.strip().endswith(",90")
    assert load_profile(profile) == replace(first, rms_px=0.25, name="mine")
    assert cli("track", level_clip, "--telemetry", "-", "--camera-profile", profile).code == 0


def test_what_shows_no_level_horizon_gives_no_mount(cli: RunCli, clip: Path, pictures: Path) -> None:
    for source, seconds, reason in (
        (clip, 10, "the source ended"),
        ("lavfi:color=gray:size=96x64:rate=50", 1, "no horizon was tracked within 1 s"),
        (pictures, 1, "a mount is found in a camera"),
        ("synth:sea?size=192x108&seconds=9", 8, "moved too much"),
    ):
        done = cli("mount", "level", source, "--seconds", str(seconds), "--model", "small")
        assert (done.code, done.out) == (1, "")
        assert reason in done.errors[-1]


# --- judged by eval


def test_eval_compares_the_vehicles_angles_with_the_truth_turned_by_the_mount(
    cli: RunCli, level_clip: Path, tmp_path: Path
) -> None:
    """Sigmas of rows are the vehicle's, so that errors are, too; the line stays that of the picture."""
    dataset = tmp_path / "flown"
    (dataset / "video").mkdir(parents=True)
    shutil.copy(level_clip, dataset / "video" / "clip.mkv")
    truth = -7.0  # a degree away from what is seen
    rows = [f"{i},{i / 25},{truth},2.0" for i in range(75)]
    (dataset / "attitude.csv").write_text("\n".join(["frame,time_s,roll_deg,pitch_deg", *rows, ""]))
    (dataset / "dataset.toml").write_text('name = "flown"\nscene = "air"\nhfov_deg = 70\n')
    found = []
    for mount in (None, "0,0,90"):
        telemetry = tmp_path / "t.jsonl"
        option = [] if mount is None else ["--mount", mount]
        cli("track", dataset / "video" / "clip.mkv", "--telemetry", telemetry, *option)
        found.append(evaluate(open_dataset(dataset), TelemetryPredictor(telemetry), EvalOptions()).rows[-1])
    plain, mounted = found
    assert plain.attitude is not None
    assert mounted.attitude is not None
    assert plain.error == mounted.error
    assert (plain.attitude.roll_deg, plain.attitude.pitch_deg) == pytest.approx((1.0, -2.0), abs=0.5)
    # A camera that looks to the right: its roll is the vehicle's pitch, its pitch the other way its roll.
    assert mounted.attitude.pitch_deg == pytest.approx(plain.attitude.roll_deg, abs=0.05)
    assert mounted.attitude.roll_deg == pytest.approx(-plain.attitude.pitch_deg, abs=0.05)
    assert mounted.attitude.pitch_sd_deg == pytest.approx(plain.attitude.roll_sd_deg, rel=0.05)
    assert mounted.roll_pitch_deg == pytest.approx((-2.0, truth), abs=0.05)


def test_telemetry_with_a_mount_that_is_none_is_refused(tmp_path: Path) -> None:
    camera = {"model": "Pinhole", "width": 320, "height": 192, "fx": 228, "fy": 228, "cx": 159.5, "cy": 95.5}
    head = {"schema": "horizon-rt/1", "source": "clip.mkv", "camera": camera}
    level = {"roll_deg": 0, "pitch_deg": 0}
    for mount in (3, {"roll_deg": 0}, {**level, "pitch_deg": 200}, {**level, "x": 1}):
        (tmp_path / "t.jsonl").write_text(json.dumps({**head, "mount": mount}) + "\n")
        with pytest.raises(DatasetError, match="mount"):
            TelemetryPredictor(tmp_path / "t.jsonl")
