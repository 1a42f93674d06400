"""Parts of the renderer on their own: textures, sensor, rooms, ground, skies, rays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.camera import brown
from support.synth import flat_scene

from horizon_rt.camera import Camera
from horizon_rt.geometry import UpVector
from horizon_rt.synth import texture
from horizon_rt.synth.indoor import random_room
from horizon_rt.synth.random_scene import random_scene
from horizon_rt.synth.render import camera_rays, render
from horizon_rt.synth.scene import KINDS, Scene
from horizon_rt.synth.sensor import Development, develop
from horizon_rt.synth.texture import SIZE, WAVES, look_up, texture_atlas, waves_at

LEVELS = 10
CAMERA = Camera.from_hfov(96, 64, 60)
AHEAD = UpVector.from_roll_pitch(0, 0)


def _level(texels: np.ndarray, level: int) -> np.ndarray:
    """A level of a tile as a square; the levels stand one after the other, finest first."""
    start, n = sum((SIZE >> k) ** 2 for k in range(level)), SIZE >> level
    return texels[start : start + n * n].reshape(n, n)


def _bilinear(image: np.ndarray, u: float, v: float) -> float:
    """Between the centres of texels, on a tile that repeats."""
    n = len(image)
    x, y = u * n - 0.5, v * n - 0.5
    i, j = int(np.floor(x)), int(np.floor(y))
    s, t = x - i, y - j
    a, b = image[j % n, i % n], image[j % n, (i + 1) % n]
    c, d = image[(j + 1) % n, i % n], image[(j + 1) % n, (i + 1) % n]
    return float((a * (1 - s) + b * s) * (1 - t) + (c * (1 - s) + d * s) * t)


def _fields() -> list[np.ndarray]:
    atlas = texture_atlas()
    return [*atlas.patterns, *np.ascontiguousarray(atlas.waves.T)]


def test_every_level_is_the_mean_of_the_finer_one() -> None:
    for texels in _fields():
        assert texels.size == sum(4**k for k in range(LEVELS))
        for level in range(1, LEVELS):
            fine, n = _level(texels, level - 1).astype(float), SIZE >> level
            np.testing.assert_allclose(
                _level(texels, level), fine.reshape(n, 2, n, 2).mean((1, 3)), rtol=0, atol=1e-5
            )


def test_patterns_and_waves_are_normalised() -> None:
    patterns, waves = texture_atlas()
    assert patterns.shape[0] == 3
    assert 0 <= patterns.min() <= patterns.max() <= 1
    for texels in patterns:
        assert _level(texels, 0).mean() == pytest.approx(0.5, abs=0.01)
        assert _level(texels, 0).std() == pytest.approx(0.2, abs=0.04)
    height, du, dv = (_level(waves[:, k], 0) for k in range(3))
    assert height.std() == pytest.approx(1, abs=1e-3)
    assert du.var() + dv.var() == pytest.approx(1, abs=1e-3)
    assert abs(height.mean()) + abs(du.mean()) + abs(dv.mean()) < 1e-3


def test_tiles_have_no_seam() -> None:
    """The step across the border is one like any other."""
    for texels in _fields():
        tile = _level(texels, 0).astype(float)
        for axis in (0, 1):
            steps = np.abs(np.diff(tile, axis=axis)).mean()
            seam = np.abs(np.take(tile, 0, axis) - np.take(tile, -1, axis)).mean()
            assert seam < 2 * steps


def test_slopes_are_those_of_the_waves() -> None:
    """Against the derivatives of the height's Fourier series, which are exact; of one scale for both."""
    waves = texture_atlas().waves
    height, du, dv = (_level(waves[:, k], 0).astype(float) for k in range(3))
    spectrum = np.fft.rfft2(height)
    ky, kx = np.meshgrid(np.fft.fftfreq(SIZE, 1 / SIZE), np.arange(SIZE // 2 + 1), indexing="ij")
    across, down = (np.fft.irfft2(1j * k * spectrum) for k in (kx, ky))
    scale = np.sqrt(across.var() + down.var())
    for slope, exact in ((du, across), (dv, down)):
        assert np.corrcoef(slope.ravel(), exact.ravel())[0, 1] > 0.99
        assert slope.std() == pytest.approx(exact.std() / scale, rel=0.02)
    rings = np.hypot(kx, ky).round().astype(int).ravel()
    power = np.bincount(rings, (np.abs(spectrum) ** 2).ravel()) / np.maximum(np.bincount(rings), 1)
    assert WAVES / 2 < power.argmax() < 2 * WAVES


@settings(max_examples=200, deadline=None)
@given(
    pattern=st.integers(0, 2),
    u=st.floats(-30, 30),
    v=st.floats(-30, 30),
    level=st.integers(0, 7),
    within=st.floats(1.0, 1.3),
)
def test_a_look_up_is_bilinear_in_the_level_of_its_footprint(
    pattern: int, u: float, v: float, level: int, within: float
) -> None:
    patterns = texture_atlas().patterns
    found = look_up(patterns, pattern, u, v, within * 2.0**level / SIZE)
    assert found == pytest.approx(_bilinear(_level(patterns[pattern], level), u, v), abs=2e-4)


@settings(max_examples=100, deadline=None)
@given(u=st.floats(-9, 9), v=st.floats(-9, 9), level=st.integers(0, 6), within=st.floats(1.7, 1.99))
def test_a_larger_footprint_takes_the_coarser_level(u: float, v: float, level: int, within: float) -> None:
    patterns = texture_atlas().patterns
    found = look_up(patterns, 1, u, v, within * 2.0**level / SIZE)
    assert found == pytest.approx(_bilinear(_level(patterns[1], level + 1), u, v), abs=2e-4)


def test_between_two_levels_they_are_mixed_without_a_step() -> None:
    patterns = texture_atlas().patterns
    values = [look_up(patterns, 1, 0.3, 0.7, f / SIZE) for f in np.linspace(1, 400, 40000)]
    assert np.abs(np.diff(values)).max() < 0.04
    coarse, fine = (_bilinear(_level(patterns[1], level), 0.3, 0.7) for level in (3, 2))
    assert look_up(patterns, 1, 0.3, 0.7, 6.0 / SIZE) == pytest.approx((coarse + fine) / 2, abs=1e-4)


def test_beyond_the_last_level_there_is_the_mean() -> None:
    patterns, waves = texture_atlas()
    assert [look_up(patterns, k, 0.1, 0.6, 0.41) for k in range(3)] == [0.5] * 3
    assert waves_at(waves, 0.1, 0.6, 2.1 / WAVES) == (0.0, 0.0, 0.0)


@settings(max_examples=100, deadline=None)
@given(u=st.floats(-9, 9), v=st.floats(-9, 9), footprint=st.floats(0, 0.1))
def test_waves_are_looked_up_as_patterns_are(u: float, v: float, footprint: float) -> None:
    waves = texture_atlas().waves
    found = waves_at(waves, u, v, footprint)
    columns = np.ascontiguousarray(waves.T)
    for k in range(3):
        assert found[k] == pytest.approx(look_up(columns, k, u, v, footprint), abs=1e-3)


def test_textures_are_made_once_and_are_the_same_in_every_process() -> None:
    first = texture_atlas()
    assert texture_atlas() is first
    texture_atlas.cache_clear()
    again = texture.texture_atlas()
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


def _reference(image: np.ndarray, how: Development, store: np.ndarray) -> np.ndarray:
    """`develop` in NumPy, float64."""
    height, width = image.shape[:2]
    row, column = np.mgrid[:height, :width]
    v, u = 2 * row / height - 1, 2 * column / width - 1
    light = 1 - how.vignette * (0.5 * (u**2 + v**2)) ** 2
    value = np.einsum("kc,ijc->ijk", how.mix.astype(float), image.astype(float)) * light[:, :, None]
    steps = len(how.curve) - 1
    tone = how.curve[np.clip(value * steps, 0, steps).astype(int)].astype(float)
    index = (how.start + 4 * ((row // how.coarse) * width + column // how.coarse)) % len(store)
    tone += (how.slope * v + how.noise * store[index])[:, :, None]
    tone += how.noise_colour * np.stack([store[index + k] for k in (1, 2, 3)], axis=2)
    return np.clip(tone * 255 + 0.5, 0, 255).astype(int)


@pytest.mark.parametrize("seed", range(8))
def test_a_camera_develops_as_written(seed: int) -> None:
    """To one level: the kernel computes in another precision and order."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(-0.2, 1.4, (31, 46, 3)).astype(np.float32)
    how = Development(
        mix=rng.normal(0.33, 0.3, (3, 3)).astype(np.float32),
        vignette=rng.uniform(0, 0.7),
        curve=(np.linspace(0, 1, 1024) ** rng.uniform(0.5, 2)).astype(np.float32),
        slope=rng.normal(0, 0.1),
        noise=0.0 if seed == 0 else 0.05,
        noise_colour=0.0 if seed == 0 else 0.02,
        coarse=int(rng.integers(1, 4)),
        start=4 * int(rng.integers(1 << 16)),
    )
    store = np.random.default_rng(3).standard_normal(1 << 18).astype(np.float32)
    done = develop(image, how)
    assert done.dtype == np.uint8
    assert np.abs(done - _reference(image, how, store)).max() <= 1


def test_noise_goes_round_its_store() -> None:
    flat, curve = np.full((40, 60, 3), 0.5, np.float32), np.linspace(0, 1, 1024, dtype=np.float32)
    how = Development(np.eye(3, dtype=np.float32), 0.0, curve, 0.0, 0.1, 0.05, 1, (1 << 18) - 8)
    pictures = [develop(flat, how._replace(start=start)) for start in ((1 << 18) - 8, 0)]
    assert (pictures[0][0, 2:] == pictures[1][0, :-2]).all()
    assert pictures[0].std() > 20


def test_a_room_is_finite_full_of_edges_and_repeats_with_its_seed() -> None:
    rays, different, edges = camera_rays(CAMERA), set(), []
    for seed in range(12):
        up = UpVector.from_roll_pitch(9 * seed - 50, 7 * seed - 40)
        first, again = (
            random_room(np.random.default_rng(seed), rays, up, heading_deg=30.0 * seed) for _ in range(2)
        )
        assert (first.shape, first.dtype) == ((64, 96, 3), np.float32)
        assert np.isfinite(first).all()
        assert first.min() >= 0
        assert (first == again).all()
        different.add(first.tobytes())
        edges.append((np.abs(np.diff(first, axis=1)).max(axis=2) > 0.02).mean())
    assert len(different) == 12
    assert np.median(edges) > 0.01
    assert max(edges) < 0.5


def test_a_room_has_walls_in_every_direction() -> None:
    rays = camera_rays(Camera.from_hfov(48, 32, 100))
    for roll, pitch in ((0, 89), (0, -89), (180, 0), (90, 0), (0, 0)):
        room = random_room(np.random.default_rng(0), rays, UpVector.from_roll_pitch(roll, pitch))
        assert (room.max(axis=2) > 0).all()


@settings(max_examples=30, deadline=None)
@given(fx=st.floats(20, 300), fy=st.floats(20, 300), cx=st.floats(-20, 60), cy=st.floats(-20, 60))
def test_rays_of_a_pinhole_are_those_of_the_camera(fx: float, fy: float, cx: float, cy: float) -> None:
    camera = Camera(width=40, height=28, fx=fx, fy=fy, cx=cx, cy=cy)
    rays = camera_rays(camera)
    assert (rays.shape, rays.dtype) == ((28, 40, 3), np.float32)
    x, y = np.meshgrid(np.arange(40), np.arange(28))
    expected = camera.rays(np.stack([x.ravel(), y.ravel()], axis=1).astype(float)).reshape(28, 40, 3)
    np.testing.assert_allclose(rays, expected, rtol=0, atol=1e-6)


def test_rays_with_distortion_are_those_of_the_camera() -> None:
    lens = brown(width=40, height=28, fx=33, fy=35, cx=18, cy=15, k1=-0.2, k2=0.05, p1=1e-3, p2=0, k3=0)
    x, y = np.meshgrid(np.arange(40), np.arange(28))
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(float)
    assert camera_rays(lens) == pytest.approx(lens.rays(points).reshape(28, 40, 3), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_of_a_scene_holds_every_field(kind: str) -> None:
    scene = random_scene(np.random.default_rng(1), kind)  # type: ignore[arg-type]
    record = scene.record()
    assert record.shape == (1,)
    assert set(record.dtype.names or ()) == set(Scene._fields) - {"layers"}
    for name in record.dtype.names or ():
        assert record[name][0] == pytest.approx(getattr(scene, name), rel=1e-6)
    assert record["seed"].dtype == record["patch_kind"].dtype == np.int64


def test_a_sky_of_its_own_takes_the_place_of_that_of_the_scene() -> None:
    """Above the horizon it is there as it is, below it is not; the row between is a mixture."""
    sky = np.random.default_rng(0).uniform(0.2, 0.9, (64, 96, 3)).astype(np.float32)
    scene, rays = flat_scene()._replace(visibility=1e12), camera_rays(CAMERA)
    image = render(scene, rays, AHEAD, sky=sky)
    assert (image[:31] == sky[:31]).all()
    assert (image[33:] == 0).all()
    up = UpVector.from_roll_pitch(35, 10)
    above = rays @ up.as_array()
    tilted, pixel = render(scene, rays, up, sky=sky), 1 / CAMERA.fx
    assert (tilted[above > pixel] == sky[above > pixel]).all()
    assert (tilted[above < -pixel] == 0).all()


@pytest.mark.parametrize(("visibility", "reach"), [(500.0, 2000.0), (3000.0, 2000.0), (3000.0, 700.0)])
def test_haze_grows_up_to_its_reach(visibility: float, reach: float) -> None:
    """Koschmieder: c·e^(−d/V) + haze·(1 − e^(−d/V)), with d the distance along the ray, at most `reach`.

    Where the grain of the ground is finer than a pixel its tone is its mean.
    """
    tone, haze = np.float32([0.3, 0.5, 0.2]), np.float32([0.7, 0.75, 0.8])
    scene = flat_scene()._replace(
        ground=np.tile(tone, (4, 1)), haze=haze, visibility=visibility, reach=reach, height=10.0,
        patch_kind=1, grain=1e-4,
    )  # fmt: skip
    rays = camera_rays(CAMERA)
    image = render(scene, rays, AHEAD).astype(float)
    below = rays[:, :, 1] > 1.5 / CAMERA.fx
    distance = np.minimum(10.0 / rays[:, :, 1][below], reach)
    clear = np.exp(-distance / visibility)[:, None]
    assert image[below] == pytest.approx(haze + (tone - haze) * clear, abs=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_scene_is_finite_from_every_attitude(kind: str) -> None:
    rays = camera_rays(Camera.from_hfov(40, 28, 90))
    for seed in range(12):
        rng = np.random.default_rng(seed)
        scene = random_scene(rng, kind)  # type: ignore[arg-type]
        up = UpVector.from_roll_pitch(rng.uniform(-180, 180), rng.uniform(-90, 90))
        place = tuple(rng.uniform(-1e5, 1e5, 2))
        image = render(
            scene, rays, up, heading_deg=rng.uniform(0, 360), position=place, time_s=1e4 * rng.random()
        )
        assert np.isfinite(image).all()
        assert image.min() > -0.5
