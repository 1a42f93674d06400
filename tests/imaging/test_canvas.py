"""Drawing on planes, against FFmpeg's colour conversion and simple geometry."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from horizon_rt.frame import Frame, Sampling
from horizon_rt.imaging.canvas import text_size
from horizon_rt.sinks import Canvas

SAMPLINGS = [
    Sampling(full_range=full, matrix=m) for full in (False, True) for m in ("bt601", "bt709", "bt2020")
]
PRIMARIES = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 190, 0), (12, 34, 56), (255, 255, 255), (0, 0, 0)]
every_sampling = pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)


def by_ffmpeg(canvas: Canvas) -> NDArray[np.uint8]:
    """The canvas as RGB, converted by swscale."""
    picture = av.VideoFrame.from_ndarray(canvas.buffer, "yuv420p")
    spaces = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709}
    ranges = {False: ColorRange.MPEG, True: ColorRange.JPEG}
    space, levels = spaces[canvas.sampling.matrix], ranges[canvas.sampling.full_range]
    return picture.reformat(
        format="rgb24", src_colorspace=space, src_color_range=levels, dst_color_range=ColorRange.JPEG
    ).to_ndarray()


@every_sampling
@pytest.mark.parametrize("colour", PRIMARIES)
def test_colours_are_those_that_ffmpeg_shows(sampling: Sampling, colour: tuple[int, int, int]) -> None:
    canvas = Canvas(32, 16, sampling)
    canvas.clear(colour)
    assert np.abs(canvas.to_bgr()[8, 16, ::-1].astype(int) - colour).max() <= 3
    if sampling.matrix != "bt2020":
        assert np.abs(by_ffmpeg(canvas)[8, 16].astype(int) - colour).max() <= 4


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (64, 47), (63, 48)])
@pytest.mark.parametrize("factors", [(2, 2), (2, 1), (1, 1), (4, 1), (4, 4)])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_any_sampling_becomes_eight_bit_420(
    size: tuple[int, int], factors: tuple[int, int], bits: int
) -> None:
    width, height = size
    ramp = (np.add.outer(np.arange(height), np.arange(width)) + 60).astype(int)
    kind = np.uint8 if bits == 8 else np.uint16
    luma = (ramp << (bits - 8)).astype(kind)
    shape = (-(-height // factors[1]), -(-width // factors[0]))
    u, v = (np.full(shape, level << (bits - 8), kind) for level in (90, 170))
    canvas = Canvas.from_frame(Frame((luma, u, v), 0, 0.0, Sampling(bit_depth=bits)))
    assert canvas.buffer.shape == ((height + height % 2) * 3 // 2, width + width % 2)
    assert np.array_equal(canvas.y[:height, :width], ramp)
    assert np.array_equal(canvas.y[-1], canvas.y[height - 1])
    assert np.array_equal(canvas.y[:, -1], canvas.y[:, width - 1])
    assert np.unique(canvas.u).tolist() == [90]
    assert np.unique(canvas.v).tolist() == [170]
    assert canvas.sampling.bit_depth == 8


def test_chroma_is_averaged_in_place() -> None:
    chroma = np.tile(np.array([[100, 120], [140, 160]], np.uint8), (4, 4))
    frame = Frame((np.zeros((8, 8), np.uint8), chroma, chroma), 0, 0.0)
    assert np.unique(Canvas.from_frame(frame).u).tolist() == [130]


def test_grey_and_rotated_views_are_copied() -> None:
    base = np.arange(48, dtype=np.uint8).reshape(6, 8)
    canvas = Canvas.from_frame(Frame((np.rot90(base),), 0, 0.0))
    assert np.array_equal(canvas.y, np.rot90(base))
    assert np.unique(canvas.u).tolist() == [128]
    canvas.clear((0, 0, 0))
    assert base.max() == 47


@pytest.mark.parametrize("angle", [0, 17, 45, 90, 133])
@pytest.mark.parametrize("thickness", [1, 2, 3, 5])
def test_lines_lie_where_they_should_in_luma_and_chroma(angle: float, thickness: int) -> None:
    canvas = Canvas(160, 120, Sampling())
    canvas.clear((0, 0, 0))
    direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    normal = np.array([-direction[1], direction[0]])
    centre = np.array([80.3, 58.6])
    canvas.polyline(np.array([centre - 40 * direction, centre + 40 * direction]), (255, 0, 0), thickness)
    for plane, base, scale in ((canvas.y, 16, 1), (canvas.v, 128, 2)):
        weight = np.abs(plane.astype(float) - base)
        rows, columns = np.nonzero(weight)
        points = np.stack([columns, rows], axis=1) * scale + (scale - 1) / 2
        mean = np.average(points, axis=0, weights=weight[rows, columns])
        assert abs((mean - centre) @ normal) < 0.3 * scale
        assert abs((mean - centre) @ direction) < 1


def test_fill_blends_inside_only() -> None:
    canvas = Canvas(40, 40, Sampling(full_range=True))
    canvas.clear((100, 100, 100))
    canvas.fill(np.array([(-50.0, 10), (20, 10), (20, 29), (-50, 29)]), (200, 200, 200), 0.25)
    assert abs(int(canvas.y[20, 10]) - 125) <= 1
    assert {int(canvas.y[5, 10]), int(canvas.y[20, 25]), int(canvas.y[35, 10])} == {100}


@pytest.mark.parametrize("at", [(-1000.0, 20.0), (5000.0, 5000.0), (-3.0, -2.0), (39.0, 3.0)])
def test_drawing_beyond_the_border_is_cut(at: tuple[float, float]) -> None:
    canvas = Canvas(40, 20)
    canvas.clear((90, 90, 90))
    canvas.text("12° ±3", at, (255, 255, 255), 12)
    canvas.line(at, (at[0] + 30, at[1] + 9), (255, 0, 0), 3)
    canvas.circle(at, 9, (0, 0, 255), 2)
    canvas.rectangle(at, (at[0] + 7, at[1] + 7), (0, 0, 255), 0.5)
    assert canvas.buffer.shape == (30, 40)


@pytest.mark.parametrize("align", ["left", "centre", "right"])
def test_text_stands_on_its_baseline(align: str) -> None:
    canvas = Canvas(320, 80, Sampling(full_range=True))
    canvas.clear((0, 0, 0))
    canvas.text("HEH", (160, 60), (255, 255, 255), 24, align=align)  # type: ignore[arg-type]
    rows, columns = np.nonzero(canvas.y > 128)
    width, _ = text_size("HEH", 24)
    start = {"left": 160, "centre": 160 - width / 2, "right": 160 - width}[align]
    assert abs(rows.max() - 59) <= 2
    assert abs(rows.max() - rows.min() + 1 - 24) <= 3
    assert abs(columns.min() - start) <= 5
    assert abs(columns.max() - start - width) <= 5


def test_letterbox_keeps_the_aspect() -> None:
    canvas = Canvas(40, 80, Sampling(full_range=True))
    canvas.clear((255, 0, 0))
    other = canvas.letterboxed(160, 40)
    red = np.argwhere(other.to_bgr()[:, :, 2] > 200)
    assert np.ptp(red, axis=0).tolist() == pytest.approx([39, 19], abs=3)
    assert abs(red[:, 1].mean() - 79.5) <= 2


@pytest.mark.parametrize("size", [(3, 4), (4, 3), (0, 2)])
def test_odd_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="even"):
        Canvas(*size)
