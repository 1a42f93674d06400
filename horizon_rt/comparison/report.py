"""A comparison as a page, a picture, JSON and a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context

from horizon_rt._version import __version__
from horizon_rt.comparison.compare import Comparison
from horizon_rt.comparison.plots import attitude_figure, error_figure
from horizon_rt.comparison.tables import error_table, fact_rows
from horizon_rt.horizon.row import number, time_field
from horizon_rt.reports.page import render_page
from horizon_rt.reports.plot import STYLE, make_plot
from horizon_rt.system.files import write_atomic
from horizon_rt.system.messages import printable

__all__ = ["write_report"]

_COLUMNS = (
    "frame", "time_s", "log_time_s", "state", "roll_deg", "pitch_deg", "log_roll_deg", "log_pitch_deg",
    "roll_error_deg", "pitch_error_deg", "roll_sd_deg", "pitch_sd_deg",
)  # fmt: skip
_LIGHT: Any = {
    "axes.edgecolor": "#8a8f94",
    "grid.color": "#d5d9dd",
    "xtick.color": "#8a8f94",
    "ytick.color": "#8a8f94",
}


def write_report(found: Comparison, folder: Path) -> list[Path]:
    """Write compare.html, .png, .json and .csv, and return their paths; raises OutputError."""
    files = {
        "compare.html": _page(found).encode("utf-8", "backslashreplace"),
        "compare.png": _picture(found),
        "compare.json": (json.dumps({"version": __version__, **found.to_dict()}, indent=1) + "\n").encode(),
        "compare.csv": _table(found).encode(),
    }
    for name, data in files.items():
        write_atomic(folder / name, data)
    return [folder / name for name in files]


def _page(found: Comparison) -> str:
    with rc_context(STYLE):
        plots = [
            make_plot(attitude_figure(found), "Roll and pitch", _ATTITUDE),
            make_plot(error_figure(found), "Errors", _ERRORS),
        ]
    return render_page(
        "compare.html",
        name=printable(Path(str(found.track.header.get("source", "telemetry"))).name),
        facts=fact_rows(found),
        table=error_table(found),
        plots=plots,
    )


_ATTITUDE = "The log, through the mount that was found, and the telemetry, on the clock of the telemetry."
_ERRORS = (
    "Telemetry minus log: the line is the mean and the dark band all values of the frames that it stands "
    "for; the light band is ±2 sigma of the telemetry around zero."
)


def _picture(found: Comparison) -> bytes:
    with rc_context({**STYLE, **_LIGHT, "savefig.facecolor": "white"}):
        figure = error_figure(found)
        figure.suptitle("Telemetry minus log", x=0.02, ha="left")
        figure.savefig(data := BytesIO(), format="png", dpi=110)
    return data.getvalue()


def _table(found: Comparison) -> str:
    track = found.track
    columns: dict[str, Sequence[object]] = {
        "frame": track.frame.tolist(),
        "state": track.state.tolist(),
        "time_s": [time_field(value) for value in track.time_s.tolist()],
        "log_time_s": [f"{value:.6f}" if np.isfinite(value) else None for value in found.log_time_s.tolist()],
    }
    for name in _COLUMNS:
        if name not in columns:
            values = getattr(found if name.startswith("log_") or "error" in name else track, name)
            columns[name] = [number(value) for value in values.tolist()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(zip(*(columns[name] for name in _COLUMNS), strict=True))
    return text.getvalue()
