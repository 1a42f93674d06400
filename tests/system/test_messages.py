"""Text on its way to a terminal, a spreadsheet and a Markdown page: names of files are foreign."""

from __future__ import annotations

import csv
import io
import logging
import os
import pty
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text
from support.cli import RunCli, write_horizon

from horizon_rt.cli.console import Sanitised, print_line, print_table
from horizon_rt.cli.style import Style, use_style
from horizon_rt.datasets import read_horizons
from horizon_rt.datasets.lines import line_row, write_lines
from horizon_rt.errors import SourceError
from horizon_rt.geometry import HorizonLine
from horizon_rt.reports.table import Table, markdown_text
from horizon_rt.system.messages import error_line, error_reason, file_cell, printable

EVIL = "a\x1b[2Jb\x9b31m\u202e\x07"
SHOWN = r"a\x1b[2Jb\x9b31m\u202e\x07"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Überflug 1\u00a0°.mp4", "Überflug 1\u00a0°.mp4"),
        (EVIL, SHOWN),
        ("two\nlines\ttab\r", r"two\nlines\ttab\r"),
        ("bad\udcff.mp4", r"bad\udcff.mp4"),
        ("\u2028\u200f\x7f", r"\u2028\u200f\x7f"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown
    console = Console(file=io.StringIO(), force_terminal=True, width=40)
    print_line(console, text)
    assert console.file.getvalue() == shown + "\n"  # type: ignore[attr-defined]


def test_an_error_is_one_short_line() -> None:
    error = SourceError(f"{'x' * 5000}{EVIL}\n second line: give another file")
    line = error_line(error)
    assert line.isprintable()
    assert len(line) < 1000
    assert line.startswith("xxx")
    assert line.endswith("second line: give another file")


def test_tables_hold_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    table = RichTable("input")
    table.add_row(Text(EVIL + "\nx"))
    print_table(table)
    shown = SHOWN.removesuffix(r"\x07")  # Rich leaves the bell out
    assert capsys.readouterr().out == f"input\n{shown}\\nx\n"
    screen = io.StringIO()
    Console(file=screen, force_terminal=True, color_system=None, width=60).print(Sanitised(table))
    assert shown in screen.getvalue()
    assert all(line.isprintable() for line in screen.getvalue().splitlines())


def test_warnings_hold_no_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    use_style(Style())
    assert logging.lastResort is not None
    logging.lastResort.handle(logging.LogRecord("a", logging.WARNING, "", 0, "%s: damaged", (EVIL,), None))
    assert capsys.readouterr().err == f"WARNING: {SHOWN}: damaged\n"


@pytest.mark.parametrize("verb", ["track", "batch", "eval", "calibrate", "label", "inspect", "cameras show"])
def test_no_verb_passes_control_characters_of_a_name_on(cli: RunCli, tmp_path: Path, verb: str) -> None:
    path = tmp_path / f"{EVIL}.mp4"
    path.write_bytes(b"no video")
    more = ("--out", tmp_path / "out") if verb in ("track", "batch", "label") else ()
    done = cli(*verb.split(), path, *more)
    assert done.code == 1
    assert r"\x1b[2J" in done.err
    assert all(line.isprintable() for line in [*done.errors, *done.out.replace("\t", " ").splitlines()])


@pytest.mark.parametrize("arguments", [["label", "a.mp4", f"{EVIL}.mp4"], [f"{EVIL}.mp4"]])
def test_no_usage_error_passes_control_characters_on(cli: RunCli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert all(line.isprintable() for line in done.errors)


def test_a_terminal_sees_no_control_characters_of_a_name(
    process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    clip = write_horizon(tmp_path / f"{EVIL}.mkv", count=3)
    master, worker = pty.openpty()
    child = process("batch", clip, "--out", tmp_path / "out", stdout=worker, stderr=worker)
    os.close(worker)
    shown = _drained(master)
    assert child.wait(120) == 0, shown
    assert rb"\x1b[2J" in shown
    assert not any(part in shown for part in (b"\x1b[2J", b"\xc2\x9b", "\u202e".encode(), b"\x07"))


def _drained(descriptor: int) -> bytes:
    seen = bytearray()
    timer = threading.Timer(150, os.close, [descriptor])
    timer.start()
    try:
        while chunk := os.read(descriptor, 65536):
            seen += chunk
    except OSError:  # Linux's end of a terminal
        pass
    timer.cancel()
    return bytes(seen)


# --- spreadsheets


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0.png", "+1.png", "-2.png", "@a.png"])
def test_a_name_is_no_formula_and_still_names_the_file(tmp_path: Path, name: str) -> None:
    write_lines(tmp_path, [(name, line_row(HorizonLine(2.0, 1.0), 64, 48))])
    cell = list(csv.reader((tmp_path / "horizon.csv").read_text().splitlines()))[1][0]
    assert cell == file_cell(name) == f"./{name}"
    (row,) = read_horizons(tmp_path)
    assert row.path == tmp_path / "images" / name
    assert file_cell("a=b.png") == "a=b.png"


def test_telemetry_of_pictures_holds_no_formula(cli: RunCli, tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "=1+1.png"
    picture.parent.mkdir()
    _write_picture(picture)
    assert cli("track", picture.parent, "--telemetry", tmp_path / "a.csv").code == 0
    (row,) = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    assert row["file"] == "./=1+1.png"


def _write_picture(path: Path) -> None:
    import cv2
    from support.cli import horizon_luma

    path.write_bytes(cv2.imencode(".png", horizon_luma(96, 64))[1].tobytes())


# --- Markdown


def test_markdown_shows_names_as_they_are() -> None:
    """By the rules of CommonMark a backslash before ASCII punctuation shows that character."""
    name = "<img src=x onerror=alert(1)> [a](http://b) ![c](d) `e` &lt; x|y \\ two\nlines"
    table = Table("T<b>", "note", ("head",), ((name,),))
    text = table.markdown()
    assert markdown_text(name) in text
    assert not [c for c in "<>[]`&|" if markdown_text(name).count(c) != markdown_text(name).count(f"\\{c}")]
    assert "\n" not in markdown_text(name)
    assert markdown_text("sea_1, Überflug (2)") == "sea_1, Überflug (2)"


def test_a_reason_does_not_say_again_what_its_line_names() -> None:
    for name in ("a.mp4", Path(EVIL)):
        assert error_reason(SourceError(f"{name}: it is empty"), name) == "it is empty"
    assert error_reason(SourceError("cannot write a.mp4: full"), "a.mp4") == "cannot write a.mp4: full"


@pytest.mark.parametrize("text", ["x" * 10**6, "$x_{$" * 10**5, "a:" * 10**5, "rtsp://u:p@h/" * 10**4])
def test_a_long_value_of_a_damaged_file_is_cut_at_once(text: str) -> None:
    """It took minutes, and the time of the tests would run out."""
    line = error_line(SourceError(f"a.csv, line 2: no number: {text}"))
    assert line.startswith("a.csv, line 2: no number: ")
    assert len(line) <= 810
    assert "u:p" not in line
    assert len(printable(text)) <= len(text)
