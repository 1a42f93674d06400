"""The examples of the documents run as they stand."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import cv2
import pytest
from support import ROOT
from support.cli import horizon_luma, write_horizon

from horizon_rt.camera import DISTORTIONS
from horizon_rt.cli.app import program
from horizon_rt.options import RunOptions, option_fields
from horizon_rt.pipeline.level_options import LevelOptions

PAGES = ("README.md", "docs/python.md", "docs/extending.md")
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        blocks = _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
        found += [(f"{page}-{number}", block) for number, block in enumerate(blocks, 1)]
    return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples name."""
    write_horizon(tmp_path / "flight.mp4", codec="mpeg4")
    cv2.imwrite(str(tmp_path / "photo.jpg"), cv2.merge([horizon_luma(96, 64)] * 3))
    monkeypatch.chdir(tmp_path)
    for name in set(DISTORTIONS) - {"pinhole", "brown-conrady", "kannala-brandt"}:
        monkeypatch.delitem(DISTORTIONS, name)  # type: ignore[arg-type]
    return tmp_path


@pytest.mark.parametrize(("name", "code"), examples(), ids=[name for name, _ in examples()])
def test_an_example_runs(place: Path, name: str, code: str) -> None:
    known = dict(DISTORTIONS)
    try:
        exec(compile(code, name, "exec", dont_inherit=True), {"__name__": "example"})
    finally:
        DISTORTIONS.clear()  # type: ignore[attr-defined]
        DISTORTIONS.update(known)  # type: ignore[attr-defined]


def test_the_commands_of_the_tutorial_are_ones() -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    horizon-rt (.*)$", page, re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        verb, *words = shlex.split(line)
        program.commands[verb].make_context(verb, words)  # raises where an option is none


def test_the_options_of_a_run_are_all_listed_with_their_defaults_and_flags() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| (?:`(--[\w-]+)` )?\| ", page, re.MULTILINE)
    fields = {item.name: item.default for item, _ in option_fields(RunOptions)}
    assert {name: ast.literal_eval(usual) for name, usual, _ in rows} == fields
    assert [name for name, _, _ in rows] == list(fields)
    known = {option for parameter in program.commands["track"].params for option in parameter.opts}
    assert {flag for _, _, flag in rows if flag} <= known
    assert [name for name, _, flag in rows if not flag] == ["batch"]


def test_the_options_of_level_are_all_named() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    named = re.search(r"The options are .* but (.*), and (`lock`.*), as `horizon-rt level`", page, re.DOTALL)
    assert named is not None
    without, added = (set(re.findall(r"`(\w+)`", part)) for part in named.groups())
    of_run, of_level = ({item.name for item, _ in option_fields(kind)} for kind in (RunOptions, LevelOptions))
    assert of_level - of_run == added
    given = {option for parameter in program.commands["level"].params for option in parameter.opts}
    assert {"--smooth", "--mount", "--every"} & given == set()
    assert without == {"smooth", "mount", "every"}


@pytest.mark.parametrize("kind", ["source", "sink", "lens"])
def test_an_addition_takes_less_than_60_lines(kind: str) -> None:
    section = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8").split(f"\n## A {kind}\n")[1]
    [block, *_] = _BLOCK.findall(section)
    assert block.count("\n") < 60


def test_every_document_is_on_the_site() -> None:
    pages = set(re.findall(r"[\w./-]+\.md", (ROOT / "mkdocs.yml").read_text().partition("nav:")[2]))
    made = {"docs/cli.md"}
    assert {page for page in pages - made if not (ROOT / page).is_file()} == set()
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= pages
