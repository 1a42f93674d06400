"""Many recordings, one after the other: found, named, tracked, summed up."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from horizon_rt.config import TrackOptions
from horizon_rt.errors import HorizonError, SourceNotFound
from horizon_rt.pipeline import RunSummary
from horizon_rt.run import Outputs, default_outputs, run
from horizon_rt.sources import open_source
from horizon_rt.sources.suffixes import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

__all__ = ["Job", "Result", "find_inputs", "run_batch", "summary_table"]

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .avi .webm .ts .mts .m2ts .mpg .mpeg .wmv .flv .ogv .h264 .h265 .hevc .mxf .3gp".split()
)
Status = Literal["done", "skipped", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Job:
    """An input and where its outputs go."""

    source: Path
    outputs: Outputs


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job; `reason` is the error's line."""

    job: Job
    status: Status
    summary: RunSummary | None = None
    reason: str = ""


def find_inputs(inputs: Sequence[str], out: Path, *, overlay: bool = True) -> list[Job]:
    """Expand files, folders and patterns into jobs with distinct names.

    A folder gives its videos and those of its subfolders; a folder that holds pictures is one input itself.
    Raises SourceNotFound when nothing matches; a named file is taken whatever its extension.
    """
    found = list(dict.fromkeys(path for text in inputs for path in _expand(text)))
    if not found:
        raise SourceNotFound(f"no videos or pictures in {', '.join(inputs)}")
    return [
        Job(path, _outputs(path, out, name, overlay=overlay))
        for path, name in zip(found, _distinct_names(found), strict=True)
    ]


def _expand(text: str) -> Iterator[Path]:
    path = Path(text)
    if path.is_dir():
        yield from _inside(path)
    elif path.exists() or not glob.has_magic(text):
        yield path
    else:
        for match in sorted(glob.glob(text, recursive=True)):
            yield from _inside(Path(match)) if Path(match).is_dir() else [Path(match)]


def _inside(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise SourceNotFound(f"cannot look into {folder}: {error.strerror}") from error
    if any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries):
        yield folder
    for entry in entries:
        if entry.is_dir():
            yield from _inside(entry)
        elif entry.suffix.lower() in VIDEO_SUFFIXES:
            yield entry


def _distinct_names(paths: Sequence[Path]) -> list[str]:
    """The stem of each path, with as much of its path in front as keeps the names apart."""
    absolute = [path.absolute() for path in paths]
    names = [path.name if path.is_dir() else path.stem for path in absolute]
    for depth in range(max(len(path.parts) for path in absolute)):
        clashing = {name for name, count in Counter(n.lower() for n in names).items() if count > 1}
        if not clashing:
            break
        for i, path in enumerate(absolute):
            if names[i].lower() in clashing:
                names[i] = "_".join(path.parts[max(len(path.parts) - 1 - depth, 1) :])
    return names


def _outputs(source: Path, out: Path, name: str, *, overlay: bool) -> Outputs:
    outputs = default_outputs(out, name, still=source.is_dir() or source.suffix.lower() in IMAGE_SUFFIXES)
    return outputs if overlay else replace(outputs, overlay=None)


def run_batch(
    jobs: Sequence[Job], options: TrackOptions, console: Console, *, resume: bool = False
) -> list[Result]:
    """Run all jobs; stops early only when interrupted."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    results: list[Result] = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        files = bar.add_task("files", total=len(jobs))
        for job in jobs:
            result = _skip(job) if resume and _is_whole(job) else _run_job(job, options, bar)
            results.append(result)
            bar.advance(files)
            console.print(_line(result), markup=False, highlight=False, soft_wrap=True)
            if result.status == "interrupted":
                break
    return results


def _is_whole(job: Job) -> bool:
    """Telemetry gets its name last and only when it is complete, so its presence says all."""
    return all(path.exists() for path in job.outputs.paths)


def _skip(job: Job) -> Result:
    return Result(job, "skipped")


def _run_job(job: Job, options: TrackOptions, bar: Progress) -> Result:
    task: TaskID | None = None
    try:
        source = open_source(job.source)
        task = bar.add_task(job.source.name, total=source.info.frame_count)
        summary = run(source, options, job.outputs, on_frame=lambda *_: bar.advance(task))
    except HorizonError as error:
        return Result(job, "failed", reason=str(error))
    except KeyboardInterrupt:
        return Result(job, "interrupted")
    finally:
        if task is not None:
            bar.remove_task(task)
    return Result(job, "interrupted" if summary.interrupted else "done", summary)


def _line(result: Result) -> str:
    detail = result.reason
    if result.summary is not None:
        s = result.summary
        detail = f"{s.frames} frames, {s.fps:.0f} frames/s, {100 * s.availability:.1f} % with a horizon"
    return f"{result.status}: {result.job.source}" + (f" ({detail})" if detail else "")


def summary_table(results: Sequence[Result]) -> Table:
    """A row for each input, and the sum."""
    from rich.table import Table

    table = Table("input", "status", "frames", "frames/s", "with horizon", title="batch", show_footer=True)
    table.columns[0].footer = f"{len(results)} inputs"
    table.columns[1].footer = f"{sum(r.status in ('done', 'skipped') for r in results)} whole"
    table.columns[2].footer = str(sum(r.summary.frames for r in results if r.summary))
    for result in results:
        s = result.summary
        cells = (str(s.frames), f"{s.fps:.0f}", f"{100 * s.availability:.1f} %") if s else ("", "", "")
        table.add_row(result.job.source.name, result.status, *cells)
    return table
