"""Every sample of every pixel format, against values known before the clip was written."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from support.sources import (
    Planes,
    av_frame,
    chroma_size,
    ffmpeg,
    h264_clip,
    needs_ffmpeg,
    random_planes,
    write_clip,
)

from horizon_rt.errors import DecodeError
from horizon_rt.frame import Frame, Sampling
from horizon_rt.sources import open_source
from horizon_rt.sources.images import natural_key
from horizon_rt.sources.planes import PlaneReader

# (pixel format, codec, container, chroma subsampling, significant bits, bit depth of the Frame)
FORMATS = [
    *((f"yuv{s}p", "ffv1", "mkv", s, 8, 8) for s in ("420", "422", "444", "440")),
    *((f"yuv{s}p", "rawvideo", "nut", s, 8, 8) for s in ("411", "410")),
    ("yuva420p", "ffv1", "mkv", "420", 8, 8),
    ("gray", "ffv1", "mkv", None, 8, 8),
    ("nv12", "rawvideo", "nut", "420", 8, 8),
    ("nv21", "rawvideo", "nut", "420", 8, 8),
    ("yuyv422", "rawvideo", "nut", "422", 8, 8),
    ("uyvy422", "rawvideo", "nut", "422", 8, 8),
    ("yvyu422", "rawvideo", "nut", "422", 8, 8),
    ("yuv420p10le", "ffv1", "mkv", "420", 10, 10),
    ("yuv422p10le", "ffv1", "mkv", "422", 10, 10),
    ("yuv420p12le", "ffv1", "mkv", "420", 12, 12),
    ("yuv444p16le", "ffv1", "mkv", "444", 16, 16),
    ("gray10le", "ffv1", "mkv", None, 10, 10),
    ("gray12le", "ffv1", "mkv", None, 12, 12),
    ("gray16le", "ffv1", "mkv", None, 16, 16),
]
SIZES = [(33, 17), (1, 1), (34, 18), (961, 5)]


def only_frame(path: Path) -> Frame:
    with open_source(path) as source:
        frames = list(source)
        assert len(frames) == 1
        assert (source.info.width, source.info.height) == (frames[0].width, frames[0].height)
        return frames[0]


def assert_planes(frame: Frame, planes: Planes) -> None:
    assert [plane.shape for plane in frame.planes] == [plane.shape for plane in planes]
    assert [plane.dtype for plane in frame.planes] == [plane.dtype for plane in planes]
    for got, expected in zip(frame.planes, planes, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("case", FORMATS, ids=lambda case: case[0])
def test_samples_are_exact(
    case: tuple[str, str, str, str | None, int, int], size: tuple[int, int], tmp_path: Path
) -> None:
    pixel_format, codec, container, subsampling, bits, depth = case
    planes = random_planes(*size, subsampling, bits=bits, seed=1)
    stored = planes
    if pixel_format == "yuva420p":
        stored = (*planes, np.full_like(planes[0], 255))
    clip = write_clip(tmp_path / f"clip.{container}", [av_frame(pixel_format, stored)], codec=codec)
    frame = only_frame(clip)
    assert frame.sampling.bit_depth == depth
    assert_planes(frame, planes)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("pixel_format", "subsampling", "bits"),
    [("nv16", "422", 8), ("nv24", "444", 8), ("p010le", "420", 10), ("yuv420p", "420", 8), ("gray", None, 8)],
)
def test_samples_of_formats_that_only_devices_and_hardware_give(
    pixel_format: str, subsampling: str | None, bits: int, size: tuple[int, int]
) -> None:
    planes = random_planes(*size, subsampling, bits=bits, seed=2)
    got, sampling = PlaneReader().read(av_frame(pixel_format, planes))
    assert sampling.bit_depth == (16 if bits == 10 else 8)
    assert_planes(Frame(got, 0, 0.0), tuple(p << 6 for p in planes) if bits == 10 else planes)


def test_rows_stored_bottom_up() -> None:
    with open_source("lavfi:testsrc2=size=34x18:rate=50,split[a][b];[b]vflip[c];[a][c]vstack") as source:
        frame = source.read()
    with open_source("lavfi:testsrc2=size=34x18:rate=50,vflip") as source:
        flipped = source.read()
    assert frame is not None
    assert flipped is not None
    np.testing.assert_array_equal(frame.luma[:18], frame.luma[18:][::-1])
    assert_planes(flipped, (frame.luma[18:], frame.planes[1][9:], frame.planes[2][9:]))


@pytest.mark.parametrize("size", [(1921, 1081), (8000, 100)], ids=str)
def test_large_and_long_pictures(size: tuple[int, int], tmp_path: Path) -> None:
    planes = random_planes(*size, "420")
    clip = write_clip(tmp_path / "clip.nut", [av_frame("yuv420p", planes)], codec="rawvideo")
    assert_planes(only_frame(clip), planes)


def test_planes_are_views_with_contiguous_rows(tmp_path: Path) -> None:
    frame = only_frame(write_clip(tmp_path / "clip.mkv", [av_frame("yuv420p", random_planes(33, 17, "420"))]))
    assert all(plane.base is not None and plane.strides[1] == 1 for plane in frame.planes)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("code", "matrix"), [(1, "bt709"), (5, "bt601"), (6, "bt601"), (9, "bt2020")])
def test_declared_range_and_matrix(full: bool, code: int, matrix: str, tmp_path: Path) -> None:
    planes = random_planes(16, 16, "420")
    clip = write_clip(tmp_path / "clip.mkv", [av_frame("yuv420p", planes)], colour=(2 if full else 1, code))
    frame = only_frame(clip)
    assert frame.sampling == Sampling(8, full, matrix)  # type: ignore[arg-type]
    assert_planes(frame, planes)


@pytest.mark.parametrize(("height", "matrix"), [(719, "bt601"), (720, "bt709")])
def test_undeclared_matrix_follows_the_height(height: int, matrix: str, tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "clip.nut", [av_frame("yuv420p", random_planes(8, height, "420"))], codec="rawvideo"
    )
    assert only_frame(clip).sampling == Sampling(8, False, matrix)  # type: ignore[arg-type]


def test_undeclared_grey_is_full_range(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.nut", [av_frame("gray", random_planes(8, 8, None))], codec="rawvideo")
    assert only_frame(clip).sampling.full_range


@needs_ffmpeg
def test_yuvj_is_full_range_and_as_the_command_line_decodes_it(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=50x38:rate=1:duration=1", "-c:v", "mjpeg", clip)
    raw = ffmpeg("-i", clip, "-idct", "simple", "-f", "rawvideo", "-pix_fmt", "yuvj420p", "-")
    frame = only_frame(clip)
    assert frame.sampling == Sampling(8, True, "bt601")
    # Versions of the inverse transform round differently.
    for got, expected in zip(frame.planes, split_420(raw, 50, 38), strict=True):
        assert np.abs(got.astype(int) - expected).max() <= 2


def split_420(raw: bytes, width: int, height: int) -> Planes:
    rows, columns = chroma_size(width, height, "420")
    data = np.frombuffer(raw, np.uint8)
    luma, u, v = np.split(data, [width * height, width * height + rows * columns])
    return luma.reshape(height, width), u.reshape(rows, columns), v.reshape(rows, columns)


@needs_ffmpeg
@pytest.mark.parametrize("size", [(64, 48), (33, 17)], ids=str)
def test_padded_lines_of_h264_as_the_command_line_decodes_them(size: tuple[int, int], tmp_path: Path) -> None:
    clip, (width, height) = tmp_path / "clip.mkv", size
    graph = f"testsrc=size={width}x{height}:rate=10:duration=0.3,format=yuv420p"
    codec = "ffv1" if width % 2 else "libx264"
    ffmpeg("-f", "lavfi", "-i", graph, "-c:v", codec, "-threads", "1", clip)
    raw = ffmpeg("-i", clip, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
    with open_source(clip) as source:
        frames = list(source)
    step = len(raw) // 3
    assert len(frames) == 3
    for index, frame in enumerate(frames):
        assert_planes(frame, split_420(raw[index * step : (index + 1) * step], width, height))


def bt601_full_range(bgr: NDArray[np.uint8]) -> NDArray[np.float64]:
    """ITU-T T.871, equation set for JFIF; shape (3, height, width)."""
    blue, green, red = (bgr[..., channel].astype(float) for channel in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([luma, 128 + (blue - luma) / 1.772, 128 + (red - luma) / 1.402])


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgr24", "bgr0", "rgba", "gbrp"])
def test_rgb_becomes_full_range_bt601(pixel_format: str, tmp_path: Path) -> None:
    bgr = np.random.default_rng(3).integers(0, 256, (17, 33, 3), np.uint8)
    opaque = np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])
    orders = {"rgb24": bgr[..., ::-1], "bgr24": bgr, "bgr0": opaque, "rgba": opaque[..., [2, 1, 0, 3]]}
    if pixel_format == "gbrp":
        frame = av_frame(pixel_format, (bgr[..., 1], bgr[..., 0], bgr[..., 2]))
    else:
        frame = packed_frame(pixel_format, orders[pixel_format])
    got = only_frame(write_clip(tmp_path / "clip.nut", [frame], codec="rawvideo"))
    assert got.sampling == Sampling(8, True, "bt601")
    assert np.abs(np.stack(got.planes) - bt601_full_range(bgr)).max() <= 1.5


def packed_frame(pixel_format: str, pixels: NDArray[np.uint8]) -> VideoFrame:
    frame = VideoFrame(pixels.shape[1], pixels.shape[0], pixel_format)
    plane = frame.planes[0]
    stored = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    stored[:, : pixels[0].size] = pixels.reshape(pixels.shape[0], -1)
    return frame


@needs_ffmpeg
@pytest.mark.parametrize("pixel_format", ["pal8", "monow", "gbrp10le", "rgb565le"])
def test_other_formats_are_converted(pixel_format: str, tmp_path: Path) -> None:
    clip = tmp_path / "clip.nut"
    codec = "png" if pixel_format == "pal8" else "ffv1" if pixel_format == "gbrp10le" else "rawvideo"
    graph = "smptebars=size=32x24:rate=1:duration=1"
    ffmpeg("-f", "lavfi", "-i", graph, "-pix_fmt", pixel_format, "-c:v", codec, clip)
    expected = np.frombuffer(ffmpeg("-i", clip, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"), np.uint8)
    frame = only_frame(clip)
    assert frame.sampling == Sampling(8, True, "bt601")
    difference = np.stack(frame.planes) - bt601_full_range(expected.reshape(24, 32, 3))
    assert np.median(np.abs(difference)) <= 2


@needs_ffmpeg
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True)], ids=str)
def test_display_rotation_as_the_command_line_applies_it(
    degrees: int, flips: tuple[bool, bool], tmp_path: Path
) -> None:
    clip = h264_clip(tmp_path / "clip.mp4", 1, rotation=(degrees, *flips))
    raw = ffmpeg("-i", clip, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
    width, height = (48, 64) if degrees in (90, 270) else (64, 48)
    assert_planes(only_frame(clip), split_420(raw, width, height))


def test_a_source_knows_which_way_it_was_turned(tmp_path: Path) -> None:
    """The pixel that is at the left end of the stored upper row."""
    stored = only_frame(h264_clip(tmp_path / "clip.mp4", 1)).luma
    for degrees in (90, 270):
        with open_source(
            h264_clip(tmp_path / f"{degrees}.mp4", 1, rotation=(degrees, False, False))
        ) as source:
            upright = next(iter(source)).luma
        assert (upright == np.rot90(stored, 1 if source.info.turned_left else -1)).all()


def exif_jpeg(image: NDArray[np.uint8], orientation: int) -> bytes:
    """A JPEG with an EXIF orientation tag (0x0112), little endian."""
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    body = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 1) + tag + struct.pack("<I", 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation(orientation: int, turns: int, grey: bool, tmp_path: Path) -> None:
    ramp = np.add.outer(np.arange(0, 120, 5), 3 * np.arange(32)).astype(np.uint8)
    image = ramp if grey else np.dstack([ramp] * 3)
    (tmp_path / "a.jpg").write_bytes(exif_jpeg(image, orientation))
    frame = only_frame(tmp_path / "a.jpg")
    assert len(frame.planes) == (1 if grey else 3)
    expected = np.rot90(ramp, turns)
    assert frame.luma.shape == expected.shape
    assert np.abs(frame.luma.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "webp", "PNG"])
def test_picture_files(suffix: str, tmp_path: Path) -> None:
    bgr = np.random.default_rng(4).integers(0, 256, (7, 9, 3), np.uint8)
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), bgr, [cv2.IMWRITE_WEBP_QUALITY, 101])
    frame = only_frame(tmp_path / f"a.{suffix}")
    assert (frame.name, frame.time_s) == (f"a.{suffix}", 0.0)
    assert np.abs(np.stack(frame.planes) - bt601_full_range(bgr)).max() <= 1.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_pictures_are_exact(dtype: type[np.uint8 | np.uint16], tmp_path: Path) -> None:
    image = np.random.default_rng(5).integers(0, np.iinfo(dtype).max + 1, (7, 9), dtype)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    frame = only_frame(tmp_path / "a.png")
    assert frame.sampling == Sampling(np.iinfo(dtype).bits, True, "bt601")
    assert_planes(frame, (image,))


def test_sixteen_bit_colour_keeps_its_high_bits(tmp_path: Path) -> None:
    bgr = np.random.default_rng(6).integers(0, 1 << 16, (7, 9, 3), np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), bgr)
    expected = bt601_full_range((bgr >> 8).astype(np.uint8))
    assert np.abs(np.stack(only_frame(tmp_path / "a.png").planes) - expected).max() <= 1.5


def grey_folder(folder: Path, names: list[str]) -> Path:
    for level, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((4, 6), level, np.uint8))
    return folder


def test_pictures_come_in_natural_order(tmp_path: Path) -> None:
    names = ["img1.png", "img2.png", "img10.png", "IMG11.png"]
    grey_folder(tmp_path, names[::-1])
    (tmp_path / "notes.txt").touch()
    with open_source(tmp_path) as source:
        frames = list(source)
    assert [frame.name for frame in frames] == names
    assert [frame.time_s for frame in frames] == [0.0, 1.0, 2.0, 3.0]
    assert source.info.frame_count == 4
    assert natural_key("a2b") < natural_key("a10b")


def test_patterns_name_pictures_relative_to_their_common_folder(tmp_path: Path) -> None:
    grey_folder(tmp_path, ["a/1.png", "b/1.png", "b/2.bmp"])
    with open_source(f"{tmp_path}/*/1.png") as source:
        assert [frame.name for frame in source] == ["a/1.png", "b/1.png"]
    with open_source(f"{tmp_path}/**/*") as source:
        assert [frame.name for frame in source] == ["a/1.png", "b/1.png", "b/2.bmp"]
    (tmp_path / "c.txt").touch()
    with pytest.raises(DecodeError, match="none of them a picture"):
        open_source(f"{tmp_path}/*.txt")


def test_folders_without_a_readable_picture(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"no pictures in this folder \("):
        open_source(tmp_path)
    (tmp_path / "flight.MP4").touch()
    with pytest.raises(DecodeError, match=r"for its videos use: horizon-rt batch \S+ --out results"):
        open_source(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(DecodeError, match="did you mean"):
        open_source(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_text("text")
    with pytest.raises(DecodeError, match="none of 2 pictures can be read"):
        open_source(tmp_path)
    cv2.imwrite(str(tmp_path / "b.tiff"), np.zeros((4, 4), np.float32))
    with pytest.raises(DecodeError, match="8 or 16 bits"):
        open_source(tmp_path / "b.tiff")
