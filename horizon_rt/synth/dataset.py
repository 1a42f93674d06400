"""Rendered pictures and clips as dataset folders (docs/synth.md)."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from horizon_rt._version import __version__
from horizon_rt.datasets.lines import LineRow, line_row, write_lines
from horizon_rt.errors import SourceError
from horizon_rt.files import output_error
from horizon_rt.locks import lock_folder
from horizon_rt.sinks.canvas import Canvas
from horizon_rt.sinks.writer import VideoWriter
from horizon_rt.synth.clip import Clip, PanoramaView
from horizon_rt.synth.panorama import find_panoramas, read_panorama
from horizon_rt.synth.source import SyntheticOptions, SyntheticSource, make_clip
from horizon_rt.synth.stills import Still, StillOptions, Stills

__all__ = ["write_clip", "write_pictures"]

Row = tuple[object, ...]
_Lined = tuple[str, LineRow]  # of horizon.csv
OnDone = Callable[[], object]

_AT_SEA = ("sea", "storm")


def write_pictures(
    out: Path,
    options: StillOptions,
    *,
    count: int,
    masks: bool = False,
    workers: int = 1,
    on_done: OnDone | None = None,
) -> None:
    """Write `count` pictures with their truth to the folder `out`, whole or not at all.

    `masks` adds a picture of what lies above the horizon to each that shows sky or ground. `on_done` is
    called after each picture. The bytes do not depend on `workers`. Raises DatasetError for panoramas that
    cannot be read and OutputError for what cannot be written; what there is then stays in OUT.partial.
    """
    stills = Stills(options, count)
    with whole_folder(out) as folder:
        for name in ("images", "masks") if masks else ("images",):
            (folder / name).mkdir()

        def write(index: int) -> tuple[_Lined, Row]:
            return _write_still(folder, f"{index:06d}.png", stills[index], masks=masks)

        rows = list(_in_order(write, count, workers, on_done))
        _write_text(folder / "dataset.toml", _toml(_about_pictures(out, options, count, masks)))
        _write_table(
            folder / "pictures.csv", "file,kind,view,hfov_deg,roll_deg,pitch_deg", (r for _, r in rows)
        )
        write_lines(folder, (row for row, _ in rows))


def write_clip(
    out: Path,
    options: SyntheticOptions,
    *,
    panorama: Path | None = None,
    workers: int = 1,
    on_done: OnDone | None = None,
) -> None:
    """Write a clip and the attitude of its frames to the folder `out`, whole or not at all.

    `panorama` (a file, or a folder from which the seed chooses) takes the place of the scene. Else as
    `write_pictures`; raises SourceError for an odd size, which H.264 does not have.
    """
    clip = make_clip(options)
    if clip.camera.width % 2 or clip.camera.height % 2:
        raise SourceError(f"a clip has an even width and height, got {options.size}")
    if panorama is not None:
        clip = replace(clip, view=_view_of(panorama, options.seed))
    with whole_folder(out) as folder:
        _write_video(folder / "video" / "clip.mp4", clip, workers, on_done)
        _write_text(folder / "dataset.toml", _toml(_about_clip(out, options, panorama, clip)))
        rows = ((i, clip.time_s(i), clip.truth(i).up) for i in range(len(clip)))
        _write_table(
            folder / "attitude.csv",
            "frame,time_s,roll_deg,pitch_deg",
            ((i, *_decimals(time_s, up.roll_deg, up.pitch_deg)) for i, time_s, up in rows),
        )


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """An empty folder OUT.partial that becomes `out` once the block has ended well.

    What an earlier run left under the partial name is deleted, unless it is still under way; `out` itself is
    never replaced. Raises OutputError, also for an OSError of the block.
    """
    target = Path(os.path.abspath(out))
    partial = target.with_name(f"{target.name}.partial")
    try:
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise FileExistsError(0, "there is something already")
        if partial.is_dir():
            with lock_folder(partial):
                shutil.rmtree(partial)
        partial.mkdir(parents=True)
    except OSError as error:
        raise output_error(out, error) from error
    try:
        with lock_folder(partial):
            yield partial
            os.replace(partial, target)
    except OSError as error:
        raise output_error(out, error, partial) from error


def _in_order(
    make: Callable[[int], tuple[_Lined, Row]], count: int, workers: int, on_done: OnDone | None
) -> Iterator[tuple[_Lined, Row]]:
    """What `make` gives for 0, 1, …, made by threads that run a little ahead."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="render")
    pending: deque[Future[tuple[_Lined, Row]]] = deque()
    try:
        for index in range(count + workers):
            if index < count:
                pending.append(pool.submit(make, index))
            if index >= workers:
                yield pending.popleft().result()
                if on_done is not None:
                    on_done()
    finally:
        pool.shutdown(cancel_futures=True)


def _write_still(folder: Path, name: str, still: Still, *, masks: bool) -> tuple[_Lined, Row]:
    """Its rows of horizon.csv and of pictures.csv."""
    _write_png(folder / "images" / name, still.image[:, :, ::-1])
    if masks and still.mask is not None:
        _write_png(folder / "masks" / name, still.mask)
    attitude: Row = ("", "", "")
    if still.view != "nothing":
        attitude = _decimals(still.camera.hfov_deg, still.up.roll_deg, still.up.pitch_deg)
    row = line_row(still.line, still.camera.width, still.camera.height)
    return (name, row), (name, still.kind, still.view, *attitude)


def _write_video(path: Path, clip: Clip, workers: int, on_done: OnDone | None) -> None:
    writer = VideoWriter(path, frame_rate=clip.frame_rate)
    try:
        with SyntheticSource(clip, path.name, threads=workers) as frames:
            for frame in frames:
                writer.write(Canvas.from_frame(frame), frame.time_s)
                if on_done is not None:
                    on_done()
    except BaseException:
        writer.abort()
        raise
    writer.close()


def _view_of(panorama: Path, seed: int) -> PanoramaView:
    rng, files = np.random.default_rng(seed), find_panoramas(panorama)
    file = files[int(rng.integers(len(files)))]
    return PanoramaView(read_panorama(file), rng.uniform(0, 360))


def _about_pictures(out: Path, options: StillOptions, count: int, masks: bool) -> dict[str, object]:
    words: list[object] = ["--count", count]
    words += [word for kind in options.kinds for word in ("--kind", kind)]
    words += [] if options.panorama is None else ["--panorama", options.panorama]
    words += ["--size", "{}x{}".format(*options.size), "--hfov", "{!r}..{!r}".format(*options.hfov_deg)]
    words += ["--clean"] * options.clean + ["--masks"] * masks + ["--without", options.without]
    return {
        **_about(out, options.kinds, options.panorama, options.seed, words),
        "modality": "rgb" if options.clean else "rgb, thermal",
        "truth": "line+mask" if masks else "line",
        "frames": count,
    }


def _about_clip(out: Path, options: SyntheticOptions, panorama: Path | None, clip: Clip) -> dict[str, object]:
    words: list[object] = ["--clip", options.seconds, "--fps", options.fps, "--size", options.size]
    words += ["--hfov", options.hfov, *(["--motion", options.motion] if options.motion else [])]
    words += ["--kind", options.kind] if panorama is None else ["--panorama", panorama]
    return {
        **_about(out, (options.kind,) if panorama is None else (), panorama, options.seed, words),
        "modality": "rgb",
        "truth": "attitude",
        "frames": len(clip),
        "frame_rate": clip.frame_rate,
        "hfov_deg": options.hfov,
    }


def _about(
    out: Path, kinds: Iterable[str], panorama: Path | None, seed: int, words: list[object]
) -> dict[str, object]:
    scenes = dict.fromkeys("sea" if kind in _AT_SEA else "land" for kind in kinds)
    command = ["horizon-rt", "synth", "OUT", *map(str, words), "--seed", str(seed)]
    return {
        "name": Path(os.path.abspath(out)).name,
        "title": "Rendered by horizon-rt, with exact truth",
        "licence": "CC0 (rendered)" if panorama is None else "CC0; views of panoramas: that of the panorama",
        "source": f"horizon-rt {__version__}",
        "command": shlex.join(command),
        "seed": seed,
        "scene": ", ".join([*scenes, *(["panorama"] if panorama is not None else [])]),
    }


def _toml(values: Mapping[str, object]) -> str:
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    # A JSON string, number or boolean is a TOML one too.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    tables = (f"\n[{key}]\n{_toml(value)}" for key, value in values.items() if isinstance(value, dict))
    return "".join([*(f"{line}\n" for line in lines), *tables])


def _decimals(*values: float) -> tuple[str, ...]:
    return tuple(f"{value:.6f}" for value in values)


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def _write_table(path: Path, header: str, rows: Iterable[Row]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerows([header.split(","), *rows])
    _write_text(path, text.getvalue())


def _write_text(path: Path, text: str) -> None:
    # A file name may hold bytes that are no text.
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
