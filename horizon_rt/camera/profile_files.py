"""Camera profiles on disk: shipped ones by name, files in every format that is known here."""

from __future__ import annotations

from pathlib import Path

from horizon_rt.camera import opencv_yaml, toml_profile
from horizon_rt.camera.profile import CameraProfile
from horizon_rt.errors import CameraModelError
from horizon_rt.system.files import write_atomic
from horizon_rt.system.paths import shipped_folder

__all__ = ["check_writable", "load_profile", "profile_names", "profiles_folder", "save_profile"]

# A profile written with the video still shows all it has; larger files are something else, and slow to parse.
_LARGEST_FILE = 512 * 1024


def profiles_folder() -> Path:
    """The folder of the shipped profiles: inside an installed package, or at the top of a checkout."""
    return shipped_folder("calibration")


def profile_names() -> tuple[str, ...]:
    """Names of the shipped profiles, sorted."""
    return tuple(sorted(path.stem for path in profiles_folder().glob("*.toml")))


def load_profile(path_or_name: str | Path) -> CameraProfile:
    """Read a profile file in TOML or OpenCV YAML, told by its content, or a shipped profile by its name.

    Raises CameraModelError for a missing, malformed or unsupported one.
    """
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
    path = Path(path)
    check_writable(path)
    render = toml_profile.render if path.suffix.lower() == ".toml" else opencv_yaml.render
    write_atomic(path, render(profile).encode())


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
