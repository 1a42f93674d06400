"""The page of a recording: its attitude over time, what it was like, and its hardest moments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from horizon_rt.reports.moments import HardestMoments
from horizon_rt.reports.page import embedded, render_page
from horizon_rt.reports.statistics import Statistics
from horizon_rt.reports.table import Table, cell
from horizon_rt.reports.timeline import Timeline
from horizon_rt.sinks.base import Sink, SinkContext
from horizon_rt.system.files import AtomicFile
from horizon_rt.system.messages import printable
from horizon_rt.system.units import clock_time

if TYPE_CHECKING:
    from horizon_rt.frame import Frame
    from horizon_rt.horizon import Horizon

__all__ = ["ReportSink"]


class ReportSink(Sink):
    """Writes a page of its own (HTML) when the recording has ended; its memory does not grow with the length.

    The pictures of the hardest moments link to their time in `video`, or in the recording itself.
    """

    def __init__(self, target: Path | str, context: SinkContext, *, video: Path | None = None) -> None:
        """Open the file; raises OutputError."""
        self._context, self._video = context, video
        self._statistics, self._timeline = Statistics(), Timeline()
        self._moments = HardestMoments(context)
        self._file = AtomicFile(target)

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        self._statistics.add(horizon)
        if not self._context.is_image_set:
            self._timeline.add(horizon)
        self._moments.add(frame, horizon)

    def _finish(self) -> None:
        try:
            self._file.write(self._page().encode("utf-8", "backslashreplace"))
        except OSError as error:
            self._file.close()
            raise self._file.failure(error) from error
        self._file.commit()

    def _abandon(self) -> None:
        self._file.close()

    def _page(self) -> str:
        from horizon_rt.reports.recording_plots import make_plots

        context, whole = self._context, self._complete
        facts = {
            "source": printable(context.source),
            "picture": f"{context.width}x{context.height} px",
            "lens": f"horizontal field of view {context.camera.hfov_deg:.4g}°"
            + (", assumed" if context.assumed else ""),
            "model": context.model,
            "frames": f"{self._statistics.frames}" + ("" if whole else ", cut short"),
        }
        return render_page(
            "recording.html",
            name=printable(Path(context.source).name or context.source),
            facts=facts,
            table=self._table(),
            plots=make_plots(self._timeline, self._statistics),
            tiles=[self._tile(moment) for moment in self._moments.in_time()],
        )

    def _table(self) -> Table:
        note = _NOTHING if self._statistics.largest_bank_deg is None else _NOTE
        return Table("Summary", note, ("", ""), tuple(_statistics_rows(self._statistics.to_dict())))

    def _tile(self, moment: Any) -> dict[str, str]:
        link = self._link()
        start_s = self._context.starts_s if self._video is not None else 0.0
        return {
            "name": moment_name(moment.time_s),
            "note": moment.note,
            "source": embedded(moment.jpeg, "jpeg"),
            "link": f"{link}#t={max(moment.time_s - start_s, 0.0):.2f}" if link else "",
        }

    def _link(self) -> str:
        """The address of the video, as seen from the page; '' where it is none."""
        video = self._video or Path(self._context.source)
        if self._context.is_image_set or (self._video is None and not video.is_file()):
            return ""
        try:
            shown = os.path.relpath(os.path.abspath(video), os.path.abspath(self._file.target.parent))
        except ValueError:  # another drive
            return video.absolute().as_uri()
        return quote(shown.replace(os.sep, "/").encode("utf-8", "surrogateescape"))


def moment_name(time_s: float) -> str:
    """A time of the video as people write it."""
    return f"at {clock_time(time_s)}"


_NOTE = (
    "Turbulence is the root mean square of the filtered rates of roll and pitch over all of the recording. "
    "Sigmas are one standard deviation, on average."
)


_NOTHING = "No horizon was found, so that there is nothing to measure or to plot."


def _statistics_rows(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What `Statistics.to_dict` holds, in words."""
    seconds = values["seconds"] or 0.0
    states = values["states_s"]
    shares = [f"{name} {100 * s / seconds:.1f} %" for name, s in states.items()] if seconds else []
    roll, pitch = values["rate_rms_dps"]
    sigma_roll, sigma_pitch = values["sigma_deg"]
    return [
        ("length", clock_time(seconds)),
        ("time in each state", ", ".join(shares) or "none"),
        ("largest bank angle", cell(values["largest_bank_deg"], ".1f", "°")),
        ("turbulence: rms of the roll rate", cell(roll, ".2f", " °/s")),
        ("turbulence: rms of the pitch rate", cell(pitch, ".2f", " °/s")),
        ("sigma of roll, of pitch", f"{cell(sigma_roll, '.2f', '°')}, {cell(sigma_pitch, '.2f', '°')}"),
    ]
