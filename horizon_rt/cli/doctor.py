"""`horizon-rt doctor`: what this machine has."""

from __future__ import annotations

import typer

__all__ = ["doctor"]


def doctor() -> None:
    """Say what this machine has: cameras, codecs, GPU, display, weights."""
    from rich.table import Table
    from rich.text import Text

    from horizon_rt.bench.doctor import examine
    from horizon_rt.cli.console import print_table

    findings = examine()
    table = Table("part", "state", "found", title="horizon-rt doctor")
    for finding in findings:
        table.add_row(finding.part, finding.state, Text(finding.text))
        for line in finding.details:
            table.add_row("", "", Text(line))
    print_table(table)
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(1)
