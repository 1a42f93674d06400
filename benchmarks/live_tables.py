"""The rows of the tables in docs/live.md."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["fault_rows", "load_rows", "loss_rows", "restart_figures", "usage_rows"]

Found = dict[str, Any]
Rows = list[list[str]]


def restart_figures(faults: Found) -> dict[str, Any]:
    """Of the restarts: how many were tracked again in time, and the largest times."""
    rows = faults["long run"]["restarts"]
    again = np.array([np.inf if row["again_s"] is None else row["again_s"] for row in rows])
    whole = [row for row in rows if row["again_s"] is not None]
    beyond = [row["telemetry_gap_s"] - row["outage_s"] for row in whole]
    picture = [row["again_from_picture_s"] for row in whole]
    return {
        "restarts": len(rows),
        "within_2_s": int((again <= 2).sum()),
        "within_1_s": int((again <= 1).sum()),
        "again": _range(list(again)),
        "again_from_picture": _range(picture),
        "beyond": _range(beyond),
        "told": max((row["told_after_s"] for row in whole if row["told_after_s"]), default=0.0),
    }


def _range(values: list[float]) -> str:
    return f"{np.median(values):.2f} s, at most {max(values):.2f} s"


def _again(row: Found) -> str:
    again_s = row["again_s"]
    return "not tracked again" if again_s is None else f"tracked again after {again_s:.2f} s"


def fault_rows(faults: Found) -> Rows:
    """What was done to live runs besides restarts, and what came of it."""
    run, disk = faults["long run"], faults["full disk"]
    silence, password = run["silence"], run["wrong password"]
    sizes = "; ".join(f"{w}×{h}: {_again(row)}" for row in run["other sizes"] for w, h in [row["size"]])
    broker, ends = run["broker"]["again_s"], [row["end_s"] for row in faults["signals"]]
    return [
        [
            "the server silent, its connection open, for 30 s",
            f"told after {silence['told_after_s']:.2f} s; {_again(silence)}; "
            f"{silence['telemetry_gap_s']:.2f} s without a seen horizon",
        ],
        [
            "another password at the server for 6 s",
            f"{'told' if password['told'] else 'not told'}; the right password "
            f"{'is' if password['password_told'] else 'is not'} in what is printed; {_again(password)}",
        ],
        ["another size of picture, and back", sizes],
        ["the broker killed for 5 s", "not back" if broker is None else f"back after {broker:.1f} s"],
        ["ten web clients reset, ten stuck", _clients(run["web clients"])],
        ["the clock an hour ahead, then a day back", _clock(faults["clock"])],
        ["the disk of one of two telemetry files full", _disk(disk)],
        [
            f"SIGTERM at {len(ends)} random moments, from the first instant on",
            f"{np.median(ends):.2f} s until the end, at most {max(ends):.2f} s; exit codes "
            + ", ".join(sorted({str(row["exit_code"]) for row in faults["signals"]})),
        ],
        ["files of all runs, as other programs read them", _files(faults)],
    ]


def _clients(row: Found) -> str:
    after = row["dropped_after_s"]
    gone = "the first are gone at once" if row["left"] else "the first stay"
    return f"{gone}; the others are " + ("kept" if after is None else f"dropped after {after:.0f} s")


def _clock(found: Found) -> str:
    if "skipped" in found:
        return f"not tried: {found['skipped']}"
    before, *jumps = found["jumps"]
    gap = max(row["longest_without_a_row_s"] for row in jumps)
    goes = "goes on" if all(row["time_s_goes_on"] for row in jumps) else "jumps"
    return (
        f"`time_s` {goes}, `time_utc` follows; at most {gap:.2f} s between two rows "
        f"({before['longest_without_a_row_s']:.2f} s before: libfaketime slows the program)"
    )


def _disk(found: Found) -> str:
    if "skipped" in found:
        return f"not tried: {found['skipped']}"
    goes = "the run goes on" if found["survived"] and found["tracks"] else "the run ends"
    return f"{'told' if found['told'] else 'not told'}; {goes}; exit code {found['exit_code']} at its end"


def _files(faults: Found) -> str:
    every = [faults["long run"], faults["losses"], faults["clock"], faults["full disk"], *faults["signals"]]
    counts = [count for part in every for count in part.get("files", {}).values()]
    counts += faults["full disk"].get("small_disk", {}).values()
    return f"{sum(isinstance(count, int) for count in counts)} of {len(counts)} readable"


def usage_rows(faults: Found) -> Rows:
    """What the long run held after each step."""
    return [
        [name, f"{row['rss_mb']:.0f}", f"{row['private_mb']:.0f}", str(row["files"]), str(row["threads"])]
        for name, row in faults["long run"]["usage"].items()
    ]


def loss_rows(faults: Found) -> Rows:
    """Datagrams lost and late, and what came of the frames."""
    return [
        [
            f"{100 * row['lost']:g} %",
            f"{100 * row['late']:g} %",
            str(row["rows"]),
            f"{100 * row['tracking']:.1f} %",
            f"{row['longest_without_a_row_s']:.2f}",
        ]
        for row in faults["losses"]["parts"]
    ]


def load_rows(load: Found) -> Rows:
    """The tracker's latency with and without clients."""
    return [
        [name, str(load["rows"][key]), *(f"{row[q]:.1f}" for q in ("p50", "p99", "max"))]
        for name, key in (
            ("nobody", "alone"),
            (f"{load['clients']} slow clients, malformed requests", "crowded"),
        )
        for row in [load["latency_ms"][key]]
    ]
