"""`horizon-rt synth`: rendered pictures or a clip with exact truth, as a dataset folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from horizon_rt.cli.console import print_line
from horizon_rt.cli.options import parse_size
from horizon_rt.cli.progress import count_progress
from horizon_rt.cli.style import make_console
from horizon_rt.system.host import spare_cores

if TYPE_CHECKING:
    from horizon_rt.synth.stills import StillOptions

from horizon_rt.cli.options import repeatable
from horizon_rt.options import Motion, SceneKind

__all__ = ["synth"]


def synth(
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    count: Annotated[
        int | None, typer.Option(min=1, max=10_000_000, help="Write this many pictures.")
    ] = None,
    clip: Annotated[
        float | None, typer.Option(min=0.1, max=86400, metavar="SECONDS", help="Write a clip of this length.")
    ] = None,
    kind: Annotated[
        list[str] | None, repeatable(SceneKind, "Kind of scene; repeatable for pictures; all if not given.")
    ] = None,
    panorama: Annotated[
        Path | None,
        typer.Option(help="Levelled equirectangular picture, or a folder of them, to take views of."),
    ] = None,
    size: Annotated[str, typer.Option(metavar="WxH", help="Picture size.")] = "640x360",
    hfov: Annotated[
        str | None,
        typer.Option(metavar="A[..B]", help="Horizontal field of view in degrees: 40..100; for a clip 70."),
    ] = None,
    clean: Annotated[bool, typer.Option("--clean", help="No camera effects, nothing in front.")] = False,
    masks: Annotated[bool, typer.Option("--masks", help="Write masks/, 255 above the horizon.")] = False,
    without: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of pictures without a horizon; 0 if not given.")
    ] = None,
    motion: Annotated[
        Motion | None, typer.Option(help="Motion of a clip; boat at sea, else flight, if not given.")
    ] = None,
    fps: Annotated[float | None, typer.Option(min=1, max=1000, help="Frame rate of a clip; 25.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another number is another dataset.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Threads; one for each core if not given.")
    ] = None,
) -> None:
    """Write a dataset of rendered pictures (--count) or a rendered clip (--clip) with exact truth.

    The same options give the same bytes. Nothing that exists is replaced; an interrupted run leaves
    OUT.partial.
    """
    given = {"--clean": clean, "--masks": masks, "--without": without is not None}
    if (count is None) == (clip is None):
        raise typer.BadParameter("give either --count N for pictures or --clip SECONDS for a clip")
    if clip is None:
        given = {"--motion": motion is not None, "--fps": fps is not None}
    for name in (name for name, is_given in given.items() if is_given):
        raise typer.BadParameter(f"{name} is for {'a clip' if clip is None else 'pictures'}")
    kinds = list(kind or ())
    parse_size(size)
    threads = workers or spare_cores(0)
    if count is not None:
        _write_pictures(
            out,
            count,
            _still_options(kinds, panorama, size, hfov, clean=clean, without=without, seed=seed),
            masks=masks,
            workers=threads,
        )
        return
    words = {"motion": motion, "size": size, "fps": fps, "seconds": clip, "hfov": hfov, "seed": seed}
    if len(kinds) + (panorama is not None) > 1:
        raise typer.BadParameter("a clip shows one --kind of scene or a --panorama")
    _write_clip(out, kinds[0] if kinds else "fields", words, panorama=panorama, workers=threads)


def _still_options(
    kinds: list[str],
    panorama: Path | None,
    size: str,
    hfov: str | None,
    *,
    clean: bool,
    without: float | None,
    seed: int,
) -> StillOptions:
    from horizon_rt.synth.scene import KINDS
    from horizon_rt.synth.stills import StillOptions

    chosen = tuple(kind for kind in KINDS if kind in kinds)
    return StillOptions(
        kinds=chosen if chosen or panorama is not None else KINDS,
        panorama=panorama,
        size=parse_size(size),
        hfov_deg=_range(hfov or "40..100"),
        clean=clean,
        without=without or 0.0,
        seed=seed,
    )


def _range(text: str) -> tuple[float, float]:
    low, _, high = text.partition("..")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise typer.BadParameter(f"--hfov is degrees, such as 70 or 40..100, got '{text}'") from None


def _write_pictures(out: Path, count: int, options: StillOptions, *, masks: bool, workers: int) -> None:
    from horizon_rt.datasets.rendered import write_pictures

    console = make_console()
    with count_progress(count, "pictures", console) as done:
        write_pictures(out, options, count=count, masks=masks, workers=workers, on_done=done)
    print_line(console, f"written: {out} ({count} pictures)")


def _write_clip(
    out: Path, kind: str, words: Mapping[str, object], *, panorama: Path | None, workers: int
) -> None:
    from urllib.parse import urlencode

    from horizon_rt.datasets.rendered import write_clip
    from horizon_rt.sources.synthetic import parse_options

    options = parse_options(f"{kind}?{urlencode({k: v for k, v in words.items() if v is not None})}")
    console, frames = make_console(), max(1, round(options.fps * options.seconds))
    with count_progress(frames, "frames", console) as done:
        write_clip(out, options, panorama=panorama, workers=workers, on_done=done)
    print_line(console, f"written: {out} ({frames} frames)")
