"""The pictures of docs/tutorial.md, by its own commands: `python benchmarks/tutorial.py`."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

DOCS = Path(__file__).parents[1] / "docs"
SHOWN_FRAME = 110
LARGEST_PX, QUALITY = 960, 70


def commands(page: str) -> list[list[str]]:
    """What its indented lines call, in order."""
    lines = re.findall(r"^    horizon-rt (.*)$", page, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def frame_of(video: str) -> NDArray[np.uint8]:
    with av.open(video) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == SHOWN_FRAME:
                return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    raise SystemExit(f"{video} has no frame {SHOWN_FRAME}")


def save(picture: NDArray[np.uint8], name: str) -> None:
    scale = min(1.0, LARGEST_PX / picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(DOCS / "tutorial" / f"{name}.webp"), small, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])


def main() -> None:
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for words in commands(page):
            subprocess.run([sys.executable, "-m", "horizon_rt", *words], check=True)
        for code in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
            exec(compile(code, "tutorial.md", "exec"), {})
        save(frame_of("first.mp4"), "overlay")
        save(frame_of("look.mp4"), "look")
        save(np.asarray(cv2.imread("plot.png"), np.uint8), "plot")
        save(np.asarray(cv2.imread("level.png"), np.uint8), "level")
        os.chdir(DOCS)


if __name__ == "__main__":
    main()
