"""Training samples: labels against pixels; targets and losses against closed form; a net that learns."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from synth_support import flat_scene

from horizon_rt.camera import Pinhole
from horizon_rt.datasets import LabelledImage
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import HorizonLine
from horizon_rt.segmentation.net import HorizonNet, NetSize
from horizon_rt.synth.panorama import Panorama
from horizon_rt.training import loop, samples
from horizon_rt.training.cache import open_cache

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


def test_a_small_net_learns_a_few_samples_by_heart(tmp_path: Path) -> None:
    """64 samples, one thread, some seconds: the loss falls to a third."""
    _cache(tmp_path, 64)
    images, labels = (torch.from_numpy(np.array(a)) for a in open_cache(tmp_path, SIZE))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        net = HorizonNet(NetSize((8, 16, 32, 32), (1, 1), 1))
        optimiser = torch.optim.AdamW(net.parameters(), lr=4e-3)
        losses = []
        for step in range(48):
            pick = torch.arange(16) + 16 * (step % 4)
            losses.append(loop._step(net, optimiser, images[pick].float(), labels[pick]))
    finally:
        torch.set_num_threads(before)
    assert np.mean(losses[-4:]) < np.mean(losses[:4]) / 3


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
