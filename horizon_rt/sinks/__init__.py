"""Where results go: telemetry, overlay video, overlay pictures, a live window.

Names load on first use: importing this package loads no OpenCV and no PyAV.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from horizon_rt.sinks.base import RecordSink, RecordSwitch, Sink, SinkContext

if TYPE_CHECKING:
    from horizon_rt.imaging.canvas import Canvas
    from horizon_rt.sinks.display import display_available
    from horizon_rt.sinks.images import ImageSink
    from horizon_rt.sinks.overlay import Overlay
    from horizon_rt.sinks.telemetry import TelemetrySink, open_telemetry
    from horizon_rt.sinks.video import VideoSink
    from horizon_rt.sinks.window import WindowSink

_HOMES = {
    "Canvas": "imaging.canvas",
    "ImageSink": "sinks.images",
    "Overlay": "sinks.overlay",
    "TelemetrySink": "sinks.telemetry",
    "VideoSink": "sinks.video",
    "WindowSink": "sinks.window",
    "display_available": "sinks.display",
    "open_telemetry": "sinks.telemetry",
}

__all__ = [
    "Canvas",
    "ImageSink",
    "Overlay",
    "RecordSink",
    "RecordSwitch",
    "Sink",
    "SinkContext",
    "TelemetrySink",
    "VideoSink",
    "WindowSink",
    "display_available",
    "open_telemetry",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"horizon_rt.{_HOMES[name]}"), name)
