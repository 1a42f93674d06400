"""What the command line says: lines and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from horizon_rt.cli.style import current_style, write_record
from horizon_rt.reports.table import Table
from horizon_rt.system.messages import printable
from horizon_rt.system.process import hide_arguments
from horizon_rt.system.units import counted

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.table import Table as RichTable

    from horizon_rt.camera import Camera
    from horizon_rt.options import RunOptions
    from horizon_rt.pipeline.outputs import Outputs
    from horizon_rt.pipeline.stages import RunSummary

__all__ = [
    "Sanitised",
    "hide_secrets",
    "in_words",
    "lens_rows",
    "print_advice",
    "print_first_use",
    "print_lens",
    "print_line",
    "print_summary",
    "print_table",
    "print_warning",
]


_FEW = 0.5  # of the frames with a horizon, below which there is advice


def print_line(console: Console, line: str) -> None:
    """Print one line as it is: no markup, no colours, no wrapping, no control characters."""
    if current_style().progress == "jsonl":
        if not console.quiet:
            write_record("message", text=printable(line))
        return
    console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def print_warning(console: Console, line: str, *, kind: str = "warning") -> None:
    """As `print_line`, for what must be seen: `--quiet` leaves it."""
    if current_style().progress == "jsonl":
        write_record(kind, text=printable(line))
        return
    quiet, console.quiet = console.quiet, False
    print_line(console, line)
    console.quiet = quiet


def hide_secrets(console: Console) -> None:
    """Keep the secrets of addresses out of the list of processes, or say that they stand there."""
    if not hide_arguments():
        print_warning(
            console,
            "others on this machine can read the password in the list of processes; "
            'pip install "horizon-rt[live]" hides it',
        )


class Sanitised:
    """What Rich draws, without control characters in its text."""

    def __init__(self, drawn: RenderableType) -> None:
        self._drawn = drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """The segments of what is drawn (Rich)."""
        for segment in console.render(self._drawn, options):
            parts = [printable(part) for part in segment.text.split("\n")]
            yield segment if segment.control else segment._replace(text="\n".join(parts))


def print_summary(summary: RunSummary, outputs: list[Path], console: Console, *, name: str = "") -> None:
    """A line of what was found, of the camera of this name, and one for each output."""
    name = f"{name}: " if name else ""
    how = "interrupted after " if summary.interrupted else ""
    frames = counted(summary.frames, "frame")
    dropped = f", {summary.dropped} dropped" if summary.dropped else ""
    speed = f"{summary.seconds:.1f} s ({summary.fps:.0f} frames/s{dropped})"
    print_line(
        console, f"{name}{how}{frames} in {speed}, {100 * summary.share_with_horizon:.1f} % with a horizon"
    )
    for path in outputs if summary.frames else []:
        if path.exists():  # an interrupted offline run leaves no overlay
            print_line(console, f"written: {path}")


def print_first_use(console: Console) -> None:
    """Say why nothing happens for a while: the kernels are compiled at their first use on a machine."""
    from horizon_rt.system.kernels import are_compiled

    if not are_compiled():
        print_line(console, "the first run compiles its kernels for this machine, which takes some seconds")


def print_lens(assumed: str, outputs: Outputs, console: Console, *, always: bool = False) -> None:
    """Say that the lens was assumed; if not `always`, where all telemetry is tables, which have no header."""
    tables = [Path(target).suffix.lower() == ".csv" for target in outputs.telemetry]
    if assumed and (always or (tables and all(tables))):
        print_warning(
            console,
            f"lens assumed: {in_words(assumed)}; give --hfov or --camera-profile",
        )


def in_words(assumed: str) -> str:
    """What is assumed of a lens, without an abbreviation."""
    return assumed.replace("hfov", "horizontal field of view", 1)


def print_advice(
    summary: RunSummary, options: RunOptions, console: Console, *, repeatable: bool = False
) -> None:
    """Say what to try after a run in which few frames held a horizon, or most lay on their side or upside
    down; a recording is `repeatable`.
    """
    if summary.steep > _FEW * summary.frames and not options.rotate:
        print_line(
            console,
            "most frames are tilted by over 60°; where the camera is mounted so, --rotate 90, 180 or 270 "
            "turns them upright, in which the horizon is found better",
        )
    if not summary.frames or summary.share_with_horizon >= _FEW:
        return
    is_small = options.engine.model in ("small", "nano")
    tries = ["the default model (for unusual places)"] if is_small else []
    if repeatable and options.smooth != "offline":
        tries.append("--smooth offline (bridges gaps)")
    if options.lens.is_assumed:
        tries.append("--hfov or --camera-profile (a wide lens bends the horizon)")
    none = "no horizon was found; where one is in view,"
    found = "few frames hold a horizon;" if summary.with_horizon else none
    print_line(console, f"{found} try {', '.join(tries) or 'a model trained on such pictures'}")


def lens_rows(model: Camera, sd: Mapping[str, float] | None = None) -> list[tuple[str, str]]:
    """The numbers of a lens, each with its name; `sd` are their standard deviations by name, where known."""
    from horizon_rt.camera import coefficients_of

    sds = sd or {}

    def with_sd(name: str, value: str, digits: str) -> str:
        return f"{value} ± {sds[name]:{digits}}" if name in sds else value

    lengths = [
        (name, with_sd(name, f"{getattr(model, name):.2f}", ".2f")) for name in ("fx", "fy", "cx", "cy")
    ]
    return [
        ("image", f"{model.width}x{model.height} px"),
        ("lens", model.distortion.name),
        *((name, f"{value} px") for name, value in lengths),
        *(
            (name, with_sd(name, f"{value:.5g}", ".2g"))
            for name, value in coefficients_of(model.distortion).items()
        ),
        ("horizontal field of view", f"{model.hfov_deg:.1f}°"),
    ]


def print_table(table: RichTable | Table) -> None:
    """A table on stdout; where that is no terminal, its rows as plain lines with tabs."""
    from rich.console import Console

    drawn = rich_table(table) if isinstance(table, Table) else table
    console = Console()
    if console.is_terminal:
        console.print(Sanitised(drawn))
        return
    columns = ([column.header, *column.cells, column.footer] for column in drawn.columns)
    rows = list(zip(*columns, strict=True))
    for row in rows if drawn.show_footer else rows[:-1]:
        print("\t".join(printable(str(cell)) for cell in row))


def rich_table(table: Table) -> RichTable:
    """For the terminal: the first column is headed by the title, and numbers stand close together."""
    from rich.table import Table as RichTable
    from rich.text import Text

    rich = RichTable(show_footer=bool(table.foot))
    foot = table.foot or ("",) * len(table.head)
    for index, (head, sum_) in enumerate(zip((table.title.lower(), *table.head[1:]), foot, strict=True)):
        justify = "left" if index == 0 or head in ("model", "status") else "right"
        rich.add_column(head, sum_, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in table.rows:
        rich.add_row(*(Text(cell.replace(" / ", "/").replace(" ± ", "±")) for cell in row))
    return rich
