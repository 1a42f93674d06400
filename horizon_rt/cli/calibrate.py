"""`horizon-rt calibrate`: a lens profile from pictures or a video of a chessboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from horizon_rt.cli.console import lens_rows, print_line, print_table
from horizon_rt.cli.style import make_console

if TYPE_CHECKING:
    from horizon_rt.camera.calibration import Calibration

__all__ = ["calibrate"]

_Source = Annotated[str | None, typer.Argument(help="Video, or folder of pictures, that shows the board.")]
_Columns = Annotated[int, typer.Option(help="Inner corners along the longer side of the board.")]
_Rows = Annotated[int, typer.Option(help="Inner corners along the shorter side of the board.")]
_Square = Annotated[float, typer.Option(help="Side of a square in mm, as measured on the print.")]
_Out = Annotated[Path, typer.Option(help="Profile to write: .toml, or .yaml for OpenCV.")]
_Name = Annotated[str | None, typer.Option(help="Name of the camera and its mode; default: the file's name.")]
_Views = Annotated[int, typer.Option(help="Use at most this many views of the board.")]
_Print = Annotated[Path | None, typer.Option(help="Only write the board as an SVG drawing to this file.")]


def calibrate(
    source: _Source = None,
    columns: _Columns = 9,
    rows: _Rows = 6,
    square_mm: _Square = 25.0,
    out: _Out = Path("camera.toml"),
    name: _Name = None,
    max_frames: _Views = 40,
    print_board: _Print = None,
) -> None:
    """Calibrate a lens with a printed chessboard.

    Print the board with --print-board board.svg, film it from near and far, tilted, and in all corners of
    the picture, then give the video here and the profile to --camera-profile.
    """
    from horizon_rt.camera.board import ChessBoard
    from horizon_rt.camera.calibration import calibrate_lens
    from horizon_rt.camera.profile_files import check_writable, save_profile
    from horizon_rt.sources import open_source

    if print_board is not None:
        ChessBoard(columns=columns, rows=rows, square_mm=square_mm).drawing().save(print_board)
        return
    if source is None:
        raise typer.BadParameter("give a video or a folder of pictures, or --print-board FILE")
    check_writable(out)
    console = make_console()
    with open_source(source) as frames, console.status("looking for the board") as status:
        found = calibrate_lens(
            frames,
            columns=columns,
            rows=rows,
            square_mm=square_mm,
            max_frames=max_frames,
            name=name or out.stem,
            on_look=lambda looks, boards: status.update(f"{looks} pictures searched, {boards} boards found"),
        )
    save_profile(found.profile, out)
    _print_report(found, out)


def _print_report(found: Calibration, out: Path) -> None:
    console = Console()
    print_table(_views_table(found))
    print_table(_lens_table(found))
    for line in found.advice:
        print_line(console, f"advice: {line}")
    print_line(console, f"written: {out}")


def _views_table(found: Calibration) -> Table:
    table = Table("view", "RMS px", "distance mm", title=f"{len(found.views)} views used")
    for view in found.views:
        place = view.name or f"frame {view.index} at {view.time_s:.2f} s"
        table.add_row(Text(place), f"{view.rms_px:.3f}", f"{view.distance_mm:.0f}")
    return table


def _lens_table(found: Calibration) -> Table:
    table = Table("quantity", "value")
    table.add_row("name", Text(found.profile.name))
    table.add_row("pictures searched, boards found", f"{found.looks}, {found.found}")
    table.add_row("RMS", f"{found.rms_px:.3f} px")
    table.add_row("part of the picture covered", f"{found.coverage:.0%}")
    for row in lens_rows(found.profile.model, found.focal_sd_px):
        table.add_row(*row)
    return table
