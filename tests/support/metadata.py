"""Boxes, tags and values of metadata, made by hand from their documentation."""

from __future__ import annotations

import struct


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def klv(key: bytes, kind: bytes, size: int, data: bytes) -> bytes:
    head = struct.pack(">4sBBH", key, kind[0] if kind else 0, size, len(data) // size)
    return head + data + bytes(-len(data) % 4)


def gpmf(fov_deg: float = 121.5, view: bytes = b"W", model: bytes = b"HERO10 Black") -> bytes:
    inner = klv(b"DVID", b"L", 4, b"\0\0\0\1") + klv(b"DVNM", b"c", 1, b"Global Settings")
    inner += klv(b"MINF", b"c", 1, model) + klv(b"VFOV", b"c", 1, view)
    inner += klv(b"ZFOV", b"f", 4, struct.pack(">f", fov_deg))
    return klv(b"DEVC", b"", 1, inner)


def mdta(values: dict[str, str | float]) -> bytes:
    """QuickTime's metadata boxes for keys."""
    keys = b"".join(box(b"mdta", key.encode()) for key in values)
    found = b""
    for place, value in enumerate(values.values(), 1):
        kind, data = (1, value.encode()) if isinstance(value, str) else (23, struct.pack(">f", value))
        found += box(place.to_bytes(4, "big"), box(b"data", struct.pack(">II", kind, 0) + data))
    handler = box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    return box(
        b"meta", handler + box(b"keys", struct.pack(">II", 0, len(values)) + keys) + box(b"ilst", found)
    )


def exif_jpeg() -> bytes:
    """The head of a JPEG picture with a model and a focal length of 24 mm on 35 mm film."""
    folder = struct.pack("<HHHII", 2, 0x8769, 4, 1, 44) + struct.pack("<HHI4s", 0x0110, 2, 4, b"X1\0\0")
    tiff = b"II*\0" + struct.pack("<I", 8) + folder + bytes(10)
    tiff += struct.pack("<HHHIHH", 1, 0xA405, 3, 1, 24, 0) + bytes(4)
    body = b"Exif\0\0" + tiff
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(body) + 2) + body + b"\xff\xda\0\2"
