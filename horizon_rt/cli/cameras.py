"""`horizon-rt cameras`: list, show and convert camera profiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from horizon_rt.cli.commands import Command, Group
from horizon_rt.cli.console import lens_rows, print_table, print_warning
from horizon_rt.cli.style import make_console
from horizon_rt.options import ProfileFormat

if TYPE_CHECKING:
    from horizon_rt.camera.profile import CameraProfile

__all__ = ["app"]

app = typer.Typer(cls=Group, no_args_is_help=True, help="Camera profiles: list, show, convert.")

_Profile = Annotated[
    str,
    typer.Argument(help="Name of a shipped profile, or a file (TOML, OpenCV, ROS, Kalibr, Gyroflow)."),
]
_Output = Annotated[Path, typer.Argument(help="File to write: .toml, .yaml or .json.")]
_Format = Annotated[
    ProfileFormat | None,
    typer.Option("--format", help="Its format; otherwise .toml is this program's, .yaml and .json OpenCV's."),
]


@app.command("list", cls=Command)
def list_profiles() -> None:
    """List the profiles that ship with the program."""
    from horizon_rt.camera.profile_files import load_profile, profile_names

    table = Table("name", "field of view", "source")
    for profile in map(load_profile, profile_names()):
        table.add_row(Text(profile.name), f"{profile.model.hfov_deg:.1f}°", Text(profile.source))
    print_table(table)


@app.command(cls=Command)
def show(profile: _Profile) -> None:
    """Show the numbers of a profile."""
    from horizon_rt.camera.profile_files import load_profile

    print_table(_table(load_profile(profile)))


@app.command(cls=Command)
def convert(source: _Profile, out: _Output, format: _Format = None) -> None:
    """Write a profile in another format: the input's is told by its content, the output's by its name or
    --format.
    """
    from horizon_rt.camera.profile_files import load_profile, save_profile

    profile = load_profile(source)
    save_profile(profile, out, format=format)
    if lost := _differences(profile, load_profile(out)):
        print_warning(make_console(), f"{out} does not hold {', '.join(lost)}", kind="lost")


def _differences(profile: CameraProfile, written: CameraProfile) -> list[str]:
    """What of a profile is not as it was, beside its lens."""
    pairs = {
        "the mount": (profile.mount, written.mount),
        "the readout time": (profile.readout_s, written.readout_s),
        "the sigma of its focal length": (profile.model.focal_sd, written.model.focal_sd),
        "that its lens is assumed, not measured": (profile.assumed, written.assumed),
    }
    return [name for name, (before, after) in pairs.items() if before != after]


def _table(profile: CameraProfile) -> Table:
    table = Table("quantity", "value")
    table.add_row("name", Text(profile.name))
    table.add_row("source", Text(profile.source))
    table.add_row("assumed, not measured", "yes" if profile.assumed else "no")
    if profile.readout_s is not None:
        table.add_row("readout of the rolling shutter", f"{profile.readout_s:.4g} s")
    table.add_row("RMS of the calibration", "none" if profile.rms_px is None else f"{profile.rms_px:.3f} px")
    for row in lens_rows(profile.model):
        table.add_row(*row)
    if profile.model.focal_sd:
        table.add_row("sigma of the focal length", f"{profile.model.focal_sd:.1%}")
    if profile.mount is not None:
        angles = (
            f"{name} {getattr(profile.mount, f'{name}_deg'):+.2f}°" for name in ("roll", "pitch", "yaw")
        )
        table.add_row("mount", ", ".join(angles))
    return table
