"""`horizon-rt calibrate`: a lens profile from pictures or a video of a board, or from footage alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from horizon_rt.cli.console import lens_rows, print_first_use, print_line, print_table
from horizon_rt.cli.style import make_console

if TYPE_CHECKING:
    from horizon_rt.camera.calibration import Calibration
    from horizon_rt.camera.profile import CameraProfile
    from horizon_rt.frame import Frame
    from horizon_rt.pipeline.lens_finder import FootageLens
    from horizon_rt.sources import Source

__all__ = ["calibrate"]

_OF_BOARDS = (
    "print_board", "report", "board", "columns", "rows", "square_mm", "marker_mm", "dictionary", "lens",
    "max_frames",
)  # fmt: skip
_Source = Annotated[
    str | None, typer.Argument(help="Video, folder of pictures, or camera (0) that shows the board.")
]
_Kind = Annotated[
    Literal["chessboard", "charuco", "circles"], typer.Option(help="Which kind of board it is.")
]
_Columns = Annotated[
    int | None, typer.Option(help="Inner corners along the longer side, or circles in a row. [9, circles: 4]")
]
_Rows = Annotated[
    int | None,
    typer.Option(help="Inner corners along the shorter side, or rows of circles. [6, circles: 11]"),
]
_Square = Annotated[
    float | None,
    typer.Option(
        help="Side of a square, or from row to row of circles, in mm, as measured. [25, circles: 20]"
    ),
]
_Marker = Annotated[float | None, typer.Option(help="ChArUco: side of a marker in mm. [3/4 of a square]")]
_Dictionary = Annotated[
    str | None, typer.Option(help="ChArUco: OpenCV's dictionary, such as 5x5_100. [4x4, as small as fits]")
]
_LensModel = Annotated[
    Literal["auto", "brown-conrady", "kannala-brandt"],
    typer.Option(help="Lens model to fit; kannala-brandt is a fisheye."),
]
_Out = Annotated[Path, typer.Option(help="Profile to write: .toml, or .yaml for OpenCV.")]
_Report = Annotated[
    Path | None, typer.Option(metavar="FILE.html", help="Write a page with coverage and residuals.")
]
_Name = Annotated[str | None, typer.Option(help="Name of the camera and its mode; default: the file's name.")]
_Views = Annotated[int, typer.Option(help="Use at most this many views of the board.")]
_Seconds = Annotated[float, typer.Option(min=1, help="So long a live camera is watched.")]
_FromHorizon = Annotated[
    bool,
    typer.Option(
        "--from-horizon",
        help="Without a board: field of view and first distortion coefficient, from footage of the horizon "
        "while the camera turns.",
    ),
]
_Print = Annotated[
    Path | None, typer.Option(help="Only draw the board into this .svg or .pdf, in true size.")
]


def calibrate(
    context: typer.Context,
    source: _Source = None,
    board: _Kind = "chessboard",
    columns: _Columns = None,
    rows: _Rows = None,
    square_mm: _Square = None,
    marker_mm: _Marker = None,
    dictionary: _Dictionary = None,
    lens: _LensModel = "auto",
    out: _Out = Path("camera.toml"),
    report: _Report = None,
    name: _Name = None,
    max_frames: _Views = 40,
    seconds: _Seconds = 60.0,
    print_board: _Print = None,
    from_horizon: _FromHorizon = False,
) -> None:
    """Calibrate a lens with a printed chessboard, ChArUco board or grid of circles, or by the horizon alone.

    Print the board with --print-board board.pdf, film it from near and far, tilted, and in all corners of
    the picture, then give the video here and the profile to --camera-profile.
    """
    from horizon_rt.camera.boards import make_board
    from horizon_rt.camera.calibration import calibrate_lens
    from horizon_rt.camera.profile_files import check_writable
    from horizon_rt.sources import open_source
    from horizon_rt.system.extras import require

    if from_horizon:
        _check_without_board(source, context)
        _from_horizon(str(source), out, name or out.stem, seconds)
        return
    pattern = make_board(
        board, columns=columns, rows=rows, square_mm=square_mm, marker_mm=marker_mm, dictionary=dictionary
    )
    if print_board is not None:
        pattern.drawing().save(print_board)
        return
    if source is None:
        raise typer.BadParameter("give a video, a folder of pictures or a camera, or --print-board FILE")
    check_writable(out)
    if report is not None:
        require("report", "calibrate --report")
    console = make_console()
    with open_source(source) as frames, console.status("looking for the board") as status:
        found = calibrate_lens(
            _part(frames, seconds),
            board=pattern,
            lens=lens,
            max_frames=max_frames,
            name=name or out.stem,
            on_look=lambda looks, boards: status.update(f"{looks} pictures searched, {boards} boards found"),
        )
    _save(found.profile, out)
    _print_report(found, out)
    if report is not None:
        _write_page(found, report)
        print_line(Console(), f"written: {report}")


def _save(profile: CameraProfile, out: Path) -> None:
    from horizon_rt.camera.profile_files import replace_lens

    if replace_lens(profile, out).mount is not None:
        print_line(Console(stderr=True), f"{out}: its mount is kept; `mount level` measures it anew")


def _check_without_board(source: str | None, context: typer.Context) -> None:
    """Raises BadParameter for options of a board, and where there is no source."""
    if source is None:
        raise typer.BadParameter("give a video or a camera that shows the horizon")
    for name in _OF_BOARDS:
        given = context.get_parameter_source(name)
        if given is not None and given.name == "COMMANDLINE":
            option = "--" + name.replace("_", "-")
            raise typer.BadParameter(f"{option} is for boards, and --from-horizon takes none")


def _from_horizon(source: str, out: Path, name: str, seconds: float) -> None:
    """Write the profile of the lens that footage tells, and say how sure it is."""
    from horizon_rt.camera.profile_files import check_writable
    from horizon_rt.pipeline.lens_finder import find_lens
    from horizon_rt.sources import open_source

    check_writable(out)
    console = make_console()
    print_first_use(console)
    with open_source(source) as frames, console.status("looking for the horizon") as status:
        found = find_lens(
            frames,
            seconds=seconds,
            name=name,
            on_look=lambda looks, turns: status.update(f"{looks} frames seen, {turns} turns found"),
        )
    _save(found.profile, out)
    for line in _footage_lines(found):
        print_line(Console(), line)
    print_line(Console(), f"written: {out}")


def _footage_lines(found: FootageLens) -> list[str]:
    model = found.profile.model
    focal_sd = model.focal_sd * model.focal_px
    return [
        f"field of view: {model.hfov_deg:.2f}° ± {found.hfov_sd_deg:.2f}°",
        f"focal length: {model.focal_px:.1f} ± {focal_sd:.1f} px",
        f"k1: {found.k1:+.4f} ± {found.k1_sd:.4f}",
        f"from {found.points} points in {found.turns} turns, of {found.tracked} frames with a horizon",
    ]


def _part(frames: Source, seconds: float) -> Iterator[Frame]:
    """All frames of a recording; those of so many seconds of a live source, which would never end."""
    start_s: float | None = None
    for frame in frames:
        start_s = frame.time_s if start_s is None else start_s
        if frames.info.live and frame.time_s - start_s > seconds:
            return
        yield frame


def _write_page(found: Calibration, path: Path) -> None:
    from horizon_rt.reports.calibration import calibration_page
    from horizon_rt.system.files import write_atomic

    write_atomic(path, calibration_page(found).encode("utf-8", "backslashreplace"))


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
        table.add_row(Text(view.label), f"{view.rms_px:.3f}", f"{view.distance_mm:.0f}")
    return table


def _lens_table(found: Calibration) -> Table:
    table = Table("quantity", "value")
    table.add_row("name", Text(found.profile.name))
    table.add_row("pictures searched, boards found", f"{found.looks}, {found.found}")
    table.add_row("RMS", f"{found.rms_px:.3f} px")
    table.add_row("part of the picture covered", f"{found.coverage:.0%}")
    for row in lens_rows(found.profile.model, found.sd):
        table.add_row(*row)
    return table
