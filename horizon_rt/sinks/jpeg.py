"""A frame with its overlay as JPEG, for those who look on from elsewhere."""

from __future__ import annotations

from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.sinks.overlay import Overlay

__all__ = ["overlay_jpeg"]

_QUALITY, _LARGEST_PX = 75, 1280


def overlay_jpeg(overlay: Overlay, frame: Frame, horizon: Horizon) -> bytes:
    """The picture with the horizon drawn in, at most 1280 px at its longer side."""
    import cv2

    image = overlay.render(frame, horizon).to_bgr()
    scale = min(1.0, _LARGEST_PX / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
