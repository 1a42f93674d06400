"""The live window, on a virtual display."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from support.sinks import context, pixels_near, run_python

from horizon_rt.camera import Camera
from horizon_rt.errors import OutputError
from horizon_rt.sinks import WindowSink, display_available
from horizon_rt.sinks.overlay import STATE_COLOURS

# On a busy machine X now and then loses a key or shows a window late.
pytestmark = pytest.mark.flaky(reruns=3)

needs_display = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb, a virtual X server")

needs_keys = pytest.mark.skipif(
    shutil.which("xdotool") is None or shutil.which("import") is None, reason="needs xdotool and ImageMagick"
)

SHOW = """
from support.sinks import *
from horizon_rt.camera import Camera
from horizon_rt.sinks import WindowSink
import subprocess, time
camera = Camera.from_hfov(320, 240, 70)
said = []
class Recorder:
    recording, failure = False, ""
    def start(self): self.recording = True
    def stop(self): self.recording = False
recorder = Recorder()
sink = WindowSink(context(camera), snapshot_folder=sys.argv[1], tell=said.append, recorder=recorder, note_s=5)
shown = frame(width=320, height=240)
def show(seconds, roll=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not sink.wants_stop:
        sink.write(shown, horizon(roll=roll, camera=camera)); time.sleep(0.02)
def picture():
    import cv2
    for _ in range(60):
        show(0.2)
        subprocess.run(["import", "-window", "root", sys.argv[1] + "/screen.png"], check=True)
        if cv2.imread(sys.argv[1] + "/screen.png").any(): break
def window():
    for _ in range(20):
        show(0.2)
        search = ["xdotool", "search", "--onlyvisible", "--name", "horizon-rt"]
        if found := subprocess.run(search, capture_output=True, text=True).stdout.split(): return found[0]
def xdotool(*words): subprocess.run(["xdotool", *words], check=True, capture_output=True)
def press(key): xdotool("key", key); show(0.5)
def until(test, roll=20):
    for _ in range(40):
        show(0.2, roll)
        if test(): return True
    return False
def screen():
    import cv2
    subprocess.run(["import", "-window", "root", sys.argv[1] + "/screen.png"], check=True)
    return cv2.imread(sys.argv[1] + "/screen.png")
def count(colour): return len(pixels_near(screen(), colour, 60))
GREEN, WHITE = (70, 240, 100), (245, 245, 245)
def focused():
    target = window(); picture(); xdotool("windowfocus", target)
    return target
"""


@pytest.fixture
def display() -> Iterator[str]:
    read, write = os.pipe()
    with subprocess.Popen(
        [
            "Xvfb",
            "-displayfd",
            str(write),
            "-screen",
            "0",
            "640x480x24",
            "-nolisten",
            "tcp",
            "-r",
        ],  # no key repeats by itself
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    ) as server:
        os.close(write)
        try:
            yield ":" + os.read(read, 16).decode().strip()
        finally:
            os.close(read)
            server.terminate()


def show(display: str, folder: Path, code: str) -> str:
    previous = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = display
    try:
        done = run_python(SHOW + code, folder)
    finally:
        if previous is None:
            del os.environ["DISPLAY"]
        else:
            os.environ["DISPLAY"] = previous
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_display
@pytest.mark.skipif(shutil.which("import") is None, reason="needs ImageMagick's import")
def test_the_window_shows_the_overlay(display: str, tmp_path: Path) -> None:
    code = """
picture()
sink.close(); sink.close()
"""
    show(display, tmp_path, code)
    image = cv2.imread(str(tmp_path / "screen.png"))
    assert image.shape == (480, 640, 3)
    assert len(pixels_near(image, STATE_COLOURS["tracking"], 60)) > 100
    assert len(pixels_near(image, (245, 245, 245), 30)) > 50


@needs_display
@needs_keys
@pytest.mark.parametrize("key", ["q", "Escape"])
def test_keys_save_a_picture_and_end_the_run(display: str, tmp_path: Path, key: str) -> None:
    code = f"""
focused()
press("s")
print(sink.wants_stop, said)
press({key!r})
show(3)
print(sink.wants_stop)
sink.close()
"""
    saved = tmp_path / "horizon_000000.png"
    assert show(display, tmp_path, code).splitlines() == [f"False ['snapshot: {saved}']", "True"]
    assert cv2.imread(str(saved)).shape == (240, 320, 3)


@needs_display
@needs_keys
def test_a_snapshot_is_told_in_the_picture_for_a_while(display: str, tmp_path: Path) -> None:
    code = """
focused()
before = screen()
def changed(): return (screen() != before).any(axis=2).sum()
xdotool("key", "s"); print(until(lambda: changed() > 500))
print(until(lambda: not changed()))
"""
    assert show(display, tmp_path, code).split() == ["True"] * 2


@needs_display
@needs_keys
def test_a_snapshot_that_fails_says_so_and_ends_nothing(display: str, tmp_path: Path) -> None:
    code = """
import logging; logging.basicConfig(stream=sys.stdout, format="%(message)s")
focused()
Path(sys.argv[1], "horizon_000000.png").mkdir()
press("s")
print(said, sink.wants_stop)
"""
    lines = show(display, tmp_path, code).splitlines()
    assert lines == [f"no snapshot at {tmp_path / 'horizon_000000.png'}: Is a directory", "[] False"]


@needs_display
@needs_keys
def test_a_frozen_picture_stays_while_frames_go_on(display: str, tmp_path: Path) -> None:
    code = """
focused()
before = screen()
xdotool("key", "space"); until(lambda: (screen() != before).any())
frozen = screen()
show(0.5, roll=-30)
print((screen() != frozen).any())
xdotool("key", "space"); print(until(lambda: (screen() != frozen).mean() > 0.01, roll=-30))
"""
    assert show(display, tmp_path, code).split() == ["False", "True"]


@needs_display
@needs_keys
def test_a_key_starts_and_stops_recording(display: str, tmp_path: Path) -> None:
    code = """
focused()
for on in (True, False):
    xdotool("key", "r")
    print(until(lambda: recorder.recording == on))
"""
    assert show(display, tmp_path, code).split() == ["True"] * 2


@needs_display
@needs_keys
def test_layers_are_all_then_the_horizon_then_none(display: str, tmp_path: Path) -> None:
    code = """
focused()
for wanted in ((True, True), (True, False), (False, False), (True, True)):
    print(until(lambda: (count(GREEN) > 100, count(WHITE) > 50) == wanted))
    xdotool("key", "l")
"""
    assert show(display, tmp_path, code).split() == ["True"] * 4


@needs_display
@needs_keys
@pytest.mark.parametrize("key", ["h", "question"])
def test_help_is_shown_until_its_key_is_pressed_again(display: str, tmp_path: Path, key: str) -> None:
    code = f"""
focused()
press("l"); press("l"); print(until(lambda: count(WHITE) == 0))
xdotool("key", {key!r}); print(until(lambda: count(WHITE) > 300))
xdotool("key", {key!r}); print(until(lambda: count(WHITE) == 0))
"""
    assert show(display, tmp_path, code).split() == ["True"] * 3


@needs_display
@needs_keys
def test_text_grows_with_the_window_not_with_the_picture(display: str, tmp_path: Path) -> None:
    """The width of the state, a word in the corner; in the small window its capitals have their least."""
    code = """
target = focused()
def word():
    for _ in range(40):
        show(0.2)
        x, y = pixels_near(screen(), GREEN, 60).T
        if len(top := x[y < 24 * scale]) > 4: return top.max() - top.min()
scale = 1; small = word()
xdotool("windowsize", target, "640", "480"); show(1)
scale = 2; print(word() / small)
print(len(pixels_near(screen()[479:480], (60, 60, 60), 10)))
"""
    ratio, filled = map(float, show(display, tmp_path, code).split())
    assert ratio == pytest.approx(0.027 * 480 / 7, abs=0.2)
    assert filled > 600


@needs_display
@needs_keys
@pytest.mark.skipif(shutil.which("openbox") is None, reason="needs openbox, a window manager")
def test_full_screen_and_back(display: str, tmp_path: Path) -> None:
    code = """
manager = subprocess.Popen(["openbox"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
target = focused()
def size():
    told = subprocess.run(["xdotool", "getwindowgeometry", target], capture_output=True, text=True).stdout
    return told.split()[-1]
try:
    first = size()
    xdotool("key", "f"); print(until(lambda: size() == "640x480"))
    xdotool("key", "f"); print(until(lambda: size() == first))
finally:
    manager.terminate()
"""
    assert show(display, tmp_path, code).split() == ["True", "True"]


@needs_display
@pytest.mark.skipif(
    ctypes.util.find_library("X11") is None or shutil.which("xdotool") is None,
    reason="needs libX11 and xdotool to press the button",
)
def test_the_close_button_ends_the_run(display: str, tmp_path: Path) -> None:
    # What a window manager sends for its close button: WM_DELETE_WINDOW (ICCCM 4.2.8.1).
    code = """
import ctypes, ctypes.util
class Message(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send", ctypes.c_int),
                ("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("kind", ctypes.c_ulong),
                ("format", ctypes.c_int), ("data", ctypes.c_long * 5), ("pad", ctypes.c_long * 24)]
x = ctypes.CDLL(ctypes.util.find_library("X11"))
x.XOpenDisplay.restype = ctypes.c_void_p
x.XInternAtom.restype = ctypes.c_ulong
link, target = ctypes.c_void_p(x.XOpenDisplay(None)), int(window())
kind, delete = (x.XInternAtom(link, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
event = Message(33, 0, 1, link, target, kind, 32, (delete, 0))
x.XSendEvent(link, ctypes.c_ulong(target), 0, ctypes.c_long(0), ctypes.byref(event))
x.XFlush(link)
show(3)
print(sink.wants_stop)
sink.close()
"""
    assert show(display, tmp_path, code) == "True"


@needs_display
def test_a_display_that_answers_is_available(display: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", display)
    assert display_available()
    monkeypatch.setenv("DISPLAY", f"unix{display}.0")
    assert display_available()


@pytest.mark.parametrize("name", [":873", "nonsense", "localhost:899", ""])
def test_displays_that_do_not_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", name)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not display_available()
    camera = Camera.from_hfov(320, 240, 70)
    with pytest.raises(OutputError, match="no display"):
        WindowSink(context(camera))


def test_a_display_that_hangs_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("horizon_rt.sinks.display.ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1] - 6000
        monkeypatch.setenv("DISPLAY", f"127.0.0.1:{number}")
        start = time.monotonic()
        assert not display_available()
    assert time.monotonic() - start < 2


def test_wayland_alone_needs_a_toolkit_and_a_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-9")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("horizon_rt.sinks.display.speaks_wayland", lambda: True)
    assert not display_available()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "wayland-9"))
        server.listen()
        assert display_available()
        monkeypatch.setattr("horizon_rt.sinks.display.speaks_wayland", lambda: False)
        assert not display_available()
