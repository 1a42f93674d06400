"""GoPro's metadata format: key, type, size and number, then values, padded to 32 bits, and nested
(github.com/gopro/gpmf-parser).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Item", "items"]

_DEEPEST = 8
_MOST = 10_000
_NESTED = 0


class Item(NamedTuple):
    """A key of four characters, the character of its type, and its values, big-endian."""

    key: bytes
    kind: bytes
    data: bytes

    @property
    def text(self) -> str:
        """Characters of a text, in ISO 8859-1, up to the first zero."""
        return self.data.split(b"\0")[0].decode("latin-1").strip() if self.kind in (b"c", b"F") else ""

    @property
    def number(self) -> float | None:
        """The first number of single or double precision; None for other types."""
        size = {b"f": 4, b"d": 8}.get(self.kind)
        if size is None or len(self.data) < size:
            return None
        return float(struct.unpack_from(">f" if size == 4 else ">d", self.data)[0])


def items(data: bytes) -> Iterator[Item]:
    """All values that are no nests, in their order; what is damaged ends its nest, and 10,000 are enough."""
    for count, item in enumerate(_items(data, 0)):
        if count >= _MOST:
            return
        yield item


def _items(data: bytes, depth: int) -> Iterator[Item]:
    at = 0
    while at + 8 <= len(data):
        key, kind, size, number = struct.unpack_from(">4sBBH", data, at)
        length = size * number
        if key == bytes(4) or at + 8 + length > len(data):
            return
        body = data[at + 8 : at + 8 + length]
        if kind == _NESTED:
            if depth < _DEEPEST:
                yield from _items(body, depth + 1)
        else:
            yield Item(key, bytes([kind]), body)
        at += 8 + (length + 3) // 4 * 4
