"""What Prometheus is told, read by its own parser and checked by its own tool."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from support.sinks import frame, horizon
from support.streams import free_port
from support.web import Run

from horizon_rt.links import open_link
from horizon_rt.sources import Health

pytest.importorskip("horizon_rt.web.sink", reason="needs the extra 'web'")

from prometheus_client import openmetrics
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

PROMTOOL = shutil.which("promtool")
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run()
    run.pause()
    yield run
    run.close()


def scrape(run: Run, **headers: str) -> str:
    status, answered, data = run.ask("/metrics", **headers)
    assert (status, answered["content-type"].partition(";")[0]) == (200, "text/plain")
    return data.decode()


def values(text: str) -> Values:
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families if not family.name.endswith("_created"))
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples), "no series twice"
    return found


def value(found: Values, name: str, **labels: str) -> float:
    return found[f"horizon_rt_{name}", frozenset(labels.items())]


def test_every_figure_of_a_run_is_told(run: Run) -> None:
    before = values(scrape(run))
    state = {"state": "tracking"}
    index = 1000
    for index in (1000, 1001, 1005):  # three are missing between the last two
        run.sink.write(frame(index), horizon(index, roll=-12.5, pitch=3.25, sd=(0.4, 0.3)))
    run.sink.write(frame(index + 1), horizon(index + 1, roll=None, state="lost", view="sky", sd=None))
    lost = values(scrape(run))
    assert value(lost, "frames_total", **state) == value(before, "frames_total", **state) + 3
    assert value(lost, "frames_total", state="lost") == 1
    assert value(lost, "frames_total", state="coasting") == 0
    frames = sum(number for (name, _), number in lost.items() if name == "horizon_rt_frames_total")
    assert value(lost, "frames_dropped_total") == index + 2 - frames
    assert not [name for name, _ in lost if "degrees" in name], "no estimate, no angle"
    run.sink.write(frame(index + 2), horizon(index + 2, roll=-12.5, pitch=3.25, sd=(0.4, 0.3)))
    found = values(scrape(run))
    angles = [f"{angle}_degrees" for angle in ("roll", "pitch", "roll_sigma", "pitch_sigma")]
    assert [value(found, name) for name in angles] == pytest.approx([-12.5, 3.25, 0.4, 0.3], rel=1e-6)
    assert value(found, "source_reconnects_total") == 2
    assert value(found, "source_state", state="receiving") == 1
    run.health = Health(state="stalled", age_s=3.0, reconnects=3)
    found = values(scrape(run))
    assert value(found, "source_state", state="receiving") == 0
    assert value(found, "source_state", state="stalled") == 1
    assert value(found, "source_reconnects_total") == 3
    assert value(found, "web_streams") == 0


def test_the_latency_is_a_histogram_in_seconds(run: Run) -> None:
    before = values(scrape(run))
    for index in range(10):
        run.sink.write(frame(index), horizon(index))  # 5.25 ms each
    found = values(scrape(run))
    assert value(found, "latency_seconds_count") == value(before, "latency_seconds_count") + 10
    total = value(found, "latency_seconds_sum") / value(found, "latency_seconds_count")
    assert total == pytest.approx(0.00525)
    assert value(found, "latency_seconds_bucket", le="0.004") == 0
    assert value(found, "latency_seconds_bucket", le="0.008") == value(found, "latency_seconds_count")


def test_the_age_of_the_newest_frame_grows(run: Run) -> None:
    assert ("horizon_rt_frame_age_seconds", frozenset()) not in values(scrape(run)), "these carry no time"
    came_s = time.perf_counter()
    run.sink.write(replace(frame(9), decoded_at_s=came_s), horizon(9))
    ages = []
    for _ in range(2):
        time.sleep(0.1)
        low_s = time.perf_counter() - came_s
        ages.append(value(values(scrape(run)), "frame_age_seconds"))
        assert low_s <= ages[-1] <= time.perf_counter() - came_s
    assert ages[1] >= ages[0] + 0.1


def test_a_picture_that_stands_in_is_no_newer_than_the_last_one(run: Run) -> None:
    run.pause()
    now_s = time.perf_counter()
    run.sink.write(replace(frame(900), decoded_at_s=now_s - 7), horizon(900))
    run.sink.write(replace(frame(901), decoded_at_s=now_s, damaged=True, stands_in=True), horizon(901))
    assert value(values(scrape(run)), "frame_age_seconds") >= 7
    with closing(socket.create_connection(("127.0.0.1", run.port), 10)) as link:
        link.sendall(f"GET /telemetry HTTP/1.1\r\nHost: 127.0.0.1:{run.port}\r\n\r\n".encode())
        data = b""
        while b"picture_age_ms" not in data:
            data += link.recv(65536)
    assert float(data.split(b'"picture_age_ms":')[1].split(b"}")[0]) >= 7000


def test_links_are_told_without_their_secrets() -> None:
    broker = open_link(f"mqtt://me:swordfish@127.0.0.1:{free_port()}/boat")  # where nobody listens
    receiver = open_link("json://127.0.0.1:9?rate=1000")
    run = Run(links=[broker, receiver])
    for index in range(20):
        for link in (broker, receiver):
            link.write(frame(index), horizon(index))
        time.sleep(0.02)
    for link in (broker, receiver):
        link.close()
    text = scrape(run)
    run.close()
    found = values(text)
    for number, link in enumerate((broker, receiver)):
        labels = {"link": link.name, "number": str(number)}
        for field in ("sent", "dropped", "opened", "failures"):
            assert value(found, f"link_{field}_total", **labels) == getattr(link.counts, field)
    assert broker.counts.failures
    assert (broker.counts.opened, receiver.counts.opened) == (0, 1)
    assert receiver.counts.sent
    assert "swordfish" not in text


def test_open_streams_are_counted(run: Run) -> None:
    with socket.create_connection(("127.0.0.1", run.port), 5) as link:
        link.sendall(f"GET /telemetry HTTP/1.1\r\nHost: 127.0.0.1:{run.port}\r\n\r\n".encode())
        link.recv(100)
        end = time.monotonic() + 5
        while value(values(scrape(run)), "web_streams") != 1:
            assert time.monotonic() < end


def test_a_scraper_that_asks_for_openmetrics_gets_it(run: Run) -> None:
    status, headers, data = run.ask("/metrics", Accept=openmetrics.exposition.CONTENT_TYPE_LATEST)
    assert (status, headers["content-type"].partition(";")[0]) == (200, "application/openmetrics-text")
    families = openmetrics_parser.text_string_to_metric_families(data.decode())
    assert "horizon_rt_frames" in {family.name for family in families}


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool; see make system-tools")
def test_promtool_finds_nothing_to_say(run: Run) -> None:
    run.sink.write(frame(1), horizon(1))
    done = subprocess.run(
        [str(PROMTOOL), "check", "metrics"], input=scrape(run), text=True, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_scraper_shows_the_token_as_a_header() -> None:
    run = Run("0.0.0.0:0")
    assert run.ask("/metrics")[0] == 401
    found = values(scrape(run, Authorization=f"Bearer {run.sink.token}"))
    assert value(found, "frames_total", state="lost") == 0
    run.close()
