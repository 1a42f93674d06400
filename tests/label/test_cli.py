"""`horizon-rt label` as a user starts and ends it."""

from __future__ import annotations

import signal
import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from support.cli import RunCli
from support.label import Client

from horizon_rt.datasets import read_horizons

pytest.importorskip("uvicorn", reason="needs the extra 'label'")

Start = Callable[..., "subprocess.Popen[str]"]


def _url(child: subprocess.Popen[str]) -> str:
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("label at "):
            return line.split()[-1]
    raise AssertionError("the page was not announced")


def test_a_labelling_from_the_start_to_ctrl_c_and_on(process: Start, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    options = ("--out", out, "--no-open", "--licence", "CC0", "--scene", "air", "--name", "mine")
    first = process("label", pictures, *options)
    client = Client(_url(first))
    while not client("GET", "api/session").json["complete"]:
        time.sleep(0.05)
    assert client("PUT", "api/frames/1/mark", {"status": "none"}).status == 200
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 0
    assert "0 with a line, 1 without a horizon, 0 skipped, 2 to do" in first.communicate()[1]
    card = tomllib.loads((out / "dataset.toml").read_text())
    assert (card["name"], card["scene"], card["licence"]) == ("mine", "air", "CC0")
    assert [row.path.name for row in read_horizons(out)] == ["b.jpg"]

    pictures.rename(tmp_path / "gone")  # all that is needed was taken
    second = process("label", pictures, "--out", out, "--no-open")
    states = [frame["status"] for frame in Client(_url(second))("GET", "api/session").json["frames"]]
    assert states == ["open", "none", "open"]
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == 0


def test_wrong_wishes_are_said_in_one_line(cli: RunCli, clip: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    assert cli("label", clip, "--out", out, "--every", "2", "--count", "3").code == 2
    assert cli("label", clip, "--out", out, "--scene", "moon").code == 2
    missing = cli("label", tmp_path / "no.mp4", "--out", out, "--no-open")
    assert (missing.code, len(missing.errors)) == (1, 1)
    same = cli("label", pictures, "--out", pictures, "--no-open")
    assert same.code == 1
    assert "choose another --out" in same.errors[0]


def test_the_page_is_part_of_the_package() -> None:
    """Hatch packs every file inside the package's folder."""
    import horizon_rt

    pages = [Path(horizon_rt.__file__).parent / room / "page" for room in ("label", "serving")]
    files = [path for page in pages for path in page.iterdir()]
    assert {path.suffix for path in files} == {".html", ".css", ".js", ".svg"}
    for path in files:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
