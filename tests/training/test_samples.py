"""Training samples: labels against pixels, against closed form, and against brute force."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import training as made

from horizon_rt.camera import Camera
from horizon_rt.datasets import Label
from horizon_rt.datasets.rendered import write_clip
from horizon_rt.datasets.truth import above
from horizon_rt.errors import DatasetError
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.sources import synthetic as source
from horizon_rt.sources.synthetic import SyntheticOptions
from horizon_rt.synth.panorama import Panorama
from horizon_rt.training.recipe import PROCEDURAL, Recipe
from horizon_rt.training.samples import sample as samples
from horizon_rt.training.samples import samplers as samplers
from horizon_rt.training.samples.cache import SHAPES
from horizon_rt.training.samples.collage import replace_side
from horizon_rt.training.samples.occlusion import hide_part
from horizon_rt.training.samples.pictures import Picture, balanced, open_pictures, picture_sets, thinned
from horizon_rt.training.samples.sample import HalfPlane, Sample
from horizon_rt.training.samples.sampler_set import make_samplers
from horizon_rt.training.samples.windows import negative_crop, window_sample

SIZE = (96, 160)
LINES = [HorizonLine(0, 0), HorizonLine(17, 13.7), HorizonLine(-33, -8.2), HorizonLine(160, 4.4)]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    made.patch_clean(monkeypatch)


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _inner(cover: np.ndarray) -> np.ndarray:
    """Cells of the middle; beyond the picture a window repeats its edge."""
    inner = np.zeros(cover.shape, bool)
    rows, columns = cover.shape
    inner[rows // 5 : -rows // 5, columns // 5 : -columns // 5] = True
    return inner


def _assert_cover_is_luma(sample: Sample, *, within_px: float = 1.0, mean_px: float = 0.2) -> bool:
    """White is sky. A cell is 4 px wide, so a shift of 1 px changes its share by up to 1/4."""
    error = made.cell_luma(sample) - sample.cover / 255
    border = _inner(sample.cover) & (sample.cover > 0) & (sample.cover < 255)
    assert np.abs(error[_inner(sample.cover)]).max() < within_px / 4
    if border.sum() > 10:
        assert abs(error[border].mean()) < mean_px / 4
    return bool(border.any())


@settings(max_examples=60, deadline=None)
@given(angle=st.floats(-180, 180), offset=st.floats(-70, 70), size=st.sampled_from([(64, 96), (96, 64)]))
def test_a_cover_is_the_share_of_each_cell_above_the_line(
    angle: float, offset: float, size: tuple[int, int]
) -> None:
    """Against 1024 samples a cell; a tilted cell is no ramp, which makes up to 0.05."""
    line = HorizonLine(angle, offset)
    error = HalfPlane.of(line).cover(size) / 255 - made.sky_share(line, size, 4)
    assert np.abs(error).max() < 0.075
    assert abs(error.mean()) < 0.004


@pytest.mark.parametrize("sky", [True, False])
def test_everywhere_is_everywhere(sky: bool) -> None:
    plane = HalfPlane.everywhere(sky=sky)
    assert (plane.cover((256, 256)) == 255 * sky).all()
    assert plane.presence((256, 256)) == 0


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
        assert HalfPlane.of(line).presence((192, 320)) == answer


def test_rgb_becomes_full_range_bt709() -> None:
    rgb = _rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    r, g, b = rgb.astype(float).transpose(2, 0, 1)
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    exact = np.stack([y, 128 + (b - y) / 1.8556, 128 + (r - y) / 1.5748])
    assert np.abs(samples.rgb_to_yuv(rgb) - exact.clip(0, 255)).max() < 0.6


@settings(max_examples=100, deadline=None)
@given(roll=st.floats(-180, 180), pitch=st.floats(-89, 89), hfov=st.floats(25, 100))
def test_a_half_plane_is_the_sky_side_of_the_rays(roll: float, pitch: float, hfov: float) -> None:
    up, camera = UpVector.from_roll_pitch(roll, pitch), Camera.from_hfov(96, 64, hfov)
    distance = samplers.half_plane(up, camera).distance((64, 96))
    clear = np.abs(distance) > 1e-2
    assert ((distance > 0) == above(up, camera))[clear].all()


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("size", list(SHAPES))
def test_labels_of_rendered_scenes_agree_with_their_pixels(size: tuple[int, int]) -> None:
    make, crossed, presences = samplers.scenes_of(("fields",)), 0, set()
    for seed in range(25):
        pair = make(_rng(seed), size)
        for sample in pair:
            error = made.cell_luma(sample) - sample.cover / 255
            assert np.abs(error).max() < 0.1  # 0.4 px: the renderer's edge is as wide as the middle pixel
            crossed += 0 < sample.cover.mean() < 255
            presences.add(sample.presence)
        assert (pair[0].cover[:, ::-1] == pair[1].cover).all()
    assert crossed > 25
    assert {1.0} <= presences <= {-1.0, 0.0, 1.0}


@pytest.mark.usefixtures("clean")
def test_pictures_from_above_and_of_the_sky_alone_have_no_horizon() -> None:
    seen = set()
    for seed in range(30):
        for sample in samplers.out_of_view(_rng(seed), SIZE):
            assert np.ptp(sample.cover) == 0
            assert np.abs(made.cell_luma(sample) - sample.cover / 255).max() < 0.01
            assert (sample.presence, sample.weight) == (0.0, 1.0)
            seen.add(int(sample.cover[0, 0]))
    assert seen == {0, 255}


def _panorama(border_deg: float, *, is_open: bool, terrain: str = "sea") -> Panorama:
    """White above an elevation, black below."""
    image = np.zeros((1024, 2048, 3), np.uint8)
    image[: round((0.5 - border_deg / 180) * 1024)] = 255
    return Panorama("made", terrain, is_open, image)


@pytest.mark.usefixtures("clean")
def test_labels_of_panorama_views_agree_with_their_pixels() -> None:
    make = samplers.panorama_view_sample([_panorama(0, is_open=True)])
    for seed in range(25):
        (sample,) = make(_rng(seed), SIZE)
        assert np.abs(made.cell_luma(sample) - sample.cover / 255).max() < 0.25
        assert sample.weight == 1.0


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(("terrain", "presence"), [("city", 0.0), ("field", -1.0)])
def test_panoramas_that_are_closed_in_teach_to_refuse(terrain: str, presence: float) -> None:
    (sample,) = samplers.panorama_view_sample([_panorama(20, is_open=False, terrain=terrain)])(_rng(0), SIZE)
    assert sample.presence == presence
    assert 0 < sample.weight < 1


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(("border_deg", "is_open"), [(0.0, True), (25.0, False)])
def test_real_skies_come_down_to_the_horizon(border_deg: float, is_open: bool) -> None:
    """Over a skyline of 25° nothing of it is left; the ground is the black one of the scene."""
    make = samplers.real_sky([_panorama(border_deg, is_open=is_open)], ("sea",))
    for seed in range(20):
        for sample in make(_rng(seed), SIZE):
            error = made.cell_luma(sample) - sample.cover / 255
            # A view of an open panorama mixes the rows at its horizon, which takes 1/4 px of its own.
            assert np.abs(error).max() < (0.35 if is_open else 0.1)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("line", LINES)
def test_windows_of_labelled_pictures_carry_their_line_along(tmp_path: Path, line: HorizonLine) -> None:
    """Rotated, scaled, stretched, tilted and mirrored, in every size of a training picture."""
    picture, crossed, mirrored = made.line_picture(tmp_path, line), 0, 0
    for seed in range(36):
        size = [*SHAPES, SIZE][seed % 4]
        sample = window_sample(picture, _rng(seed), size, spread_deg=20.0)
        crossed += _assert_cover_is_luma(sample)
        halves = sample.cover[:, : size[1] // 8].mean() - sample.cover[:, size[1] // 8 :].mean()
        mirrored += halves * math.sin(math.radians(line.angle_deg)) * line.normal[1] > 0
    assert crossed > 24
    if abs(math.sin(math.radians(line.angle_deg))) > 0.5:
        assert 4 < mirrored < 32


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("line", LINES[1:])
def test_windows_of_masks_carry_the_mask_along(tmp_path: Path, line: HorizonLine) -> None:
    picture, crossed = made.mask_picture(tmp_path, line), 0
    for seed in range(24):
        size = [*SHAPES, SIZE][seed % 4]
        sample = window_sample(picture, _rng(seed), size, spread_deg=20.0)
        assert np.abs(made.cell_luma(sample) - sample.cover / 255).max() < 0.2  # repeated edges included
        share = sample.cover.mean() / 255
        if 0.025 < share < 0.975:
            crossed += 1
            assert (sample.presence, sample.weight) == (1.0, 1.0)
        elif share in (0, 1):
            assert sample.presence == 0.0
    assert crossed > 12


@pytest.mark.usefixtures("clean")
def test_the_border_of_a_mask_need_not_lie_in_the_middle(tmp_path: Path) -> None:
    """Its two sides are compared where it is, and not asked for where they look the same."""
    for line in (HorizonLine(0, -60), HorizonLine(0, 60)):
        picture = made.mask_picture(tmp_path, line, (180, 240))
        told = [window_sample(picture, _rng(seed), SIZE) for seed in range(12)]
        clear = [seed for seed, s in enumerate(told) if 0.1 < s.cover.mean() / 255 < 0.9]
        assert {told[seed].presence for seed in clear} == {1.0}
        made.paint(picture.path, line, (180, 240), (90, 90))
        same = Picture(picture.path, picture.label)  # another one: pictures are kept in memory
        assert {window_sample(same, _rng(seed), SIZE).presence for seed in clear} == {-1.0}


@pytest.mark.usefixtures("clean")
def test_a_horizon_whose_sides_look_the_same_is_not_asked_for(tmp_path: Path) -> None:
    line, size = HorizonLine(5, 10), (120, 200)
    for tones, presences in (((120, 60), {1.0}), ((91, 90), {-1.0})):
        path = made.paint(tmp_path / f"{tones[0]}.png", line, size, tones)
        picture = Picture(path, made.line_label(line, size))
        told = [window_sample(picture, _rng(s), SIZE, spread_deg=1.0) for s in range(12)]
        inside = [s for s in told if 0.3 < s.cover.mean() / 255 < 0.7]
        assert len(inside) > 4
        assert {s.presence for s in inside} == presences
        assert all(s.weight == 1.0 for s in told)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("hfov", [40.0, 90.0])
def test_windows_of_a_clip_know_its_attitude(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hfov: float
) -> None:
    """The horizon of each frame follows from roll, pitch and the lens that the dataset names."""
    monkeypatch.setattr(source, "random_scene", lambda rng, kind: made.flat_scene()._replace(visibility=1e12))
    options = SyntheticOptions(size="160x96", fps=10, seconds=2, hfov=hfov, motion="aerobatics")
    write_clip(tmp_path / "clip", options)
    training, validation, test = open_pictures(tmp_path / "clip", None)
    assert (len(training), len(validation), len(test)) == (16, 2, 2)
    crossed = 0
    for seed, picture in enumerate([*training, *validation, *test]):
        sample = window_sample(picture, _rng(seed), SIZE, spread_deg=10.0)
        crossed += _assert_cover_is_luma(sample, mean_px=0.4)
        assert sample.weight == 1.0
    assert crossed > 12


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("label", "presence"), [(Label(in_view=False), 0.0), (Label(), -1.0)], ids=["none in view", "unknown"]
)
def test_a_picture_without_a_horizon_teaches_presence_only(
    tmp_path: Path, label: Label, presence: float
) -> None:
    path = made.paint(tmp_path / "a.png", HorizonLine(3, 1), (60, 90))
    sample = window_sample(Picture(path, label), _rng(0), SIZE)
    assert (sample.weight, sample.presence) == (0.0, presence)
    assert negative_crop(Picture(path, label), _rng(0), SIZE) is None


def test_a_picture_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot read .*none\.png"):
        window_sample(Picture(tmp_path / "none.png", Label()), _rng(0), SIZE)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("line", LINES)
def test_beside_a_horizon_there_is_only_sky_or_only_ground(tmp_path: Path, line: HorizonLine) -> None:
    flat = HorizonLine(line.angle_deg / 4 if abs(line.angle_deg) < 90 else 176.0, line.offset_px)
    picture, seen = made.line_picture(tmp_path, flat), set()
    for seed in range(24):
        sample = negative_crop(picture, _rng(seed), SIZE)
        assert sample is not None
        assert np.ptp(sample.image[0]) == np.ptp(sample.cover) == 0
        assert sample.image[0, 0, 0] == sample.cover[0, 0]
        assert (sample.presence, sample.weight) == (0.0, 1.0)
        seen.add(int(sample.cover[0, 0]))
    assert seen == {0, 255}


@pytest.mark.parametrize("line", [HorizonLine(90, 0), HorizonLine(70, 0)])
def test_beside_a_steep_horizon_there_is_too_little(tmp_path: Path, line: HorizonLine) -> None:
    assert negative_crop(made.line_picture(tmp_path, line), _rng(0), SIZE) is None


@pytest.mark.parametrize("seed", range(6))
def test_fading_takes_the_step_at_the_horizon_and_dies_away(seed: int) -> None:
    """What is added is odd about the horizon and falls exponentially, over 8 to 120 px."""
    size, plane, rng = (480, 32), HalfPlane(0.0, -1.0, 0.0), _rng(seed)
    image = np.broadcast_to(np.float32([0.2, 0.5, 0.6]), (*size, 3)).copy()
    image[:240] = [0.7, 0.4, 0.9]
    step = np.array([0.5, -0.1, 0.3])
    faded = samples.fade_border(image.copy(), plane, rng)
    assert faded.dtype == np.float32
    added = ((faded - image) / step).mean(axis=1)
    assert np.ptp(added, axis=1) == pytest.approx(np.zeros(480), abs=1e-4)
    assert added[::-1] == pytest.approx(-added, abs=1e-5)
    below = added[240:, 0].astype(float)
    slope, start = np.polyfit(np.arange(60), np.log(below[:60]), 1)
    assert 8 <= -1 / slope <= 121
    assert 0.22 < np.exp(start) <= 0.5
    near = (faded[237:240] - faded[240:243][::-1]).mean(axis=(0, 1))
    assert (np.abs(near) < 0.65 * np.abs(step)).all()
    far = np.arange(240) > 5 / -slope
    assert np.abs(below[far]).max(initial=0) < 0.005


def test_without_a_border_there_is_nothing_to_fade() -> None:
    image = _rng(0).random((64, 96, 3), np.float32)
    for sky in (True, False):
        assert (samples.fade_border(image, HalfPlane.everywhere(sky=sky), _rng(0)) == image).all()


def test_tags_tell_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    done: set[str] = set()
    monkeypatch.setattr(samples, "random_occluders", lambda image, rng: done.add("occluders") or image)
    monkeypatch.setattr(samples, "fade_border", lambda image, plane, rng: done.add("faded") or image)

    def sensor(image: np.ndarray, rng: np.random.Generator, *, thermal: bool) -> np.ndarray:
        done.update(["thermal"] * thermal)
        return np.zeros((*image.shape[:2], 3), np.uint8)

    monkeypatch.setattr(samples, "random_sensor", sensor)
    told, image = set(), np.zeros((64, 96, 3), np.float32)
    for seed in range(60):
        done.clear()
        sample = samples.finish(image, HalfPlane(0, -1, 0), _rng(seed), occluders=0.5, faded=0.5)
        assert sample.tags == sum(samples.TAGS[name] for name in done)
        told.add(sample.tags)
    assert told == set(range(8))


def _everything(folder: Path) -> Recipe:
    """A recipe of all samplers, with a line, a mask and a panorama dataset."""
    made.write_line_set(folder / "lines", [HorizonLine(4, 3), HorizonLine(-9, -12), None])
    (folder / "masked" / "images").mkdir(parents=True)
    (folder / "masked" / "masks").mkdir()
    line = HorizonLine(6, -4)
    made.paint(folder / "masked" / "images" / "a.png", line, (96, 160), (180, 40))
    mask = np.where(made.signed_distance(line, (96, 160)) > 0, 255, 0).astype(np.uint8)
    cv2.imwrite(str(folder / "masked" / "masks" / "a.png"), mask)
    (folder / "views" / "images").mkdir(parents=True)
    sphere = _rng(5).integers(0, 256, (64, 128, 3)).astype(np.uint8)
    for name in "ab":
        cv2.imwrite(str(folder / "views" / "images" / f"{name}.png"), sphere)
    (folder / "views" / "panoramas.csv").write_text(
        "file,terrain,horizon\na.png,sea,open\nb.png,city,occluded\n"
    )
    data = {str(folder / name): 0.1 for name in ("lines", "masked", "views")}
    return Recipe(data=data, real_sky=0.1, covered=0.1, beside=0.1)


def test_every_sampler_gives_valid_samples_that_repeat_with_their_seed(tmp_path: Path) -> None:
    every = make_samplers(_everything(tmp_path))
    assert set(every) == {*PROCEDURAL, "lines", "masked", "views", "real-sky", "covered", "beside"}
    assert sum(share for _, share in every.values()) == pytest.approx(1)
    for make, _ in every.values():
        found = []
        for seed in range(4):
            first, again = make(_rng(seed), (64, 96)), make(_rng(seed), (64, 96))
            assert all(_same(a, b) for a, b in zip(first, again, strict=True))
            found += first
        assert found
        for sample in found:
            _assert_valid(sample, (64, 96))
        assert len({s.image.tobytes() for s in found}) == len(found)


def _same(a: Sample, b: Sample) -> bool:
    return (a.image == b.image).all() and (a.cover == b.cover).all() and a[2:] == b[2:]


def _assert_valid(sample: Sample, size: tuple[int, int]) -> None:
    assert (sample.image.shape, sample.image.dtype) == ((3, *size), np.uint8)
    assert (sample.cover.shape, sample.cover.dtype) == ((size[0] // 4, size[1] // 4), np.uint8)
    assert 0 <= sample.weight <= 1
    assert sample.presence in (-1.0, 0.0, 1.0)
    assert 0 <= sample.tags < 8


@pytest.mark.parametrize("name", ["closed-in", "room", "blank", "patchwork"])
def test_pictures_of_no_horizon_teach_presence_only(name: str) -> None:
    make, _ = make_samplers(Recipe(shares={name: 1.0}))[name]
    for seed in range(3):
        for sample in make(_rng(seed), (64, 96)):
            assert (sample.weight, sample.presence) == (0.0, 0.0)


def test_what_hides_a_horizon_looks_like_ground_and_is_counted(tmp_path: Path) -> None:
    """Where three quarters of the border are hidden nobody is asked for it; the rest stays as it was."""
    ground = Picture(
        made.paint(tmp_path / "a.png", HorizonLine(0, 0), (60, 90), (100, 100)), Label(in_view=False)
    )
    plane, told, lowest = HalfPlane.of(HorizonLine(8.0, 5.0)), [], 100 / 255 * 0.5
    border = np.abs(plane.distance(SIZE)) < 1
    for seed in range(60):
        image, presence = hide_part(np.full((*SIZE, 3), 5, np.float32), plane, [ground], _rng(seed))
        assert lowest - 1e-3 <= image.min() < 0.6
        assert image.max() <= 5
        hidden = (image[:, :, 0] < 2.8)[border].mean()
        if abs(hidden - 0.75) > 0.05:
            assert presence == (-1.0 if hidden > 0.75 else None)
            told.append(presence)
    assert 0 < told.count(-1.0) < 30


@pytest.mark.parametrize("theirs", [HorizonLine(0, 12), HorizonLine(-40, -8), HorizonLine(170, 20)])
def test_a_collage_takes_one_side_of_another_picture(tmp_path: Path, theirs: HorizonLine) -> None:
    """Both pictures have a bright sky over dark ground, of other tones; so has the collage, on its line."""
    path = made.paint(tmp_path / "a.png", theirs, (60, 90), (220, 40))
    other = Picture(path, made.line_label(theirs, (60, 90)))
    line = HorizonLine(8.0, 5.0)
    plane, clear = HalfPlane.of(line), np.abs(made.signed_distance(line, SIZE)) > 6
    sky, sides = made.signed_distance(line, SIZE) > 0, set()
    base = np.repeat(np.where(sky, 0.7, 0.3).astype(np.float32)[:, :, None], 3, axis=2)
    for seed in range(30):
        image = replace_side(base, plane, [other], _rng(seed))[:, :, 0]
        changed = (np.abs(image - base[:, :, 0]) > 0.01) & clear
        assert image[sky & clear].min() > image[~sky & clear].max()
        assert not (changed & sky).any() or not (changed & ~sky).any()
        sides |= {bool(side) for side in np.unique(sky[changed])}
    assert sides == {True, False}


def test_without_ground_nothing_can_be_hidden(tmp_path: Path) -> None:
    recipe = _everything(tmp_path)
    masks = {name: share for name, share in recipe.data.items() if name.endswith("masked")}
    assert "covered" not in make_samplers(replace(recipe, data=masks))


def test_random_attitudes_cover_everything_and_favour_level() -> None:
    rng = _rng(0)
    ups = [samplers.random_attitude(rng, 70, tame=False) for _ in range(3000)]
    rolls, pitches = np.abs([u.roll_deg for u in ups]), np.array([u.pitch_deg for u in ups])
    assert 0.03 < (rolls > 120).mean() < 0.1
    assert (rolls < 45).mean() > 0.7
    assert pitches.max() > 60
    assert pitches.min() < -60
    camera = Camera.from_hfov(320, 192, 70)
    seen = [samplers.half_plane(u, camera).presence((192, 320)) == 1 for u in ups]
    assert np.mean(seen) > 0.7


def test_what_is_set_aside_is_not_trained_on(tmp_path: Path) -> None:
    """Pictures that are held out do not exist, so that reading one would fail."""
    folder = made.write_line_set(tmp_path / "own", [HorizonLine(0, 0)] * 6)
    table = folder / "horizon.csv"
    for number in range(1, 6):
        (folder / "images" / f"{number:03d}.png").unlink()
        table.write_text(table.read_text().replace(f"{number:03d}.png", f"aside{number}.png"))
    split = tmp_path / "split.toml"
    split.write_text('[set_aside]\nown = ["aside"]\n')
    parts = open_pictures(folder, split)
    assert [p.path.name for p in parts.training] == ["000.png"]
    assert (len(parts.validation), len(parts.test), len(parts.held_out)) == (5, 0, 5)
    make, _ = make_samplers(Recipe(shares={}, data={str(folder): 1.0}, split=split))["own"]
    assert all(len(make(_rng(seed), SIZE)) == 1 for seed in range(8))
    split = tmp_path / "all.toml"
    split.write_text('[set_aside]\nown = ["0", "a"]\n')
    with pytest.raises(DatasetError, match=r"no picture for training: all are held out by .*all\.toml"):
        make_samplers(Recipe(shares={}, data={str(folder): 1.0}, split=split))


def test_a_run_from_before_there_was_a_test_validates_by_all_that_is_held_out(tmp_path: Path) -> None:
    folder = made.write_line_set(tmp_path / "own", [HorizonLine(0, 0)] * 20)
    new, old = (picture_sets({str(folder): 1.0}, None, has_test=has_test) for has_test in (True, False))
    names = [[p.path.name for some in part.values() for p in some] for part in (*new[1:], *old[1:])]
    assert names == [
        ["016.png", "017.png"],
        ["018.png", "019.png"],
        [f"{n:03d}.png" for n in range(16, 20)],
        [],
    ]


def test_without_a_split_the_last_fifth_is_held_out(tmp_path: Path) -> None:
    """Its first half for validation, the rest for test; a picture alone is for validation."""
    folder = made.write_line_set(tmp_path / "own", [HorizonLine(k, 0) for k in range(10)])
    training, validation, test = open_pictures(folder, None)
    assert [[p.path.stem for p in part] for part in (validation, test)] == [["008"], ["009"]]
    assert len(training) == 8
    assert [p.path.stem for p in thinned(training, 3)] == ["000", "003", "007"]
    assert thinned(training, 8) == training


def test_a_split_keeps_test_pictures_from_training_and_from_validation(tmp_path: Path) -> None:
    folder = made.write_line_set(tmp_path / "own", [HorizonLine(k, 0) for k in range(8)])
    split = tmp_path / "split.toml"
    split.write_text('[set_aside]\nown = ["005", "006"]\n[test]\nown = ["006", "007"]\n')
    sets = picture_sets({str(folder): 1.0}, split, 2)
    found = [[p.path.stem for p in part["own"]] for part in sets]
    assert found == [["000", "004"], ["005"], ["006", "007"]]


def test_datasets_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    names = ("a/own", "b/own", "room")
    folders = [made.write_line_set(tmp_path / name, [HorizonLine(0, 0)]) for name in names]
    recipe = Recipe(shares={"room": 1.0}, data={str(folder): 1.0 for folder in folders})
    shares = {name: share for name, (_, share) in make_samplers(recipe).items()}
    assert shares == {"room": 0.25, **{str(folder.resolve()): 0.25 for folder in folders}}


def test_samplers_of_data_need_data() -> None:
    with pytest.raises(DatasetError, match="real-sky needs panoramas"):
        make_samplers(Recipe(shares={}, real_sky=1.0))
    with pytest.raises(DatasetError, match="no dataset 'nowhere'"):
        make_samplers(Recipe(data={"nowhere": 1.0}))


@pytest.mark.parametrize(("angles", "banked"), [((0, 2, -3, 4), False), ((0, 30, -45, 60), True)])
def test_windows_of_flights_are_turned_farther(
    tmp_path: Path, clean: None, angles: tuple[int, ...], banked: bool
) -> None:
    """The spread of the tilts of half the windows, those that do not show the whole picture."""
    folder = made.write_line_set(tmp_path / "own", [HorizonLine(a, 0) for a in (*angles, 0)])
    make, _ = make_samplers(Recipe(shares={}, data={str(folder): 1.0}))["own"]
    tilts = [_tilt(make(_rng(seed), (64, 64))[0].cover) for seed in range(150)]
    assert (np.nanpercentile(tilts, 85) > 45) is np.bool_(banked)


def _tilt(cover: np.ndarray) -> float:
    """Of the mean gradient, in degrees from upright."""
    down, right = (float(g.mean()) for g in np.gradient(cover.astype(float)))
    return abs(math.degrees(math.atan2(right, -down))) if down or right else math.nan


def test_sources_are_balanced_and_refusals_are_not_most_of_it() -> None:
    def some(source: str, count: int, *, in_view: bool) -> list[Picture]:
        return [Picture(Path(f"{source}__{k}.jpg"), Label(in_view=in_view)) for k in range(count)]

    many, few = some("many", 100, in_view=True), some("few", 4, in_view=True)
    chances = balanced([*many, *few, *some("none", 400, in_view=False)])
    assert chances.sum() == pytest.approx(1)
    assert chances[104:].sum() == pytest.approx(0.4)
    assert chances[:100].sum() / chances[100:104].sum() == pytest.approx(10 / 2)
    assert balanced(some("none", 3, in_view=False)) == pytest.approx([1 / 3] * 3)
    assert balanced([*many, *some("none", 1, in_view=False)])[-1] == pytest.approx(1 / 11)
