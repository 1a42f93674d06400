"""The one place of defaults that a user can change."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

__all__ = [
    "BATCH",
    "DEFAULT_HFOV_DEG",
    "BackendChoice",
    "BackendName",
    "DecoderChoice",
    "DeviceChoice",
    "Precision",
    "PrecisionChoice",
    "Smoothing",
    "TrackOptions",
    "decoder_beside",
    "may_use_gpu",
]

DEFAULT_HFOV_DEG = 70.0
BATCH = 8
"""Frames of a recording that a GPU takes at a time; the next are prepared while it is busy with them."""

Smoothing = Literal["causal", "offline", "none"]
DeviceChoice = Literal["auto", "cpu", "cuda"]
DecoderChoice = DeviceChoice
BackendName = Literal["torchscript", "onnx", "openvino"]
BackendChoice = Literal["auto", "torchscript", "onnx", "openvino"]
Precision = Literal["float32", "float16", "bfloat16"]
PrecisionChoice = Literal["auto", "float32", "float16", "bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOptions:
    """How to analyse a source.

    The camera comes from `camera_profile` (a shipped name or a file), else from `hfov_deg`, else it is
    assumed to be a centred pinhole of 70°. `smooth='offline'` is for recordings: each frame with hindsight.
    `decoder` is for who opens the source, as `source_decoder`.
    """

    camera_profile: str | None = None
    hfov_deg: float | None = None
    model: str | None = None
    smooth: Smoothing = "causal"
    device: DeviceChoice = "auto"
    backend: BackendChoice = "auto"
    precision: PrecisionChoice = "auto"
    decoder: DecoderChoice = "auto"

    @property
    def told(self) -> dict[str, str | float]:
        """What a telemetry header says of them: all that is given and makes a difference to the results."""
        return {k: v for k, v in asdict(self).items() if v is not None and k != "decoder"}

    @property
    def lens_is_assumed(self) -> bool:
        """Whether nothing is known of the lens."""
        return self.camera_profile is None and self.hfov_deg is None

    @property
    def source_decoder(self) -> DecoderChoice:
        """`decoder`, where 'auto' leaves a GPU alone that does not run the net."""
        return decoder_beside(self.decoder, self.device, self.backend)


def decoder_beside(decoder: DecoderChoice, device: DeviceChoice, backend: BackendChoice) -> DecoderChoice:
    """Where to decode for a net on this device: 'auto' leaves a GPU alone that does not run the net."""
    return decoder if decoder != "auto" or may_use_gpu(device, backend) else "cpu"


def may_use_gpu(device: DeviceChoice, backend: BackendChoice) -> bool:
    """Whether these choices leave the net to a GPU, if there is one."""
    return device != "cpu" and backend in ("auto", "torchscript")
