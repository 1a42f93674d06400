"""`horizon-rt straighten`: photographs turned level."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from horizon_rt.photos.job import Straightened

from horizon_rt.cli.console import print_first_use, print_line, print_table, print_warning
from horizon_rt.cli.options import takes
from horizon_rt.cli.progress import bars
from horizon_rt.cli.style import make_console
from horizon_rt.photos.options import StraightenOptions

__all__ = ["straighten"]


@takes(options=StraightenOptions)
def straighten(
    photos: Annotated[list[str], typer.Argument(help="Photographs, folders of them, or glob patterns.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the copies; without it 'straightened' beside each photograph."),
    ] = None,
    xmp: Annotated[
        bool,
        typer.Option("--xmp", help="Write the crop as XMP sidecars (Lightroom, darktable), not as copies."),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace copies and sidecars of earlier runs; never another file."),
    ] = False,
    *,
    options: StraightenOptions,
) -> None:
    """Turn photographs level, and crop them, where the horizon is known well enough."""
    from horizon_rt.photos.inputs import find_photos
    from horizon_rt.photos.job import result_table, straighten_photos, unsure_advice

    console = make_console()
    tasks = find_photos(photos, out, xmp=xmp)
    print_first_use(console)
    with bars(console) as progress:
        results = straighten_photos(
            tasks,
            options,
            xmp=xmp,
            overwrite=overwrite,
            progress=progress,
            on_result=lambda result: _print_failure(result, console),
        )
    print_table(result_table(results))
    if advice := unsure_advice(results, options):
        print_line(console, advice)
    if len(results) < len(tasks):
        raise typer.Exit(130)
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)


def _print_failure(result: Straightened, console: Console) -> None:
    if result.status == "failed":
        print_warning(console, f"failed: {result.photo} ({result.reason})", kind="error")
