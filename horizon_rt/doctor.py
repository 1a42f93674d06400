"""A look at the machine: what works, what is missing and what to do about it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from horizon_rt._version import __version__
from horizon_rt.errors import HorizonError

__all__ = ["Finding", "examine"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the machine; a part that is 'missing' keeps the program from working, 'none' does not."""

    part: str
    ok: bool
    text: str
    severity: Literal["missing", "none"] = "none"


def examine() -> list[Finding]:
    """All findings, the program first; never raises."""
    looks = (_program, _packages, _cpu, _gpu, _cameras, _display, _decoders, _encoder, _weights, _profiles)
    return [_safely(look) for look in looks]


def _safely(look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:
        return Finding(look.__name__.strip("_"), False, f"{type(error).__name__}: {error}", "missing")


def _program() -> Finding:
    return Finding("program", True, f"horizon-rt {__version__}, Python {platform.python_version()}")


def _packages() -> Finding:
    found, absent = [], []
    for name in ("torch", "opencv-python", "numpy", "numba", "av", "rich", "typer", "safetensors", "PyYAML"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        return Finding("packages", False, f"absent: {', '.join(absent)}; pip install them", "missing")
    return Finding("packages", True, ", ".join(found))


def _cpu() -> Finding:
    import torch

    return Finding("CPU", True, f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}")


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("GPU", False, "no CUDA device; the net runs on the CPU in float32")
    return Finding("GPU", True, f"{torch.cuda.get_device_name()}; the net runs in half precision")


def _cameras() -> Finding:
    devices = sorted(Path("/dev").glob("video*"))
    if not devices:
        return Finding("cameras", False, "no /dev/video* device")
    usable = [d.name for d in devices if os.access(d, os.R_OK | os.W_OK)]
    refused = [d.name for d in devices if d.name not in usable]
    text = ", ".join(usable) + (f"; no permission for {', '.join(refused)}" if refused else "")
    return Finding("cameras", bool(usable), text)


def _display() -> Finding:
    from horizon_rt.sinks import display_available

    if display_available():
        return Finding(
            "display", True, os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY", "native")
        )
    return Finding("display", False, "none; `live` goes on without a window")


def _decoders() -> Finding:
    from av.codec import codecs_available

    wanted = ("h264", "hevc", "vp9", "av1", "mjpeg", "h264_cuvid", "hevc_cuvid")
    return Finding(
        "decoders", "h264" in codecs_available, ", ".join(w for w in wanted if w in codecs_available)
    )


def _encoder() -> Finding:
    from av.codec import codecs_available

    found = [name for name in ("libx264", "h264_nvenc", "mpeg4") if name in codecs_available]
    return Finding("encoders", bool(found), ", ".join(found) or "no H.264 encoder; overlays need one")


def _weights() -> Finding:
    from horizon_rt.segmentation.weights import default_model, load_net

    try:
        card = default_model()
        load_net(card)
    except HorizonError as error:
        return Finding("weights", False, str(error), "missing")
    return Finding("weights", True, f"{card.name}, sha256 {card.sha256[:12]}…")


def _profiles() -> Finding:
    from horizon_rt.camera.profile import profile_names

    return Finding("profiles", True, ", ".join(profile_names()))
