"""The one place of defaults that a user can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DEFAULT_HFOV_DEG", "BackendChoice", "BackendName", "DeviceChoice", "Smoothing", "TrackOptions"]

DEFAULT_HFOV_DEG = 70.0
Smoothing = Literal["causal", "offline", "none"]
DeviceChoice = Literal["auto", "cpu", "cuda"]
BackendName = Literal["torchscript", "onnx", "openvino"]
BackendChoice = Literal["auto", "torchscript", "onnx", "openvino"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOptions:
    """How to analyse a source.

    The camera comes from `camera_profile` (a shipped name or a file), else from `hfov_deg`, else it is
    assumed to be a centred pinhole of 70°. `smooth='offline'` is for recordings: each frame with hindsight.
    """

    camera_profile: str | None = None
    hfov_deg: float | None = None
    model: str | None = None
    smooth: Smoothing = "causal"
    device: DeviceChoice = "auto"
    backend: BackendChoice = "torchscript"
