"""`horizon-rt cameras`: list, show and convert camera profiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from horizon_rt.cli.commands import Command, Group
from horizon_rt.cli.console import lens_rows, print_table
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

    save_profile(load_profile(source), out, format=format)


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
    return table
