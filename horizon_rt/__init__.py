"""Real-time horizon tracker: roll, pitch and an honest sigma from pictures alone.

The names below load on first use, so that `import horizon_rt` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from horizon_rt._version import __version__

if TYPE_CHECKING:
    from horizon_rt.camera import BrownConrady, Camera
    from horizon_rt.errors import HorizonError
    from horizon_rt.frame import Frame
    from horizon_rt.geometry import HorizonLine, UpVector
    from horizon_rt.horizon import Horizon, Measurement, Observation
    from horizon_rt.sources import Source, open_source
    from horizon_rt.tracker import HorizonTracker
    from horizon_rt.tracking import smooth_horizons

_HOMES = {
    "BrownConrady": "camera",
    "Frame": "frame",
    "Horizon": "horizon",
    "HorizonError": "errors",
    "HorizonLine": "geometry",
    "HorizonTracker": "tracker",
    "Measurement": "horizon",
    "Observation": "horizon",
    "Camera": "camera",
    "Source": "sources",
    "UpVector": "geometry",
    "open_source": "sources",
    "smooth_horizons": "tracking",
}

__all__ = [
    "BrownConrady",
    "Camera",
    "Frame",
    "Horizon",
    "HorizonError",
    "HorizonLine",
    "HorizonTracker",
    "Measurement",
    "Observation",
    "Source",
    "UpVector",
    "__version__",
    "open_source",
    "smooth_horizons",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
