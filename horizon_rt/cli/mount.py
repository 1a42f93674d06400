"""`horizon-rt mount`: how a camera is fixed to its vehicle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from horizon_rt.cli.commands import Command, Group
from horizon_rt.cli.console import hide_secrets, in_words, print_first_use, print_line, print_warning
from horizon_rt.cli.options import takes
from horizon_rt.cli.style import make_console
from horizon_rt.errors import CameraModelError
from horizon_rt.options import RunOptions

if TYPE_CHECKING:
    from horizon_rt.geometry import Mount
    from horizon_rt.pipeline.mount_finder import LevelMount

__all__ = ["app"]

app = typer.Typer(cls=Group, no_args_is_help=True, help="How a camera is fixed to its vehicle.")


@app.callback()
def _group() -> None:
    """How a camera is fixed to its vehicle."""


@app.command(cls=Command)
@takes(options=RunOptions, omit=("mount", "smooth"))
def level(
    source: Annotated[str, typer.Argument(help="Camera, stream or recording, as for `live` and `track`.")],
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="For so long the vehicle is level.")] = 10.0,
    yaw: Annotated[
        float | None,
        typer.Option(
            min=-180, max=180, help="Camera to the right of ahead, in degrees, which no level horizon tells."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="PROFILE", help="Write the lens with the mount to this profile.")
    ] = None,
    *,
    options: RunOptions,
) -> None:
    """Find the mount while the vehicle is level and still; --mount=… on stdout is the option to use.

    The attitude of the camera is averaged for some seconds. Where it was not tracked well enough, or moved,
    there is no mount, and a line says why.
    """
    from horizon_rt.camera.profile_files import load_profile, save_profile
    from horizon_rt.pipeline.mount_finder import find_mount
    from horizon_rt.pipeline.run import assumed_lens, camera_for, open_in_background
    from horizon_rt.sources import open_source

    console = make_console()
    hide_secrets(console)
    given = options.lens.camera_profile
    known = None if given is None else load_profile(given)
    if out is not None:
        _check_free(out, given)
    if yaw is None:
        yaw = 0.0 if known is None or known.mount is None else known.mount.yaw_deg
    opened = open_in_background(lambda: open_source(source, **options.source_fields))
    info = opened.info
    print_first_use(console)
    with console.status(f"keep the vehicle level and still for {seconds:g} s"):
        found = find_mount(opened, options, seconds=seconds, yaw_deg=yaw)
    mount = _rounded(found.mount)
    print_line(console, _report(found))
    if assumed := assumed_lens(options, info):
        print_warning(console, f"lens assumed: {in_words(assumed)}, which the pitch depends on")
    print(f"--mount={_angles(mount)}")
    if out is not None:
        save_profile(replace(known or camera_for(options, info), mount=mount), out)
        print_line(console, f"written: {out}")


def _check_free(out: Path, given: str | None) -> None:
    """Raises CameraModelError where no profile can be written, or another one would be lost."""
    from horizon_rt.camera.profile_files import check_writable

    check_writable(out)
    if out.exists() and (given is None or not Path(given).exists() or not out.samefile(given)):
        raise CameraModelError(f"{out} exists; to add the mount to it give it as --camera-profile, too")


def _rounded(mount: Mount) -> Mount:
    """To the hundredth of a degree, which is finer than any sigma of it."""
    return replace(
        mount,
        roll_deg=round(mount.roll_deg, 2) + 0.0,  # −0.0 becomes 0.0
        pitch_deg=round(mount.pitch_deg, 2) + 0.0,
    )


def _angles(mount: Mount) -> str:
    yaw = f",{mount.yaw_deg:g}" if mount.yaw_deg else ""
    return f"{mount.roll_deg:g},{mount.pitch_deg:g}{yaw}"


def _report(found: LevelMount) -> str:
    (roll_sd, pitch_sd), (roll_spread, pitch_spread) = found.sd_deg, found.spread_deg
    return (
        f"mount: roll {found.mount.roll_deg:+.2f}° ± {roll_sd:.2f}°, "
        f"pitch {found.mount.pitch_deg:+.2f}° ± {pitch_sd:.2f}°; {found.frames} frames in "
        f"{found.seconds:.1f} s, which vary by {roll_spread:.2f}° and {pitch_spread:.2f}°"
    )
