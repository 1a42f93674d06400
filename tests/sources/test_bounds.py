"""Pictures are bounded before they are decoded; what more a file holds than its first picture is told."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from horizon_rt.batches.inputs import find_inputs
from horizon_rt.batches.options import BatchOptions
from horizon_rt.batches.plan import make_items
from horizon_rt.datasets import Label
from horizon_rt.datasets.base import Example, MaskFile, PictureSet
from horizon_rt.errors import DatasetError, DecodeError
from horizon_rt.imaging.picture import PictureHeader, load_picture, read_header
from horizon_rt.sources import open_source
from horizon_rt.synth.panorama import read_panorama
from horizon_rt.training.samples.pictures import Picture, load


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(3 * width + 1)) for _ in range(height)) if height < 20 else b""
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed + rows.flush()) + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    good = bytearray(cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    struct.pack_into(">HH", good, good.index(b"\xff\xc0") + 5, height, width)
    return bytes(good)


def tiff(width: int, height: int) -> bytes:
    tags = [
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (278, height),
        (279, 1 << 30),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


BOMBS = {"png": png, "jpg": jpeg, "tif": tiff, "bmp": bmp}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_picture_that_claims_too_much_is_refused_by_every_reader(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"bomb.{kind}"
    path.write_bytes(BOMBS[kind](30000, 30000))
    label = Label(mask=MaskFile(path=path))
    pictures = PictureSet([Example(path=path, label=label, scene="any")], name="x", truth="mask")
    readers: dict[type[Exception], list[Callable[[], object]]] = {
        DecodeError: [lambda: open_source(path), lambda: open_source(tmp_path)],
        DatasetError: [
            lambda: list(pictures.frames()),
            lambda: MaskFile(path=path).read(30000, 30000),
            lambda: load(Picture(path, label)),
            lambda: read_panorama(path),
        ],
    }
    for error, calls in readers.items():
        for call in calls:
            with pytest.raises(error, match="30000x30000 px are more than the 134 million") as caught:
                call()
            assert "\n" not in str(caught.value)


def test_a_bomb_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of it is there, packed: 20000 x 15000 grey pixels in 300 kB."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20000, 15000, 8, 0, 0, 0, 0))
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(20001)) for _ in range(15000)) + rows.flush()
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    decoded: list[object] = []
    monkeypatch.setattr(cv2, "imdecode", lambda *_: decoded.append(1))
    with pytest.raises(DecodeError, match="20000x15000 px are more"):
        open_source(path)
    assert not decoded


@pytest.mark.parametrize("bound", [63, 64])
def test_the_bound_counts_pixels(bound: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("horizon_rt.imaging.picture.MAX_PIXELS", bound)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 16), np.uint8))
    if bound < 64:
        with pytest.raises(ValueError, match="16x4 px"):
            load_picture(tmp_path / "a.png", cv2.IMREAD_GRAYSCALE)
    else:
        assert load_picture(tmp_path / "a.png", cv2.IMREAD_GRAYSCALE)[0].shape == (4, 16)


KINDS: list[tuple[str, str, dict[str, object]]] = [
    ("PNG", "RGB", {}),
    ("PNG", "I;16", {}),
    ("PNG", "P", {}),
    ("JPEG", "RGB", {}),
    ("JPEG", "L", {"progressive": True, "comment": b"\xff\xc0" * 20}),
    ("TIFF", "RGB", {}),
    ("TIFF", "L", {"compression": "tiff_lzw"}),
    ("TIFF", "L", {"big_tiff": True}),
    ("TIFF", "I;16B", {}),
    ("WEBP", "RGB", {"lossless": True}),
    ("WEBP", "RGB", {"quality": 60}),
    ("WEBP", "RGBA", {"quality": 60, "exif": b"Exif\0\0" + bytes(8)}),
    ("BMP", "RGB", {}),
    ("BMP", "P", {}),
]


@pytest.mark.parametrize(("kind", "mode", "options"), KINDS)
@pytest.mark.parametrize("size", [(1, 1), (257, 3), (1000, 700)])
def test_headers_are_read_as_another_library_wrote_them(
    kind: str, mode: str, options: dict[str, object], size: tuple[int, int]
) -> None:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, kind, **options)
    assert read_header(stream.getvalue()) == PictureHeader(*size)


def test_a_bitmap_from_the_top_or_with_the_oldest_header_has_a_size() -> None:
    assert read_header(bmp(30, -20)) == PictureHeader(30, 20)
    oldest = b"BM" + struct.pack("<IHHIIHHHH", 26, 0, 0, 26, 12, 30, 20, 1, 24)
    assert read_header(oldest) == PictureHeader(30, 20)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_a_header_cut_anywhere_is_an_error_or_right(kind: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30)).save(stream, kind)
    data = stream.getvalue()
    for length in range(min(len(data), 700)):
        try:
            assert read_header(data[:length]) == PictureHeader(40, 30)
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017 - an error is one of the two good ends


def moving_pictures(path: Path, count: int = 4) -> list[int]:
    """An animation at 10 Hz by another library; gives the level of each picture."""
    levels = [20 + 50 * index for index in range(count)]
    first, *others = (Image.new("RGB", (32, 24), (level,) * 3) for level in levels)
    first.save(path, save_all=True, append_images=others, duration=100, lossless=True)
    return levels


def test_an_animated_png_is_a_recording(tmp_path: Path) -> None:
    levels = moving_pictures(tmp_path / "a.png")
    with open_source(tmp_path / "a.png") as source:
        frames = list(source)
    assert (source.info.kind, source.info.is_image_set, source.warnings) == ("file", False, [])
    assert [int(frame.luma[12, 16]) for frame in frames] == pytest.approx(levels, abs=1)
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    (job,) = make_items(find_inputs([str(tmp_path / "a.png")]), tmp_path / "out", BatchOptions())
    assert job.outputs.overlay == tmp_path / "out" / "a.overlay.mp4"


def test_an_animated_webp_says_that_its_first_picture_is_used(tmp_path: Path) -> None:
    levels = moving_pictures(tmp_path / "a.webp")
    with open_source(tmp_path / "a.webp") as source:
        frames = list(source)
    assert [int(frame.luma[12, 16]) for frame in frames] == pytest.approx(levels[:1], abs=1)
    assert source.warnings == [
        f"{tmp_path}/a.webp: only the first picture of its animation is used; "
        "convert it to a video to track all"
    ]


def test_an_animated_png_in_a_folder_of_pictures_is_told(tmp_path: Path) -> None:
    moving_pictures(tmp_path / "a.png")
    Image.new("RGB", (32, 24)).save(tmp_path / "b.png")
    with open_source(tmp_path) as source:
        assert [frame.name for frame in source] == ["a.png", "b.png"]
    assert source.warnings == [
        f"{tmp_path}/a.png: only the first picture of its animation is used; give it by itself"
    ]


def test_an_animation_of_one_picture_is_a_picture(tmp_path: Path) -> None:
    data = png(4, 3)
    control = chunk(b"acTL", struct.pack(">II", 1, 0))
    (tmp_path / "a.png").write_bytes(data[:33] + control + data[33:])
    with open_source(tmp_path / "a.png") as source:
        assert (source.info.is_image_set, len(list(source)), source.warnings) == (True, 1, [])
