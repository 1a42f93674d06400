"""Camera profiles on disk: shipped ones by name, files in every format that is known here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

from horizon_rt.camera import documents, gyroflow, kalibr, opencv_storage, ros_info, toml_profile
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.errors import CameraModelError
from horizon_rt.options import ProfileFormat
from horizon_rt.system.files import write_atomic
from horizon_rt.system.paths import shipped_folder
from horizon_rt.system.text import read_text

__all__ = [
    "check_writable",
    "load_profile",
    "profile_names",
    "profiles_folder",
    "replace_lens",
    "save_profile",
]

_YAML = (".yaml", ".yml")
_BY_SUFFIX: Mapping[str, ProfileFormat] = {
    ".toml": "toml",
    ".yaml": "opencv",
    ".yml": "opencv",
    ".json": "opencv",
}
_SUFFIXES: Mapping[ProfileFormat, tuple[str, ...]] = {
    "toml": (".toml",),
    "opencv": (*_YAML, ".json"),
    "ros": _YAML,
    "kalibr": _YAML,
    "gyroflow": (".json",),
}
# Lines that TOML does not have: a key of YAML or JSON, or its beginning.
_FOREIGN = re.compile(
    r"""^\s*["']?(camera_matrix|distortion_coefficients|distortion_model|fisheye_model|cam\d+)["']?\s*:""",
    re.MULTILINE | re.IGNORECASE,
)

# A profile written with the video still shows all it has; larger files are something else, and slow to parse.
_LARGEST_FILE = 512 * 1024


def profiles_folder() -> Path:
    """The folder of the shipped profiles: inside an installed package, or at the top of a checkout."""
    return shipped_folder("calibration")


def profile_names() -> tuple[str, ...]:
    """Names of the shipped profiles, sorted."""
    return tuple(sorted(path.stem for path in profiles_folder().glob("*.toml")))


def load_profile(path_or_name: str | Path) -> CameraProfile:
    """Read a profile file, or a shipped profile by its name.

    The content tells whether it is TOML of this project, YAML of OpenCV, ROS or Kalibr, or JSON of OpenCV
    or Gyroflow. Raises CameraModelError for a missing, malformed or unsupported one.
    """
    path = _resolve(path_or_name)
    text = _read(path)
    try:
        return _parse(text, path.stem)
    except CameraModelError as error:
        raise CameraModelError(f"{path}: {error}") from error


def _parse(text: str, name: str) -> CameraProfile:
    if text.startswith("<?xml"):
        raise CameraModelError("OpenCV XML files are not read: write the calibration as .yml")
    if not text.lstrip().startswith(("%YAML", "{")) and _FOREIGN.search(text) is None:
        return toml_profile.parse(text, name=name)
    values = documents.parse_mapping(text)
    for kind in (gyroflow, kalibr, ros_info):
        if kind.is_mine(values):
            return kind.parse(values, name=name)
    return opencv_storage.parse(values, name=name)


def save_profile(profile: CameraProfile, path: str | Path, *, format: ProfileFormat | None = None) -> None:
    """Write a profile in a format; without one .toml is this project's, .yaml, .yml and .json OpenCV's.

    Raises CameraModelError for a suffix that the format does not have, a lens that it does not hold, or a
    missing folder, OutputError where it cannot be written.
    """
    path = Path(path)
    check_writable(path, format=format)
    suffix = path.suffix.lower()
    try:
        text = _renderer(format or _BY_SUFFIX[suffix], suffix)(profile)
    except CameraModelError as error:
        raise CameraModelError(f"{path}: {error}") from error
    write_atomic(path, text.encode())


def replace_lens(profile: CameraProfile, path: Path) -> CameraProfile:
    """Write a profile and return what was written: the mount of one that it replaces stays, as the camera is
    where it was. Raises as `save_profile`.
    """
    if path.exists():
        with suppress(CameraModelError):  # where no profile is there
            profile = replace(profile, mount=load_profile(path).mount)
    save_profile(profile, path)
    return profile


def _renderer(format: ProfileFormat, suffix: str) -> Callable[[CameraProfile], str]:
    if format == "opencv" and suffix == ".json":
        return opencv_storage.render_json
    modules = {"toml": toml_profile, "opencv": opencv_storage, "ros": ros_info, "kalibr": kalibr}
    return (modules | {"gyroflow": gyroflow})[format].render


def check_writable(path: Path, *, format: ProfileFormat | None = None) -> None:
    """Raise CameraModelError where no profile could be written, so that long work is not done in vain."""
    if format is not None and format not in get_args(ProfileFormat):
        raise CameraModelError(f"no format {format!a}; there are {', '.join(get_args(ProfileFormat))}")
    suffixes = tuple(_BY_SUFFIX) if format is None else _SUFFIXES[format]
    if path.suffix.lower() not in suffixes:
        what = "a profile's name" if format is None else f"the name of a profile for {format}"
        raise CameraModelError(f"{path}: {what} ends in {' or '.join(suffixes)}")
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
        return read_text(path, largest=_LARGEST_FILE)
    except OSError as error:
        raise CameraModelError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CameraModelError(f"{path}: {error}, so not a camera profile") from error
