"""Frames and horizons with known content, and readers that know nothing of the writers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from support import ROOT

from horizon_rt.camera import Camera
from horizon_rt.frame import Frame, Sampling
from horizon_rt.geometry import Mount, UpVector
from horizon_rt.horizon import Attitude, Horizon, Measurement, Observation, State, View
from horizon_rt.sinks import SinkContext


def context(camera: Camera | None = None, **changes: object) -> SinkContext:
    camera = camera or Camera.from_hfov(96, 64, 70)
    values = {"source": "flight.mp4", "frame_rate": 30.0, "model": "net", "version": "0.1.0", **changes}
    return SinkContext(width=camera.width, height=camera.height, camera=camera, **values)  # type: ignore[arg-type]


def frame(
    index: int = 0,
    *,
    width: int = 96,
    height: int = 64,
    time_s: float | None = None,
    sampling: Sampling | None = None,
    name: str | None = None,
    luma: int = 60,
) -> Frame:
    """A grey 4:2:0 picture."""
    chroma = np.full((-(-height // 2), -(-width // 2)), 128, np.uint8)
    planes = (np.full((height, width), luma, np.uint8), chroma, chroma)
    when = index / 30 if time_s is None else time_s
    return Frame(planes, index, when, sampling or Sampling(), name=name)


def noisy_frame(index: int, *, width: int = 96, height: int = 64) -> Frame:
    """A picture that costs the encoder many bytes."""
    generator = np.random.default_rng(index)
    sizes = [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
    planes = tuple(generator.integers(16, 235, size, dtype=np.uint8) for size in sizes)
    return Frame(planes, index, index / 30)


def horizon(
    index: int = 0,
    *,
    roll: float | None = 10.0,
    pitch: float = 3.0,
    camera: Camera | None = None,
    state: State = "tracking",
    view: View = "horizon",
    sd: tuple[float, float] | None = (0.4, 0.3),
    file: str | None = None,
    mount: Mount | None = None,
) -> Horizon:
    focal = (camera or Camera.from_hfov(96, 64, 70)).focal_px
    up = None if roll is None else UpVector.from_roll_pitch(roll, pitch)
    line = None if up is None else up.line(focal)
    measured = None if up is None else Measurement(up=up, covariance=np.eye(3) * 1e-5, inliers=80)
    attitude = None if up is None else Attitude(up=up, covariance=covariance(up, *(sd or (0.0, 0.0))))
    return Horizon(
        frame=index,
        time_s=index / 30,
        state=state,
        observation=Observation(view=view, confidence=0.9, sky_fraction=0.55, measurement=measured),
        attitude=attitude,
        line=line,
        measured_line=line,
        latency_ms=5.25,
        file=file,
        mount=mount,
    )


def covariance(up: UpVector, roll_sd_deg: float, pitch_sd_deg: float) -> NDArray[np.float64]:
    """Covariance (3, 3) of an up vector whose roll and pitch err independently, rad²."""
    inverse = np.linalg.pinv(up.roll_pitch_jacobian())
    return np.asarray(inverse @ np.diag(np.radians([roll_sd_deg, pitch_sd_deg]) ** 2) @ inverse.T)


def ffprobe(path: Path, *entries: str) -> dict[str, list[dict[str, object]]]:
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_entries", ":".join(entries), str(path)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=30)
    answer: dict[str, list[dict[str, object]]] = json.loads(done.stdout)
    return answer


def frame_times(path: Path) -> list[float]:
    """Presentation times in seconds of all pictures that FFmpeg decodes."""
    answer = ffprobe(path, "frame=pts_time,media_type")["frames"]
    return [float(str(f["pts_time"])) for f in answer if f["media_type"] == "video"]


def run_python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that can import the package and this file."""
    prelude = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]\n"
    command = [sys.executable, "-c", prelude + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def pixels_near(
    image: NDArray[np.uint8], colour: tuple[int, int, int], tolerance: int = 40
) -> NDArray[np.intp]:
    """(N, 2) x, y of the BGR image's pixels whose RGB is near `colour`."""
    away = np.abs(image[:, :, ::-1].astype(int) - np.array(colour)).max(axis=2)
    return np.argwhere(away <= tolerance)[:, ::-1]
