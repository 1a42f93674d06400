"""Camera profiles: a lens model with its name and where it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from horizon_rt.camera.model import Pinhole
from horizon_rt.errors import CameraModelError
from horizon_rt.files import write_whole

__all__ = [
    "CameraProfile",
    "check_writable",
    "load_profile",
    "profile_names",
    "profiles_folder",
    "save_profile",
]

# A profile written with the video still shows all it has; larger files are something else, and slow to parse.
_LARGEST_FILE = 512 * 1024
_LONGEST_TEXT = 1000
_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraProfile:
    """A lens model for one picture size, with its origin.

    `rms_px` is the reprojection error of the calibration, None where there was none. `source` says in one
    line where the numbers come from. `assumed` is True for a guess such as a field of view.
    """

    name: str
    model: Pinhole
    rms_px: float | None = None
    source: str = ""
    assumed: bool = False

    def __post_init__(self) -> None:
        text = self.name + self.source
        if not self.name or not text.isprintable() or len(text) > _LONGEST_TEXT:
            raise CameraModelError(
                f"a profile needs a name and a source in one line, {_LONGEST_TEXT} characters at most, "
                f"got {text[:60]!a}"
            )
        if self.rms_px is not None and not (math.isfinite(self.rms_px) and self.rms_px >= 0):
            raise CameraModelError(f"rms_px is a length in px, got {self.rms_px}")

    @classmethod
    def from_hfov(cls, width: int, height: int, hfov_deg: float) -> Self:
        """The guess used without a calibration: centred, square pixels, this horizontal field of view."""
        model = Pinhole.from_hfov(width, height, hfov_deg)
        name = f"hfov{hfov_deg:g}"
        return cls(name=name, model=model, source=f"assumed field of view of {hfov_deg:g}°", assumed=True)

    def fit_to(self, width: int, height: int) -> Self:
        """The profile for a video of another size and the same aspect ratio, within 1 %.

        A guessed field of view fits any size. Raises CameraModelError for another aspect ratio of a
        measured lens: the camera then used another part of its sensor, and the numbers cannot tell which.
        """
        model = self.model
        if (width, height) == (model.width, model.height):
            return self
        if self.assumed and type(model) is Pinhole:
            return replace(self, model=model.for_size(width, height))
        if abs(width * model.height / max(height * model.width, 1) - 1) > _ASPECT_TOLERANCE:
            raise CameraModelError(
                f"camera profile {self.name!r} is for {model.width}x{model.height} and the video is "
                f"{width}x{height}: calibrate in the video's own mode, as a crop changes the lens centre"
            )
        return replace(self, model=model.resized(width, height))


def profiles_folder() -> Path:
    """The folder of the shipped profiles: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_calibration"
    return installed if installed.is_dir() else package.parent / "calibration"


def profile_names() -> tuple[str, ...]:
    """Names of the shipped profiles, sorted."""
    return tuple(sorted(path.stem for path in profiles_folder().glob("*.toml")))


def load_profile(path_or_name: str | Path) -> CameraProfile:
    """Read a profile file in TOML or OpenCV YAML, told by its content, or a shipped profile by its name.

    Raises CameraModelError for a missing, malformed or unsupported one.
    """
    from horizon_rt.camera import opencv_yaml, toml_profile

    path = _resolve(path_or_name)
    text = _read(path)
    parse = opencv_yaml.parse if opencv_yaml.looks_like(text) else toml_profile.parse
    try:
        return parse(text, name=path.stem)
    except CameraModelError as error:
        raise CameraModelError(f"{path}: {error}") from error


def save_profile(profile: CameraProfile, path: str | Path) -> None:
    """Write a profile: `.toml` in this project's format, `.yaml` or `.yml` in OpenCV's.

    Raises CameraModelError for another suffix or a missing folder, OutputError where it cannot be written.
    """
    from horizon_rt.camera import opencv_yaml, toml_profile

    path = Path(path)
    check_writable(path)
    render = toml_profile.render if path.suffix.lower() == ".toml" else opencv_yaml.render
    write_whole(path, render(profile).encode())


def check_writable(path: Path) -> None:
    """Raise CameraModelError where no profile could be written, so that long work is not done in vain."""
    if path.suffix.lower() not in (".toml", ".yaml", ".yml"):
        raise CameraModelError(f"{path}: a profile's name ends in .toml, .yaml or .yml")
    if not path.parent.is_dir():
        raise CameraModelError(f"{path}: there is no folder {path.parent}")


def _resolve(path_or_name: str | Path) -> Path:
    path = Path(path_or_name)
    try:
        if path.exists():
            return path
    except (OSError, ValueError):
        pass
    if str(path_or_name) in profile_names():
        return profiles_folder() / f"{path_or_name}.toml"
    shown = ascii(str(path_or_name)[:200])
    raise CameraModelError(f"no camera profile {shown}: give a file, or one of {', '.join(profile_names())}")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise CameraModelError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _LARGEST_FILE:
        raise CameraModelError(f"{path}: larger than {_LARGEST_FILE // 1024} KiB, so not a camera profile")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CameraModelError(f"{path}: not a text file, so not a camera profile") from error
