"""What Prometheus is told of a run (text exposition, or OpenMetrics where a scraper asks for it)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from horizon_rt.frame import Frame
from horizon_rt.horizon import Horizon, State
from horizon_rt.links import LinkSink
from horizon_rt.sources import Health, Receiving

__all__ = ["Metrics"]

_LATENCIES_S = (0.001, 0.002, 0.004, 0.008, 0.016, 0.033, 0.066, 0.125, 0.25, 0.5, 1.0, 2.0)
_ANGLES = {
    "roll_degrees": ("Roll, positive with the right wing down", "roll_deg"),
    "pitch_degrees": ("Pitch, positive nose up", "pitch_deg"),
    "roll_sigma_degrees": ("One standard deviation of roll", "roll_sd_deg"),
    "pitch_sigma_degrees": ("One standard deviation of pitch", "pitch_sd_deg"),
}
_LINKS = {
    "sent": "Horizons that a link sent",
    "dropped": "Horizons that a link dropped, as the next one was there or nobody listened",
    "opened": "How often a link was opened, the first time among them",
    "failures": "Failures to open a link or to send",
}


class Metrics(Collector):
    """Counts frames, and reads the rest when it is asked; its registry is its own.

    `streams` tells how many streams of the page are open. An angle without an estimate is absent, as a NaN
    would spoil every mean over time; so is the age of a frame before the first.
    """

    def __init__(
        self, *, health: Callable[[], Health | None], links: Sequence[LinkSink], streams: Callable[[], int]
    ) -> None:
        self._health, self._links, self._streams = health, links, streams
        self._newest: Horizon | None = None
        self._seen_s = 0.0
        self._dropped = self._count = 0
        self._registry = CollectorRegistry()
        self._frames = Counter(
            "horizon_rt_frames", "Frames by the state of the track", ["state"], registry=self._registry
        )
        for state in get_args(State):
            self._frames.labels(state)  # from zero on, so that a rate can be taken
        self._latency = Histogram(
            "horizon_rt_latency_seconds",
            "From the decoded frame to its telemetry",
            buckets=_LATENCIES_S,
            registry=self._registry,
        )
        self._registry.register(self)

    def count(self, frame: Frame, horizon: Horizon) -> None:
        """Take in one frame; those that are missing in the numbers of frames were dropped. What stands in for
        a picture counts as none.
        """
        self._count += 1
        self._dropped = max(self._dropped, frame.index + 1 - self._count)
        self._newest = horizon
        if frame.stands_in:
            return
        self._seen_s = frame.decoded_at_s
        self._frames.labels(horizon.state).inc()
        if horizon.latency_ms is not None:
            self._latency.observe(horizon.latency_ms / 1e3)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Everything in the format that an Accept header asks for, and its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type

    def describe(self) -> list[Metric]:
        """Nothing: what there is depends on the run (Prometheus)."""
        return []

    def collect(self) -> Iterator[Metric]:
        """What is read now (Prometheus)."""
        dropped = "Frames that came and were not analysed, as a newer one was there"
        yield CounterMetricFamily("horizon_rt_frames_dropped", dropped, value=self._dropped)
        yield GaugeMetricFamily("horizon_rt_web_streams", "Streams of the page", value=self._streams())
        yield from self._source()
        if self._seen_s:
            age_s = time.perf_counter() - self._seen_s
            text = "Age of the newest frame whose horizon is known"
            yield GaugeMetricFamily("horizon_rt_frame_age_seconds", text, value=age_s)
        if self._newest is not None:
            yield from _angles(self._newest)
        yield from self._of_links()

    def _source(self) -> Iterator[Metric]:
        health = self._health() or Health(state="receiving", age_s=0.0)
        state = GaugeMetricFamily(
            "horizon_rt_source_state", "1 for the state in which the source is", labels=["state"]
        )
        for name in get_args(Receiving):
            state.add_metric([name], name == health.state)
        yield state
        reconnects = "How often the source was opened anew"
        yield CounterMetricFamily("horizon_rt_source_reconnects", reconnects, value=health.reconnects)

    def _of_links(self) -> Iterator[Metric]:
        for field, text in _LINKS.items():
            family = CounterMetricFamily(f"horizon_rt_link_{field}", text, labels=["link", "number"])
            for number, link in enumerate(self._links):
                family.add_metric([link.name, str(number)], getattr(link.counts, field))
            yield family


def _angles(horizon: Horizon) -> Iterator[Metric]:
    for name, (text, field) in _ANGLES.items():
        if (value := getattr(horizon, field)) is not None:
            yield GaugeMetricFamily(f"horizon_rt_{name}", text, value=value)
