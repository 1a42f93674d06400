"""Cameras of Linux: a stand-in for a driver, laid out by ctypes, and the kernel's header beside it."""

from __future__ import annotations

import ctypes as c
import errno
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from support.cli import RunCli
from support.sources import moving_frames, write_clip

from horizon_rt.bench import doctor
from horizon_rt.sources import device, v4l2
from horizon_rt.sources.v4l2 import CameraFormat, camera_formats, set_exposure
from horizon_rt.system import host

HEADER = Path("/usr/include/linux/videodev2.h")
U32 = c.c_uint32
MJPG, YUYV, RAW = (int.from_bytes(code, "little") for code in (b"MJPG", b"YUYV", b"pRAA"))
AUTO, ABSOLUTE = 0x009A0901, 0x009A0902

linux = pytest.mark.skipif(not hasattr(os, "uname") or os.uname().sysname != "Linux", reason="for Linux")


class Format(c.Structure):
    _fields_ = [("index", U32), ("type", U32), ("flags", U32), ("description", c.c_uint8 * 32),
                ("pixelformat", U32), ("mbus_code", U32), ("reserved", U32 * 3)]  # fmt: skip


class Pair(c.Structure):
    _fields_ = [("a", U32), ("b", U32)]


class Steps(c.Structure):
    _fields_ = [(name, U32) for name in ("min_w", "max_w", "step_w", "min_h", "max_h", "step_h")]


class SizeUnion(c.Union):
    _fields_ = [("discrete", Pair), ("stepwise", Steps)]


class Size(c.Structure):
    _fields_ = [("index", U32), ("pixel_format", U32), ("type", U32), ("u", SizeUnion), ("reserved", U32 * 2)]


class Range(c.Structure):
    _fields_ = [("min", Pair), ("max", Pair), ("step", Pair)]


class IntervalUnion(c.Union):
    _fields_ = [("discrete", Pair), ("stepwise", Range)]


class Interval(c.Structure):
    _fields_ = [("index", U32), ("pixel_format", U32), ("width", U32), ("height", U32), ("type", U32),
                ("u", IntervalUnion), ("reserved", U32 * 2)]  # fmt: skip


class Control(c.Structure):
    _fields_ = [("id", U32), ("value", c.c_int32)]


# The codes as `strace` knows them (VIDIOC_…), also compared with the header below.
CODES = {
    "VIDIOC_ENUM_FMT": (0xC0405602, Format),
    "VIDIOC_ENUM_FRAMESIZES": (0xC02C564A, Size),
    "VIDIOC_ENUM_FRAMEINTERVALS": (0xC034564B, Interval),
    "VIDIOC_G_CTRL": (0xC008561B, Control),
    "VIDIOC_S_CTRL": (0xC008561C, Control),
}


class Driver:
    """A camera with two formats of fixed sizes and one of any size; `menu` are its ways of exposure."""

    def __init__(self, menu: tuple[int, ...] = (1, 3)) -> None:
        self.controls = {AUTO: 3, ABSOLUTE: 157} if menu else {}
        self.menu = menu

    def __call__(self, descriptor: int, request: int, data: bytearray) -> None:
        os.fstat(descriptor)  # it is open
        [(name, kind)] = [(name, kind) for name, (code, kind) in CODES.items() if code == request]
        asked = kind.from_buffer(data)
        getattr(self, name)(asked)

    def VIDIOC_ENUM_FMT(self, asked: Format) -> None:
        assert (asked.type, bytes(asked.reserved)) == (1, bytes(12))
        asked.pixelformat = self._entry((MJPG, YUYV, RAW), asked.index)

    def VIDIOC_ENUM_FRAMESIZES(self, asked: Size) -> None:
        if asked.pixel_format == RAW:
            self._entry((0,), asked.index)
            asked.type, asked.u.stepwise = 3, Steps(32, 4096, 8, 16, 2160, 2)
            return
        sizes = {MJPG: ((1920, 1080), (640, 480)), YUYV: ((640, 480),)}[asked.pixel_format]
        asked.type, asked.u.discrete = 1, Pair(*self._entry(sizes, asked.index))

    def VIDIOC_ENUM_FRAMEINTERVALS(self, asked: Interval) -> None:
        size = (asked.width, asked.height)
        if asked.pixel_format == RAW:
            assert size == (4096, 2160)
            self._entry((0,), asked.index)
            asked.type, asked.u.stepwise = 2, Range(Pair(1, 60), Pair(1, 5), Pair(1, 1))
            return
        found = {(1920, 1080): ((1, 30),), (640, 480): ((1, 60), (1001, 30000))}[size]
        asked.type, asked.u.discrete = 1, Pair(*self._entry(found, asked.index))

    def VIDIOC_G_CTRL(self, asked: Control) -> None:
        asked.value = self._control(asked.id)

    def VIDIOC_S_CTRL(self, asked: Control) -> None:
        self._control(asked.id)
        if asked.id == AUTO and asked.value not in self.menu:
            raise OSError(errno.EINVAL, "Invalid argument")
        if asked.id == ABSOLUTE and self.controls[AUTO] != 1:
            raise OSError(errno.EACCES, "Permission denied")
        self.controls[asked.id] = min(asked.value, 5000) if asked.id == ABSOLUTE else asked.value

    def _control(self, number: int) -> int:
        if number not in self.controls:
            raise OSError(errno.EINVAL, "Invalid argument")
        return self.controls[number]

    @staticmethod
    def _entry(entries: tuple[Any, ...], index: int) -> Any:
        if index >= len(entries):
            raise OSError(errno.EINVAL, "Invalid argument")
        return entries[index]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver()
    monkeypatch.setattr(v4l2, "control_device", made)
    return made


@pytest.mark.skipif(
    not HEADER.exists() or shutil.which("cc") is None, reason="needs a C compiler and the kernel's header"
)
def test_the_stand_in_is_laid_out_as_the_kernel_has_it(tmp_path: Path) -> None:
    structures = {
        Format: "v4l2_fmtdesc",
        Size: "v4l2_frmsizeenum",
        Interval: "v4l2_frmivalenum",
        Control: "v4l2_control",
    }
    wanted = [f"{name} {code:x}" for name, (code, _) in CODES.items()]
    wanted += [f"{name} {c.sizeof(kind):x}" for kind, name in structures.items()]
    wanted.append(f"pixelformat {Format.pixelformat.offset:x}")
    wanted.append(f"max_height {Size.u.offset + Steps.max_h.offset:x}")
    wanted.append(f"max {Interval.u.offset + Range.max.offset:x}")
    wanted += [f"auto {AUTO:x}", f"absolute {ABSOLUTE:x}", "capture 1"]
    lines = [f'printf("{name} %x\\n", (unsigned)({name}));' for name in CODES]
    lines += [f'printf("{name} %x\\n", (unsigned)sizeof(struct {name}));' for name in structures.values()]
    lines += [
        'printf("pixelformat %x\\n", (unsigned)offsetof(struct v4l2_fmtdesc, pixelformat));',
        'printf("max_height %x\\n", (unsigned)offsetof(struct v4l2_frmsizeenum, stepwise.max_height));',
        'printf("max %x\\n", (unsigned)offsetof(struct v4l2_frmivalenum, stepwise.max));',
        'printf("auto %x\\n", V4L2_CID_EXPOSURE_AUTO);',
        'printf("absolute %x\\n", V4L2_CID_EXPOSURE_ABSOLUTE);',
        'printf("capture %x\\n", V4L2_BUF_TYPE_VIDEO_CAPTURE);',
    ]
    source = "#include <stdio.h>\n#include <stddef.h>\n#include <linux/videodev2.h>\nint main(void){%s}"
    (tmp_path / "a.c").write_text(source % "".join(lines))
    subprocess.run(["cc", "-o", tmp_path / "a", tmp_path / "a.c"], check=True)
    told = subprocess.run([tmp_path / "a"], check=True, capture_output=True, text=True).stdout
    assert told.splitlines() == wanted


@pytest.mark.usefixtures("driver")
def test_formats_sizes_and_rates() -> None:
    assert camera_formats(os.devnull) == (
        CameraFormat("mjpeg", (("1920x1080", (30.0,)), ("640x480", (60.0, 30000 / 1001)))),
        CameraFormat("yuyv422", (("640x480", (60.0, 30000 / 1001)),)),
        CameraFormat("pRAA", (("32x16 to 4096x2160", (5.0, 60.0)),)),
    )


@linux
@pytest.mark.usefixtures("driver")
def test_the_doctor_lists_what_a_camera_offers(monkeypatch: pytest.MonkeyPatch, cli: RunCli) -> None:
    monkeypatch.setattr(doctor, "find_cameras", lambda: (["/dev/null Webcam"], []))
    monkeypatch.setattr(doctor, "PARTS", {"cameras": doctor.PARTS["cameras"]})
    assert cli("doctor").out.splitlines()[1:] == [
        "cameras\tok\t/dev/null Webcam",
        "\t\t/dev/null mjpeg 1920x1080 at 30 Hz, 640x480 at 60/29.97 Hz",
        "\t\t/dev/null yuyv422 640x480 at 60/29.97 Hz",
        "\t\t/dev/null pRAA 32x16 to 4096x2160 at 5/60 Hz",
    ]


@linux
def test_what_is_no_camera_offers_nothing() -> None:
    assert camera_formats(os.devnull) == ()  # the kernel's own answer
    with pytest.raises(OSError, match="No such file"):
        camera_formats("/dev/video-none")


def test_exposures(driver: Driver) -> None:
    assert set_exposure(os.devnull, 8.0) == 8.0
    assert driver.controls == {AUTO: 1, ABSOLUTE: 80}
    assert set_exposure(os.devnull, "auto") is None
    assert driver.controls == {AUTO: 3, ABSOLUTE: 80}
    driver.controls[ABSOLUTE] = 211  # the camera's own
    assert set_exposure(os.devnull, "locked") == 21.1
    assert driver.controls == {AUTO: 1, ABSOLUTE: 211}
    assert set_exposure(os.devnull, 900.0) == 500.0


def test_a_camera_with_the_other_way_of_exposing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(menu=(0, 1))
    monkeypatch.setattr(v4l2, "control_device", driver)
    set_exposure(os.devnull, "auto")
    assert driver.controls[AUTO] == 0


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, str]]:
    """What is asked of a camera at /dev/null that knows raw pictures of 64x48 alone."""
    requests: list[dict[str, str]] = []
    real_open, clip = av.open, write_clip(tmp_path / "raw.nut", moving_frames(3), codec="rawvideo")

    def fake_open(file: str, mode: str, *, format: str, options: dict[str, str]) -> object:
        requests.append(options)
        if options.get("input_format", "yuv420p") != "yuv420p":
            raise av.error.ArgumentError(errno.EINVAL, "Invalid argument")
        return real_open(str(clip))

    monkeypatch.setattr(device.av, "open", fake_open)
    return requests


@linux
def test_a_pixel_format_that_a_camera_lacks_is_told(camera: list[dict[str, str]]) -> None:
    with device.open_device("/dev/null", size=(64, 48), pixel_format="h264") as source:
        assert source.warnings == ["camera /dev/null: asked for input_format h264, the camera gives yuv420p"]
    size = {"video_size": "64x48"}
    assert camera == [size | {"input_format": "h264"}, size]
    with device.open_device("/dev/null", pixel_format="yuv420p") as source:
        assert source.warnings == []


@linux
@pytest.mark.usefixtures("camera")
def test_an_exposure_that_cannot_be_set_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    with device.open_device("/dev/null", exposure=900.0) as source:
        assert source.warnings == ["camera /dev/null: asked for 900 ms of exposure, it takes 500"]
    monkeypatch.setattr(v4l2, "control_device", Driver(menu=()))
    with device.open_device("/dev/null", exposure=8.0) as source:
        assert source.warnings == ["camera /dev/null: its exposure cannot be set (Invalid argument)"]
    monkeypatch.setattr(v4l2, "control_device", host.control_device)  # the kernel's own answer
    with device.open_device("/dev/null", exposure="auto") as source:
        assert [text.partition(" (")[0] for text in source.warnings] == [
            "camera /dev/null: its exposure cannot be set"
        ]


@linux
@pytest.mark.usefixtures("camera")
def test_an_exposure_is_locked_once_it_has_settled(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    monkeypatch.setattr(device, "SETTLE_S", 0.3)
    with device.open_device("/dev/null", exposure="locked"):
        assert driver.controls[AUTO] == 3
        driver.controls[ABSOLUTE] = 99
        assert until(lambda: driver.controls == {AUTO: 1, ABSOLUTE: 99})
    driver.controls[AUTO] = 3
    device.open_device("/dev/null", exposure="locked").close()
    time.sleep(0.5)
    assert driver.controls[AUTO] == 3


def until(test: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not test() and time.monotonic() < end:
        time.sleep(0.02)
    return test()


@pytest.mark.parametrize("text", ["0", "dark", "-3", "nan", "99999"])
def test_an_exposure_that_is_none_is_a_usage_error(text: str, cli: RunCli) -> None:
    done = cli("live", "0", "--exposure", text)
    assert done.code == 2
    assert "auto, locked or a time" in " ".join(done.err.replace("│", " ").split())


def test_other_sources_take_no_requests(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    done = cli("live", clip, "--pixel-format", "mjpeg", "--no-window", "--model", "small", "--telemetry", out)
    assert done.code == 0
    assert "--pixel-format and --exposure are for cameras" in done.err
