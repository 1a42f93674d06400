"""Age of the picture that the tracker gets: `python benchmarks/live_age.py --minutes 10 --json FILE`.

A rendered horizon comes over RTSP on this machine, and the tracker is made to take three frame intervals for
each picture. Two ages are taken as a picture is handed to it: since it left the decoder, and since the server
sent it, as the server's log and the number drawn in the picture tell.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from live_process import machine, quantiles_ms
from live_streams import RATE, Camera, read_number

from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon
from horizon_rt.options import LiveOptions
from horizon_rt.pipeline.run import make_tracker
from horizon_rt.pipeline.stages import run_pipeline
from horizon_rt.sinks import Sink
from horizon_rt.sources import open_source
from horizon_rt.tracker import HorizonTracker

HOLDS_S = 3 / RATE
WANTED_S = 1 / RATE + 0.010
SETTLES_S = 10.0
Taken = tuple[float, float, int]


class SlowTracker:
    """Notes when each picture came, when it was decoded and its number, and keeps the next one waiting."""

    def __init__(self, tracker: HorizonTracker) -> None:
        self.taken: list[Taken] = []
        self._tracker = tracker

    def update(self, frame: Frame, /) -> Horizon:
        now_s = time.perf_counter()
        self.taken.append((now_s, frame.decoded_at_s, read_number(np.asarray(frame.planes[0]))))
        horizon = self._tracker.update(frame)
        time.sleep(max(0.0, now_s + HOLDS_S - time.perf_counter()))
        return horizon

    def update_all(self, frames: Iterable[Frame], /) -> Iterator[tuple[Frame, Horizon]]:
        return ((frame, self.update(frame)) for frame in frames)


class StopsAfter(Sink):
    """Wants to stop after some seconds."""

    def __init__(self, seconds: float) -> None:
        self._end_s = time.monotonic() + seconds

    def _write(self, frame: Frame, horizon: Horizon) -> None:
        pass

    def _finish(self) -> None:
        pass

    @property
    def wants_stop(self) -> bool:
        return time.monotonic() > self._end_s


def since_sent(taken: list[Taken], sent: list[tuple[float, int]]) -> list[float]:
    """Seconds from the last sending of each number before it came; both clocks are the same on Linux."""
    times = {number: np.array([t for t, sent_number in sent if sent_number == number]) for _, number in sent}
    ages = []
    for now_s, _, number in taken:
        before = times[number][times[number] <= now_s]
        ages.append(now_s - float(before[-1]))
    return ages


def ages(taken: list[Taken], sent: list[tuple[float, int]], minutes: float) -> dict[str, Any]:
    """Both ages; the second one minute by minute, too, which would show a lag that grows."""
    decoded = [now_s - decoded_s for now_s, decoded_s, _ in taken]
    whole = since_sent(taken, sent)
    parts = np.array_split(np.array(whole), max(1, round(minutes)))
    return {
        "wanted_ms": round(1e3 * WANTED_S, 1),
        "since_decoded_ms": quantiles_ms(decoded),
        "within_wanted": round(float(np.mean(np.array(decoded) <= WANTED_S)), 5),
        "since_sent_ms": quantiles_ms(whole),
        "since_sent_p50_ms_by_minute": [quantiles_ms(list(part))["p50"] for part in parts],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    about = machine()
    with tempfile.TemporaryDirectory() as name:
        camera = Camera(Path(name))
        source = open_source(camera.played)
        tracker = SlowTracker(make_tracker(LiveOptions(), source.info, real_time=True))
        summary = run_pipeline(source, tracker, [StopsAfter(60 * options.minutes)])
        sent = camera.sent
        camera.kill()
    taken = [row for row in tracker.taken if row[0] > tracker.taken[0][0] + SETTLES_S]
    result = {
        "machine": about,
        "minutes": options.minutes,
        "pictures": {"sent": len(sent), "taken": len(tracker.taken), "dropped": summary.dropped},
        **ages(taken, sent, options.minutes),
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
