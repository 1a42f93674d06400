"""`horizon-rt live` with several cameras: what is told of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from horizon_rt.cli.console import print_line, print_summary, print_warning
from horizon_rt.system.messages import error_line

if TYPE_CHECKING:
    from rich.console import Console

    from horizon_rt.pipeline.several import Feed
    from horizon_rt.pipeline.stages import RunSummary

__all__ = ["show_several"]


def show_several(feeds: Sequence[Feed], console: Console) -> None:
    """Track them all until each has ended; exit code 1 where one failed."""
    from horizon_rt.pipeline.several import run_several

    failed = []

    def on_end(feed: Feed, outcome: RunSummary | Exception) -> None:
        if isinstance(outcome, Exception):
            failed.append(feed.name)
            print_warning(console, f"{feed.name}: {error_line(outcome)}", kind="error")
        else:
            print_summary(outcome, feed.outputs.paths, console, name=feed.name)

    run_several(
        feeds,
        on_end=on_end,
        on_page=lambda feed, line: print_warning(console, f"{feed.name}: {line}"),
        on_line=lambda feed, line: print_line(console, f"{feed.name}: {line}"),
    )
    if failed:
        raise typer.Exit(1)
