"""Every reader of files from elsewhere: good files for it, and how it is called and its result checked."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # whose makers of files serve here, too

__all__ = ["READERS", "Reader"]

_WIDTH, _HEIGHT = 96, 64
_PLACE = b"/somewhere"


@dataclass(frozen=True)
class Reader:
    """`make` writes good files into a folder, `read` reads them and asserts that the result is right.

    Files that match `damaged` get the damage, one of them in each case; `share` is the part of all cases.
    `alone` leaves the damaged file alone in its folder.
    """

    name: str
    make: Callable[[Path], None]
    read: Callable[[Path], None]
    damaged: tuple[str, ...]
    share: float
    binary: bool = False
    alone: bool = False


# --- videos and pictures

_CLIPS = (
    ("a.mp4", "libx264"), ("a.mkv", "ffv1"), ("a.avi", "mjpeg"), ("a.ts", "mpeg2video"), ("a.webm", "libvpx"),
    ("a.mov", "mpeg4"), ("a.flv", "flv"), ("a.hevc.mp4", "libx265"), ("a.mpg", "mpeg1video"),
    ("a.wmv", "wmv2"), ("a.ogv", "libtheora"), ("a.gif", "gif"), ("a.y4m", "rawvideo"),
    ("a.h264", "libx264"), ("a.mxf", "mpeg2video"),
)  # fmt: skip
_PICTURES = ("a.png", "b.png", "a.jpg", "a.webp", "a.tiff", "a.bmp")


def _make_videos(folder: Path) -> None:
    """Those that this FFmpeg can write."""
    from contextlib import suppress

    import av
    from support.sources import moving_frames, write_clip

    for name, codec in _CLIPS:
        format_ = "rgb8" if codec == "gif" else "yuvj420p" if codec == "mjpeg" else "yuv420p"
        frames = [frame.reformat(format=format_) for frame in moving_frames(12, _WIDTH, _HEIGHT)]
        try:
            options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
            write_clip(folder / name, frames, codec=codec, rate=25, options=options)
        except (av.FFmpegError, ValueError):
            with suppress(FileNotFoundError):
                (folder / name).unlink()


def _read_video(folder: Path) -> None:
    from horizon_rt.sources import open_source

    (path,) = folder.iterdir()
    before = -math.inf
    with open_source(path) as source:
        for frame in source:
            assert math.isfinite(frame.time_s), frame.time_s
            assert frame.time_s > before, (before, frame.time_s)
            assert frame.arrays()[0].shape[:2] == (frame.height, frame.width)
            before = frame.time_s


def _make_pictures(folder: Path) -> None:
    import cv2

    generator = np.random.default_rng(1)
    colour = generator.integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
    for name in _PICTURES:
        deep = name == "b.png"
        image = colour[:, :, 0].astype(np.uint16) << 8 if deep else colour
        (folder / name).write_bytes(cv2.imencode(Path(name).suffix, image)[1].tobytes())


def _read_pictures(folder: Path) -> None:
    from horizon_rt.sources import open_source
    from horizon_rt.sources.images import read_frame

    (path,) = folder.iterdir()
    with open_source(path) as source:
        (frame,) = source
        again = read_frame(path)
    assert frame.arrays()[0].shape[:2] == (frame.height, frame.width)
    assert all(np.array_equal(a, b) for a, b in zip(frame.arrays(), again.arrays(), strict=True))


# --- camera profiles


def _make_profiles(folder: Path) -> None:
    import cv2
    from support.camera import brown

    from horizon_rt.camera import CameraProfile, KannalaBrandt, save_profile
    from horizon_rt.options import ProfileFormat

    lens = {"width": 1920, "height": 1080, "fx": 1301.1, "fy": 1299.7, "cx": 955.3, "cy": 541.9}
    model = brown(**lens, k1=-0.31, k2=0.11, p1=1e-3, p2=-2e-4)
    for name in ("a.toml", "a.yaml"):
        save_profile(CameraProfile(name="good", model=model, rms_px=0.3), folder / name)
    fisheye = replace(model, distortion=KannalaBrandt(k1=0.04, k2=0.03, k3=-0.02, k4=0.005))
    foreign: tuple[tuple[ProfileFormat, str], ...] = (
        ("opencv", "fisheye.json"),
        ("ros", "fisheye.yaml"),
        ("kalibr", "camchain.yaml"),
        ("gyroflow", "gyroflow.json"),
    )
    for kind, name in foreign:
        profile = CameraProfile(name="good", model=fisheye, readout_s=0.0155)
        save_profile(profile, folder / name, format=kind)
    for name in ("b.yml", "b.json", "b.xml"):
        storage = cv2.FileStorage(str(folder / name), cv2.FileStorage_WRITE)
        storage.write("image_width", 1920)
        storage.write("image_height", 1080)
        storage.write("camera_matrix", np.array([[1234.5, 0, 963.25], [0, 1230.25, 531.1], [0, 0, 1]]))
        storage.write("distortion_coefficients", np.array([-0.3, 0.1, 1e-3, 0, 0]))
        storage.release()
    (folder / "ros.yaml").write_text(
        "image_width: 640\nimage_height: 480\ncamera_name: head\ndistortion_model: plumb_bob\n"
        "camera_matrix:\n  rows: 3\n  cols: 3\n  data: [500, 0, 320, 0, 501, 240, 0, 0, 1]\n"
        "distortion_coefficients:\n  rows: 1\n  cols: 5\n  data: [-0.2, 0.1, 0, 0, 1e-3]\n"
    )


def _read_profile(folder: Path) -> None:
    from horizon_rt.camera import coefficients_of, load_profile
    from horizon_rt.geometry import UpVector

    (path,) = folder.iterdir()
    if path.suffix == ".xml":  # which is refused as a whole
        _refused(lambda: load_profile(path))
        return
    profile = load_profile(path)
    model = profile.model
    assert all(
        map(
            math.isfinite,
            (model.fx, model.fy, model.cx, model.cy, *coefficients_of(model.distortion).values()),
        )
    )
    assert profile.name.isprintable()
    assert profile.source.isprintable()
    fitted = profile.fit_to(model.width, model.height).model
    rays = fitted.rays(np.array([[0.0, 0.0], [model.width / 2, model.height / 2]]))
    lengths = np.linalg.norm(rays, axis=1)
    assert np.all(np.isnan(lengths) | (np.abs(lengths - 1) < 1e-9)), lengths
    model.line(UpVector.from_roll_pitch(3.0, 2.0))


def _refused(action: Callable[[], object]) -> None:
    from horizon_rt.errors import HorizonError

    try:
        action()
    except HorizonError:
        return
    raise AssertionError("it was not refused")


# --- datasets


def _write_pictures(folder: Path, names: tuple[str, ...] = ("a.png", "b.png", "c.png")) -> None:
    from support.datasets import picture

    for name in names:
        picture(folder / name, _WIDTH, _HEIGHT)


def _make_lines(folder: Path) -> None:
    _write_pictures(folder / "images")
    _write_pictures(folder / "masks", ("a.png",))
    (folder / "dataset.toml").write_text('name = "sea"\nscene = "sea"\nlicence = "CC0"\n')
    rows = ["a.png,0,30.5,95,33.25,above,sea", "b.png,,,,,,", "c.png,0,40,95,20,below,coast"]
    (folder / "horizon.csv").write_text("\n".join(["file,x1,y1,x2,y2,sky_side,scene", *rows, ""]))


def _make_attitude(folder: Path) -> None:
    from support.cli import write_horizon

    (folder / "video").mkdir()
    write_horizon(folder / "video" / "clip.mkv", count=6)
    (folder / "dataset.toml").write_text('name = "flown"\nscene = "air"\n[lens]\nhfov_deg = 70.0\n')
    rows = [f"{i},{i / 25:.3f},{0.5 * i},{-0.25 * i}" for i in range(6)]
    (folder / "attitude.csv").write_text("\n".join(["frame,time_s,roll_deg,pitch_deg", *rows, ""]))


def _make_smd(folder: Path) -> None:
    from support.datasets import mat_file, smd_folder

    rows: list[tuple[float | None, ...]] = [(48.5, 32.25, 0.01, -1.0), (1, 2, 3, 255), (None, 7.5, 0, -1)]
    for number, (order, deflate) in enumerate((("<", True), ("<", False), (">", False))):
        table = smd_folder(folder, rows, f"clip{number}_VIS")
        table.write_bytes(mat_file(rows, order=order, deflate=deflate))


def _make_hlw(folder: Path) -> None:
    _write_pictures(folder / "images", ("a.jpg", "b.jpg"))
    (folder / "metadata.csv").write_text("a.jpg,-48,10,48,-2.5\nb.jpg,64,96,-48,0,48,0.5\n")


def _make_kitti(folder: Path) -> None:
    from support.datasets import kitti_drive

    kitti_drive(folder / "2011_09_26", [(0.02, -0.01, 1.1), (-0.05, 0.03, -2.0)])


def _make_masks(folder: Path) -> None:
    import cv2

    rgb = np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
    rgb[:30], rgb[30:60] = (128, 128, 128), (64, 64, 64)  # read as greys and by colour
    _write_pictures(folder / "images", ("a.png", "b.png"))
    (folder / "masks").mkdir()
    for name in ("a.png", "b_L.png"):
        cv2.imwrite(str(folder / "masks" / name), rgb[:, :, ::-1])


def _read_masks(folder: Path) -> None:
    from horizon_rt.datasets import open_mask_folder

    for colours in ((), ((128, 128, 128),)):
        _check_dataset(open_mask_folder(folder / "images", folder / "masks", sky=colours))


def _read_dataset(folder: Path) -> None:
    from horizon_rt.datasets import open_dataset

    _check_dataset(open_dataset(folder))


def _read_kitti(folder: Path) -> None:
    _read_dataset(folder / "2011_09_26" / "2011_09_26_drive_0001_sync")


def _read_smd(folder: Path) -> None:
    """Each table by itself, as damage to one refuses the folder."""
    from horizon_rt.datasets import open_dataset

    for table in sorted((folder / "HorizonGT").iterdir()):
        _check_dataset(open_dataset(table))


def _check_dataset(dataset: Any) -> None:
    """The truth of every frame must be finite, as a report is made of it."""
    from horizon_rt.camera import Camera
    from horizon_rt.datasets.truth import resolve
    from horizon_rt.geometry import HorizonLine
    from horizon_rt.metrics.lines import line_error

    guess = Camera.from_hfov(_WIDTH, _HEIGHT, 70)
    for labelled in dataset.frames():
        frame = labelled.frame
        camera = (dataset.camera or guess).for_size(frame.width, frame.height)
        if labelled.label is None:
            continue
        truth = resolve(labelled.label, camera)
        truth.sides(camera)
        if truth.line is not None:
            error = line_error(HorizonLine(1.0, 2.0), truth.line, frame.width, frame.height)
            values = (error.e, error.dy_px or 0.0, error.dphi_deg or 0.0, error.signed_e or 0.0)
            assert all(map(math.isfinite, values)), values


# --- telemetry


def _planned(source: Path, out: Path, *, resume: bool) -> tuple[Any, Any, Any]:
    from horizon_rt.batches.inputs import find_inputs
    from horizon_rt.batches.options import BatchOptions
    from horizon_rt.batches.plan import make_items, plan, settings_of
    from horizon_rt.options import RunOptions

    how, options = BatchOptions(write="telemetry"), RunOptions()
    settings = settings_of(options, how)
    items = make_items(find_inputs([str(source)]), out, how)
    return plan(items, options, settings, resume=resume), settings, how


def _run(folder: Path, source: Path) -> None:
    """Real telemetry of a source, written by `batch`."""

    from horizon_rt.batches.run import run_batch
    from horizon_rt.options import RunOptions

    planned, settings, how = _planned(source, folder / "out", resume=False)
    (result,) = run_batch(planned, RunOptions(), settings, how)
    assert result.status == "done", result.reason
    (written,) = (folder / "out").glob("*.jsonl")
    written.write_bytes(written.read_bytes().replace(str(folder).encode(), _PLACE))  # the same in every run


def _moved(folder: Path) -> Path:
    """The telemetry with the place of its source as it is now."""
    (run,) = (folder / "out").glob("*.jsonl")
    run.write_bytes(run.read_bytes().replace(_PLACE, str(folder).encode()))
    return run


def _make_telemetry(folder: Path) -> None:
    _make_attitude(folder)
    _run(folder, folder / "video" / "clip.mkv")


def _make_picture_telemetry(folder: Path) -> None:
    _make_lines(folder)
    _run(folder, folder / "images")


def _read_evaluation(folder: Path) -> None:
    from horizon_rt.datasets import open_dataset
    from horizon_rt.evaluation.predictors import TelemetryPredictor
    from horizon_rt.evaluation.report import as_json, as_markdown
    from horizon_rt.evaluation.runner import evaluate

    evaluation = evaluate(open_dataset(folder), TelemetryPredictor(_moved(folder)))
    json.loads(as_json([evaluation], {}))
    as_markdown([evaluation], {})


def _read_page(folder: Path) -> None:
    from horizon_rt.datasets import open_dataset
    from horizon_rt.evaluation.predictors import TelemetryPredictor
    from horizon_rt.evaluation.report import as_html
    from horizon_rt.evaluation.runner import evaluate

    evaluation = evaluate(open_dataset(folder), TelemetryPredictor(_moved(folder)))
    page = as_html([evaluation], {})
    assert len(re.findall("<svg", page)) == len(re.findall("</svg>", page))


def _read_resume(folder: Path) -> None:
    """A run is skipped only where every frame has a whole record; else it is tracked anew."""

    import horizon_rt.batches.run as batch
    import horizon_rt.batches.work as work
    from horizon_rt.errors import SourceError
    from horizon_rt.options import RunOptions

    def tracked(*_: object, **__: object) -> None:
        raise SourceError("tracked")

    work.run = tracked  # type: ignore[assignment]
    text = _moved(folder).read_bytes()
    planned, settings, how = _planned(folder / "video" / "clip.mkv", folder / "out", resume=True)
    (result,) = batch.run_batch(planned, RunOptions(), settings, how)
    assert result.status in ("skipped", "failed"), result.status
    assert result.status == "skipped" or result.reason == "tracked", result.reason
    if result.status == "skipped":
        frames = _frames_of(text)  # a number that is another one cannot be seen
        assert len(frames) == 6, "skipped, though it is not whole"
        assert frames == sorted(set(frames)), "skipped, though frames are out of order"


def _frames_of(text: bytes) -> list[int]:
    try:
        return [json.loads(line).get("frame") for line in text.split(b"\n")[1:-1]]
    except (ValueError, AttributeError, RecursionError):
        return []


# --- logs of flights


def _make_logs(folder: Path) -> None:
    from support.flights import Flight
    from support.logs import write_csv, write_dataflash, write_gopro, write_tlog, write_ulog

    times = np.arange(0, 20, 0.1)
    angles = Flight(1).attitude(times)
    write_csv(folder / "a.csv", "time_s,roll_deg,pitch_deg", times, *angles)
    for name, write in (
        ("a.bin", write_dataflash),
        ("a.tlog", write_tlog),
        ("a.ulg", write_ulog),
        ("a.mp4", write_gopro),
    ):
        write(folder / name, times, *angles)


def _read_log(folder: Path) -> None:
    from horizon_rt.flight_logs import load_log

    (path,) = folder.iterdir()
    log = load_log(path)
    assert log.time_s.shape == log.roll_deg.shape == log.pitch_deg.shape
    known = np.isfinite(log.roll_deg) & np.isfinite(log.pitch_deg)
    assert known.any()


# --- splits, recipes and training runs


def _make_split(folder: Path) -> None:
    (folder / "split.toml").write_text('# held out\n[set_aside]\nsea = ["a", "b_"]\n"flown 2" = ["clip"]\n')


def _read_split(folder: Path) -> None:
    from horizon_rt.datasets import is_held_out, is_split

    for name in ("sea", "flown 2", "nothing"):
        assert is_held_out(folder / "split.toml", name, "zzz") is False
        is_split(folder / "split.toml", name)


def _make_recipe(folder: Path) -> None:
    shipped = Path(__file__).parents[1] / "weights" / "recipe.toml"
    (folder / "recipe.toml").write_bytes(shipped.read_bytes())
    _make_split(folder)


def _read_recipe(folder: Path) -> None:
    from horizon_rt.training.recipe import read_recipe

    recipe = read_recipe(folder / "recipe.toml")
    assert 1 <= recipe.steps < 1e13
    recipe.material()


def _make_run(folder: Path) -> None:
    """A training run of one step, and its values that a hand may edit."""
    import torch

    trainer = _trainer(folder, resume=False)
    trainer.save()
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    plain = {key: state[key] for key in ("step", "best", "since_best", "running", "recipe")}
    (folder / "values.json").write_text(json.dumps(plain | {"left_out": "head.bias"}))
    entries = [{"step": 0, "of": 9, "evaluation": {"auc": 50.0, "sea/dphi": 2.0}}]
    entries += [{"step": step, "of": 9, "loss": 1.0 / step, "rate": 1e-3, "s": 1.5} for step in range(1, 5)]
    (folder / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def _trainer(folder: Path, *, resume: bool) -> Any:
    from horizon_rt.models.sizes import NetSize
    from horizon_rt.models.weights import new_net
    from horizon_rt.training.loop import Settings, Trainer
    from horizon_rt.training.recipe import Recipe

    net = new_net(NetSize((8, 16, 32, 32), (1, 1), 1))
    return Trainer(net, Recipe(samples=320), Settings(folder=folder, threads=1, resume=resume))


def _read_run(folder: Path) -> None:
    from horizon_rt.training.report import read_log

    trainer = _trainer(folder, resume=True)
    assert type(trainer.step) is int
    assert trainer.step >= 0
    assert trainer.average.keys() == trainer.net.state_dict().keys()
    trainer.result()
    read_log(folder / "log.jsonl")


def _read_edited_run(folder: Path) -> None:
    """The values are those of the text, which is what is damaged here."""
    import torch

    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    try:
        values = json.loads((folder / "values.json").read_bytes())
        left_out = values.pop("left_out", None)
    except (ValueError, RecursionError, AttributeError):
        return
    state |= values
    if isinstance(left_out, str) and left_out != "head.bias":
        state["average"].pop("head.bias")
    try:
        torch.save(state, folder / "checkpoint.pt")
    except (RuntimeError, RecursionError, UnicodeError):
        return
    (folder / "values.json").unlink()
    _read_run(folder)


# --- models


def _make_model(folder: Path) -> None:
    from horizon_rt.models.sizes import NetSize
    from horizon_rt.models.weights import SigmaCalibration, new_net, write_manifest

    size = NetSize((8, 16, 32, 32), (1, 1), 1)
    state = new_net(size).state_dict()
    write_manifest(folder, "small", size, state, SigmaCalibration(2.5, 0.1), {"note": "a [model]", "seed": 3})


def _read_model(folder: Path) -> None:
    import torch

    from horizon_rt.models.weights import find_model, load_net

    net = load_net(find_model(folder / "manifest.toml"))
    with torch.inference_mode():
        net(torch.zeros(1, 3, 64, 96))


def _read_weights(folder: Path) -> None:
    """With the checksum of what lies there, as who made the file would give it."""
    manifest = folder / "manifest.toml"
    digest = hashlib.sha256((folder / "small.safetensors").read_bytes()).hexdigest()
    manifest.write_text(re.sub(r'sha256 = "[0-9a-f]+"', f'sha256 = "{digest}"', manifest.read_text()))
    _read_model(folder)


# --- labellings, benchmarks, panoramas


def _make_labelling(folder: Path) -> None:
    from support.label import rendered_session

    from horizon_rt.geometry import HorizonLine
    from horizon_rt.label.session import Mark

    session = rendered_session(folder / "set", [HorizonLine(4.0, 10.0), HorizonLine(-8.0, 3.0), None])
    session.mark(0, Mark("line", HorizonLine(3.7, 11.25)))
    session.mark(1, Mark("skipped"))
    session.mark(2, Mark("none"))


def _read_labelling(folder: Path) -> None:
    from horizon_rt.label.session import Session
    from horizon_rt.label.wire import session_json

    Session.is_complete(folder / "set")
    session = Session(folder / "set", source="clip.mp4", every=5)
    assert session.every > 0, session.every
    json.dumps(session_json(session), allow_nan=False)
    assert all(frame.index >= 0 for frame in session.frames)


def _make_bench(folder: Path) -> None:
    shipped = Path(__file__).parent / "results" / "bench.json"
    (folder / "bench.json").write_bytes(shipped.read_bytes())


def _read_bench(folder: Path) -> None:
    from horizon_rt.bench.results import Report, changes

    report = Report.from_json(folder / "bench.json")
    list(changes(report, report))


def _make_panoramas(folder: Path) -> None:
    import cv2

    (folder / "images").mkdir()
    sky = np.repeat(np.linspace(220, 40, 64).astype(np.uint8)[:, None], 128, axis=1)
    cv2.imwrite(str(folder / "images" / "a.png"), sky)
    cv2.imwrite(str(folder / "images" / "b.jpg"), sky)
    with (folder / "panoramas.csv").open("w") as table:
        csv.writer(table).writerows(
            [("file", "terrain", "horizon"), ("a.png", "sea", "open"), ("b.jpg", "land", "open")]
        )


def _read_panoramas(folder: Path) -> None:
    from horizon_rt.synth.panorama import find_panoramas, load_panoramas

    find_panoramas(folder)
    for panorama in load_panoramas(folder):
        assert panorama.image.dtype == np.uint8


def _make_boxes(folder: Path) -> None:
    (folder / "a.csv").write_text("file,x1,y1,x2,y2,label\na.jpg,1,2,30,40,ship\nb.jpg,1,2,3,4,buoy\n")
    rows = [{"frame": k, "bbox": [1, 2, 3, 4], "score": 0.5} for k in range(3)]
    (folder / "a.json").write_text(json.dumps(rows))
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 2, "name": "ship"}],
        "annotations": [{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4]}],
    }
    (folder / "coco.json").write_text(json.dumps(coco))
    (folder / "a.txt").write_text("0 0.5 0.5 0.1 0.2 0.9\n1 0.4 0.4 0.1 0.1\n")


def _read_boxes(folder: Path) -> None:
    from horizon_rt.detections import read_boxes

    for path in sorted(folder.iterdir()):
        for box in read_boxes(path).all:
            assert math.isfinite(sum(box.in_picture(640, 480)))


def _make_lens_metadata(folder: Path) -> None:
    from support.metadata import box, exif_jpeg, gpmf, mdta

    body = box(b"udta", box(b"GPMF", gpmf()) + box(b"\xa9mdl", b"\0\6\0\0FC3411")) + mdta(
        {"a": 3.0, "b": "c"}
    )
    (folder / "a.mp4").write_bytes(box(b"ftyp", b"isom") + box(b"moov", body))
    (folder / "b.mov").write_bytes(box(b"moov", mdta({"com.apple.quicktime.model": "iPhone 12"})))
    (folder / "a.jpg").write_bytes(exif_jpeg())


def _read_lens_metadata(folder: Path) -> None:
    from horizon_rt.metadata import lens_of_file, lens_of_pictures

    for path in sorted(folder.iterdir()):
        is_picture = path.suffix == ".jpg"
        found = lens_of_pictures([path], 640, 480) if is_picture else lens_of_file(path, 640, 480)
        assert found is None or found.profile(640, 480).model.fx > 0


def _readers() -> Iterator[Reader]:
    yield Reader("videos", _make_videos, _read_video, ("*",), 0.19, binary=True, alone=True)
    yield Reader("pictures", _make_pictures, _read_pictures, ("*",), 0.12, binary=True, alone=True)
    yield Reader("camera profiles", _make_profiles, _read_profile, ("*",), 0.12, alone=True)
    yield Reader("line datasets", _make_lines, _read_dataset, ("*.toml", "*.csv"), 0.06)
    yield Reader("attitude datasets", _make_attitude, _read_dataset, ("*.toml", "*.csv"), 0.05)
    yield Reader("SMD tables", _make_smd, _read_smd, ("HorizonGT/*.mat",), 0.05, binary=True)
    yield Reader("HLW tables", _make_hlw, _read_dataset, ("*.csv",), 0.03)
    yield Reader("KITTI drives", _make_kitti, _read_kitti, ("*/*.txt", "*/*/*/*.txt", "*/*/*/*/*.txt"), 0.04)
    yield Reader("masks", _make_masks, _read_masks, ("masks/*",), 0.03, binary=True)
    yield Reader("telemetry to evaluate", _make_telemetry, _read_evaluation, ("out/*.jsonl",), 0.03)
    yield Reader("telemetry of pictures", _make_picture_telemetry, _read_evaluation, ("out/*.jsonl",), 0.02)
    yield Reader("pages of reports", _make_telemetry, _read_page, ("out/*.jsonl", "dataset.toml"), 0.01)
    yield Reader("telemetry to resume", _make_telemetry, _read_resume, ("out/*.jsonl",), 0.03)
    yield Reader("tables of flights", _make_logs, _read_log, ("a.csv",), 0.02, alone=True)
    yield Reader("logs of flights", _make_logs, _read_log, ("a.[btum]*",), 0.05, binary=True, alone=True)
    yield Reader("splits", _make_split, _read_split, ("*.toml",), 0.02)
    yield Reader("recipes", _make_recipe, _read_recipe, ("*.toml",), 0.02)
    yield Reader("checkpoints", _make_run, _read_run, ("checkpoint.pt",), 0.015, binary=True)
    yield Reader("values of checkpoints", _make_run, _read_edited_run, ("values.json",), 0.03)
    yield Reader("training logs", _make_run, _read_run, ("log.jsonl",), 0.01)
    yield Reader("manifests", _make_model, _read_model, ("manifest.toml",), 0.02)
    yield Reader("weights", _make_model, _read_weights, ("*.safetensors",), 0.02, binary=True)
    yield Reader("labellings", _make_labelling, _read_labelling, ("set/*.jsonl", "set/*.csv"), 0.03)
    yield Reader("benchmarks", _make_bench, _read_bench, ("*.json",), 0.01)
    yield Reader("boxes", _make_boxes, _read_boxes, ("*",), 0.04, alone=True)
    yield Reader(
        "lens metadata", _make_lens_metadata, _read_lens_metadata, ("*",), 0.04, binary=True, alone=True
    )
    yield Reader("panoramas", _make_panoramas, _read_panoramas, ("*.csv", "images/*"), 0.01)


READERS = {reader.name: reader for reader in _readers()}
