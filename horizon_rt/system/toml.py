"""The one reader of TOML: bounded, so that no text from elsewhere can take long or fill the memory."""

from __future__ import annotations

import re
import tomllib
from itertools import accumulate
from pathlib import Path
from typing import Any

__all__ = ["parse_toml", "read_toml"]

_LARGEST = 2 << 20  # bytes; a split file names every picture that is held out
# tomllib takes time and memory that grow with the square of a dotted key's parts, and recurses into values.
_MOST_PARTS = _DEEPEST = 16
_STRINGS_AND_COMMENTS = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?'
    r"|'''(?:[^']|'(?!''))*+(?:''')?"
    r'|"(?:[^"\\\n]|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|\#[^\n]*+",
    re.DOTALL,
)
_BETWEEN_KEYS = re.compile(r"[=,\[\]{}\n]")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def parse_toml(
    data: bytes | str, *, largest: int = _LARGEST, longest_line: int | None = None
) -> dict[str, Any]:
    """The table of a UTF-8 text of at most `largest` bytes (characters, for text already decoded).

    Keys have at most 16 dotted parts, arrays and tables are nested at most 16 deep, and no line has more than
    `longest_line` characters. Raises ValueError, with the reason in one line.
    """
    if len(data) > largest:
        raise ValueError(f"it is too long: more than {largest // 1024} KiB")
    text = data if isinstance(data, str) else _decoded(data)
    if longest_line is not None and max(map(len, text.splitlines()), default=0) > longest_line:
        raise ValueError(f"it is too long: a line of more than {longest_line} characters")
    _check_bounds(_STRINGS_AND_COMMENTS.sub("_", text))
    return tomllib.loads(text)


def read_toml(path: Path, *, largest: int = _LARGEST, longest_line: int | None = None) -> dict[str, Any]:
    """As `parse_toml`, of a file; raises OSError, too."""
    with path.open("rb") as file:
        return parse_toml(file.read(largest + 1), largest=largest, longest_line=longest_line)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 text, as byte {error.start + 1} shows") from error


def _check_bounds(bare: str) -> None:
    """Raises ValueError for a text, stripped of strings and comments, that would take long to read."""
    if max(part.count(".") for part in _BETWEEN_KEYS.split(bare)) >= _MOST_PARTS:
        raise ValueError(f"a dotted key has more than {_MOST_PARTS} parts")
    if max(accumulate(_STEPS[c] for c in re.findall(r"[][{}]", bare)), default=0) > _DEEPEST:
        raise ValueError(f"its values are nested more than {_DEEPEST} deep")
