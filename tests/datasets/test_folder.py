"""Dataset folders: what is read, and what is refused with its line."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from support import ROOT

from horizon_rt.datasets import LabelledImage, is_held_out, read_horizons, split_part
from horizon_rt.datasets.splits import write_split
from horizon_rt.errors import DatasetError
from horizon_rt.system.paths import data_root

HEADER = "file,x1,y1,x2,y2,sky_side\n"


def _folder(folder: Path, rows: str, header: str = HEADER) -> Path:
    (folder / "horizon.csv").write_bytes((header + rows).encode("utf-8"))
    return folder


def test_rows_become_labelled_pictures_in_order(tmp_path: Path) -> None:
    rows = "b.jpg,0,10.5,639,20,above\na.png,0,5,99,6,below\nnone.png,,,,,\n"
    images = tmp_path / "images"
    assert read_horizons(_folder(tmp_path, rows)) == [
        LabelledImage(images / "b.jpg", (0.0, 10.5, 639.0, 20.0), True),
        LabelledImage(images / "a.png", (0.0, 5.0, 99.0, 6.0), False),
        LabelledImage(images / "none.png", None),
    ]


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "a.png,0,5,99,6,above\r\n", "\ufeff" + HEADER.replace("\n", "\r\n"))
    assert len(read_horizons(folder)) == 1


@pytest.mark.parametrize(
    "row",
    [
        "a.png", "a.png,0,5,99", "a.png,0,5,99,6", "a.png,0,,99,6,above", "a.png,,5,99,6,above",
        "a.png,zero,5,99,6,above", "a.png,nan,5,99,6,above", "a.png,0,inf,99,6,above", "a.png,0,5,0,5,above",
        "a.png,0,5,99,6,left", "a.png,0,5,99,6,",
    ],
)  # fmt: skip
def test_a_wrong_row_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    with pytest.raises(DatasetError, match=r"horizon\.csv, line 3"):
        read_horizons(_folder(tmp_path, f"ok.png,0,5,99,6,above\n{row}\n"))


def test_a_wrong_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="line 2"):
        read_horizons(_folder(tmp_path, "a.png,0,5,99,6,above\n", "name,x1,y1,x2,y2,sky_side\n"))


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "horizon.csv").write_bytes(b"file,x1\n\xff\xfe\xfa,0\n")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_horizons(tmp_path)


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no horizon\.csv"):
        read_horizons(tmp_path)


def test_files_are_set_aside_by_the_first_part_of_their_name(tmp_path: Path) -> None:
    split = tmp_path / "split.toml"
    split.write_text('[set_aside]\nflight = ["a3_", "b1_"]\nsea = []\n')
    assert is_held_out(split, "flight", "b1_0.jpg")
    assert not is_held_out(split, "flight", "b10_0.jpg")
    assert not is_held_out(split, "flight", "x_a3_.jpg")
    assert not is_held_out(split, "sea", "a3_.jpg")
    assert not is_held_out(split, "land", "a3_.jpg")


def test_a_split_has_three_parts(tmp_path: Path) -> None:
    """What is for test is held out, whether it is named among that or not."""
    split = tmp_path / "split.toml"
    split.write_text('[set_aside]\nflight = ["a", "b"]\n[test]\nflight = ["b", "c1_"]\n')
    parts = {name: split_part(split, "flight", name) for name in ("a1.jpg", "b1.jpg", "c1_.jpg", "c2.jpg")}
    assert list(parts.values()) == ["validation", "test", "test", "training"]
    assert [is_held_out(split, "flight", name) for name in parts] == [True, True, True, False]


def test_what_is_written_as_a_split_is_read_as_one(tmp_path: Path) -> None:
    split = tmp_path / "split.toml"
    write_split(split, {"own": ["a.png", "b.png"], "other": []}, {"own": ["b.png"]})
    parts = [split_part(split, "own", name) for name in ("a.png", "b.png", "c.png")]
    assert parts == ["validation", "test", "training"]


UNUSABLE_SPLITS = ["", "[set_aside", "[other]\na = []\n", "set_aside = 3\n", "a = " + "[" * 5000]
UNUSABLE_SPLITS += [".".join("a" * 60_000) + " = 1", "set_aside = {flight = 'a'}"]
UNUSABLE_SPLITS += ["test = 3\n[set_aside]\n", "set_aside = {}\n[test]\nflight = [3]\n"]


@pytest.mark.parametrize("text", [None, *UNUSABLE_SPLITS], ids=range(10))
def test_a_split_that_cannot_be_read_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "split.toml").write_text(text)
    with pytest.raises(DatasetError, match="no usable split"):
        is_held_out(tmp_path / "split.toml", "flight", "a.jpg")


def test_the_root_is_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HORIZON_RT_DATA", str(tmp_path))
    assert data_root() == tmp_path
    monkeypatch.setenv("HORIZON_RT_DATA", str(tmp_path / "absent"))
    assert data_root() is None


def test_the_sets_of_this_project_can_be_read_and_keep_something_aside(
    request: pytest.FixtureRequest,
) -> None:
    root: Path = request.getfixturevalue("data_root")
    split = ROOT / "weights" / "split.toml"
    for name in ("flight", "scenes", "sea", "thermal-sea"):
        labelled = read_horizons(root / name)
        aside = [is_held_out(split, name, picture.path.name) for picture in labelled]
        assert 0 < sum(aside) < len(aside)
        of_sources = defaultdict(set)
        for picture in labelled:
            source = re.split("__|_", picture.path.name, maxsplit=1)[0]
            of_sources[source].add(split_part(split, name, picture.path.name))
        mixed = {source for source, parts in of_sources.items() if {"validation", "test"} <= parts}
        assert not mixed  # a flight, place or source is watched by validation, or is for test
        assert all(picture.path.is_file() for picture in labelled)
