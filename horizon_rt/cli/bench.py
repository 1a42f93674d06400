"""`horizon-rt bench`: how fast the tracker is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horizon_rt.cli.console import print_line, print_table, print_warning
from horizon_rt.cli.options import option_of, parse_size, repeatable
from horizon_rt.cli.style import make_console
from horizon_rt.options import (
    BATCH,
    BackendChoice,
    DecoderChoice,
    DeviceChoice,
    Engine,
    PrecisionChoice,
    RunOptions,
    from_flat,
)

__all__ = ["bench"]


def bench(
    source: Annotated[
        Path | None, typer.Argument(help="Video file; without one, clips are rendered and encoded.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for bench.html, bench.md and bench.json.")] = None,
    size: Annotated[
        list[str] | None, typer.Option(metavar="WxH", help="Size of a rendered clip; repeatable.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Model to measure, by its name or path; repeatable."),
    ] = None,
    backend: Annotated[list[str] | None, repeatable(BackendChoice, "What runs the net; repeatable.")] = None,
    precision: Annotated[
        list[str] | None, repeatable(PrecisionChoice, "Numbers that the net runs in; repeatable.")
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Frames of a recording that a GPU takes at a time; repeatable."),
    ] = None,
    fps: Annotated[
        list[float] | None, typer.Option(min=1, help="Frame rate of a rendered clip; repeatable.")
    ] = None,
    device: Annotated[DeviceChoice, option_of(Engine, "device")] = "auto",
    decoder: Annotated[DecoderChoice, option_of(RunOptions, "decoder")] = "auto",
    matrix: Annotated[
        bool, typer.Option("--matrix", help="All shipped models with all backends and precisions.")
    ] = False,
    frames: Annotated[int, typer.Option(min=2, help="Frames of each recording.")] = 200,
    repeats: Annotated[int, typer.Option(min=1, help="Whole runs of each kind, for the quartiles.")] = 3,
    overlay: Annotated[bool, typer.Option(help="Measure overlay video, too.")] = True,
    threads: Annotated[int, typer.Option(min=0, help="Decoder threads; 0: one for each core.")] = 0,
    against: Annotated[
        Path | None, typer.Option(metavar="JSON", help="Earlier bench.json to compare with.")
    ] = None,
) -> None:
    """Measure frames per second, latency and the cost of each stage, beside decoding alone."""
    from itertools import product

    from horizon_rt.bench.clips import RATE_HZ
    from horizon_rt.bench.job import SIZES, BenchJob, every_engine
    from horizon_rt.bench.measure import Plan
    from horizon_rt.bench.results import Report, changes
    from horizon_rt.bench.tables import change_table, make_tables
    from horizon_rt.models.weights import shipped_models
    from horizon_rt.system.extras import require
    from horizon_rt.system.files import make_folder

    if source is not None and (size or fps):
        raise typer.BadParameter("--size and --fps are those of rendered clips; leave them out with a source")
    if matrix and (model or backend or precision or batch):
        raise typer.BadParameter("--matrix takes all there is; leave --model, --backend and the like out")
    earlier = None if against is None else Report.from_json(against)
    backends, precisions = backend or ["auto"], precision or ["auto"]
    engines = tuple(
        from_flat(Engine, {"device": device, "backend": b, "precision": p, "batch": n})
        for b, p, n in product(backends, precisions, batch or [BATCH])
    )
    plan = Plan(
        decoder=decoder,
        frames=frames,
        repeats=repeats,
        overlay=overlay,
        threads=threads,
    )
    job = BenchJob(
        plan=plan,
        source=source,
        sizes=tuple(map(parse_size, size)) if size else SIZES,
        models=shipped_models() if matrix else tuple(model or (None,)),
        engines=every_engine(device) if matrix else engines,
        rates_hz=tuple(fps or (RATE_HZ,)),
    )
    if any(side % 2 for given in job.sizes for side in given):
        raise typer.BadParameter("video has even sides; give another --size")
    console = make_console()
    if out is not None:
        require("report", "--out")
        make_folder(out)
    report = job.run(lambda part: print_line(console, part))
    found = [] if earlier is None else list(changes(earlier, report))
    if earlier is not None and not found:
        print_warning(console, f"{against} has no recording, model and backend in common with this run")
    for table in make_tables(report.results) + ([change_table(found)] if found else []):
        print_table(table)
    if out is not None:
        from horizon_rt.bench.report import write_report

        for path in write_report(out, report, found):
            print_line(console, f"written: {path}")
