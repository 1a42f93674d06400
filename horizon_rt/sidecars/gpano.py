"""A folder of XMP files, one a picture, with the pose of the camera (Google's photo sphere metadata)."""

from __future__ import annotations

from pathlib import Path

from horizon_rt.errors import OutputError
from horizon_rt.imaging.xmp import xmp_packet
from horizon_rt.sidecars.attitude import camera_mount, camera_up, has_attitude
from horizon_rt.sidecars.base import Header, Row, Writer
from horizon_rt.system.files import make_folder, write_atomic

__all__ = ["GpanoFolder"]


class GpanoFolder(Writer):
    """Writes NAME.xmp with GPano:PosePitchDegrees (positive upwards) and GPano:PoseRollDegrees (positive with
    the right side down). There is no heading, and no projection, which would make viewers take
    the picture for a sphere. Of pictures that differ in their suffix alone the later ones get NAME.png.xmp.
    """

    def __init__(self, target: Path, header: Header) -> None:
        self._folder, self._mount = target, camera_mount(header)
        self._written = set[str]()
        make_folder(target)

    def put(self, row: Row) -> None:
        """See `Writer`."""
        if not row.get("file"):
            raise OutputError(f"{self._folder} is for pictures, and the telemetry is that of a video")
        if not has_attitude(row):
            return
        up = camera_up(row, self._mount)
        packet = xmp_packet(
            {
                "GPano:UsePanoramaViewer": "False",
                "GPano:PosePitchDegrees": f"{up.pitch_deg:.4f}",
                "GPano:PoseRollDegrees": f"{up.roll_deg:.4f}",
            }
        )
        name = Path(row["file"])
        if name.is_absolute() or ".." in name.parts:
            raise OutputError(f"{row['file']!r} lies outside the folder of the pictures")
        write_atomic(self._folder / self._free(name), packet)

    def _free(self, picture: Path) -> Path:
        """NAME.xmp, or NAME.png.xmp where another picture has that."""
        name = picture.with_suffix(".xmp")
        if str(name).lower() in self._written:
            name = picture.with_name(f"{picture.name}.xmp")
        self._written.add(str(name).lower())
        return name

    def _finish(self) -> None:
        pass

    def _abandon(self) -> None:
        pass

    def _remove(self) -> None:
        """Each pose is whole."""
