"""Write the docs that hold results, such as docs/accuracy.md: `python benchmarks/tables.py`."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from live_tables import fault_rows, load_rows, loss_rows, restart_figures, usage_rows
from matplotlib import colormaps
from matplotlib.figure import Figure

from horizon_rt.bench.results import Report
from horizon_rt.bench.tables import make_tables

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def triple(values: list[float] | None, digits: int) -> str:
    return "–" if values is None else " / ".join(f"{v:.{digits}f}" for v in values)


CLIP_HEAD = [
    "motion", "panorama", "availability", "roll 50/95 °", "pitch 50/95 °", "offline roll", "offline pitch",
    "lag, frames",
]  # fmt: skip
SMALL_CLIP_HEAD = ["motion", "horizon", "availability", "roll 50/95 °", "pitch 50/95 °"]
GAIN_HEAD = [
    "motion", "error, rms °", "offline", "less by", "about its mean over a second °", "offline", "less by",
]  # fmt: skip
SIGMA_HEAD = [
    "set", "roll ±2σ", "pitch ±2σ", "roll error/σ", "pitch error/σ",
    "roll, surest 80 %", "pitch, surest 80 %",
]  # fmt: skip
PRECISION_HEAD = [
    "grade", "found", "mask dY 50/95 px", "dphi 50/95 °", "refined dY 50/95 px", "dphi 50/95 °",
    "median dY, times better", "worse", "of these beyond 2σ",
]  # fmt: skip
BACKEND_HEAD = [
    "model", "backend", "precision", "net, ms 25/50/75", "flight AUC", "dphi °", "thermal-sea AUC", "dphi °",
    "scenes AUC", "dphi °",
]  # fmt: skip
FOOTAGE_HEAD = [
    "scene", "told", "field of view, median error", "largest", "median sigma", "within 2σ", "k1 within 2σ",
]  # fmt: skip
SETS = ("flight", "thermal-sea", "scenes", "sea")


def frame_table(result: dict[str, Any]) -> str:
    rows = []
    for name in SETS:
        row = result[name]
        refused = f"{row['refused']} of {row['without_horizon']}" if "refused" in row else "–"
        found = f"{row['found']} of {row['frames']}"
        rows.append([name, found, *error_cells(row, 2, 3), refused])
    return table(["set", "found", "AUC", "dY 25/50/95 px", "dphi 25/50/95 °", "refused"], rows)


def error_cells(row: dict[str, Any], dy_digits: int, dphi_digits: int) -> list[str]:
    """AUC, and the quantiles of both errors."""
    return [f"{row['auc']:.1f}", triple(row["dy_px"], dy_digits), triple(row["dphi_deg"], dphi_digits)]


def hidden_table(*results: dict[str, Any]) -> str:
    rows = [
        [
            result["model"],
            name,
            f"{row['found']} of {row['frames']}",
            *error_cells(row, 1, 2),
            " / ".join(percent(share) for share in row["within_2_sigma"]),
        ]
        for result in results
        for name, row in result["groups"].items()
    ]
    head = ["model", "pictures", "found", "AUC", "dY 25/50/95 px", "dphi 25/50/95 °", "±2σ, roll / pitch"]
    return table(head, rows)


def coverage_row(name: str, clips: Iterable[dict[str, Any]]) -> list[str]:
    """Of all frames with an estimate, the share within two sigmas of roll and of pitch."""
    known = [
        (row["frames"] * row["availability"], row["within_2_sigma"]) for row in clips if row["availability"]
    ]
    total = sum(count for count, _ in known)
    inside = [sum(count * shares[axis] for count, shares in known) / total for axis in (0, 1)]
    return [name, *map(percent, inside), *["–"] * 4]


def group_row(motion: str, group: str, found: dict[str, Any]) -> list[str]:
    """All clips whose horizon is open, or hidden, or both."""
    causal, offline = found["causal"], found["offline"]
    lag = f"{causal['lag_frames']:.2f}"
    return [motion, f"**{group}**", *clip_cells(causal), *clip_cells(offline)[1:], lag]


def accuracy(
    result: dict[str, Any],
    small: dict[str, Any],
    nano: dict[str, Any],
    hidden: dict[str, Any],
    hidden_small: dict[str, Any],
) -> str:
    clips, gains, sigma = [], [], [sigma_row(name, result[name]) for name in SETS]
    for motion in ("flight", "aerobatics"):
        parts = dict(result[f"panorama clips, {motion}"])
        every = {group: parts.pop(group) for group in ("open", "hidden", "all")}
        for group in ("open", "hidden"):
            rows = {name: row for name, row in parts.items() if row["horizon"] == group}
            for name, row in rows.items():
                clips.append([motion, name, *clip_cells(row), *clip_cells(row["offline"])[1:], ""])
                sigma.append(sigma_row(f"{name}, {motion}", row))
            clips.append(group_row(motion, group, every[group]))
            sigma.append(coverage_row(f"**{group}, {motion}**", rows.values()))
        gains.append([motion, *gain_cells(every["all"]["causal"], every["all"]["offline"])])
        clips.append(group_row(motion, "all", every["all"]))
    refusals = [
        [kind, *(f"{row['refused']} of {row['frames']}" for row in (rows, small["without a horizon"][kind]))]
        for kind, rows in result["without a horizon"].items()
    ]
    small_clips = [
        [motion, group, *clip_cells(small[f"panorama clips, {motion}"][group]["causal"])]
        for motion in ("flight", "aerobatics")
        for group in ("open", "hidden", "all")
    ]
    return template("accuracy.md").format(
        refusals=table(["pictures without a horizon", "refused", "by small"], refusals),
        model=result["model"]["name"],
        sha256=result["model"]["sha256"][:12],
        split="[weights/split.toml](../weights/split.toml)",
        frames=frame_table(result),
        small=frame_table(small),
        nano=frame_table(nano),
        small_clips=table(SMALL_CLIP_HEAD, small_clips),
        small_sigma=table(SIGMA_HEAD, [sigma_row(name, small[name]) for name in SETS]),
        hidden=hidden_table(hidden, hidden_small),
        clips=table(CLIP_HEAD, clips),
        gains=table(GAIN_HEAD, gains),
        sigma=table(SIGMA_HEAD, sigma),
    )


def gain_cells(causal: dict[str, Any], offline: dict[str, Any]) -> list[str]:
    cells = []
    for key in ("rms_deg", "unsteady_deg"):
        cells += [f"{causal[key]:.2f}", f"{offline[key]:.2f}", percent(1 - offline[key] / causal[key])]
    return cells


def clip_cells(row: dict[str, Any]) -> list[str]:
    available = percent(row["availability"]) if "availability" in row else ""
    return [available, triple(row["roll_deg"], 2), triple(row["pitch_deg"], 2)]


def sigma_row(name: str, row: dict[str, Any]) -> list[str]:
    if "within_2_sigma" not in row:
        return [name, *["–"] * 6]  # a clip without an estimate
    inside, median, surest = (
        row[key] for key in ("within_2_sigma", "median_error_over_sigma", "surest_80_percent")
    )
    return [name, *(percent(v) for v in inside), *(f"{v:.2f}" for v in (*median, *surest))]


def key_frame_rows(keys: dict[str, Any]) -> list[list[str]]:
    return [
        [
            keys["model"],
            motion,
            name,
            " / ".join(f"{v:.2f}" for v in row["roll_deg"]),
            " / ".join(f"{v:.2f}" for v in row["pitch_deg"]),
            f"{100 * row['availability']:.1f} %",
            " / ".join(f"{100 * v:.0f}" for v in row["within_2_sigma"]),
            f"{100 * row['key_share']:.0f} %",
            f"{row['ms'] / runs['every frame']['ms']:.2f}",
        ]
        for motion, runs in keys["motions"].items()
        for name, row in runs.items()
    ]


def alarm_table(alarms: dict[str, Any]) -> str:
    models = alarms["models"]
    kinds = next(iter(models.values()))["kinds"]
    rows = [
        [kind, str(row["clips"]), *(alarm_cell(found["kinds"][kind]) for found in models.values())]
        for kind, row in kinds.items()
    ]
    every = [found["sum"] for found in models.values()]
    rows.append(["all", str(every[0]["clips"]), *map(alarm_cell, every)])
    rows.append(["clips with an alarm", "", *(str(row["with_alarm"]) for row in every)])
    return table(["clips without a horizon", "clips", *(f"{name}, s (sigma, °)" for name in models)], rows)


def alarm_cell(row: dict[str, Any]) -> str:
    sigma = "" if row["sd_deg"] is None else f" ({row['sd_deg']:.1f})"
    return f"{row['tracking_s']:.1f}{sigma}"


def lost_table(lost: dict[str, Any]) -> str:
    kinds: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name, found in lost["models"].items():
        for row in found["scripts"]:
            kinds.setdefault(row["fault"].split(",")[0], {}).setdefault(name, []).append(row)
    rows = [
        [kind, *(f"{sum(row['passed'] for row in part)} of {len(part)}" for part in models.values())]
        for kind, models in kinds.items()
    ]
    return table(["script", *(f"passed by {name}" for name in lost["models"])], rows)


def tracking(
    precision: dict[str, Any],
    faults: dict[str, Any],
    small_keys: dict[str, Any],
    lite_keys: dict[str, Any],
    alarms: dict[str, Any],
    lost: dict[str, Any],
    *late: dict[str, Any],
) -> str:
    head = [
        "model", "motion", "the net looks at", "roll 50/95, °", "pitch 50/95, °", "available",
        "±2 sigma, roll / pitch %", "frames looked at", "time",
    ]  # fmt: skip
    key_table = table(head, [*key_frame_rows(small_keys), *key_frame_rows(lite_keys)])
    rows = []
    for grade in ("easy", "medium", "hard"):
        row = precision[grade]
        cells = [grade, f"{row['found']} of {row['frames']}"]
        for kind in ("mask", "refined"):
            cells += [triple(row[kind]["dy_px"], 2), triple(row[kind]["dphi_deg"], 4)]
        rows.append(
            [*cells, f"{row['median_ratio']:.1f}", str(row["worse"]), str(row["worse_beyond_2_sigma"])]
        )
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in faults["scripts"]:
        kinds.setdefault(row["fault"].split(",")[0], []).append(row)
    scripts = [
        [
            kind,
            f"{sum(row['passed'] for row in part)} of {len(part)}",
            number(max((row["again_s"] for row in part if row["again_s"] is not None), default=None), 2),
            f"{max(row['wrong_s'] for row in part):.2f}",
        ]
        for kind, part in kinds.items()
    ]
    return template("tracking.md").format(
        alarms=alarm_table(alarms),
        lost=lost_table(lost),
        late=", ".join(
            f"{row['models']['lite0']['passed']} with looks {row['lag_frames']} frames late" for row in late
        ),
        key_frames=key_table,
        model=precision["model"]["name"],
        sha256=precision["model"]["sha256"][:12],
        precision=table(PRECISION_HEAD, rows),
        passed=faults["passed"],
        of=len(faults["scripts"]),
        faults=table(["fault", "passed", "again after s, at most", "wrong s, at most"], scripts),
    )


BUDGET_MS = {"preprocess": 0.6, "segment": 2.0, "fit": 0.25, "refine": 0.4, "track": 0.02}


def backend_rows(result: dict[str, Any]) -> list[list[str]]:
    return [
        [
            row["model"],
            row["backend"],
            row["precision"],
            triple(row["ms"], 2),
            *(
                cell
                for found in row["sets"].values()
                for cell in (f"{found['auc']:.1f}", f"{found['dphi_deg'][1]:.2f}")
            ),
        ]
        for row in result["rows"]
    ]


def performance(
    _bench: dict[str, Any],
    startup: dict[str, Any],
    peers: dict[str, Any],
    scale: dict[str, Any],
    files: dict[str, Any],
    backends: dict[str, Any],
    nets: dict[str, Any],
) -> str:
    report, fast = (Report.from_json(HERE / "results" / f"{name}.json") for name in ("bench", "bench60"))
    parts = {part.title.lower(): part.markdown() for part in make_tables(report.results)}
    parts["latency"] = make_tables((*report.results, *fast.results))[1].markdown()
    default = next(r for r in report.results if r.key == ("1920x1080", "lite0", "torchscript-cpu"))
    stages = [
        [name, f"{budget:g}", triple(list(default.stages[name]), 2)] for name, budget in BUDGET_MS.items()
    ]
    starts = [
        [name, *(f"{row[key]:.1f}" for key in ("warm_s", "cold_s"))]
        for name, row in startup["backends"].items()
    ]
    finders = [
        [
            name,
            finder,
            *error_cells(row, 1, 2),
            triple(row["ms"], 2),
        ]
        for name, found in peers["sets"].items()
        for finder, row in found.items()
    ]
    cpu_ms = {net["name"]: net["cpu_ms"][0][1] for net in nets["nets"] if "cpu_ms" in net}
    memory = [point["memory_mb"] for point in scale["length"]]
    batches = [
        [row["backend"], f"{row['files']:,}", f"{row['memory_mb']['first']:.0f}"]
        + [f"{row['points'][i]['memory_mb']:.0f}" for i in (0, len(row["points"]) // 2, -1)]
        for row in files["rows"]
    ]
    batch_head = ["backend", "files", "after 10, MB"]
    batch_head += [f"after {share}, MB" for share in ("a twentieth", "half", "all")]
    together = [
        [str(row["streams"]), f"{sum(row['fps']):.0f}", f"{min(row['fps']):.0f}"] for row in scale["streams"]
    ]
    return template("performance.md").format(
        long=f"{scale['length'][-1]['frames']:,}",
        memory=f"{min(memory):.0f} to {max(memory):.0f}",
        batches=table(batch_head, batches),
        streams=table(["streams", "frames/s together", "the slowest"], together),
        cpu=report.machine["cpu"],
        cores=report.machine["cores"],
        frames=report.settings["frames"],
        repeats=report.settings["repeats"],
        budgets=table(["stage", "budget, ms", "quartiles, ms"], stages),
        analysis=default.analysis_ms,
        ratio=default.analysis_ms / default.stages["decode"].median,
        unet=cpu_ms["unet"] / cpu_ms["nano"],
        unet_small=cpu_ms["unet"] / cpu_ms["small"],
        unet_lite0=cpu_ms["unet"] / cpu_ms["lite0"],
        bound=1 / (1 + default.analysis_ms / default.stages["decode"].median),
        help=startup["help_s"],
        startup=table(["backend", "warm, s", "first run on a machine, s"], starts),
        backends=table(BACKEND_HEAD, backend_rows(backends)),
        peers=table(["set", "finder", "AUC", "dY 25/50/95 px", "dphi 25/50/95 °", "ms 25/50/75"], finders),
        **parts,
    )


def comparisons(
    nets: dict[str, Any],
    zoo: dict[str, Any],
    unet: dict[str, Any],
    losses: dict[str, Any],
    samplers: dict[str, Any],
    labs: dict[str, Any],
    fine_tuning: dict[str, Any],
) -> str:
    rows = []
    for net in nets["nets"]:
        gpu = "not measured" if "cuda_ms" not in net else f"{net['cuda_ms'][0][1]:.2f}"
        field = "whole" if net.get("field_px", "–") is None else str(net.get("field_px", "–"))
        cpu = [f"{q[1]:.1f}" for q in net["cpu_ms"]] if "cpu_ms" in net else ["not measured"] * 2
        size = [f"{net['parameters'] / 1e6:.2f}", f"{net['flops'] / 1e9:.2f}", field]
        rows.append([net["name"], *size, *cpu, gpu])
    head = ["net", "parameters, M", "GFLOPs", "field, px", "CPU 256×128, ms", "CPU 320×192, ms", "GPU, ms"]
    return template("zoo.md").format(
        cpu=nets["machine"]["cpu"],
        nets=table(head, rows),
        trained=trained_table(zoo["runs"]),
        tried=", ".join(f"{rate:g}" for rate in sorted({row["rate"] for row in zoo["tried"]})),
        labs=labs_table(labs["runs"]),
        fine_tuning=fine_tuning_table(fine_tuning["runs"]),
        unet=unet_table(unet),
        unet_windows=unet["batch"] * unet["of"],
        losses=table(["loss", *SCORES], [score_row(run) for run in losses["runs"]]),
        samplers=table(["without", *SCORES], [score_row(run) for run in samplers["runs"]]),
    )


TRAINED = {
    "Dice": ("dice", 4),
    "mIoU": ("miou", 4),
    "accuracy, %": ("accuracy", 2),
    "dphi, °": ("dphi", 2),
    "AUC": ("auc", 1),
}


def trained_table(runs: list[dict[str, Any]]) -> str:
    """The mean over the seeds of each net, and in parentheses the largest less the smallest."""
    rows = []
    for net in dict.fromkeys(row["net"] for row in runs):
        own = [row for row in runs if row["net"] == net]
        first = own[0]
        cells = [net, f"{first['rate']:g}", first["precision"], str(first["windows"]), str(len(own))]
        cells.append(f"{sum(row['cpu_s'] for row in own) / len(own):.0f}")
        for key, digits in TRAINED.values():
            values = [
                row["test"][key] if "test" in row else row["curves"][f"thermal-sea/{key}"][1][-1]
                for row in own
            ]
            spread = f" ({max(values) - min(values):.{digits}f})" if len(own) > 1 else ""
            cells.append(f"{sum(values) / len(values):.{digits}f}{spread}")
        rows.append(cells)
    head = ["net", "rate", "numbers", "windows", "seeds", "CPU s", *TRAINED]
    return table(head, rows)


def labs_table(runs: list[dict[str, Any]]) -> str:
    """Of each net on each set: the means over the seeds and, in parentheses, the standard deviations."""
    if not runs:
        return "not measured"
    rows = []
    names = ("dataset", "net", "precision")
    for key in dict.fromkeys(tuple(row[name] for name in names) for row in runs):
        own = [row for row in runs if tuple(row[name] for name in names) == key]
        first, (dataset, net, numbers) = own[0], key
        cells = [dataset, net, f"{first['rate']:g}", numbers, str(first["windows"])]
        cells += [str(first["batch"]), str(len(own)), str(first["test_frames"])]
        cells.append(f"{statistics.mean(row['cpu_s'] for row in own):.0f}")
        for figure, digits in TRAINED.values():
            values = [row["test"].get(figure) for row in own]
            if None in values:
                cells.append("–")
                continue
            spread = f" ({statistics.stdev(values):.{digits}f})" if len(own) > 1 else ""
            cells.append(f"{statistics.mean(values):.{digits}f}{spread}")
        rows.append(cells)
    head = ["set", "net", "rate", "numbers", "windows", "batch", "seeds", "test frames", "CPU s"]
    return table([*head, *TRAINED], rows)


def fine_tuning_table(runs: list[dict[str, Any]]) -> str:
    """What each way to stay near the start costs and keeps."""
    rows = []
    for row in runs:
        held = [row.get("uncalibrated_within_2_sigma"), row["flight"]["within_2_sigma"]]
        shares = ["–" if pair is None else " / ".join(f"{100 * v:.1f}" for v in pair) for pair in held]
        own = row["own"]
        start = row["kept"] == 1
        rows.append(
            [
                *(row["model"] + (", as shipped" if start else ""), f"{row['anchor']:g}", f"{row['kept']:g}"),
                *(str(row["flight"]["frames"]), f"{row['flight']['auc']:.2f}", *shares),
                *(f"{own['auc']:.1f}", f"{own['dphi']:.2f}"),
            ]
        )
    head = ["model", "anchor", "kept", "flight frames", "flight AUC", "±2σ before, %", "±2σ after, %"]
    return table([*head, "meadow AUC", "meadow dphi, °"], rows)


def unet_table(unet: dict[str, Any]) -> str:
    """What each evaluation of the run found."""
    curves = {
        key: dict(zip(*unet["curves"][f"thermal-sea/{key}"], strict=True)) for key, _ in TRAINED.values()
    }
    steps = sorted(curves["dice"])
    rows = [
        [str(step * unet["batch"]), *(number(curves[k].get(step), digits) for k, digits in TRAINED.values())]
        for step in steps
    ]
    return table(["windows", *TRAINED], rows)


def unet_curves(unet: dict[str, Any], path: Path) -> None:
    """Loss in training and held out, and Dice, by windows."""
    figure = Figure(figsize=(9.2, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, label in (("training/loss", "in training (running mean)"), ("loss", "held out")):
        steps, values = unet["curves"][name]
        left.plot([step * unet["batch"] for step in steps], values, label=label, marker=".")
    left.set(ylabel="loss", yscale="log", xlabel="windows")
    left.legend(fontsize="small")
    steps, values = unet["curves"]["thermal-sea/dice"]
    right.plot([step * unet["batch"] for step in steps], values, marker=".")
    right.set(ylabel="Dice, held out", xlabel="windows", ylim=(0.95, 1.0))
    figure.savefig(path, dpi=110)


def zoo_curves(zoo: dict[str, Any], path: Path) -> None:
    """Loss in training and on the frames held out, of the first seed of each net, by windows."""
    figure = Figure(figsize=(9.2, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for row, colour in zip(
        (row for row in zoo["runs"] if row["seed"] == 0), colormaps["tab20"].colors, strict=False
    ):
        for axes, name in ((left, "training/loss"), (right, "loss")):
            steps, values = row["curves"][name]
            windows = [step * row["windows"] / max(steps) for step in steps]
            axes.plot(windows, values, label=row["net"], color=colour, marker="." if axes is right else "")
    left.set(title="in training", ylabel="loss", yscale="log", xlabel="windows")
    right.set(title="held out", xlabel="windows")
    right.legend(fontsize="small", ncols=2)
    figure.savefig(path, dpi=110)


SCORES = {
    "flight AUC": ("flight/auc", 1),
    "thermal-sea AUC": ("thermal-sea/auc", 1),
    "scenes AUC": ("scenes/auc", 1),
    "sea AUC": ("sea/auc", 1),
    "flight dphi, °": ("flight/dphi", 2),
    "thermal-sea dphi, °": ("thermal-sea/dphi", 2),
    "scenes refused, %": ("scenes/refused", 0),
    "scenes found, %": ("scenes/found", 0),
}


def score_row(run: dict[str, Any]) -> list[str]:
    return [run["name"], *(number(run["figures"].get(key), digits) for key, digits in SCORES.values())]


def live(faults: dict[str, Any], soak: dict[str, Any], age: dict[str, Any], load: dict[str, Any]) -> str:
    about, by_minute = faults["machine"], age["since_sent_p50_ms_by_minute"]
    parts = [faults[name] for name in ("long run", "losses", "clock", "full disk")] + faults["signals"]
    first, last = soak["private_mb_first_last"]
    middle = soak["samples"][len(soak["samples"]) // 2]["private_mb"]

    def quantiles(row: dict[str, float]) -> str:
        return triple([row[name] for name in ("p50", "p99", "max")], 1)

    return template("live.md").format(
        cpu=about["cpu"],
        cores=about["cores"],
        load="" if "note" not in about else f"Its load was {about['load_before']} before: {about['note']}.",
        survived="All survived."
        if all(part.get("survived", True) for part in parts)
        else "Not all survived.",
        **restart_figures(faults),
        faults=table(["fault", "what came of it"], fault_rows(faults)),
        usage=table(["after", "MB", "private MB", "files", "threads"], usage_rows(faults)),
        losses=table(
            ["lost", "late", "rows of 300", "tracking", "longest without a row, s"], loss_rows(faults)
        ),
        minutes=soak["minutes"],
        short="" if soak["minutes"] >= 60 else " (an hour is wanted, which this is not yet)",
        fps=soak["frames_per_s"],
        private_first=first,
        private_last=last,
        second_half=last - middle,
        step=max(b["private_mb"] - a["private_mb"] for a, b in pairwise(soak["samples"][30:])),
        slope=soak["private_mb_per_h"],
        slope_sd=soak["private_mb_per_h_sd"],
        rss_slope=soak["rss_mb_per_h"],
        rss_slope_sd=soak["rss_mb_per_h_sd"],
        files=" or ".join(map(str, soak["files"])),
        threads=" or ".join(map(str, soak["threads"])),
        age_minutes=age["minutes"],
        decoded=quantiles(age["since_decoded_ms"]),
        sent=quantiles(age["since_sent_ms"]),
        wanted=age["wanted_ms"],
        within=percent(age["within_wanted"]),
        between=age["since_sent_ms"]["p50"] - age["since_decoded_ms"]["p50"],
        age_low=min(by_minute),
        age_high=max(by_minute),
        page=table(["at the page", "rows", "50 %", "99 %", "at most"], load_rows(load)),
        ratio=load["p99_ratio"],
        requests=load["malformed_requests"],
        delay=quantiles(load["picture_delay_ms"]["since_decoded"]),
    )


LEVEL_HEAD = [
    "clip", "largest roll °", "source A_TV °", "measured", "level, rms °", "A_TV °", "times less", "zoom",
    "ms a picture", "vidstab, rms °", "A_TV °", "ms a picture",
]  # fmt: skip


def levelling(result: dict[str, Any]) -> str:
    rows = []
    for name, row in result["clips"].items():
        level, other = row["level"], row.get("vidstab") or {}
        rows.append(
            [
                name,
                f"{row['largest_roll_deg']:.0f}",
                f"{row['source']['a_tv_deg']:.2f}",
                f"{level['measured']} of {row['frames']}",
                f"{level['rms_deg']:.3f}",
                f"{level['a_tv_deg']:.3f}",
                f"{row['a_tv_ratio']:.0f}",
                " to ".join(f"{zoom:.2f}" for zoom in row["zoom"]),
                f"{level['ms']:.0f}",
                number(other.get("rms_deg"), 1),
                number(other.get("a_tv_deg"), 2),
                number(other.get("ms"), 0),
            ]
        )
    errors = [row["measuring_rms_deg"] for row in result["clips"].values()]
    black = max(row["black"]["level"] for row in result["clips"].values())
    return template("levelling.md").format(
        vidstab=result["vidstab"],
        size=result["size"].replace("x", "×"),
        cores=result["machine"]["cores"],
        load=result["load_before"],
        clips=table(LEVEL_HEAD, rows),
        measuring=max(errors),
        black="none" if black == 0 else percent(black),
        cost8=triple(result["cost_ms"]["8 bits"], 0),
        cost10=triple(result["cost_ms"]["10 bits"], 0),
        plan=triple(result["cost_ms"]["plan"], 1),
    )


def number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def straighten(result: dict[str, Any]) -> str:
    judge, options = result["judge"], result["options"]
    kinds = {"tilted": "tilted", "level": "level", "without_horizon": "without a horizon"}
    reasons = sorted({name for key in kinds for name in judge[key]} - {"all", "turned"})
    groups = [
        [title, *(str(judge[key].get(name, 0)) for name in ("all", "turned", *reasons))]
        for key, title in kinds.items()
    ]
    median, p95, largest = judge["error_deg"]
    tilted = judge["tilted"]
    return template("straighten.md").format(
        model=result["model"]["name"],
        sha256=result["model"]["sha256"][:12],
        **{name: f"{value:g}" for name, value in options.items()},
        photographs=judge["photographs"],
        without=judge["without_horizon"]["all"],
        groups=table(["photographs", "all", "turned", *reasons], groups),
        turned=judge["turned"],
        within=judge["within"],
        median=median,
        p95=p95,
        largest=largest,
        false_turns=judge["without_horizon"].get("turned", 0) or "None",
        worse=judge["level_made_worse"] or "none",
        beyond=beyond_lines(judge["beyond"]),
        missed=tilted["all"] - tilted.get("turned", 0),
        tilted=tilted["all"],
        bounds=bounds_table(result["choose"]),
    )


def beyond_lines(rows: list[dict[str, Any]]) -> str:
    """The turns that were off by over 0.3°."""
    lines = [f"{row['name']} by {row['error_deg']:.2f}° at {row['tilt_deg']:.1f}°" for row in rows]
    return f"Beyond 0.3°: {'; '.join(lines)}." if lines else ""


def bounds_table(choose: dict[str, Any]) -> str:
    rows = []
    for index, bounds in enumerate(choose["photographs"]["bounds"]):
        spread = "any" if bounds["most_spread"] is None else f"{bounds['most_spread']:g}°"
        cells = []
        for one in choose.values():
            row = one["bounds"][index]
            of = f"{row['turned']} of {one['tilted']}"
            cells += [of, str(row["beyond"]), f"{row['largest_deg']:.2f}°"]
        false = str(choose["photographs"]["bounds"][index]["false"])
        rows.append([f"{bounds['most_sd']:g}°", spread, *cells, false])
    head = [
        "sigma below",
        "spread below",
        "photographs",
        "wrong",
        "largest",
        "rendered",
        "wrong",
        "largest",
        "false",
    ]
    return table(head, rows)


def footage(result: dict[str, Any]) -> str:
    """Groups of flights by scene, and all of them."""
    rows = {key: row for key, row in result["rows"].items() if key.startswith("flight")}
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows.values():
        groups.setdefault(re.split(r"[?/]", row["source"].partition(":")[2])[0], []).append(row)
    refused = [row["refused"] for row in rows.values() if "refused" in row]
    reasons = {
        "uncertain": "too uncertain",
        "turns were found": "too few turns",
        "tracked in": "too little horizon",
    }
    counted = {text: sum(key in line for line in refused) for key, text in reasons.items()}
    whole = result["summary"]
    return template("footage.md").format(
        flights=len(rows),
        seconds=re.findall(r"seconds=(\d+)", rows["flight 0"]["source"])[0],
        size=re.findall(r"size=(\w+)", rows["flight 0"]["source"])[0].replace("x", "×"),
        fps=float(re.findall(r"fps=([\d.]+)", rows["flight 0"]["source"])[0]),
        table=table(
            FOOTAGE_HEAD, [*map(footage_row, groups.items()), footage_row(("all", [*rows.values()]))]
        ),
        told=whole["told"],
        refused=", ".join(f"{count} {text}" for text, count in counted.items() if count) or "none",
        within=whole["within_3_percent"],
        covered=percent(whole["within_2_sigma"]),
        still=whole["still"],
        rest=whole["still_refused"],
    )


def footage_row(group: tuple[str, list[dict[str, Any]]]) -> list[str]:
    name, rows = group
    told = [row for row in rows if "z" in row]
    errors = sorted(abs(row["error_percent"]) for row in told)
    sds = sorted(100 * row["hfov_sd_deg"] / row["hfov_deg"] for row in told)
    middle = [f"{values[len(values) // 2]:.2f} %" if values else "–" for values in (errors, sds)]
    covered = [sum(abs(row[z]) <= 2 for row in told) for z in ("z", "k1_z")]
    counts = [f"{count} of {len(told)}" for count in covered]
    largest = f"{errors[-1]:.2f} %" if errors else "–"
    return [name, f"{len(told)} of {len(rows)}", middle[0], largest, middle[1], *counts]


def template(name: str) -> str:
    return (HERE / "templates" / name).read_text()


PAGES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "accuracy.md": (accuracy, ("accuracy", "accuracy-small", "accuracy-nano", "hidden", "hidden-small")),
    "zoo.md": (comparisons, ("nets", "zoo", "unet", "losses", "samplers", "labs", "fine-tuning")),
    "tracking.md": (
        tracking,
        (
            *("precision", "faults", "key-frames", "key-frames-lite0", "false-alarms", "lost-horizons"),
            *("lost-horizons-late-2", "lost-horizons-late-4"),
        ),
    ),
    "levelling.md": (levelling, ("levelling",)),
    "footage.md": (footage, ("footage-calibration",)),
    "straighten.md": (straighten, ("straighten",)),
    "live.md": (live, ("live-faults", "soak", "live-age", "web-load")),
    "performance.md": (performance, ("bench", "startup", "peers", "scale", "memory", "backends", "nets")),
}


def main() -> None:
    for page, (write, names) in PAGES.items():
        paths = [HERE / "results" / f"{name}.json" for name in names]
        missing = [path.name for path in paths if not path.exists()]
        if missing:
            print(f"{page} is left as it is: no {', '.join(missing)}")
            continue
        (DOCS / page).write_text(write(*(json.loads(path.read_text()) for path in paths)))
    zoo_curves(json.loads((HERE / "results" / "zoo.json").read_text()), DOCS / "zoo.png")
    unet_curves(json.loads((HERE / "results" / "unet.json").read_text()), DOCS / "unet.png")


if __name__ == "__main__":
    main()
