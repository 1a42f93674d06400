"""A look at the machine: what works, what is missing and what to do about it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Literal

from horizon_rt._version import __version__
from horizon_rt.sources.v4l2 import camera_formats
from horizon_rt.system.host import find_cameras, uses_v4l2
from horizon_rt.system.messages import error_line

__all__ = ["PARTS", "Finding", "examine", "examine_part"]

_PACKAGES = ("torch", "opencv-python", "numpy", "numba", "av", "rich", "typer", "safetensors", "PyYAML")
_DECODERS = ("h264", "hevc", "vp9", "av1", "mjpeg")


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the machine.

    `state` 'missing' keeps the program from working; 'none' is something that it can do without. `details`
    are further lines.
    """

    part: str
    state: Literal["ok", "none", "missing"]
    text: str
    details: tuple[str, ...] = ()


def _program() -> Finding:
    return Finding("program", "ok", f"horizon-rt {__version__}, Python {platform.python_version()}")


def _packages() -> Finding:
    found, absent = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        return Finding("packages", "missing", f"pip install {' '.join(absent)}")
    return Finding("packages", "ok", ", ".join(found))


def _cpu() -> Finding:
    import torch

    return Finding("CPU", "ok", f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}")


def _gpu() -> Finding:
    import torch

    if torch.backends.mps.is_available():
        return Finding("GPU", "none", "one of Apple, which is not used; the net runs on the CPU in float32")
    if not torch.cuda.is_available():
        return Finding("GPU", "none", "no CUDA device; the net runs on the CPU in float32")
    return Finding("GPU", "ok", f"{torch.cuda.get_device_name()}; the net runs in half precision")


def _cameras() -> Finding:
    usable, refused = find_cameras()
    if not usable and not refused:
        return Finding("cameras", "none", "no camera found")
    hint = [f"no permission for {', '.join(refused)}; join the group video"] if refused else []
    details = [line for camera in usable for line in _formats(camera)] if uses_v4l2() else []
    return Finding("cameras", "ok" if usable else "none", "; ".join([*usable, *hint]), tuple(details))


def _formats(camera: str) -> list[str]:
    """A line for each pixel format of a camera; of a device that gives other things than pictures none."""
    path = camera.partition(" ")[0]
    try:
        return [f"{path} {found}" for found in camera_formats(path)]
    except OSError as error:
        return [f"{path} cannot be asked for its formats: {error.strerror}"]


def _display() -> Finding:
    from horizon_rt.sinks import display_available

    if not display_available():
        return Finding("display", "none", "no display answers; `live` goes on without a window")
    return Finding("display", "ok", os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY", "native"))


def _decoders() -> Finding:
    from av.codec import codecs_available

    absent = [name for name in _DECODERS if name not in codecs_available]
    if absent:
        return Finding("decoders", "none", f"cannot read {', '.join(absent)}; install PyAV's own wheel")
    return Finding("decoders", "ok", ", ".join(_DECODERS))


def _hardware_decoding() -> Finding:
    from horizon_rt.sources.gpu import gpu_refusal

    refusal = gpu_refusal()
    if refusal is not None:
        return Finding("hardware decoding", "none", f"{refusal}; video is decoded on the CPU")
    return Finding("hardware decoding", "ok", "by CUDA; pictures stay on the GPU that runs the net")


def _encoders() -> Finding:
    from horizon_rt.imaging.codecs import software_encoders

    found = software_encoders()
    if not found:
        return Finding("encoders", "none", "no overlay videos can be written; install PyAV's own wheel")
    return Finding("encoders", "ok", ", ".join(found))


def _weights() -> Finding:
    from horizon_rt.models.weights import find_model, load_net, shipped_models

    cards = [find_model(name=name) for name in shipped_models()]
    for card in cards:
        load_net(card)
    default = find_model().name
    names = [f"{card.name} (default)" if card.name == default else card.name for card in cards]
    return Finding("weights", "ok", ", ".join(names))


def _backends() -> Finding:
    from horizon_rt.segmentation.backends import installed_backends

    found = installed_backends()
    if len(found) == 1:
        return Finding("backends", "ok", f"{found[0]}; on a CPU faster with: pip install 'horizon-rt[onnx]'")
    return Finding("backends", "ok", f"{', '.join(found)}; {found[0]} runs the net on the CPU")


def _analysis() -> Finding:
    """The whole way of a frame, which also shows that the kernels compile here."""
    import numpy as np

    from horizon_rt.frame import Frame
    from horizon_rt.tracker import HorizonTracker

    rows = np.linspace(230, 20, 360).astype(np.uint8)
    image = np.repeat(rows[:, np.newaxis], 640, axis=1)
    tracker, times = HorizonTracker(), []
    for index in range(20):
        start = time.perf_counter()
        tracker.update(Frame.from_bgr(image, index=index, time_s=index / 25))
        times.append(time.perf_counter() - start)
    text = f"{1e3 * median(times):.1f} ms for a picture of 640x360, the net on {tracker.backend}"
    return Finding("analysis", "ok", text)


def _profiles() -> Finding:
    from horizon_rt.camera.profile_files import profile_names

    return Finding("profiles", "ok", ", ".join(profile_names()))


PARTS: dict[str, Callable[[], Finding]] = {
    "program": _program,
    "packages": _packages,
    "CPU": _cpu,
    "GPU": _gpu,
    "cameras": _cameras,
    "display": _display,
    "decoders": _decoders,
    "hardware decoding": _hardware_decoding,
    "encoders": _encoders,
    "weights": _weights,
    "backends": _backends,
    "analysis": _analysis,
    "profiles": _profiles,
}
"""What is examined, in this order."""


def examine() -> list[Finding]:
    """The findings for all parts; never raises."""
    return [examine_part(part) for part in PARTS]


def examine_part(part: str) -> Finding:
    """The finding for one of `PARTS`; never raises."""
    try:
        return PARTS[part]()
    except Exception as error:
        return Finding(part, "missing", error_line(error))
