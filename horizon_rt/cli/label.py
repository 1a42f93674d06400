"""`horizon-rt label`: draw the horizon on frames of a recording, in the browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from horizon_rt.cli.console import print_line, print_warning
from horizon_rt.cli.options import PART, takes
from horizon_rt.cli.style import make_console
from horizon_rt.options import RunOptions

__all__ = ["label"]


_Every = Annotated[int | None, typer.Option(min=1, help="Take one frame of every N.")]
_Count = Annotated[
    int | None, typer.Option(min=1, help="Take at most N frames; default: 100 of a video, all of a folder.")
]
_Port = Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes any free one.")]
_Host = Annotated[
    str, typer.Option(help="Address to serve the page at, such as 0.0.0.0 for a phone; it asks for a token.")
]
_Name = Annotated[str | None, typer.Option(help="Name of the dataset; default: the folder's.")]


@takes(
    options=RunOptions,
    omit=("mount", "height_m", "smooth", "device", "backend", "precision", "decoder", *PART),
)
def label(
    source: Annotated[str, typer.Argument(help="Video file, or folder or glob of pictures.")],
    out: Annotated[Path, typer.Option(help="Dataset folder; one that was begun is continued.")],
    every: _Every = None,
    count: _Count = None,
    host: _Host = "127.0.0.1",
    port: _Port = 0,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
    name: _Name = None,
    scene: Annotated[
        Literal["sea", "land", "air"] | None, typer.Option(help="What the dataset shows.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Under which licence the pictures stand.")] = None,
    *,
    options: RunOptions,
) -> None:
    """Draw the horizon on frames of a recording, on a page of this machine, and save them as a dataset."""
    from horizon_rt.label.card import write_card
    from horizon_rt.label.run import describe, open_labelling, serve_until_interrupted

    if every is not None and count is not None:
        raise typer.BadParameter("--every and --count both say how many frames to take; give one")
    console = make_console()
    server = open_labelling(
        source, out, replace(options, smooth="none"), every=every, count=count, host=host, port=port
    )
    new = write_card(
        out,
        name=name,
        source=server.session.source,
        scene=scene,
        licence=licence,
    )
    if not new and (name or scene or licence):
        print_line(console, f"{out / 'dataset.toml'} was kept; edit it for another name, scene or licence")
    with server:
        token = "" if server.token is None else f", its token is {server.token}"
        print_warning(console, f"label at {server.url}{token}", kind="message")
        print_line(console, "Ctrl-C ends; everything is saved as you go")
        serve_until_interrupted(server, show=open_)
    print_line(console, describe(server.session))
    if server.error is not None:
        raise server.error
