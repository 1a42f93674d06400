"""XMP sidecars, read as other programs read them."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horizon_rt.imaging.xmp import xmp_packet
from horizon_rt.photos.crop import largest_share
from horizon_rt.photos.exif import TRANSPOSED, upright
from horizon_rt.photos.sidecar import crop_sidecar

CRS = "{http://ns.adobe.com/camera-raw-settings/1.0/}"
SIZES = st.tuples(st.integers(200, 9000), st.integers(200, 9000))


def crop_of(packet: bytes) -> dict[str, float]:
    """The numbers of the crop, by an XML reader."""
    (description,) = ET.fromstring(packet.strip()).iter(
        "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
    )
    return {
        name.removeprefix(f"{CRS}Crop"): float(value)
        for name, value in description.attrib.items()
        if name.startswith(f"{CRS}Crop")
    }


def by_darktable(crop: dict[str, float], width: int, height: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Two corners of the crop in the turned picture, from its centre in px, and the clockwise turn of that,
    in degrees: as darktable does it (src/develop/lightroom.c), which negates the angle first.
    """
    angle = -crop["Angle"]
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn = np.array([[c, -s], [s, c]])
    size = np.array([width, height])
    first = turn @ ((np.array([crop["Left"], crop["Top"]]) - 0.5) * size)
    second = turn @ ((np.array([crop["Right"], crop["Bottom"]]) - 0.5) * size)
    return first, second, angle


@given(SIZES, st.floats(-20, 20))
def test_the_crop_is_the_largest_upright_one(size: tuple[int, int], tilt: float) -> None:
    first, second, turn = by_darktable(crop_of(crop_sidecar(size, 1, tilt)), *size)
    assert turn == pytest.approx(-tilt, abs=1e-3)  # clockwise: a right end that lies lower goes up
    expected = largest_share(*size, tilt) * np.array(size) / 2
    assert np.allclose(second, expected, atol=0.02 + 1e-4 * max(size))
    assert np.allclose(first, -expected, atol=0.02 + 1e-4 * max(size))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_is_stored_otherwise_becomes_level_too(orientation: int) -> None:
    """A line that is drawn into the stored picture, turned as the sidecar says and shown upright."""
    tilt, stored = 7.0, (600, 400)
    crop = crop_of(crop_sidecar(stored, orientation, tilt))
    width, height = stored[::-1] if orientation in TRANSPOSED else stored
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    along = math.tan(math.radians(tilt))
    seen = np.stack([x, y, y - along * x], axis=-1)  # of each pixel its place, and how far below the line
    back = {6: 8, 8: 6}.get(orientation, orientation)
    in_file = upright(seen, back)
    assert in_file.shape[:2] == stored[::-1]
    angle = math.radians(-crop["Angle"])
    rows, columns = np.mgrid[: stored[1], : stored[0]]
    centred = np.stack([columns - (stored[0] - 1) / 2, rows - (stored[1] - 1) / 2])
    turned = np.tensordot(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], centred, axes=1
    )
    shown = upright(np.moveaxis(turned, 0, -1), orientation)
    on_line = np.abs(upright(in_file, orientation)[..., 2]) < 0.5
    places = shown[on_line]
    vertical = places[:, 0 if orientation in TRANSPOSED else 1]
    assert np.ptp(vertical) < 1.5


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
def test_exiftool_reads_it(tmp_path: Path) -> None:
    (path := tmp_path / "p.xmp").write_bytes(crop_sidecar((4000, 3000), 6, -3.25))
    done = subprocess.run(["exiftool", "-json", "-n", path], capture_output=True, check=True)
    (tags,) = json.loads(done.stdout)
    assert tags["HasCrop"] is True
    assert (tags["CropAngle"], tags["Orientation"], tags["ImageWidth"]) == (-3.25, 6, 4000)
    assert tags["CropLeft"] == pytest.approx(1 - tags["CropRight"])
    assert "Warning" not in tags


def test_a_packet_escapes_what_xml_would_take() -> None:
    text = 'a "b" <c> & d'
    assert list(ET.fromstring(xmp_packet({"xmp:Label": text}).strip()).iter())[-1].attrib[
        "{http://ns.adobe.com/xap/1.0/}Label"
    ] == text  # fmt: skip
