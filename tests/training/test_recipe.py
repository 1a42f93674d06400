"""Recipes of training runs: files, options, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from horizon_rt.errors import DatasetError
from horizon_rt.models.weights import weights_folder
from horizon_rt.training.job import recipe_for
from horizon_rt.training.recipe import PROCEDURAL, Recipe, read_recipe
from horizon_rt.training.samples.cache import SHAPES, sizes_of


def test_a_recipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'net = "nano"\nsamples = 640\nrate = 1\nsplit = "a/split.toml"\n'
        "[shares]\nroom = 1\n[data]\nown = 0.5\n"
    )
    split = tmp_path / "a" / "split.toml"
    assert read_recipe(path) == Recipe(
        net="nano", samples=640, rate=1, split=split, shares={"room": 1}, data={"own": 0.5}
    )
    assert read_recipe(path).steps == 20
    path.write_text("")
    assert read_recipe(path) == Recipe()
    assert Recipe().shares == PROCEDURAL


def test_the_recipe_of_the_shipped_models_can_be_read() -> None:
    assert read_recipe(weights_folder() / "recipe.toml").split == weights_folder() / "split.toml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nets = 1", "unexpected keyword argument 'nets'"),
        ("net = 1", "net of a recipe is str, got 1"),
        ("samples = 1.5", "samples of a recipe is int, got 1.5"),
        ("samples = true", "samples of a recipe is int, got True"),
        ("batch = 1000000", "batch lies between 0 and 65536, got 1000000"),
        ("samples = 0", "samples and batch are 1 or more, got 0 and 32"),
        ("rate = nan", "rate lies between 0 and 1e"),
        ("rate = -1", "rate lies between"),
        ("average = 1.5", "average lies between 0 and 1, got 1.5"),
        ("shares = 3", r"shares of a recipe is dict\[str, float\], got 3"),
        ("shares = {sea = 1}", "no sampler 'sea'; there are: rendered-sea"),
        ("shares = {room = 'x'}", "the part of room lies between 0 and 1e.*, got 'x'"),
        ("data = {own = inf}", "the part of own lies between"),
        ("shares = {room = 0}", "are all 0"),
        ("split = 5", "unsupported operand"),
        ("a = [", "recipe.toml"),
        (f"a = {'[' * 5000}", "recipe.toml"),
        (f"samples = {'9' * 5000}", "recipe.toml"),
        (f"{'.'.join('a' * 60_000)} = 1", "more than 16 parts"),
    ],
)
def test_wrong_recipes_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        read_recipe(tmp_path / "recipe.toml")
    assert "recipe.toml" in str(caught.value)


VALUES = (
    st.sampled_from(["'nano'", "true", "nan", "inf", "-inf", "1e400", "1979-05-27", "{}", "[1]", "{room=1}"])
    | st.floats().map(str)
    | st.integers().map(str)
)  # fmt: skip
KEYS = st.sampled_from([*Recipe.__dataclass_fields__, "what"])


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60) | st.dictionaries(KEYS, VALUES, max_size=4).map(
    lambda d: "".join(f"{k} = {v}\n" for k, v in d.items()).encode()
))  # fmt: skip
def test_recipes_raise_nothing_else(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "recipe.toml").write_bytes(data)
    with suppress(DatasetError):
        recipe = read_recipe(tmp_path / "recipe.toml")
        assert 1 <= recipe.steps <= recipe.samples


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.toml cannot be read"):
        read_recipe(tmp_path / "none.toml")


def test_datasets_are_given_with_their_parts(tmp_path: Path) -> None:
    odd = tmp_path / "a=b"
    odd.mkdir()
    given = ["flight", "thermal-sea=0.25", "x=y/z=2", str(odd), f"{odd}=0.5"]
    recipe = recipe_for(None, given[:4], fine_tuning=False, changes={"rate": 0.1, "seed": None, "out": 3})
    assert recipe == Recipe(data={"flight": 1.0, "thermal-sea": 0.25, "x=y/z": 2.0, str(odd): 1.0}, rate=0.1)
    assert recipe_for(None, given[3:], fine_tuning=False, changes={}).data == {str(odd): 0.5}
    for text in ("own=half", "own=nan", "own=-1"):
        with pytest.raises(DatasetError, match="own"):
            recipe_for(None, [text], fine_tuning=False, changes={})


def test_fine_tuning_is_short_and_careful_unless_told_otherwise(tmp_path: Path) -> None:
    usual, tuned = (recipe_for(None, ["own"], fine_tuning=f, changes={}) for f in (False, True))
    assert tuned.samples < usual.samples / 10
    assert tuned.rate < usual.rate
    assert recipe_for(None, [], fine_tuning=True, changes={"rate": 1e-2}).rate == 1e-2
    assert recipe_for(None, [], fine_tuning=True, changes={"optimiser": "sgd", "rate": 0.1}).anchor == 0
    assert recipe_for(None, [], fine_tuning=True, changes={"anchor": 5.0, "optimiser": "sgd"}).anchor == 5
    with pytest.raises(DatasetError, match=r"anchor times rate lies below 1, got 30 times 0\.1"):
        recipe_for(None, [], fine_tuning=True, changes={"rate": 0.1})
    assert recipe_for(None, [], fine_tuning=True, changes={"rate": 0.1, "anchor": 0.0}).rate == 0.1
    (tmp_path / "recipe.toml").write_text("rate = 0.5\n[data]\nold = 3\n")
    recipe = recipe_for(tmp_path / "recipe.toml", ["own"], fine_tuning=True, changes={})
    assert (recipe.rate, recipe.data, recipe.samples) == (0.5, {"old": 3, "own": 1.0}, usual.samples)


@pytest.mark.parametrize("areas", [(), (0.1,), (1, 5), ("1",), [1.0]])
def test_input_areas_out_of_range_are_refused(areas: object) -> None:
    with pytest.raises(DatasetError, match="input_areas"):
        Recipe(input_areas=areas)  # type: ignore[arg-type]


def test_input_areas_give_shapes_and_batches_of_the_same_cost(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("input_areas = [0.5, 1, 2.25]\nbatch = 16\n")
    recipe = read_recipe(tmp_path / "r.toml")
    sizes = sizes_of(recipe)
    assert sum(share for share, _ in sizes.values()) == pytest.approx(1)
    assert sizes[192, 320] == (pytest.approx(0.2), 16)
    assert {h % 32 + w % 32 for h, w in sizes} == {0}
    areas = [h * w / (192 * 320) for h, w in sizes]
    assert min(areas) < 0.6
    assert max(areas) > 2.0
    cost = [area * count for area, (_, count) in zip(areas, sizes.values(), strict=True)]
    assert min(cost) == pytest.approx(16, rel=0.25)
    assert max(cost) == pytest.approx(16, rel=0.25)
    assert list(sizes_of(Recipe())) == list(SHAPES)
