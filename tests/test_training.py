"""Training samples: labels against pixels; targets and losses against closed form; a net that learns."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synth_support import flat_scene

from horizon_rt.camera import Pinhole
from horizon_rt.datasets import LabelledImage
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import HorizonLine
from horizon_rt.segmentation.net import HorizonNet
from horizon_rt.synth.panorama import Panorama
from horizon_rt.training import loop, samples
from horizon_rt.training.cache import SHAPES, build_cache, open_cache

SIZE = (192, 320)
Label = tuple[float, float, float, float, float]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples without occluders and camera effects, of flat scenes."""
    monkeypatch.setattr(samples, "random_occluders", lambda image, rng: image)
    monkeypatch.setattr(
        samples, "random_sensor", lambda image, rng: (image.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    )
    monkeypatch.setattr(samples, "random_scene", lambda rng: flat_scene())


def _distance(label: Label, size: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]]
    nx, ny, d = label[:3]
    return nx * (x - (size[1] - 1) / 2) + ny * (y - (size[0] - 1) / 2) + d


def _assert_agrees(image: np.ndarray, label: Label, *, within: float) -> bool:
    """White is sky: every pixel farther from the line than `within` is on its side."""
    distance, luma = _distance(label, image.shape[1:]), image[0].astype(float)
    assert (luma[distance > within] > 250).all()
    assert (luma[distance < -within] < 5).all()
    return bool((distance > 0).any() and (distance < 0).any())


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("size", [(192, 320), (224, 288), (256, 256)])
def test_labels_of_rendered_scenes_agree_with_their_pixels(size: tuple[int, int]) -> None:
    crossed, presences = 0, set()
    for seed in range(60):
        image, label = samples.scene_sample(np.random.default_rng(seed), size)
        assert image.shape == (3, *size)
        assert math.hypot(*label[:2]) == pytest.approx(1)
        crossed += _assert_agrees(image, label, within=1.0)
        presences.add(label[4])
    assert crossed > 20
    assert {1.0} <= presences <= {-1.0, 0.0, 1.0}


@pytest.mark.usefixtures("clean")
def test_labels_of_panorama_views_agree_with_their_pixels() -> None:
    image = np.zeros((1024, 2048, 3), np.uint8)
    image[:512] = 255
    panorama = Panorama("made", "sea", True, image)
    for seed in range(30):
        picture, label = samples.panorama_sample([panorama], np.random.default_rng(seed), SIZE)
        _assert_agrees(picture, label, within=3.0)
        assert label[3] == 1.0


def _painted(folder: Path, line: HorizonLine, width: int, height: int) -> LabelledImage:
    """A picture of a half plane, antialiased by 8×8 samples a pixel, and its end points."""
    y, x = (np.mgrid[: 8 * height, : 8 * width] + 0.5) / 8 - 0.5
    nx, ny = line.normal
    fine = nx * (x - (width - 1) / 2) + ny * (y - (height - 1) / 2) + line.offset_px > 0
    luma = fine.reshape(height, 8, width, 8).mean(axis=(1, 3)) * 255
    cv2.imwrite(str(folder / "made.png"), np.repeat(luma.astype(np.uint8)[:, :, None], 3, axis=2))
    ends = (0.0, line.y_at(0, width, height), width - 1.0, line.y_at(width - 1, width, height))
    return LabelledImage(folder / "made.png", ends, sky_above=abs(line.angle_deg) < 90)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    "line", [HorizonLine(0, 0), HorizonLine(8, 30), HorizonLine(-25, -40), HorizonLine(172, 9)]
)
def test_windows_of_labelled_pictures_carry_their_line_along(tmp_path: Path, line: HorizonLine) -> None:
    """Rotated, scaled, stretched and mirrored; the edge by its 50 % level, within 1 px everywhere."""
    labelled, mirrored, crossed = _painted(tmp_path, line, 480, 300), 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        image, label = samples.labelled_sample(labelled, rng, SIZE, spread_deg=40.0)
        distance, luma = _distance(label, SIZE), image[0].astype(float)
        inner = np.zeros(SIZE, bool)
        inner[24:-24, 24:-24] = True  # beyond the picture its edge pixels are repeated
        assert (luma[inner & (distance > 2.5)] > 200).all()
        assert (luma[inner & (distance < -2.5)] < 55).all()
        near = inner & (np.abs(distance) < 12)
        if near.sum() > 2000:
            crossed += 1
            share = (luma[near] / 255).mean()
            expected = (distance[near].clip(-0.5, 0.5) + 0.5).mean()
            assert 24 * abs(share - expected) < 1.0  # the mean shift of the edge in px
        mirrored += label[0] * math.sin(math.radians(line.angle_deg)) < 0
    assert crossed > 15
    if abs(math.sin(math.radians(line.angle_deg))) > 0.3:
        assert 5 < mirrored < 35


def test_a_picture_without_a_horizon_teaches_presence_only(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((60, 90, 3), 99, np.uint8))
    labelled = LabelledImage(tmp_path / "a.png", None)
    _, label = samples.labelled_sample(labelled, np.random.default_rng(0), SIZE)
    assert label[3:] == (0.0, 0.0)


def test_a_picture_that_is_not_there_is_refused(tmp_path: Path) -> None:
    labelled = LabelledImage(tmp_path / "a.png", (0, 1, 2, 3))
    with pytest.raises(DatasetError, match="cannot read"):
        samples.labelled_sample(labelled, np.random.default_rng(0), SIZE)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (HorizonLine(0, 0), 1.0), (HorizonLine(180, 50), 1.0), (HorizonLine(90, 0), 1.0),
        (HorizonLine(30, 60), 1.0), (HorizonLine(0, 200), 0.0), (HorizonLine(0, -97), 0.0),
        (HorizonLine(90, 161), 0.0),
        (HorizonLine(0, 95), -1.0), (HorizonLine(45, 165), -1.0), (HorizonLine(45, 185), 0.0),
    ],
)  # fmt: skip
def test_a_horizon_is_in_view_where_enough_of_it_crosses_the_picture(
    line: HorizonLine, expected: float
) -> None:
    assert samples.visibility(line, 320, 192) == expected


def test_rgb_becomes_full_range_bt709() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    r, g, b = rgb.astype(float).transpose(2, 0, 1)
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    exact = np.stack([y, 128 + (b - y) / 1.8556, 128 + (r - y) / 1.5748])
    assert np.abs(samples.rgb_to_yuv(rgb) - exact.clip(0, 255)).max() < 0.6


def test_targets_are_the_share_of_each_cell_above_the_line() -> None:
    """Against 64 samples a cell; exact for level and vertical lines, close for tilted ones."""
    for angle, tolerance in ((0.0, 0.03), (90.0, 0.03), (180.0, 0.03), (30.0, 0.12), (-135.0, 0.12)):
        line = HorizonLine(angle, 7.3)
        label = torch.tensor([[*line.normal, line.offset_px, 1.0, 1.0]])
        target = loop.target_mask(loop.signed_distance(label, 64, 96))[0, 0].numpy()
        fine = cv2.resize(
            (_fine(line, 96, 64) > 0).astype(np.float32), (24, 16), interpolation=cv2.INTER_AREA
        )
        assert np.abs(target - fine).max() < tolerance


def _fine(line: HorizonLine, width: int, height: int) -> np.ndarray:
    y, x = (np.mgrid[: 8 * height, : 8 * width] + 0.5) / 8 - 0.5
    nx, ny = line.normal
    return nx * (x - (width - 1) / 2) + ny * (y - (height - 1) / 2) + line.offset_px


def test_the_loss_is_the_cross_entropy_written_out() -> None:
    torch.manual_seed(0)
    mask, presence = torch.randn(3, 1, 16, 24), torch.randn(3)
    labels = torch.tensor([[0, -1.0, 3, 1, 1], [0.6, 0.8, -5, 0.3, -1], [1, 0, 0, 0, 0]])
    loss = float(loop.loss_function(mask, presence, labels, (64, 96)))
    distance = loop.signed_distance(labels, 64, 96).double().numpy()
    target = np.clip(distance / 4 + 0.5, 0, 1)
    p = 1 / (1 + np.exp(-mask.double().numpy()))
    entropy = -(target * np.log(p) + (1 - target) * np.log(1 - p))
    weight = labels[:, 3].numpy()[:, None, None, None] * (1 + 3 * np.exp(-((distance / 10) ** 2)))
    q = 1 / (1 + np.exp(-presence.double().numpy()))
    seen = -np.log(q[0]) - np.log(1 - q[2])
    assert loss == pytest.approx((entropy * weight).sum() / weight.sum() + 0.1 * seen / 3, rel=1e-5)


def test_the_truth_follows_the_mirror() -> None:
    labels = torch.tensor([[0.6, -0.8, 11.0, 1.0, 1.0]])
    luma = (_distance((0.6, -0.8, 11.0, 1, 1), (64, 96)) > 0) * 255
    images = torch.from_numpy(np.stack([luma, luma * 0 + 128, luma * 0 + 128]).astype(np.uint8))[None]
    mirrored = 0
    for seed in range(12):
        picture, label = loop.augment(images, labels, torch.Generator().manual_seed(seed))
        _assert_agrees(picture[0].numpy(), tuple(label[0].tolist()), within=0.01)
        mirrored += float(label[0, 0]) < 0
    assert 0 < mirrored < 12


def _cache(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for size in loop.SHAPES:
        images = np.lib.format.open_memmap(
            folder / f"{size[0]}x{size[1]}.images.npy", "w+", np.uint8, (count, 3, *size)
        )
        labels = np.lib.format.open_memmap(
            folder / f"{size[0]}x{size[1]}.labels.npy", "w+", np.float32, (count, 5)
        )
        for k in range(count):
            images[k], labels[k] = samples.scene_sample(rng, size)


def test_training_writes_weights_that_fit_the_net_and_a_log(tmp_path: Path) -> None:
    _cache(tmp_path, 4)
    out, before = tmp_path / "out" / "a.safetensors", torch.get_num_threads()
    try:
        loop.train([tmp_path], out=out, samples=6, batch=2, rate=1e-3, threads=1)
    finally:
        torch.set_num_threads(before)
    weights = loop.load_file(out)
    missing, unknown = HorizonNet().load_state_dict(weights, strict=True)
    assert (missing, unknown) == ([], [])
    assert len(out.with_suffix(".jsonl").read_text().splitlines()) == 2


def test_random_attitudes_cover_everything_and_favour_level(clean: None) -> None:
    rng = np.random.default_rng(0)
    ups = [samples.random_attitude(rng, 70, tame=False) for _ in range(3000)]
    rolls, pitches = np.abs([u.roll_deg for u in ups]), np.array([u.pitch_deg for u in ups])
    assert 0.03 < (rolls > 120).mean() < 0.1
    assert (rolls < 45).mean() > 0.7
    assert pitches.max() > 60
    assert pitches.min() < -60
    camera = Pinhole.from_hfov(320, 192, 70)
    lines = [u.line(camera.focal_px) for u in ups]
    seen = [line is not None and samples.visibility(line, 320, 192) == 1 for line in lines]
    assert np.mean(seen) > 0.7


def _crossings(luma: np.ndarray, distance: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Distances from the line at which the picture passes 50 % between two pixels of a column."""
    above, below = luma[:-1] - 0.5, luma[1:] - 0.5
    found = (above * below < 0) & inner[:-1] & inner[1:]
    share = above[found] / (above - below)[found]
    return distance[:-1][found] + share * (distance[1:] - distance[:-1])[found]


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("line", [HorizonLine(17, 13.7), HorizonLine(-33, -8.2), HorizonLine(160, 4.4)])
def test_the_edge_of_every_window_lies_on_its_line(tmp_path: Path, line: HorizonLine) -> None:
    """Where columns and rows pass 50 %, in the middle of the window, where nothing is repeated."""
    labelled, seen = _painted(tmp_path, line, 480, 300), 0
    for seed in range(50):
        size = list(SHAPES)[seed % 3]
        image, label = samples.labelled_sample(labelled, np.random.default_rng(seed), size, spread_deg=40.0)
        luma, distance = image[0] / 255, _distance(label, size)
        inner = np.zeros(size, bool)
        inner[size[0] // 6 : -size[0] // 6, size[1] // 6 : -size[1] // 6] = True
        columns = _crossings(luma, distance, inner)
        errors = np.concatenate([columns, _crossings(luma.T, distance.T, inner.T)])
        seen += errors.size > 0
        if errors.size:
            assert np.abs(errors).max() < 1.0
            assert abs(errors.mean()) < 0.1
    assert seen > 35


def _chord(line: HorizonLine, width: float, height: float) -> float:
    """Length of the line inside a centred rectangle, by clipping (Liang and Barsky 1984)."""
    nx, ny = line.normal
    low, high = -math.inf, math.inf
    for start, along, half in (
        (-line.offset_px * nx, -ny, width / 2),
        (-line.offset_px * ny, nx, height / 2),
    ):
        if abs(along) < 1e-12:
            if abs(start) > half:
                return 0.0
            continue
        enters, leaves = sorted(((-half - start) / along, (half - start) / along))
        low, high = max(low, enters), min(high, leaves)
    return max(0.0, high - low)


@settings(max_examples=300, deadline=None)
@given(angle=st.floats(-180, 180), offset=st.floats(-200, 200))
def test_visibility_is_that_of_the_clipped_line(angle: float, offset: float) -> None:
    line = HorizonLine(angle, offset)
    outer, inner = _chord(line, 320, 192), _chord(line, 0.94 * 320, 0.94 * 192)
    answer, step = samples.visibility(line, 320, 192), math.hypot(320, 192) / 400
    if outer == 0:
        assert answer == 0
    elif outer > 2 * step and abs(inner - 0.2 * 320) > 2 * step:
        assert answer == (1 if inner > 0.2 * 320 else -1)


def test_training_lowers_the_loss_and_the_weights_on_disk_know_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole run on small pictures: its log, and the masks of the written net against half planes."""
    shapes = {(64, 96): 0.6, (64, 64): 0.4}
    monkeypatch.setattr(loop, "SHAPES", shapes)
    _cache(tmp_path, 24)
    out, before = tmp_path / "out" / "a.safetensors", torch.get_num_threads()
    try:
        loop.train([tmp_path], out=out, samples=8 * 250, batch=8, rate=4e-3, threads=1)
    finally:
        torch.set_num_threads(before)
    log = [json.loads(row) for row in out.with_suffix(".jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [0, 50, 100, 150, 200, 249]
    assert log[-1]["loss"] < log[0]["loss"] / 3
    net = HorizonNet().eval()
    net.load_state_dict(loop.load_file(out))
    for size in shapes:
        images, labels = (np.array(a) for a in open_cache(tmp_path, size))
        with torch.no_grad():
            mask, _ = net(loop.normalise(torch.from_numpy(images)))
        for logits, label in zip(mask[:, 0].numpy(), labels, strict=True):
            distance = _distance(tuple(label), size).reshape(size[0] // 4, 4, size[1] // 4, 4).mean((1, 3))
            far = np.abs(distance) > 6
            assert ((logits > 0) == (distance > 0))[far].mean() > 0.9


def _labelled_set(folder: Path) -> None:
    """A level horizon, and five pictures to be set aside that would fail if they were read."""
    (folder / "images").mkdir(parents=True)
    image = np.zeros((120, 200, 3), np.uint8)
    image[:60] = 255
    cv2.imwrite(str(folder / "images" / "keep.png"), image)
    names = ["keep", *(f"aside{k}" for k in range(5))]
    rows = [f"{name}.png,0,59.5,199,59.5,above" for name in names]
    (folder / "horizon.csv").write_text("\n".join(["file,x1,y1,x2,y2,sky_side", *rows]) + "\n")


def test_a_cache_is_filled_from_dataset_folders(tmp_path: Path) -> None:
    names = ("flight", "thermal-sea", "scenes", "sea")
    for name in names:
        _labelled_set(tmp_path / name)
    (tmp_path / "panorama" / "images").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "panorama" / "images" / "a.png"), np.full((32, 64, 3), 90, np.uint8))
    (tmp_path / "panorama" / "panoramas.csv").write_text("file,terrain,horizon\na.png,sea,open\n")
    split = tmp_path / "split.toml"
    split.write_text("[set_aside]\n" + "".join(f'{name} = ["aside"]\n' for name in names))
    build_cache(tmp_path / "cache", root=tmp_path, split=split, count=20, workers=1, seed=3)
    for size, count in zip(SHAPES, (12, 4, 4), strict=True):
        images, labels = open_cache(tmp_path / "cache", size)
        assert (images.shape, images.dtype) == ((count, 3, *size), np.uint8)
        assert (labels.shape, labels.dtype) == ((count, 5), np.float32)
        assert np.hypot(labels[:, 0], labels[:, 1]) == pytest.approx(np.ones(count), abs=1e-5)
        assert set(labels[:, 4]) <= {-1.0, 0.0, 1.0}
        assert len({image.tobytes() for image in images}) == count
