"""Damage to files, seeded: what a bad disk, a broken program or an attacker makes of them."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable

__all__ = ["mutate"]

_MOST_BYTES = 512 * 1024
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_NUMBERS = (
    b"1e308", b"-1e308", b"5e-324", b"1e999", b"nan", b"NaN", b"-Infinity", b"inf", b"-1", b"0", b"-0.0",
    b"0.5", b"2147483648", b"18446744073709551616", b"9" * 400, b"9" * 5000, b"1" + b"0" * 18, b"null",
    b"true", b"[]", b"{}", b'"x"', b"16.5", b"1_0", b"0x10", b"\xd9\xa3", b"",
)  # fmt: skip
_NESTED = (
    b"[",
    b"{",
    b'{"a":',
    b"[[",
    b"(",
    b"<a>",
    b"- ",
    b"? ",
    b"a.",
    b"a: [*a, ",
    b'"',
    b"'''",
    b"\\",
    b"#",
)
_PIECES = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b"\x1b[2J", b",", b";", b"=", b"\t", b"../", b"%s",
    b"$x_{$", b"\xed\xa0\x80", b"\xe2\x80\xae", b"!!python/object/apply:os.system ['true']", b"&a [*a]",
    b"<<: *a", b"<!DOCTYPE a [",
)  # fmt: skip
_WORDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0)

Change = Callable[[bytearray, random.Random], None]


def mutate(data: bytes, chance: random.Random, *, text: bool) -> bytes:
    """The bytes of a file with one to four changes; texts get changes of their numbers and words, too."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        chance.choice(_OF_TEXT if text and chance.random() < 0.75 else _OF_BYTES)(changed, chance)
    return bytes(changed[:_MOST_BYTES])


def _at(data: bytearray, chance: random.Random) -> int:
    """A place, more often near the beginning, where headers are."""
    return int(len(data) * chance.random() ** chance.choice((1, 3)))


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        if data:
            data[min(_at(data, chance), len(data) - 1)] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[_at(data, chance) :]


def _leave_out(data: bytearray, chance: random.Random) -> None:
    start = _at(data, chance)
    del data[start : start + chance.choice((1, 4, 16, 256, 4096))]


def _insert(data: bytearray, chance: random.Random) -> None:
    start = _at(data, chance)
    data[start:start] = chance.randbytes(chance.choice((1, 4, 16, 256, 4096)))


def _repeat(data: bytearray, chance: random.Random) -> None:
    start = _at(data, chance)
    block = data[start : start + chance.choice((1, 4, 16, 256, 4096))]
    data[start:start] = (block * chance.choice((1, 2, 16, 1000)))[: _MOST_BYTES // 2]


def _overwrite(data: bytearray, chance: random.Random) -> None:
    start, size = _at(data, chance), chance.choice((1, 4, 16, 256, 4096))
    end = min(start + size, len(data))
    data[start:end] = bytes([chance.choice((0, 0xFF, 0x20))]) * (end - start)


def _word(data: bytearray, chance: random.Random) -> None:
    start = min(_at(data, chance) & ~3, max(0, len(data) - 4))
    if len(data) >= 4:
        struct.pack_into(chance.choice("<>") + "I", data, start, chance.choice(_WORDS))


def _number(data: bytearray, chance: random.Random) -> None:
    found = list(_NUMBER.finditer(data))
    if found:
        match = chance.choice(found)
        data[match.start() : match.end()] = chance.choice(_NUMBERS)


def _nest(data: bytearray, chance: random.Random) -> None:
    start = _at(data, chance)
    data[start:start] = chance.choice(_NESTED) * chance.choice((1, 20, 1000, 50_000))


def _piece(data: bytearray, chance: random.Random) -> None:
    start = _at(data, chance)
    data[start:start] = chance.choice(_PIECES) * chance.choice((1, 1, 100))


def _line(data: bytearray, chance: random.Random) -> None:
    lines = data.split(b"\n")
    one = chance.randrange(len(lines))
    other = chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[one]
        case 1:
            lines[one], lines[other] = lines[other], lines[one]
        case 2:
            lines[one:one] = [lines[other]] * chance.choice((1, 1, 1000))
        case _:
            lines[one] += b"x" * chance.choice((100, 200_000))
    data[:] = b"\n".join(lines)


_OF_BYTES: tuple[Change, ...] = (_flip, _cut, _leave_out, _insert, _repeat, _overwrite, _word)
_OF_TEXT: tuple[Change, ...] = (_number, _number, _number, _nest, _piece, _line)
