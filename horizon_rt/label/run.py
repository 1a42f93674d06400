"""From options to a labelling."""

from __future__ import annotations

import threading
import webbrowser
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from horizon_rt.camera import Camera
from horizon_rt.errors import SourceError
from horizon_rt.label.choice import spacing
from horizon_rt.label.extract import extract
from horizon_rt.label.session import Session
from horizon_rt.options import RunOptions
from horizon_rt.pipeline.run import camera_for, make_tracker, open_in_background
from horizon_rt.sources import Source, open_source
from horizon_rt.system.address import without_secrets
from horizon_rt.system.extras import require
from horizon_rt.system.interrupts import interrupts_call
from horizon_rt.tracker import HorizonTracker

if TYPE_CHECKING:
    from horizon_rt.label.server import LabelServer

__all__ = ["describe", "open_labelling", "serve_until_interrupted"]


def open_labelling(
    source: str,
    folder: Path,
    options: RunOptions,
    *,
    every: int | None = None,
    count: int | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> LabelServer:
    """A labelling of a source into a dataset folder, begun or continued; enter it to serve the page.

    The source is not opened again once all its frames were taken. Raises HorizonError.
    """
    require("label", "label")
    from horizon_rt.label.server import LabelServer

    name = without_secrets(source) if ":" in source or source == "-" else Path(source).resolve().name
    if Session.is_complete(folder):
        return LabelServer(Session(folder, source=name, every=1), lambda _: None, host=host, port=port)
    opened = open_in_background(lambda: open_source(source, rotate=options.rotate))
    with ExitStack() as undo:
        undo.callback(opened.close)
        if opened.info.live:
            raise SourceError(f"{opened.info.name} is live; record it first (live --record FOLDER)")
        profile = camera_for(options, opened.info)
        run_length = spacing(opened.info, every=every, count=count)
        session = Session(folder, source=name, every=run_length)
        tracker = make_tracker(options, opened.info, profile)
        fill = partial(_fill_from, opened, tracker, profile.model, session)
        server = LabelServer(session, fill, host=host, port=port)
        undo.pop_all()
    return server


def _fill_from(
    source: Source, tracker: HorizonTracker, camera: Camera, session: Session, stop: threading.Event
) -> None:
    with source:
        extract(source, tracker, camera, session, stop)


def serve_until_interrupted(server: LabelServer, *, show: bool) -> None:
    """Wait for Ctrl-C while the page is served; `show` opens it in a browser."""
    ended = threading.Event()
    with interrupts_call(ended.set):
        if show:
            webbrowser.open(server.url)
        ended.wait()


def describe(session: Session) -> str:
    """One line of what the dataset holds."""
    counts = session.counts()
    return (
        f"{session.folder}: {counts['line']} with a line, {counts['none']} without a horizon, "
        f"{counts['skipped']} skipped, {counts['open']} to do"
    )
