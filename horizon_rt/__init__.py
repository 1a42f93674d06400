"""Real-time horizon tracker: roll, pitch and an honest sigma from pictures alone.

The names below load on first use, so that `import horizon_rt` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from horizon_rt._version import __version__

if TYPE_CHECKING:
    from horizon_rt.api import VideoSink, batch, draw, level, straighten, track
    from horizon_rt.camera import BrownConrady, Camera, KannalaBrandt, load_profile
    from horizon_rt.comparison import Comparison, compare
    from horizon_rt.errors import HorizonError
    from horizon_rt.flight_logs import load_log
    from horizon_rt.frame import Frame
    from horizon_rt.geometry import HorizonLine, Mount, UpVector
    from horizon_rt.horizon import Attitude, Horizon, Measurement, Observation
    from horizon_rt.options import Engine
    from horizon_rt.sources import Source, open_source
    from horizon_rt.tracker import HorizonTracker
    from horizon_rt.tracking import smooth_horizons
    from horizon_rt.tracks import AttitudeLog, Track, load_track

_HOMES = {
    "Attitude": "horizon",
    "AttitudeLog": "tracks",
    "BrownConrady": "camera",
    "Camera": "camera",
    "Comparison": "comparison",
    "Engine": "options",
    "Frame": "frame",
    "Horizon": "horizon",
    "HorizonError": "errors",
    "HorizonLine": "geometry",
    "HorizonTracker": "tracker",
    "KannalaBrandt": "camera",
    "Measurement": "horizon",
    "Mount": "geometry",
    "Observation": "horizon",
    "Source": "sources",
    "Track": "tracks",
    "UpVector": "geometry",
    "VideoSink": "api",
    "batch": "api",
    "compare": "comparison",
    "draw": "api",
    "level": "api",
    "load_log": "flight_logs",
    "load_profile": "camera",
    "load_track": "tracks",
    "open_source": "sources",
    "smooth_horizons": "tracking",
    "straighten": "api",
    "track": "api",
}

__all__ = [
    "Attitude",
    "AttitudeLog",
    "BrownConrady",
    "Camera",
    "Comparison",
    "Engine",
    "Frame",
    "Horizon",
    "HorizonError",
    "HorizonLine",
    "HorizonTracker",
    "KannalaBrandt",
    "Measurement",
    "Mount",
    "Observation",
    "Source",
    "Track",
    "UpVector",
    "VideoSink",
    "__version__",
    "batch",
    "compare",
    "draw",
    "level",
    "load_log",
    "load_profile",
    "load_track",
    "open_source",
    "smooth_horizons",
    "straighten",
    "track",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
