"""The bounded reader of TOML, against the standard library's, and against what would hang that."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT

from horizon_rt.system.toml import parse_toml, read_toml

LONG = 100_000

TEXTS = [
    "",
    "a = 1 # [[[[[[[[[[[[[[[[[[[[",
    'a = "[[[[[[[[[[[[[[[[[[[[[" # it\'s "odd"',
    "a = '{{{{{{{{{{{{{{{{{{{{{\"'",
    'a = """x"" \\""" [[[[[[[[[[[[[[[[[[[[ """""\nb.c = {d.e = [[1, 2], ["}"]]}',
    "a = '''it''s [[[[[[[[[[[[[[[[[[[['''\n[b.'c.d'.\"e\"]\nf = 0.5",
    f"a = '{'.'.join('b' * 100)}'",
    f"a = [{', '.join(['0.5'] * 1000)}]",
    "".join(f"[[a]]\nb.c = {i}\n" for i in range(100)),
    ".".join("abcdefghijklmnop") + " = 1",
    "a = " + "[" * 16 + "]" * 16,
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_within_the_bounds_reads_as_the_standard_library_reads_it(text: str) -> None:
    assert parse_toml(text) == parse_toml(text.encode()) == tomllib.loads(text)


@pytest.mark.parametrize("path", sorted(p for p in ROOT.glob("*/*.toml")), ids=lambda p: p.name)
def test_shipped_files_are_within_the_bounds(path: Path) -> None:
    assert read_toml(path) == tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * LONG) + " = 1",
        " . ".join(["'a'"] * LONG) + " = 1",
        ".".join(['"a\'"'] * LONG) + " = 1",
        f"[{'.'.join(['a'] * LONG)}]",
        f"a = {{ {'.'.join(['a'] * LONG)} = 1 }}",
        "a = " + "[" * LONG,
        "a = " + "{b=" * LONG,
        "a = " + "[" * 17 + "]" * 17,
        '"' + '\\"' * LONG,
        '"""' + '\\"' * LONG,
        "'" * (3 * LONG),
        '"' * (3 * LONG + 1),
        "a = " + "1" * LONG,
        "x" * LONG,
        "a" + " " * LONG,
        "a = 1\n" * LONG,
        "#" * (3 << 20),
        "\x00",
    ],
    ids=lambda text: f"{text[:12]!a}-{len(text)}",
)
def test_what_would_hang_or_recurse_is_refused_at_once_in_one_short_line(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r".+") as caught:
        parse_toml(text)
    assert time.perf_counter() - start < 2
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_the_largest_text_of_the_longest_keys_is_read_in_seconds() -> None:
    lines = [".".join([*"abcdefghijklmno", f"k{i}"]) + " = 1" for i in range(50_000)]
    text = "\n".join(lines)
    assert 1 << 20 < len(text) < 2 << 20
    start = time.perf_counter()
    parse_toml(text)
    assert time.perf_counter() - start < 20


def test_a_file_is_read_no_further_than_its_bound(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"a = 1\n" + b"#" * 100)
    with pytest.raises(ValueError, match="too long: more than 0 KiB"):
        read_toml(tmp_path / "a.toml", largest=50)
    with pytest.raises(ValueError, match="too long: a line of more than 99 characters"):
        read_toml(tmp_path / "a.toml", longest_line=99)
    assert read_toml(tmp_path / "a.toml", longest_line=100) == {"a": 1}
    with pytest.raises(FileNotFoundError):
        read_toml(tmp_path / "none.toml")


def test_a_mark_of_byte_order_is_skipped_and_other_bytes_are_named() -> None:
    assert parse_toml(b"\xef\xbb\xbfa = 1") == {"a": 1}
    with pytest.raises(ValueError, match="no UTF-8 text, as byte 6 shows"):
        parse_toml(b"a = '\xff'")


@given(st.text(alphabet="ab.=[]{}\"'\\#\n ,1", max_size=60))
def test_any_text_reads_as_the_standard_library_reads_it_or_is_refused_as_there(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            parse_toml(text)
        return
    assert parse_toml(text) == expected
