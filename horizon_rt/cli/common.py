"""Options that several verbs share, and the progress of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from horizon_rt.messages import Sanitised, printable, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from horizon_rt.camera import Pinhole
    from horizon_rt.config import TrackOptions
    from horizon_rt.horizon import Horizon
    from horizon_rt.pipeline import OnFrame, RunSummary
    from horizon_rt.run import Outputs
    from horizon_rt.sources import SourceInfo

__all__ = [
    "Backend",
    "BackendChoice",
    "Decoder",
    "Device",
    "DeviceChoice",
    "Hfov",
    "LiveSmooth",
    "LiveSmoothing",
    "Model",
    "Precision",
    "PrecisionChoice",
    "Profile",
    "Smooth",
    "Smoothing",
    "count_progress",
    "lens_rows",
    "net_input_size",
    "options_from",
    "parse_size",
    "print_summary",
    "print_table",
    "progress",
    "say",
    "say_advice",
    "say_first_use",
    "say_lens",
    "spare_cores",
    "status_line",
    "training_progress",
]


_FEW = 0.5  # of the frames with a horizon, below which there is advice


class Smoothing(StrEnum):
    """Choices of --smooth."""

    causal = "causal"
    offline = "offline"
    none = "none"


class LiveSmoothing(StrEnum):
    """Choices of --smooth where nobody knows what comes later."""

    causal = "causal"
    none = "none"


class DeviceChoice(StrEnum):
    """Choices of --device and --decoder."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class PrecisionChoice(StrEnum):
    """Choices of --precision."""

    auto = "auto"
    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"


class BackendChoice(StrEnum):
    """Choices of --backend."""

    auto = "auto"
    torchscript = "torchscript"
    onnx = "onnx"
    openvino = "openvino"


Profile = Annotated[
    str | None, typer.Option(help="Lens: a profile file, or a name of `horizon-rt cameras list`.")
]
Hfov = Annotated[
    float | None,
    typer.Option(min=1, max=179, help="Horizontal field of view in degrees; 70 where nothing is known."),
]
Model = Annotated[
    str | None, typer.Option(help="A shipped model, or the folder of a trained one: PATH or PATH:NAME.")
]
Smooth = Annotated[
    Smoothing,
    typer.Option(help="Filter over time; with hindsight, for recordings; or each frame on its own."),
]
LiveSmooth = Annotated[LiveSmoothing, typer.Option(help="Filter over time, or each frame on its own.")]
Device = Annotated[
    DeviceChoice, typer.Option(help="Where the net runs; cuda is a GPU of NVIDIA, others are not used.")
]
Decoder = Annotated[
    DeviceChoice, typer.Option(help="Where video is decoded; auto: on the GPU that runs the net, if it can.")
]
Backend = Annotated[
    BackendChoice,
    typer.Option(help="What runs the net; auto: the fastest that is installed."),
]
Precision = Annotated[
    PrecisionChoice,
    typer.Option(help="Numbers that the net runs in; auto: float16 on a GPU, float32 on the CPU."),
]


def options_from(
    camera_profile: str | None,
    hfov: float | None,
    model: str | None,
    smooth: Smoothing,
    device: DeviceChoice,
    backend: BackendChoice = BackendChoice.auto,
    decoder: DeviceChoice = DeviceChoice.auto,
    precision: PrecisionChoice = PrecisionChoice.auto,
) -> TrackOptions:
    """The shared options as a value; a usage error if they contradict each other."""
    from horizon_rt.config import TrackOptions

    if camera_profile is not None and hfov is not None:
        raise typer.BadParameter("--camera-profile and --hfov both describe the lens; give one")
    return TrackOptions(
        camera_profile=camera_profile,
        hfov_deg=hfov,
        model=model,
        smooth=smooth.value,
        device=device.value,
        backend=backend.value,
        precision=precision.value,
        decoder=decoder.value,
    )


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of a --size; a usage error for anything else."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        width = height = 0
    if width < 1 or height < 1:
        raise typer.BadParameter(f"--size is WIDTHxHEIGHT, such as 1280x720, got '{text}'")
    return width, height


def net_input_size(text: str) -> tuple[int, int]:
    """As `parse_size`, for the input of a net."""
    width, height = parse_size(text)
    if width % 32 or height % 32 or max(width, height) > 2048:
        raise typer.BadParameter(f"a net input has sides of multiples of 32 up to 2048 px, got '{text}'")
    return width, height


def _bar(console: Console, *extra: str, transient: bool = False, disable: bool = False) -> Progress:
    """Description, bar, count, time left, and a column for each further field of its tasks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    fields = (TextColumn(f"{{task.fields[{name}]}}") for name in extra)
    return Progress(*columns, *fields, console=console, transient=transient, disable=disable)


@contextmanager
def progress(info: SourceInfo, console: Console, *, times: int = 1) -> Iterator[OnFrame | None]:
    """A Rich progress bar over the frames of a source, read so often, on a terminal; nothing elsewhere."""
    if not console.is_terminal:
        yield None
        return
    from rich.markup import escape

    from horizon_rt.run import expected_frames

    with _bar(console, "state", transient=True) as bar:
        frames = expected_frames(info)
        total = None if frames is None else times * frames
        task = bar.add_task(escape(printable(Path(info.name).name or info.name)), total=total, state="")
        yield lambda _frame, horizon: bar.update(task, advance=1, state=horizon.state)


@contextmanager
def count_progress(total: int, what: str, console: Console) -> Iterator[Callable[[], object]]:
    """A Rich progress bar on a terminal, nothing elsewhere; call what it gives after each of `total`."""
    with _bar(console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def spare_cores(used: int) -> int:
    """Cores that this process may use beside `used` of them, at least 1."""
    from horizon_rt.system.host import usable_cores

    return max(1, usable_cores() - used)


@contextmanager
def training_progress(console: Console) -> Iterator[Callable[[str, int, int, float], None]]:
    """A Rich bar on a terminal, a plain line at every twentieth elsewhere; takes what, step, steps, loss."""
    if not console.is_terminal:
        yield lambda what, step, steps, loss: _plain_step(console, what, step, steps, loss)
        return
    tasks: dict[str, TaskID] = {}
    with _bar(console, "loss") as bar:

        def on_step(what: str, step: int, steps: int, loss: float) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=steps, loss="")
            text = "" if math.isnan(loss) else f"loss {loss:.4f}"
            bar.update(tasks[what], completed=step, loss=text)

        yield on_step


def _plain_step(console: Console, what: str, step: int, steps: int, loss: float) -> None:
    if 20 * step // steps != 20 * (step - 1) // steps:
        say(console, f"{what} {step}/{steps}" + ("" if math.isnan(loss) else f", loss {loss:.4f}"))


@contextmanager
def status_line(console: Console, *, quiet: bool = False) -> Iterator[OnFrame | None]:
    """Roll and pitch of the newest frame in one line of the terminal; nothing elsewhere."""
    if quiet or not console.is_terminal:
        yield None
        return
    with console.status("waiting for the first frame") as status:
        yield lambda _frame, horizon: status.update(_one_line(horizon))


def _one_line(horizon: Horizon) -> str:
    if horizon.roll_deg is None or horizon.pitch_deg is None:
        return f"{horizon.state}, view {horizon.view}"
    return f"{horizon.state}  roll {horizon.roll_deg:+7.2f}°  pitch {horizon.pitch_deg:+6.2f}°"


def print_summary(summary: RunSummary, outputs: list[Path], console: Console) -> None:
    """A line of what was found, and one for each output."""
    how = "interrupted after " if summary.interrupted else ""
    frames = f"{summary.frames} frame{'' if summary.frames == 1 else 's'}"
    dropped = f", {summary.dropped} dropped" if summary.dropped else ""
    speed = f"{summary.seconds:.1f} s ({summary.fps:.0f} frames/s{dropped})"
    say(console, f"{how}{frames} in {speed}, {100 * summary.share_with_horizon:.1f} % with a horizon")
    for path in outputs if summary.frames else []:
        if path.exists():  # an interrupted run with hindsight leaves no overlay
            say(console, f"written: {path}")


def say_first_use(console: Console) -> None:
    """Say why nothing happens for a while: the kernels are compiled at their first use on a machine."""
    from horizon_rt.system.kernels import are_compiled

    if not are_compiled():
        say(console, "the first run compiles its kernels for this machine, which takes some seconds")


def say_lens(options: TrackOptions, outputs: Outputs, console: Console, *, always: bool = False) -> None:
    """Say that the lens was assumed; if not `always`, where all telemetry is tables, which have no header."""
    from horizon_rt.config import DEFAULT_HFOV_DEG

    tables = [Path(target).suffix.lower() == ".csv" for target in outputs.telemetry]
    if options.lens_is_assumed and (always or (tables and all(tables))):
        say(
            console,
            f"lens assumed: horizontal field of view {DEFAULT_HFOV_DEG:g}°; give --hfov or --camera-profile",
        )


def say_advice(
    summary: RunSummary, options: TrackOptions, console: Console, *, repeatable: bool = False
) -> None:
    """Say what to try after a run in which few frames held a horizon; a recording is `repeatable`."""
    if not summary.frames or summary.share_with_horizon >= _FEW:
        return
    tries = ["--model lite0 (for unusual places)"] if options.model != "lite0" else []
    if repeatable and options.smooth != "offline":
        tries.append("--smooth offline (bridges gaps)")
    if options.lens_is_assumed:
        tries.append("--hfov or --camera-profile (a wide lens bends the horizon)")
    say(console, f"few frames hold a horizon; try {', '.join(tries) or 'a model trained on such pictures'}")


def lens_rows(model: Pinhole, focal_sd_px: tuple[float, float] | None = None) -> list[tuple[str, str]]:
    """The numbers of a lens, each with its name."""
    sd = ("", "") if focal_sd_px is None else tuple(f" ± {value:.2f}" for value in focal_sd_px)
    return [
        ("image", f"{model.width}x{model.height} px"),
        ("fx", f"{model.fx:.2f}{sd[0]} px"),
        ("fy", f"{model.fy:.2f}{sd[1]} px"),
        ("cx, cy", f"{model.cx:.2f}, {model.cy:.2f} px"),
        ("k1, k2, p1, p2, k3", ", ".join(f"{value:.5g}" for value in model.distortion)),
        ("horizontal field of view", f"{model.hfov_deg:.1f}°"),
    ]


def print_table(table: Table) -> None:
    """A table on stdout; where that is no terminal, its rows as plain lines with tabs."""
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        console.print(Sanitised(table))
        return
    columns = ([column.header, *column.cells, column.footer] for column in table.columns)
    rows = list(zip(*columns, strict=True))
    for row in rows if table.show_footer else rows[:-1]:
        print("\t".join(printable(str(cell)) for cell in row))
