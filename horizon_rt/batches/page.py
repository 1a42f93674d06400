"""The page of a batch: a row for each recording, with a link to its own page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from horizon_rt.batches.manifest import Manifest, read_manifest
from horizon_rt.batches.outputs import PAGE
from horizon_rt.batches.work import Item, Result
from horizon_rt.errors import OutputError
from horizon_rt.reports.page import render_page
from horizon_rt.reports.statistics import BANK_BIN_DEG
from horizon_rt.reports.table import cell
from horizon_rt.system.files import output_error, write_atomic
from horizon_rt.system.messages import printable
from horizon_rt.system.units import clock_time

__all__ = ["check_page", "write_batch_page"]

_HEAD = ("recording", "length", "frames", "with horizon", "tracking", "largest bank", "turbulence", "sigma")


def check_page(out: Path) -> None:
    """Raises OutputError where `batch.html` would replace what is by no batch, or cannot be read."""
    try:
        found = (out / PAGE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise output_error(out / PAGE, error) from error
    if b"<footer>horizon-rt " not in found:
        raise OutputError(f"{out / PAGE} is by no batch; move it away or give another folder for --out")


def write_batch_page(out: Path, items: Sequence[Item], results: Sequence[Result]) -> Path:
    """Sum up what is noted of these items, and what else failed of them now, in `batch.html`.

    Raises OutputError.
    """
    from horizon_rt.reports.recording_plots import bank_plot

    noted = [(item, read_manifest(out, item.name)) for item in items]
    reasons = _failures(noted, results)
    done = [
        (item, note)
        for item, note in noted
        if note is not None and note.status == "done" and item.name not in reasons
    ]
    failed = [(printable(name), printable(reason)) for name, reason in reasons.items()]
    bank, seconds = Counter[int](), 0.0
    for _, note in done:
        seconds += note.results.get("seconds") or 0.0
        for left, time_s in note.results.get("bank_s", {}).items():
            bank[(int(left) + 180) // BANK_BIN_DEG] += time_s
    facts = {"recordings": f"{len(items)}, {len(done)} whole", "length": clock_time(seconds)}
    page = render_page(
        "batch.html",
        name=printable(out.absolute().name),
        facts=facts,
        head=_HEAD,
        rows=[_row(out, item, note) for item, note in done],
        failed=failed,
        plots=[bank_plot(bank)] if bank else [],
    )
    write_atomic(out / PAGE, page.encode("utf-8", "backslashreplace"))
    return out / PAGE


def _failures(noted: Sequence[tuple[Item, Manifest | None]], results: Sequence[Result]) -> dict[str, str]:
    """Why recordings failed, by their names: as is noted, and of this run also what no note holds."""
    reasons = {item.name: note.reason for item, note in noted if note and note.status == "failed"}
    return reasons | {result.item.name: result.reason for result in results if result.status == "failed"}


def _row(out: Path, item: Item, note: Manifest) -> dict[str, Any]:
    values, report = note.results, item.outputs.report
    link = "" if report is None else quote(str(report.relative_to(out)).encode("utf-8", "surrogateescape"))
    seconds = values.get("seconds") or 0.0
    tracking = values.get("states_s", {}).get("tracking", 0.0)
    roll, pitch = values.get("rate_rms_dps", (None, None))
    bank_deg = values.get("largest_bank_deg")
    cells = (
        clock_time(seconds),
        str(values.get("frames", "")),
        f"{100 * values.get('share_with_horizon', 0.0):.0f} %",
        f"{100 * tracking / seconds:.0f} %" if seconds else "",
        "no horizon" if bank_deg is None else f"{bank_deg:.0f}°",
        f"{cell(roll, '.1f')} / {cell(pitch, '.1f')}",
        cell(values.get("sigma_deg", (None,))[0], ".2f", "°"),
    )
    return {"name": printable(item.name), "link": link, "cells": cells}
