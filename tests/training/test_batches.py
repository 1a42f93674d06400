"""Batches of training samples: the same by number however they are made, cached or live."""

from __future__ import annotations

import json
import math
import pickle
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from horizon_rt.errors import DatasetError
from horizon_rt.frame import Frame, Sampling
from horizon_rt.segmentation.preprocess import Preprocessor
from horizon_rt.training.batches import Batch, CachedBatches, LiveBatches, load, mirrored, recoloured
from horizon_rt.training.loop import normalise
from horizon_rt.training.recipe import Recipe
from horizon_rt.training.samples import cache
from horizon_rt.training.samples.cache import build_cache, cache_facts, draw, open_cache
from horizon_rt.training.samples.sample import TAGS
from horizon_rt.training.samples.sampler_set import make_samplers

SHAPES = {(64, 96): 0.7, (96, 64): 0.3}
RECIPE = Recipe(shares={"rendered-sea": 0.5, "out-of-view": 0.3, "blank": 0.2}, batch=4, seed=3)


def _same(a: Batch, b: Batch) -> bool:
    assert a.classes is b.classes is None
    return all(torch.equal(x, y) for x, y in zip(a[:4], b[:4], strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of 60 samples, of which no chunk of one is larger than 20."""
    made = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "CHUNK_SAMPLES", 20)
        build_cache(made, RECIPE, count=60, workers=0, shapes=SHAPES)
    return made


def test_a_live_batch_holds_what_its_kind_says() -> None:
    batches, sizes = LiveBatches(RECIPE, SHAPES), Counter()
    for index in range(12):
        images, covers, weights, presences, classes, counted = batches[index]
        assert (classes, counted) == (None, None)
        size = tuple(images.shape[2:])
        sizes[size] += 1
        assert (images.shape, images.dtype) == ((4, 3, *size), torch.uint8)
        assert (covers.shape, covers.dtype) == ((4, size[0] // 4, size[1] // 4), torch.uint8)
        assert (weights.shape, weights.dtype) == (presences.shape, presences.dtype) == ((4,), torch.float32)
        assert set(presences.tolist()) <= {-1.0, 0.0, 1.0}
    assert set(sizes) == set(SHAPES)
    assert sizes[64, 96] > sizes[96, 64]


def test_a_live_batch_depends_on_its_number_and_the_seed_alone() -> None:
    first, again = LiveBatches(RECIPE, SHAPES), LiveBatches(RECIPE, SHAPES)
    backwards = {index: again[index] for index in (2, 1, 0)}
    assert all(_same(first[index], backwards[index]) for index in range(3))
    assert not _same(first[0], LiveBatches(Recipe(shares=RECIPE.shares, batch=4, seed=4), SHAPES)[0])


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # of two processes on one core
def test_workers_change_nothing() -> None:
    batches = LiveBatches(RECIPE, SHAPES)
    here = list(load(batches, range(3, 7), workers=0))
    there = list(load(batches, range(3, 7), workers=2))
    assert len(here) == len(there) == 4
    assert all(_same(a, batches[i]) for i, a in enumerate(here, 3))
    assert all(_same(a, b) for a, b in zip(here, there, strict=True))


def test_a_worker_gets_the_same_batches_but_not_the_cache(folder: Path) -> None:
    batches = CachedBatches([folder], batch=8, seed=5)
    sent = pickle.dumps(batches)
    assert len(sent) < 5000 < sum(path.stat().st_size for path in folder.iterdir())
    there = pickle.loads(sent)
    assert all(_same(batches[index], there[index]) for index in (4, 0, 1))
    assert not _same(batches[0], CachedBatches([folder], batch=8, seed=6)[0])


@pytest.mark.timeout(600)
def test_a_cache_repeats_with_its_seed_whoever_fills_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "CHUNK_SAMPLES", 20)
    build_cache(tmp_path / "two", RECIPE, count=60, workers=2, shapes=SHAPES)
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 7
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    other = Recipe(shares=RECIPE.shares, batch=4, seed=4)
    build_cache(tmp_path / "other", other, count=60, workers=0, shapes=SHAPES)
    first, second = (open_cache(f, (64, 96)).images for f in (folder, tmp_path / "other"))
    assert (first != second).any()


def test_a_cache_holds_what_is_drawn(folder: Path) -> None:
    """The chunks one after the other, each from a seed of its own, so that no sample stands there twice."""
    made, start = make_samplers(RECIPE), 0
    for number, (size, count) in enumerate([((64, 96), 20), ((64, 96), 20), ((64, 96), 2), ((96, 64), 18)]):
        store, start = open_cache(folder, size), 0 if size == (96, 64) else 20 * number
        samples, kinds = draw(np.random.default_rng(3 * 1_000_003 + 7919 * number), made, size, count)
        for i, (sample, kind) in enumerate(zip(samples, kinds, strict=True), start):
            assert (store.images[i] == sample.image).all()
            assert (store.covers[i] == sample.cover).all()
            assert store.labels[i].tolist() == [sample.weight, sample.presence, kind, sample.tags]
    assert cache_facts(folder) == (["rendered-sea", "out-of-view", "blank"], list(SHAPES))
    assert len({image.tobytes() for image in open_cache(folder, (64, 96)).images}) == 42


def test_samplers_are_drawn_by_their_shares() -> None:
    made = {name: (lambda rng, size: [None], share) for name, share in (("a", 0.5), ("b", 0.3), ("c", 0.2))}
    _, kinds = draw(np.random.default_rng(0), made, (64, 96), 4000)  # type: ignore[arg-type]
    found = np.bincount(kinds, minlength=3) / 4000
    assert found == pytest.approx([0.5, 0.3, 0.2], abs=4 * np.sqrt(0.25 / 4000))


def _index(folder: Path) -> dict[bytes, tuple[int, int]]:
    """Sampler and tags of every image."""
    stores = [open_cache(folder, size) for size in SHAPES]
    return {
        image.tobytes(): (int(label[2]), int(label[3]))
        for store in stores
        for image, label in zip(store.images, store.labels, strict=True)
    }


@pytest.mark.parametrize(
    "without", [(), ("blank",), ("occluders",), ("thermal", "out-of-view"), ("faded", "occluders")]
)
def test_exactly_what_is_to_be_left_out_is_left_out(folder: Path, without: tuple[str, ...]) -> None:
    names, _ = cache_facts(folder)
    known = _index(folder)
    expected = {
        image
        for image, (kind, tags) in known.items()
        if names[kind] not in without and not any(tags & TAGS[n] for n in without if n in TAGS)
    }
    batches, seen = CachedBatches([folder], batch=3, seed=0, without=without), set()
    for index in range(150):
        images = [image.numpy().tobytes() for image in batches[index].images]
        assert len(set(images)) == 3
        seen.update(images)
    assert seen == expected
    assert without == () or len(expected) < len(known)


def test_shapes_are_drawn_by_what_they_hold_and_several_caches_are_one(folder: Path, tmp_path: Path) -> None:
    build_cache(tmp_path, Recipe(shares={"room": 1.0}), count=20, workers=0, shapes={(64, 64): 1.0})
    both = CachedBatches([folder, tmp_path], batch=3, seed=0)
    shapes = Counter(tuple(both[index].images.shape[2:]) for index in range(400))
    assert shapes[64, 96] / 400 == pytest.approx(42 / 80, abs=0.1)
    assert shapes[64, 64] / 400 == pytest.approx(20 / 80, abs=0.1)
    assert CachedBatches([folder, tmp_path], batch=3, seed=0, without=["room"])[0]
    alone = CachedBatches(
        [folder, tmp_path], batch=3, seed=0, without=["rendered-sea", "out-of-view", "blank"]
    )
    assert {tuple(alone[index].images.shape[2:]) for index in range(9)} == {(64, 64)}


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    build_cache(
        tmp_path,
        Recipe(shares={"blank": 1.0}),
        count=10,
        workers=0,
        shapes=SHAPES,
        on_progress=lambda *n: told.append(n),
    )
    assert told == [(7, 10), (10, 10)]


def test_wrong_wishes_are_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"no sampler or tag 'sea'; there are: blank, faded, occ"):
        CachedBatches([folder], batch=4, seed=0, without=["sea"])
    with pytest.raises(DatasetError, match=r"samples of \d+x\d+, and a batch takes 43; make a larger"):
        CachedBatches([folder], batch=43, seed=0)


def _copy(folder: Path, target: Path) -> Path:
    target.mkdir(exist_ok=True)
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


@pytest.mark.parametrize("name", ["cache.json", "64x96.images.npy", "96x64.covers.npy", "64x96.labels.npy"])
@pytest.mark.parametrize("damage", ["none", "empty", "half", "other", "zip"])
def test_a_damaged_cache_is_refused(folder: Path, tmp_path: Path, name: str, damage: str) -> None:
    broken = _copy(folder, tmp_path / "broken")
    path = broken / name
    data = path.read_bytes()
    if damage == "none":
        path.unlink()
    elif damage == "other":
        np.save(path.with_suffix(".npy"), np.zeros((7, 2), np.uint8))
        path.write_bytes(path.with_suffix(".npy").read_bytes())
    else:
        path.write_bytes({"empty": b"", "half": data[: len(data) // 2], "zip": b"PK\x03\x04" + data}[damage])
    with pytest.raises(DatasetError, match="is no complete cache of samples") as caught:
        CachedBatches([broken], batch=4, seed=0)
    assert "\n" not in str(caught.value)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.binary(max_size=120), at=st.integers(0, 127))
def test_damaged_headers_raise_nothing_else(folder: Path, tmp_path: Path, head: bytes, at: int) -> None:
    broken = _copy(folder, tmp_path / "broken")
    path = broken / "64x96.labels.npy"
    data = path.read_bytes()
    path.write_bytes(data[:at] + head + data[at + len(head) :])
    with suppress(DatasetError):
        open_cache(broken, (64, 96))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
PAIRS = st.lists(SCALARS, max_size=3)
JSON = SCALARS | PAIRS | st.lists(PAIRS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=JSON | st.fixed_dictionaries({"samplers": JSON, "shapes": JSON}) | st.binary(max_size=30))
def test_damaged_facts_raise_nothing_else(tmp_path: Path, facts: object) -> None:
    data = facts if isinstance(facts, bytes) else json.dumps(facts).encode()
    (tmp_path / "cache.json").write_bytes(data)
    with suppress(DatasetError):
        cache_facts(tmp_path)


def _batch(n: int = 6) -> Batch:
    """Every picture and its cover fall in brightness from left to right."""
    x = np.linspace(250, 5, 96).astype(np.uint8)
    images = np.broadcast_to(x, (n, 3, 64, 96)).copy()
    images[:, 1:] = 128 + np.arange(n)[:, None, None, None]
    covers = np.broadcast_to(x[::4], (n, 16, 24)).copy()
    ones = torch.ones(n)
    return Batch(torch.from_numpy(images), torch.from_numpy(covers), ones, ones)


def _augmented(batch: Batch, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures and covers 0..1 as the loop makes them."""
    turned = mirrored(batch, generator)
    return recoloured(turned.images, generator), turned.covers[:, None].float() / 255


def test_pictures_and_covers_are_mirrored_together() -> None:
    count = 0
    for seed in range(24):
        images, covers = _augmented(_batch(), torch.Generator().manual_seed(seed))
        falls, cover_falls = (
            images[:, 0, :, 0] > images[:, 0, :, -1],
            covers[:, 0, :, 0] > covers[:, 0, :, -1],
        )
        assert falls.all() == cover_falls.all()
        assert falls.any() == cover_falls.any()
        count += not falls.all()
        expected = _batch().covers.float()[:, None] / 255
        assert torch.equal(covers, expected.flip(3) if not falls.all() else expected)
    assert 4 < count < 20


def test_augmentation_keeps_ranges_and_its_input() -> None:
    before, batch = _batch(), _batch()
    tones = set()
    for seed in range(20):
        images, covers = _augmented(batch, torch.Generator().manual_seed(seed))
        assert images.dtype == covers.dtype == torch.float32
        assert (images.shape, covers.shape) == ((6, 3, 64, 96), (6, 1, 16, 24))
        assert 0 <= float(images.min()) <= float(images.max()) <= 255
        assert 0 <= float(covers.min()) <= float(covers.max()) <= 1
        tones.update(images[:, 0, 0, 48].round(decimals=3).tolist())
    assert _same(before, batch)
    assert len(tones) > 60


def test_augmentation_is_a_gamma_of_luma_and_a_gain_and_turn_of_chroma() -> None:
    """One exponent a picture, and one gain 0..1.6 of each chroma plane, then turned in some pictures; now and
    then all is grey.
    """
    batch, grey, turned = _batch(), 0, 0
    for seed in range(12):
        images, _ = _augmented(batch, torch.Generator().manual_seed(seed))
        luma = images[:, 0].double() / 255
        source = batch.images[:, 0].double() / 255
        if luma[0, 0, 0] < luma[0, 0, -1]:
            source = source.flip(2)
        exponents = (luma.log() / source.log()).flatten(1)
        assert float((exponents.amax(1) - exponents.amin(1)).max()) < 1e-3
        gains = (images[1:, 1:] - 128) / torch.arange(1, 6)[:, None, None, None]
        assert float((gains.amax((2, 3)) - gains.amin((2, 3))).max()) < 1e-3
        assert float(gains[:, :, 0, 0].norm(dim=1).max()) <= 1.6 * math.sqrt(2) + 1e-4
        turned += int((gains.amin((1, 2, 3)) < -1e-4).sum() + (gains.amax((1, 2, 3)) > 1.6).sum())
        grey += int((gains.abs().amax((1, 2, 3)) < 1e-4).sum())
    assert 2 <= grey <= 20  # 15 % of 60
    assert 1 <= turned <= 20


def test_the_net_sees_in_training_what_it_sees_of_a_frame() -> None:
    """`normalise` against the preprocess stage for a frame that needs no scaling."""
    yuv = np.random.default_rng(0).integers(0, 256, (3, 192, 320)).astype(np.uint8)
    preprocess = Preprocessor()
    preprocess(Frame(tuple(yuv), 0, 0.0, Sampling(full_range=True, matrix="bt709")))
    assert preprocess.input.shape == (1, 3, 192, 320)
    ours = normalise(torch.from_numpy(yuv)[None]).numpy()
    assert np.abs(ours - preprocess.input).max() < 2e-3
