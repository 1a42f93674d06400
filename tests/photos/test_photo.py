"""Formats: pixels, quality, depth and metadata go through, in every EXIF orientation."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from horizon_rt.errors import DecodeError
from horizon_rt.photos.exif import upright
from horizon_rt.photos.opening import open_photo

Image = pytest.importorskip("PIL.Image", reason="needs Pillow")
ImageCms = pytest.importorskip("PIL.ImageCms", reason="needs Pillow")
ImageOps = pytest.importorskip("PIL.ImageOps", reason="needs Pillow")

RNG = np.random.default_rng(5)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORIENTATIONS = range(1, 9)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def smooth(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    """A picture without detail that a lossy format would change."""
    coarse = RNG.random((4, 5, *shape[2:]))
    fine = cv2.resize(coarse, shape[1::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    return (np.iinfo(dtype).max * fine).astype(dtype)


def exif(orientation: int, size: tuple[int, int] = (48, 32)) -> Any:
    data = Image.Exif()
    data[0x010F], data[0x0112], data[0x013B] = "Maker", orientation, "Somebody"
    inner = data.get_ifd(0x8769)
    inner[0x9003], inner[0xA002], inner[0xA003] = "2024:05:06 07:08:09", *size
    inner[0x829A] = 0.004
    data.get_ifd(0x8825)[1] = "N"
    return data


def opened(path: Path) -> Any:
    return Image.open(io.BytesIO(path.read_bytes()))


def by_pillow(path: Path, pixels: np.ndarray, orientation: int, **options: Any) -> Path:
    mode = options.pop("mode", None)
    Image.fromarray(pixels, mode=mode).save(path, exif=exif(orientation), icc_profile=PROFILE, **options)
    return with_tags(path, orientation) if path.suffix == ".tif" else path


def with_tags(path: Path, orientation: int) -> Path:
    """Tags of all folders in a TIFF file, which Pillow writes in part."""
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool")
    tags = {
        "Make": "Maker", "Artist": "Somebody", "Orientation#": orientation, "ExifImageWidth": 48,
        "ExifImageHeight": 32, "DateTimeOriginal": "2024:05:06 07:08:09", "ExposureTime": 0.004,
        "GPSLatitudeRef": "N",
    }  # fmt: skip
    named = [f"-{name}={value}" for name, value in tags.items()]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *named, path], check=True)
    return path


JPEG = {"quality": 97, "subsampling": 0}
LOSSLESS = {"lossless": True, "exact": True}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("suffix", "options"), [(".jpg", JPEG), (".png", {}), (".webp", LOSSLESS), (".tif", {})]
)
def test_every_orientation_is_seen_as_pillow_sees_it(
    tmp_path: Path, orientation: int, suffix: str, options: dict[str, Any]
) -> None:
    path = by_pillow(tmp_path / f"p{suffix}", smooth(32, 48, 3), orientation, **options)
    expected = np.asarray(ImageOps.exif_transpose(opened(path)))
    photo = open_photo(path)
    assert photo.orientation == orientation
    assert np.array_equal(photo.pixels[..., ::-1], expected)
    assert photo.size == expected.shape[1::-1]
    assert photo.stored_size == (48, 32)


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
@pytest.mark.parametrize(
    ("suffix", "options"), [(".jpg", JPEG), (".png", {}), (".webp", LOSSLESS), (".tif", {})]
)
def test_metadata_and_pixels_go_through(
    tmp_path: Path, orientation: int, suffix: str, options: dict[str, Any]
) -> None:
    photo = open_photo(by_pillow(tmp_path / f"p{suffix}", smooth(32, 48, 3), orientation, **options))
    smaller = photo.pixels[2:-3, 4:-4]
    copy = Image.open(io.BytesIO(photo.encode(smaller)))
    difference = np.asarray(copy.convert("RGB"))[..., ::-1].astype(int) - smaller
    assert np.abs(difference).max() <= (8 if suffix == ".jpg" else 0)
    data = copy.getexif()
    assert (data.get(0x0112, 1), data[0x010F], data[0x013B]) == (1, "Maker", "Somebody")
    inner = data.get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003]) == smaller.shape[1::-1]
    assert inner[0x9003] == "2024:05:06 07:08:09"
    assert float(inner[0x829A]) == pytest.approx(0.004)
    assert data.get_ifd(0x8825)[1] == "N"
    assert copy.info["icc_profile"] == PROFILE


@pytest.mark.parametrize("quality", [35, 75, 96])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_keeps_its_quality(tmp_path: Path, quality: int, subsampling: int, progressive: bool) -> None:
    from PIL.JpegImagePlugin import get_sampling

    how = {"quality": quality, "subsampling": subsampling, "progressive": progressive}
    path = by_pillow(tmp_path / "p.jpg", smooth(64, 80, 3), 1, **how)
    photo = open_photo(path)
    original, copy = opened(path), Image.open(io.BytesIO(photo.encode(photo.pixels[:40, :50])))
    assert copy.quantization == original.quantization
    assert get_sampling(copy) == get_sampling(original) == subsampling
    assert bool(copy.info.get("progressive")) == progressive


def test_a_jpeg_keeps_what_programs_have_written_into_it(tmp_path: Path) -> None:
    path = by_pillow(tmp_path / "p.jpg", smooth(32, 48, 3), 6, comment=b"hello", dpi=(240, 240))
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6" xmp:Rating="4"/>'
    iptc, previews = b"Photoshop 3.0\x008BIM\x04\x04caption", b"MPF\0other pictures"
    for marker, body in ((0xE1, xmp), (0xED, iptc), (0xE2, previews)):
        data = path.read_bytes()
        path.write_bytes(data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:])
    photo = open_photo(path)
    data = photo.encode(photo.pixels)
    assert xmp.replace(b'"6"', b'"1"') in data
    assert iptc in data
    assert previews not in data
    copy = Image.open(io.BytesIO(data))
    assert (copy.info["comment"], copy.info["dpi"]) == (b"hello", (240, 240))
    assert copy.getexif()[0x0112] == 1


@pytest.mark.parametrize(("mode", "shape"), [("L", (32, 48)), ("CMYK", (32, 48, 4))])
def test_a_jpeg_keeps_its_colours(tmp_path: Path, mode: str, shape: tuple[int, ...]) -> None:
    path = by_pillow(tmp_path / "p.jpg", smooth(*shape), 8, mode=mode, quality=95)
    photo = open_photo(path)
    original, copy = opened(path), Image.open(io.BytesIO(photo.encode(photo.pixels)))
    assert (copy.mode, copy.size) == (mode, original.size[::-1])
    expected = np.asarray(ImageOps.exif_transpose(original), int)
    assert np.abs(np.asarray(copy, int) - expected).max() <= 4
    assert photo.shown.shape[:2] == (48, 32)


def test_a_jpeg_in_rgb_stays_one(tmp_path: Path) -> None:
    path = by_pillow(tmp_path / "p.jpg", smooth(32, 48, 3), 1, keep_rgb=True, quality=95)
    photo = open_photo(path)
    copy = Image.open(io.BytesIO(photo.encode(photo.pixels)))
    assert np.abs(np.asarray(copy, int) - np.asarray(opened(path), int)).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depth_and_transparency_stay(tmp_path: Path, suffix: str, channels: int, dtype: type) -> None:
    pixels = smooth(32, 48, *((channels,) if channels > 1 else ()), dtype=dtype)
    path = tmp_path / f"p{suffix}"
    assert cv2.imwrite(str(path), pixels)
    photo = open_photo(path)
    copy = cv2.imdecode(np.frombuffer(photo.encode(photo.pixels), np.uint8), cv2.IMREAD_UNCHANGED)
    assert copy.dtype == dtype
    assert np.array_equal(copy, pixels)
    assert photo.shown.ndim == 2 or photo.shown.shape[2] == 3


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_tiff_of_either_byte_order_keeps_its_compression(
    tmp_path: Path, order: str, compression: str
) -> None:
    pixels = smooth(32, 48, 3)
    path = by_pillow(tmp_path / "p.tif", pixels, 6, compression=compression, dpi=(300, 300))
    if order == ">":
        if shutil.which("convert") is None:
            pytest.skip("needs ImageMagick")
        big = tmp_path / "big.tif"
        subprocess.run(["convert", path, "-define", "tiff:endian=msb", big], check=True)
        assert big.read_bytes()[:2] == b"MM"
        path = with_tags(big, 6)
    photo = open_photo(path)
    assert photo.orientation == 6
    original, copy = opened(path), Image.open(io.BytesIO(photo.encode(photo.pixels)))
    assert np.array_equal(np.asarray(copy), np.asarray(ImageOps.exif_transpose(original)))
    assert copy.info["compression"] == original.info["compression"]
    assert copy.info["dpi"] == (300, 300)
    assert copy.getexif()[0x010F] == "Maker"


def test_text_that_is_no_ascii_stays_in_a_tiff(tmp_path: Path) -> None:
    path = tmp_path / "p.tif"
    Image.fromarray(smooth(32, 48, 3)).save(path, tiffinfo={315: "Zoë".encode()})
    photo = open_photo(path)
    assert "Zoë".encode() + b"\0" in photo.encode(photo.pixels)


def test_a_palette_becomes_colour(tmp_path: Path) -> None:
    picture = Image.fromarray(smooth(32, 48, 3)).quantize(16)
    picture.save(path := tmp_path / "p.png")
    photo = open_photo(path)
    assert np.array_equal(photo.pixels[..., ::-1], np.asarray(picture.convert("RGB")))


def test_what_cannot_be_turned_says_why(tmp_path: Path) -> None:
    pages = [Image.fromarray(smooth(8, 8, 3)) for _ in range(2)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    Image.fromarray(smooth(8, 8, 4), mode="CMYK").save(tmp_path / "cmyk.tif")
    pages[0].save(tmp_path / "moving.png", save_all=True, append_images=pages[1:])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name, reason in {
        "pages.tif": "several pages", "cmyk.tif": "neither grey nor RGB", "moving.png": "animation",
        "text.jpg": "not a picture", "empty.jpg": "empty", "none.jpg": "No such file",
    }.items():  # fmt: skip
        with pytest.raises(DecodeError, match=reason):
            open_photo(tmp_path / name)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_damage_is_an_error_of_one_kind(tmp_path: Path, suffix: str) -> None:
    whole = by_pillow(tmp_path / f"whole{suffix}", smooth(32, 48, 3), 6).read_bytes()
    path = tmp_path / f"p{suffix}"

    @QUICK
    @given(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=12), st.data())
    def check(changes: list[tuple[int, int]], data: Any) -> None:
        bad = bytearray(whole)
        for place, value in changes:
            bad[min(place, 400) if value % 2 else place] = value
        path.write_bytes(bad[: data.draw(st.integers(0, len(bad)))] if len(changes) % 3 == 0 else bad)
        with suppress(DecodeError, ValueError):
            photo = open_photo(path)
            photo.encode(photo.pixels)

    check()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
def test_every_shorter_file_is_an_error_of_one_kind(tmp_path: Path, suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"whole{suffix}"), smooth(32, 48, 3))
    whole = (tmp_path / f"whole{suffix}").read_bytes()
    for length in (*range(min(400, len(whole))), len(whole) // 2, len(whole) - 1):
        (path := tmp_path / f"p{suffix}").write_bytes(whole[:length])
        with suppress(DecodeError, ValueError):
            photo = open_photo(path)
            photo.encode(photo.pixels)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
@pytest.mark.parametrize(
    ("suffix", "options"), [(".jpg", JPEG), (".png", {}), (".webp", LOSSLESS), (".tif", {})]
)
def test_exiftool_finds_no_fault(tmp_path: Path, suffix: str, options: dict[str, Any]) -> None:
    photo = open_photo(by_pillow(tmp_path / f"p{suffix}", smooth(32, 48, 3), 5, **options))
    (copy := tmp_path / f"copy{suffix}").write_bytes(photo.encode(photo.pixels))
    done = subprocess.run(
        ["exiftool", "-json", "-n", "-validate", "-warning", "-error", "-all", copy],
        capture_output=True,
        check=True,
    )
    (tags,) = json.loads(done.stdout)
    assert (tags["Make"], tags.get("Orientation", 1), tags["ExifImageWidth"]) == ("Maker", 1, 32)
    assert "Error" not in tags


def test_orientation_undoes_itself() -> None:
    pixels = smooth(5, 7, 3)
    inverse: dict[int, int] = {6: 8, 8: 6}
    for orientation in ORIENTATIONS:
        back: Callable[[Any, int], Any] = upright
        assert np.array_equal(back(back(pixels, orientation), inverse.get(orientation, orientation)), pixels)
