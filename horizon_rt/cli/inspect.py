"""`horizon-rt inspect`: what a net costs, how far it sees, what it looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horizon_rt.cli.console import print_line, print_table
from horizon_rt.cli.options import net_input_size
from horizon_rt.cli.style import make_console

__all__ = ["inspect"]


def inspect(
    model: Annotated[
        str, typer.Argument(help="A shipped model, the folder of a trained one, or a net of the zoo.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for inspect.html and its pictures.")] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="What to show it in place of rendered scenes; repeatable."),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="LAYER:CHANNEL",
            help="A unit of a trained net, such as sixteenth.2:12 of small: what excites it, and by what.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="How many pictures that excite the unit.")] = 9,
    size: Annotated[str, typer.Option(metavar="WxH", help="Net input for the numbers.")] = "320x192",
) -> None:
    """Say how large a net is and how far it sees; with weights, what it looks at to place the horizon."""
    from rich.table import Table
    from rich.text import Text

    from horizon_rt.inspection.look import inspect_model
    from horizon_rt.inspection.tables import LOOK_COLUMNS, UNIT_COLUMNS, look_rows, number_rows, unit_rows
    from horizon_rt.system.extras import require

    if out is not None:
        require("report", "--out")
    console = make_console()
    width, height = net_input_size(size)
    with console.status("looking"):
        found = inspect_model(model, source or (), width=width, height=height, unit=unit, top=top)
    numbers = Table("quantity", "value", title=Text(found.name))
    for row in number_rows(found):
        numbers.add_row(*row)
    print_table(numbers)
    if found.looks:
        looks = Table(*LOOK_COLUMNS, title="with a grey patch over each part of the picture")
        for name, *values in look_rows(found):
            looks.add_row(Text(name), *values)
        print_table(looks)
    if found.strongest:
        units = Table(*UNIT_COLUMNS, title=Text(f"what excites {found.unit} most"))
        for name, *values in unit_rows(found):
            units.add_row(Text(name), *values)
        print_table(units)
    if out is not None:
        from horizon_rt.inspection.report import write_report

        for path in write_report(found, out):
            print_line(console, f"written: {path}")
