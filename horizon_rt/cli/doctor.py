"""`horizon-rt doctor`: what this machine has."""

from __future__ import annotations

import typer

__all__ = ["doctor"]


def doctor() -> None:
    """Say what this machine has: cameras, codecs, GPU, display, weights."""
    from rich.console import Console
    from rich.table import Table

    from horizon_rt.doctor import examine

    findings = examine()
    table = Table("part", "state", "found", title="horizon-rt doctor")
    for finding in findings:
        table.add_row(finding.part, "ok" if finding.ok else finding.severity, finding.text)
    Console().print(table)
    if any(not finding.ok and finding.severity == "missing" for finding in findings):
        raise typer.Exit(1)
