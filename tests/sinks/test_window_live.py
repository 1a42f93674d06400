"""`live` with a window on a virtual display, as a user meets it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest
from support.sinks import pixels_near

from horizon_rt.sinks.overlay import STATE_COLOURS

Start = Callable[..., "subprocess.Popen[str]"]

pytestmark = [
    pytest.mark.flaky(reruns=3),  # as in test_window
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb, a virtual X server"),
    pytest.mark.skipif(shutil.which("xdotool") is None, reason="needs xdotool"),
]


@pytest.fixture
def display() -> Iterator[dict[str, str]]:
    """The environment of a process on a display of its own."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        yield {**os.environ, "DISPLAY": ":" + os.read(read, 16).decode().strip()}
        os.close(read)
        server.terminate()


def window(display: dict[str, str], child: subprocess.Popen[str]) -> str:
    command = ["xdotool", "search", "--onlyvisible", "--name", "horizon-rt"]
    for _ in range(300):
        assert child.poll() is None, child.communicate()[1]
        found = subprocess.run(command, capture_output=True, text=True, env=display).stdout.split()
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError("no window appeared")


def press(display: dict[str, str], target: str, key: str) -> None:
    subprocess.run(["xdotool", "windowfocus", target, "key", key], check=True, env=display, timeout=20)


@pytest.mark.skipif(shutil.which("import") is None, reason="needs ImageMagick's import")
def test_live_shows_a_window_until_q(process: Start, display: dict[str, str], tmp_path: Path) -> None:
    source = "synth:sea?size=480x320&seconds=1000&motion=boat"
    telemetry, video, rec, screen = (tmp_path / n for n in ("t.jsonl", "o.mkv", "rec", "screen.png"))
    child = process(
        "live", source, "--telemetry", telemetry, "--overlay", video, "--record", rec, env=display
    )
    target = window(display, child)
    for _ in range(50):
        time.sleep(0.2)
        subprocess.run(["import", "-window", "root", str(screen)], check=True, env=display, timeout=20)
        image = cv2.imread(str(screen))
        if len(pixels_near(image, STATE_COLOURS["tracking"], 60)) > 100:
            break
    press(display, target, "q")
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 0, errors
    told = [line for line in errors.splitlines() if line.startswith("written: ")]
    assert told == [f"written: {path}" for path in (telemetry, video, rec)]
    assert len(pixels_near(image, STATE_COLOURS["tracking"], 60)) > 100
    _, *records = map(json.loads, telemetry.read_text().splitlines())
    assert "tracking" in {record["state"] for record in records}
    assert video.stat().st_size > 1000
