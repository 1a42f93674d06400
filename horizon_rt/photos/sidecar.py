"""The crop of a photograph as Lightroom and Camera Raw store it (`crs:`), which darktable imports.

`crs:CropLeft` and `crs:CropTop` are the upper left corner of the crop, `crs:CropRight` and `crs:CropBottom`
the lower right one, both as places in the picture as it is stored, 0 to 1; between them lies a rectangle that
is turned clockwise by `crs:CropAngle` about its centre (darktable, src/develop/lightroom.c, undoes it so).
"""

from __future__ import annotations

import math

from horizon_rt._version import __version__
from horizon_rt.imaging.xmp import xmp_packet
from horizon_rt.photos.crop import largest_share
from horizon_rt.photos.exif import stored_angle

__all__ = ["crop_sidecar"]


def crop_sidecar(size: tuple[int, int], orientation: int, angle_deg: float) -> bytes:
    """The sidecar of a photograph of this stored size (width, height) and EXIF orientation, whose horizon is
    tilted by `angle_deg` as it is seen.
    """
    width, height = size
    turn = stored_angle(angle_deg, orientation)
    half = 0.5 * largest_share(width, height, turn)
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    right = 0.5 + half * (c * width - s * height) / width
    bottom = 0.5 + half * (s * width + c * height) / height
    return xmp_packet(
        {
            "xmp:CreatorTool": f"horizon-rt {__version__}",
            "tiff:ImageWidth": str(width),
            "tiff:ImageLength": str(height),
            "tiff:Orientation": str(orientation),
            "crs:Version": "15.0",
            "crs:HasSettings": "True",
            "crs:HasCrop": "True",
            "crs:AlreadyApplied": "False",
            "crs:CropLeft": f"{1 - right:.6f}",
            "crs:CropTop": f"{1 - bottom:.6f}",
            "crs:CropRight": f"{right:.6f}",
            "crs:CropBottom": f"{bottom:.6f}",
            "crs:CropAngle": f"{turn:.4f}",
            "crs:CropConstrainToWarp": "0",
        }
    )
