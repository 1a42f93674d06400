"""Evaluation as a whole: on rendered scenes with exact truth, through the command line, and its report."""

from __future__ import annotations

import csv
import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.camera import brown
from support.cli import RunCli, write_horizon
from support.sources import av_frame, write_clip

from horizon_rt.camera import Camera, CameraProfile
from horizon_rt.datasets import Dataset, Label, LabelledFrame, MaskFile, open_dataset
from horizon_rt.datasets.base import Recording, VideoSet
from horizon_rt.datasets.truth import above, resolve
from horizon_rt.errors import DatasetError
from horizon_rt.evaluation.predictors import Estimate, TelemetryPredictor
from horizon_rt.evaluation.results import join
from horizon_rt.evaluation.runner import EvalOptions, evaluate
from horizon_rt.frame import Frame
from horizon_rt.geometry import HorizonLine, UpVector, wrap_degrees
from horizon_rt.imaging.canvas import Canvas
from horizon_rt.reports.hardest import HardestFrame, HardestFrames
from horizon_rt.segmentation import Letterbox, Segmentation
from horizon_rt.sinks.base import SinkContext
from horizon_rt.sinks.telemetry import TelemetrySink
from horizon_rt.sources import open_source
from horizon_rt.sources.synthetic import make_clip, parse_options
from horizon_rt.synth.clip import Clip
from horizon_rt.tracker import HorizonTracker

SIZE = (320, 192)
FLIGHT = "coast?size=320x192&seconds=8&fps=1&motion=flight&seed=4"
VIDEO = "coast?size=320x192&seconds=0.48&fps=25&motion=boat&seed=4"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered scenes as two datasets: `pictures` with lines, the last has none, `video` with attitudes."""
    root = tmp_path_factory.mktemp("rendered")
    _write_pictures(root / "pictures", make_clip(parse_options(FLIGHT)))
    _write_video(root / "video", make_clip(parse_options(VIDEO)))
    return root


def _write_pictures(folder: Path, clip: Clip) -> None:
    (folder / "images").mkdir(parents=True)
    (folder / "dataset.toml").write_text('name = "pictures"\nscene = "coast"\n')
    rows = ["file,x1,y1,x2,y2,sky_side"]
    for i in range(len(clip)):
        image = Canvas.from_frame(clip.frame(i)).to_bgr()
        cv2.imwrite(str(folder / "images" / f"{i:02d}.png"), image)
        line = clip.camera.line(clip.truth(i).up)
        assert line is not None
        rows.append(f"{i:02d}.png,0,{line.y_at(0, *SIZE)},319,{line.y_at(319, *SIZE)},above")
    cv2.imwrite(str(folder / "images" / "none.png"), np.full((192, 320), 90, np.uint8))
    (folder / "horizon.csv").write_text("\n".join([*rows, "none.png,,,,,", ""]))


def _write_video(folder: Path, clip: Clip) -> None:
    (folder / "video").mkdir(parents=True)
    frames = [av_frame("yuv420p", clip.frame(i).planes) for i in range(len(clip))]
    write_clip(folder / "video" / "clip.mkv", frames, codec="ffv1")
    poses = [clip.truth(i) for i in range(len(clip))]
    rows = [f"{i},{i / 25},{pose.roll_deg},{pose.pitch_deg}" for i, pose in enumerate(poses)]
    (folder / "attitude.csv").write_text("\n".join(["frame,time_s,roll_deg,pitch_deg", *rows, ""]))
    (folder / "dataset.toml").write_text('name = "flown"\nscene = "air"\nhfov_deg = 70\n')


@pytest.fixture(scope="module")
def tracker() -> HorizonTracker:
    return HorizonTracker()


@pytest.fixture(scope="module")
def runs(rendered: Path, tracker: HorizonTracker, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Telemetry of finished runs over both datasets."""
    folder, written = tmp_path_factory.mktemp("runs"), []
    for name, source in (("pictures", "images"), ("video", "video/clip.mkv")):
        written.append(folder / f"{name}.jsonl")
        with open_source(rendered / name / source) as frames:
            info, camera = frames.info, Camera.from_hfov(*SIZE, 70)
            context = SinkContext(
                source=info.name, width=320, height=192, camera=camera, is_image_set=info.is_image_set
            )
            tracker.camera = camera
            with TelemetrySink(written[-1], context) as sink:
                for frame in frames:
                    if info.is_image_set:
                        tracker.reset()
                    seen = tracker.segment(frame, careful=True) if info.is_image_set else None
                    sink.write(frame, tracker.update(frame, seen))
    return written


class _Oracle:
    """Knows the labels, and shifts what it knows by some degrees of roll."""

    name, camera, mount = "oracle", None, None

    def __init__(self, dataset: Dataset, off_deg: float = 0.0) -> None:
        self._labels = {f.frame.index: f.label for f in dataset.frames()}
        self._off = off_deg

    def covers(self, labelled: LabelledFrame) -> bool:
        return True

    def restart(self) -> None:
        pass

    def estimate(self, frame: Frame, camera: Camera, *, filtered: bool) -> Estimate:
        label = self._labels[frame.index]
        truth = resolve(label or Label(), camera)
        if truth.up is None:
            return Estimate(view="ground")
        up = UpVector.from_roll_pitch(truth.up.roll_deg + self._off, truth.up.pitch_deg)
        logits = np.where(above(truth.up, camera), np.float32(9), np.float32(-9))
        return Estimate(
            view="horizon", up=up, line=camera.line(up), roll_sd_deg=1.0, pitch_sd_deg=1.0, logits=logits
        )


# --- truth


@pytest.mark.parametrize("distortion", [{}, {"k1": -0.2, "k2": 0.03, "p1": 0.001}])
def test_the_sky_side_is_that_of_the_rays(distortion: dict[str, float]) -> None:
    camera = brown(width=160, height=90, fx=110, fy=112, cx=82, cy=41, **distortion)
    y, x = np.mgrid[:90, :160].astype(np.float64)
    rays = camera.rays(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(90, 160, 3)
    for roll, pitch in ((0, 0), (35, -12), (-100, 5), (170, 20), (5, 80)):
        up = UpVector.from_roll_pitch(roll, pitch)
        height = rays @ up.as_array()
        clear = np.abs(height) > 2e-4  # 0.02 px
        assert (above(up, camera) == (height > 0))[clear].all()


def test_a_line_of_the_label_is_the_line_of_the_truth() -> None:
    camera = Camera.from_hfov(640, 360, 70)
    rng = np.random.default_rng(0)
    for _ in range(50):
        line = HorizonLine(float(rng.uniform(-180, 180)), float(rng.uniform(-150, 150)))
        (nx, ny), (cx, cy) = line.normal, (319.5, 179.5)
        foot = (cx - line.offset_px * nx, cy - line.offset_px * ny)
        ends = (foot[0] - 50 * ny, foot[1] + 50 * nx, foot[0] + 50 * ny, foot[1] - 50 * nx)
        truth = resolve(Label(in_view=True, ends=ends, sky_above=abs(line.angle_deg) < 90), camera)
        assert truth.line is not None
        assert truth.up is not None
        assert wrap_degrees(truth.line.angle_deg - line.angle_deg) == pytest.approx(0, abs=1e-9)
        assert truth.line.offset_px == pytest.approx(line.offset_px)
        assert truth.up.angle_to(line.up_vector(camera.focal_px)) < 1e-6


@pytest.mark.parametrize(("pitch", "in_view"), [(0, True), (20, True), (30, False), (-90, False)])
def test_an_attitude_tells_whether_the_horizon_is_in_view(pitch: float, in_view: bool) -> None:
    """Half of the vertical field of view is atan(192/320 · tan 35°) = 22.8°."""
    truth = resolve(Label(up=UpVector.from_roll_pitch(0, pitch)), Camera.from_hfov(*SIZE, 70))
    assert truth.in_view is in_view


def test_picture_logits_are_linear_between_the_centres_of_cells() -> None:
    """A plane through the cells' centres is met exactly by linear interpolation."""
    box = Letterbox(scale=0.4, left=3.0, top=10.0)
    rows, columns = 24, 40
    i, j = np.mgrid[:rows, :columns]
    x, y = ((4 * k + 1.5 + 0.5 - m) / 0.4 - 0.5 for k, m in ((j, 3.0), (i, 10.0)))
    plane = lambda x, y: 0.02 * x - 0.05 * y + 3  # noqa: E731
    logits = Segmentation(plane(x, y).astype(np.float32), 1.0, box).picture_logits(300, 160)
    row, column = np.mgrid[:160, :300]
    inside = (row <= y.max()) & (row >= y.min()) & (column <= x.max()) & (column >= x.min())
    assert inside.mean() > 0.9
    assert logits.shape == (160, 300)
    assert logits[inside] == pytest.approx(plane(column, row)[inside], abs=1e-4)


# --- the engine


def test_an_oracle_is_perfect_everywhere(rendered: Path) -> None:
    for name in ("pictures", "video"):
        dataset = open_dataset(rendered / name)
        summary = evaluate(dataset, _Oracle(dataset)).summary()
        assert summary.lines is not None
        assert summary.mask is not None
        assert summary.half_plane is not None
        assert summary.refusal is not None
        assert summary.lines["auc"] == pytest.approx(100)
        assert (summary.mask["iou"], summary.half_plane["iou"]) == (1, 1)
        assert summary.mask["auc_roc"] == pytest.approx(1)
        assert (summary.refusal["lost"], summary.refusal["refused_share"]) == (
            0,
            1 if name == "pictures" else None,
        )
    assert summary.sequences == {"pairs": 11, "mse_e": pytest.approx(0), "a_tv": pytest.approx(0)}
    assert summary.attitude is not None
    assert summary.attitude["availability"] == 1


def test_an_oracle_off_by_known_degrees(rendered: Path) -> None:
    dataset = open_dataset(rendered / "video")
    summary = evaluate(dataset, _Oracle(dataset, 1.5)).summary()
    assert summary.attitude is not None
    assert summary.attitude["roll_deg"] == pytest.approx([1.5] * 3)
    assert summary.attitude["pitch_deg"] == pytest.approx([0] * 3, abs=1e-9)
    assert summary.uncertainty is not None
    assert summary.uncertainty["within_1_sigma"] == [0, 1]
    assert summary.uncertainty["within_2_sigma"] == [1, 1]
    assert summary.uncertainty["mean_normalised_squared_error"] == pytest.approx([2.25, 0], abs=1e-9)
    assert summary.lines is not None
    assert summary.lines["dphi_deg"] == pytest.approx([1.5] * 3)


def test_pictures_are_judged_as_the_tracker_sees_them_alone(rendered: Path, tracker: HorizonTracker) -> None:
    found = evaluate(open_dataset(rendered / "pictures"), tracker)
    with (rendered / "pictures" / "horizon.csv").open() as file:
        table = [row for row in csv.DictReader(file) if row["x1"]]
    for row, truth in zip(found.rows, table, strict=False):
        tracker.reset()
        image = cv2.imread(str(rendered / "pictures" / "images" / truth["file"]))
        frame = Frame.from_bgr(image)
        line = tracker.update(frame, tracker.segment(frame, careful=True)).measured_line
        assert row.error is not None
        if line is None:
            assert (row.error.e, row.error.dphi_deg) == (1, None)
            continue
        middle = (float(truth["y1"]) + float(truth["y2"])) / 2
        tilt = math.degrees(math.atan2(float(truth["y2"]) - float(truth["y1"]), 319))
        assert row.error.dy_px == pytest.approx(abs(line.y_at(159.5, *SIZE) - middle), abs=1e-3)
        assert row.error.dphi_deg == pytest.approx(abs(line.angle_deg - tilt), abs=1e-3)
    assert (len(found.rows), found.rows[-1].in_view, found.scenes) == (9, False, ["coast"])


@pytest.mark.parametrize("filtered", [True, False])
def test_videos_are_judged_with_the_filter_or_without(
    rendered: Path, tracker: HorizonTracker, filtered: bool
) -> None:
    options = EvalOptions(smooth="causal" if filtered else "none")
    rows = evaluate(open_dataset(rendered / "video"), tracker, options).rows
    clip = make_clip(parse_options(VIDEO))
    tracker.camera = clip.camera
    for i, row in enumerate(rows):
        frame, truth = clip.frame(i), clip.truth(i).up
        horizon = tracker.update(frame, None if filtered else tracker.segment(frame, careful=True))
        measured = horizon.observation.measurement
        up = measured.up if not filtered and measured is not None else horizon.up
        assert row.attitude is not None  # while the track is still acquired, too
        assert up is not None
        assert row.attitude.roll_deg == pytest.approx(wrap_degrees(up.roll_deg - truth.roll_deg), abs=0.02)
        assert row.attitude.pitch_deg == pytest.approx(up.pitch_deg - truth.pitch_deg, abs=0.02)
    assert len(rows) == len(clip)


def test_the_lens_that_is_given_counts_before_that_of_the_dataset(rendered: Path) -> None:
    dataset = open_dataset(rendered / "video")
    profile = CameraProfile.from_hfov(*SIZE, 50)
    pitch: dict[str, float] = {}
    for name, options in (
        ("own", EvalOptions()),
        ("hfov", EvalOptions(hfov_deg=50)),
        ("profile", EvalOptions(profile=profile)),
    ):
        rows = evaluate(dataset, _Oracle(dataset), options).rows
        assert rows[0].error is not None
        pitch[name] = sum(row.in_view is True for row in rows)
    assert pitch["hfov"] == pitch["profile"] <= pitch["own"]


def test_frames_without_a_label_are_read_but_not_judged(rendered: Path, tmp_path: Path) -> None:
    class Sparse(Dataset):
        def frames(self, keep: object = None) -> Iterator[LabelledFrame]:
            for labelled in open_dataset(rendered / "video").frames():
                yield replace(labelled, label=labelled.label if labelled.frame.index % 3 == 0 else None)

        def count(self, keep: object = None) -> int:
            return 4

    sparse = Sparse(name="sparse", truth="attitude", still=False)
    seen: list[int] = []
    found = evaluate(sparse, _Oracle(open_dataset(rendered / "video")), on_frame=lambda: seen.append(1))
    assert [row.frame for row in found.rows] == [0, 3, 6, 9]
    assert len(seen) == 4


def test_frames_on_both_sides_of_those_left_out_are_no_neighbours(rendered: Path) -> None:
    dataset = open_dataset(rendered / "pictures")
    kept = [one.frame.index for one in dataset.frames(lambda name: name not in ("02.png", "03.png"))]
    assert kept == [0, 1, 4, 5, 6, 7, 8]


def test_of_several_videos_the_one_that_is_smoothed_is_read(tmp_path: Path) -> None:
    clips = [write_horizon(tmp_path / f"{name}.mkv") for name in "abc"]
    labels = {0: Label(up=UpVector.from_roll_pitch(0, 0))}
    recordings = [Recording(path=clip, labels=labels) for clip in clips]
    dataset = VideoSet(recordings, name="three", truth="attitude", scene="sea")
    read = {one.path.name for one in dataset.recording("b.mkv")}
    assert read == {"b.mkv"}
    assert len(list(dataset.recording("b.mkv"))) == 12
    assert not list(dataset.recording("b.mkv", lambda name: name == "a.mkv"))


def test_a_model_and_a_run_of_the_same_name_are_told_apart(
    cli: RunCli, rendered: Path, runs: list[Path], tmp_path: Path
) -> None:
    run = tmp_path / "nano.jsonl"
    run.write_bytes(runs[0].read_bytes())
    done = cli("eval", rendered / "pictures", "--model", "nano", "--model", "nano", "--telemetry", run)
    assert done.code == 0, done.err
    names = [line.split("\t")[1] for line in done.out.splitlines()[1:3]]
    assert names == ["nano", str(run)]


def test_joined_results_are_those_of_all_frames(rendered: Path) -> None:
    parts = [evaluate(d, _Oracle(d)) for d in (open_dataset(rendered / n) for n in ("pictures", "video"))]
    both = join(parts)
    assert both.frames == 21
    assert both.mask is not None
    assert both.mask["frames"] == 20
    assert join(parts, "coast") == parts[0].summary()
    assert join(parts, "air") == parts[1].summary("air")


def test_masks_that_do_not_count_a_part(tmp_path: Path) -> None:
    rgb = np.zeros((20, 30, 3), np.uint8)
    rgb[:10], rgb[10:15] = (1, 2, 3), (9, 9, 9)
    cv2.imwrite(str(tmp_path / "a.png"), rgb[:, :, ::-1])
    mask = MaskFile(path=tmp_path / "a.png", sky=((1, 2, 3),), void=((0, 0, 0),))
    sides = resolve(Label(mask=mask), Camera.from_hfov(30, 20, 70)).sides(Camera.from_hfov(30, 20, 70))
    assert sides is not None
    assert sides[1] is not None
    assert (int(sides[0].sum()), int(sides[1].sum())) == (300, 450)


def test_the_worst_frames_are_the_largest_of_all() -> None:
    rng = np.random.default_rng(1)
    scores, worst = rng.random(300), HardestFrames()
    for i, score in enumerate(scores):
        if worst.wants(score):
            worst.add(HardestFrame(score=float(score), name=str(i), note="", jpeg=b""))
    assert [frame.score for frame in worst.sorted()] == sorted(scores, reverse=True)[:24]
    assert not worst.wants(0.0)


# --- the command line and the report


class _Page(HTMLParser):
    """Tags that are left open, the pictures, the text, and whatever a browser would fetch."""

    void = frozenset({"meta", "link", "img", "br", "path", "use", "rect"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures: list[str] = []
        self.fetched: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
        self.pictures += [dict(attrs).get("src") or ""] if tag == "img" else []
        self.open += [tag] if tag not in self.void else []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_report_on_rendered_scenes(cli: RunCli, rendered: Path, tmp_path: Path) -> None:
    words = "--model", "small", "--backend", "torchscript", "--precision", "float32"
    done = cli("eval", rendered / "pictures", rendered / "video", "--out", tmp_path / "out", *words)
    assert (done.code, done.out.count("\t") > 50) == (0, True)
    assert len(done.errors) == 3
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [r["dataset"] for r in report["results"]] == ["pictures", "flown"]
    assert report["settings"]["backend"] == "torchscript-cpu"
    assert {s["scene"] for s in report["by_scene"]} == {"coast", "air"}
    for result in report["results"]:
        errors = [row["error"]["e"] for row in result["frames"] if row["error"]]
        auc = 100 * np.mean(np.maximum(0, 1 - np.array(errors) / 0.25))
        assert result["summary"]["lines"]["auc"] == pytest.approx(auc)
        assert auc > 60
        assert result["summary"]["mask"]["pixel_accuracy_percent"] > 90
    markdown = (tmp_path / "out" / "report.md").read_text()
    assert "| dataset | found | AUC |" in markdown
    page = _Page((tmp_path / "out" / "report.html").read_text())
    assert page.open == []
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in page.fetched)
    for title in (
        "By dataset",
        "By type of scene",
        "Error histograms",
        "Curves of the mask",
        "Cumulative error",
        "Curves of the mask",
        "Jitter",
    ):
        assert title in page.text
    assert 1 <= len(page.pictures) <= 24


def test_curves_of_masks_are_in_the_picture_however_bad_they_are() -> None:
    """A curve of chance is a half away from the corner at its nearest, so that all of the axes is shown."""
    from horizon_rt.evaluation.plots import reach

    x = np.linspace(0, 1, 201)
    chance, good, fair = (np.maximum(x, 1 - y) for y in (x, np.ones(201), np.minimum(0.85 + 0.15 * x, 1)))
    assert reach([good]) == 20
    assert reach([good, chance]) == 100
    assert 20 < reach([fair]) < 30.1


def test_plots_are_whole_and_have_ids_of_their_own(rendered: Path, tmp_path: Path) -> None:
    from horizon_rt.evaluation.report import as_html

    dataset = open_dataset(rendered / "video")
    results = [replace(evaluate(dataset, _Oracle(dataset, off)), model=f"off<{off}") for off in (0.5, 2.0)]
    html = as_html(results, {"models": "<two>"})
    plots = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(plots) == 6  # two of them strip charts, one the curves of the mask
    for plot in plots:
        ET.fromstring(plot)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", html)) <= set(ids)
    assert "off&lt;0.5" in html
    assert "off<0.5" not in html
    assert html.count("<img") == 24  # two models with 12 frames each


def test_names_are_shown_as_they_are(rendered: Path) -> None:
    """A dollar begins no formula, and what HTML or a terminal would obey is shown."""
    from horizon_rt.evaluation.report import as_html, as_markdown

    name = "a $x_{$ b <i>\x1b[2J"
    dataset = open_dataset(rendered / "video")
    results = [replace(evaluate(dataset, _Oracle(dataset, off)), dataset=name) for off in (0.5, 2.0)]
    results = [replace(result, model=f"m{n} $x_{{$") for n, result in enumerate(results)]
    html, markdown = as_html(results, {"datasets": name}), as_markdown(results, {"datasets": name})
    assert len(re.findall(r"<svg.*?a \$x_\{\$ b.*?</svg>", html, re.DOTALL)) > 1
    for plot in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        ET.fromstring(plot)
    assert "\x1b" not in markdown
    assert "<i>" not in html + markdown


def test_telemetry_is_judged_like_the_run_that_wrote_it(
    rendered: Path, tracker: HorizonTracker, runs: list[Path]
) -> None:
    for name, run in zip(("pictures", "video"), runs, strict=True):
        dataset = open_dataset(rendered / name)
        live, later = (evaluate(dataset, e).summary() for e in (tracker, TelemetryPredictor(run)))
        assert later.mask is None
        for family in ("lines", "half_plane", "refusal", "uncertainty", "sequences", "attitude"):
            expected, found = getattr(live, family), getattr(later, family)
            assert (expected is None) == (found is None)
            for key, value in (expected or {}).items():
                assert found[key] == (None if value is None else pytest.approx(value, rel=2e-3, abs=1e-3))


def test_each_run_is_judged_on_its_own_dataset(cli: RunCli, rendered: Path, runs: list[Path]) -> None:
    both = [rendered / "pictures", rendered / "video"]
    done = cli("eval", *both, *(part for run in runs for part in ("--telemetry", run)))
    assert done.code == 0
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert lines[0][:3] == ["lines", "model", "found"]
    assert [line[:2] for line in lines[1:3]] == [["pictures", "pictures"], ["flown", "video"]]


@pytest.mark.parametrize(
    ("part", "names"), [("set-aside", 4), ("validation", 3), ("test", 1), ("training", 4), ("all", 8)]
)
def test_parts_of_a_split(
    cli: RunCli, rendered: Path, runs: list[Path], tmp_path: Path, part: str, names: int
) -> None:
    split = tmp_path / "split.toml"
    split.write_text('[set_aside]\npictures = ["00", "01", "02", "03", "none"]\n[test]\npictures = ["02"]\n')
    done = cli("eval", rendered / "pictures", "--telemetry", runs[0], "--split", split, "--part", part)
    assert done.code == 0
    assert f" of {names}\t" in done.out.splitlines()[1]
    assert ("refused" in done.out, "of 1\t" in done.out) == (True, part != "training")


def test_mask_folders_of_the_command_line(cli: RunCli, tmp_path: Path) -> None:
    for folder, image in (
        ("images", np.full((64, 96), 90, np.uint8)),
        ("masks", np.zeros((64, 96, 3), np.uint8)),
    ):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), image)
    folders = ("--images", tmp_path / "images", "--masks", tmp_path / "masks")
    done = cli("eval", *folders, "--palette", "sky=128,128,128")
    assert done.code == 0
    assert done.out.startswith("mask of the net\t")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give at least one dataset"),
        (["x", "--images", "a"], 2, "give both folders"),
        (["x", "--hfov", "50", "--camera-profile", "a"], 2, "both describe the lens"),
        (["nothing-there"], 1, "no such dataset"),
        (["PICTURES", "--model", "nobody"], 1, "no model 'nobody'"),
        (["PICTURES", "--telemetry", "nothing.jsonl"], 1, "cannot be read"),
        (["PICTURES", "--split", "nothing.toml"], 1, "no usable split"),
        (["PICTURES", "--out", "PICTURES/dataset.toml"], 1, "cannot write"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    cli: RunCli, rendered: Path, arguments: list[str], code: int, message: str
) -> None:
    given = [argument.replace("PICTURES", str(rendered / "pictures")) for argument in arguments]
    done = cli("eval", *given)
    assert done.code == code
    assert message in " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.err).split())
    assert code == 2 or len(done.errors) == 1


def test_a_run_that_tells_of_no_frame_is_refused(cli: RunCli, rendered: Path, runs: list[Path]) -> None:
    done = cli("eval", rendered / "pictures", "--telemetry", runs[1])
    assert (done.code, len(done.errors)) == (1, 1)
    assert "no frame to evaluate" in done.err


@pytest.mark.parametrize("part", [{"start_s": 1.0}, {"every": "2"}])
def test_telemetry_of_a_part_is_refused(tmp_path: Path, part: dict[str, object]) -> None:
    path = tmp_path / "clip.jsonl"
    path.write_text(json.dumps({"schema": "horizon-rt/1", "source": "clip.mkv", "options": part}))
    with pytest.raises(DatasetError, match="a part of a recording"):
        TelemetryPredictor(path)


def test_telemetry_with_impossible_values_is_refused(rendered: Path, tmp_path: Path) -> None:
    camera = {"model": "Pinhole", "width": 320, "height": 192, "fx": 228, "fy": 228, "cx": 159.5, "cy": 95.5}
    head = {"schema": "horizon-rt/1", "source": "clip.mkv", "camera": camera}
    good = {"frame": 0, "state": "tracking", "view": "horizon", "roll_deg": 1.0, "pitch_deg": 0.0,
            "roll_sd_deg": 1.0, "pitch_sd_deg": 1.0, "angle_deg": -1.0, "offset_px": 0.0}  # fmt: skip
    dataset = open_dataset(rendered / "video")
    for wrong in (
        {"view": "sea"}, {"roll_sd_deg": 0.0}, {"pitch_deg": "x"}, {"offset_px": 10**400},
        {"pitch_sd_deg": 5e-324}, {"roll_deg": 1e300}, {"offset_px": 1e200},
    ):  # fmt: skip
        path = tmp_path / "clip.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in (head, good | wrong)))
        with pytest.raises(DatasetError, match=r"clip\.jsonl, frame 0"):
            evaluate(dataset, TelemetryPredictor(path))
