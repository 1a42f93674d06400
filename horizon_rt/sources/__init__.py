"""Where frames come from: files, cameras, image folders, pipes and synthetic scenes.

`open_source` is the one way in. Importing this package loads neither av nor cv2; they load with the kind
of source that needs them.
"""

from __future__ import annotations

from horizon_rt.sources.base import Health, Receiving, Source, SourceInfo, SourceKind, WrappedSource
from horizon_rt.sources.resolve import open_source

__all__ = ["Health", "Receiving", "Source", "SourceInfo", "SourceKind", "WrappedSource", "open_source"]
