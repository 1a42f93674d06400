"""The verbs put together."""

from __future__ import annotations

from typing import Annotated, cast

import typer
from typer.main import get_command

from horizon_rt._version import __version__
from horizon_rt.cli.annotate import annotate
from horizon_rt.cli.batch import batch
from horizon_rt.cli.bench import bench
from horizon_rt.cli.calibrate import calibrate
from horizon_rt.cli.cameras import app as cameras
from horizon_rt.cli.commands import HELP_NAMES, Command, Group
from horizon_rt.cli.compare import compare
from horizon_rt.cli.convert import convert
from horizon_rt.cli.demo import demo
from horizon_rt.cli.doctor import doctor
from horizon_rt.cli.eval import evaluate
from horizon_rt.cli.export import export
from horizon_rt.cli.inspect import inspect
from horizon_rt.cli.label import label
from horizon_rt.cli.level import level
from horizon_rt.cli.live import live
from horizon_rt.cli.mount import app as mount
from horizon_rt.cli.straighten import straighten
from horizon_rt.cli.style import ProgressStyle
from horizon_rt.cli.synth import synth
from horizon_rt.cli.track import track
from horizon_rt.cli.train import train

__all__ = ["program"]

_app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=HELP_NAMES,
)
_STYLE = "-v, -q, --progress and --debug work here, too: see horizon-rt --help."
_VERBS = (
    live, track, batch, annotate, level, straighten, convert, compare, demo, label, train, inspect, export,
    synth, bench, calibrate, doctor,
)  # fmt: skip
for verb in _VERBS:
    _app.command(cls=Command, epilog=_STYLE)(verb)
_app.command("eval", cls=Command, epilog=_STYLE)(evaluate)
_app.add_typer(cameras, name="cameras", help="List, show and convert camera profiles.")
_app.add_typer(mount, name="mount", help="Find how a camera is fixed to its vehicle.")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"horizon-rt {__version__}")
        raise typer.Exit


@_app.callback()
def top(
    camera: Annotated[
        str | None, typer.Option(metavar="N", help="Live overlay of camera N; same as `live N`.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say which source, net and lens are used.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results, warnings and errors only.")
    ] = False,
    progress: Annotated[
        ProgressStyle, typer.Option(help="What stderr tells: bars and lines, JSON lines, or no bars.")
    ] = "auto",
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Find the horizon in any camera or video: roll, pitch and an honest sigma.

    `-v`, `-q`, `--progress` and `--debug` may also follow a command.
    """
    if camera is not None:
        raise typer.BadParameter("--camera N comes first and takes no verb; use `live N`")


program = cast("Group", get_command(_app))
"""The command line, which takes longer to put together than many a call of it runs."""
