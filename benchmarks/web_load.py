"""What the page costs the tracker, and how late its picture is: `python benchmarks/web_load.py --json FILE`.

A rendered horizon goes through a pipe into `horizon-rt live` at 30 frames/s. Spans with nobody at the page
take turns with spans of 50 slow clients and malformed requests, so that both meet the same machine; the
latencies of the rows in telemetry are compared. In a third kind of span one client takes the MJPEG stream:
the number drawn in each picture says which row it belongs to, and that when it was decoded. The clients run
on the same cores, with the lowest priority.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from live_clients import Reader, connect, jpegs, step_back
from live_process import Live, machine, quantiles_ms
from live_streams import RATE, pictures, read_number

CLIENTS, MALFORMED, SPAN_S, SETTLES_S = 50, 1000, 10.0, 1.0
PATHS = ("picture.mjpg", "telemetry", "picture.jpg", "metrics", "health")


def malformed(rng: random.Random) -> bytes:
    """A request that no client should make."""
    name = bytes(rng.randrange(33, 127) for _ in range(rng.randrange(1, 30)))
    return rng.choice(
        [
            rng.randbytes(rng.randrange(1, 2000)),
            b"GET / HTTP/9.9\r\n\r\n",
            name + b" / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
            b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET /%00%ff%zz HTTP/1.1\r\nHost: \xff\r\n\r\n",
            b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 5000,
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + name,
            b"GET / HTTP/1.1\r\n" + b"X-" + name.replace(b":", b"") + b": " + b"y" * 20000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"A: b\r\n" * 2000,
        ]
    )


def answered(page: str, request: bytes) -> str:
    """The status of the answer, or that there is none."""
    with connect(page) as one:
        one.settimeout(0.2)
        try:
            one.sendall(request)
            return one.recv(4096)[9:12].decode("ascii", "replace") or "closed"
        except TimeoutError:
            return "none"
        except OSError:
            return "reset"


class Feed:
    """Writes the clip into a pipe as Y4M, again and again; `sent` are the moments (`time.time`)."""

    def __init__(self) -> None:
        self._frames = [cv2.cvtColor(p, cv2.COLOR_RGB2YUV_I420).tobytes() for p in pictures()]
        self.loop = len(self._frames)
        self.sent: list[float] = []
        self.reader, self._writer = os.pipe()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        head = f"YUV4MPEG2 W640 H360 F{RATE}:1 Ip A1:1 C420jpeg\n".encode()
        due_s = time.monotonic()
        try:
            for number in itertools.count():
                time.sleep(max(0.0, due_s - time.monotonic()))
                due_s = max(due_s + 1 / RATE, time.monotonic() - 0.1)
                data = head * (number == 0) + b"FRAME\n" + self._frames[number % self.loop]
                self.sent.append(time.time())
                while data:
                    data = data[os.write(self._writer, data) :]
        except BrokenPipeError:
            return


@contextmanager
def crowd(page: str, answers: Counter[str], requests: int, rng: random.Random) -> Iterator[None]:
    """Slow clients, and malformed requests one after the other, for a while."""
    ended = threading.Event()

    def disturb() -> None:
        step_back()
        for _ in range(requests):
            if ended.wait(SPAN_S / requests / 2):
                return
            answers[answered(page, malformed(rng))] += 1

    readers = [Reader(page, PATHS[i % 2], pause_s=0.1, piece=2048) for i in range(CLIENTS)]
    thread = threading.Thread(target=disturb)
    thread.start()
    yield
    thread.join(30)
    ended.set()
    for reader in readers:
        reader.close()


def latencies(live: Live, begin_s: float, end_s: float) -> list[float]:
    """Of the rows in a span, in seconds."""
    rows = (row for t, row in live.rows if begin_s + SETTLES_S < t < end_s)
    return [row["latency_ms"] / 1e3 for row in rows if row["latency_ms"] is not None]


def delays(live: Live, feed: Feed, seconds: float) -> tuple[list[float], list[float]]:
    """From decoding to arrival at an MJPEG client, and from sending to arrival, of each picture."""
    arrived = []
    end_s = time.monotonic() + seconds
    for moment_s, data in jpegs(live.page):
        grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        arrived.append((moment_s, read_number(np.asarray(grey, np.uint8))))
        if time.monotonic() > end_s:
            break
    came = {row["frame"]: datetime.fromisoformat(row["time_utc"]).timestamp() for _, row in live.rows}
    decoded, sent = [], []
    for moment_s, number in arrived[RATE:]:
        indices = (i for i in range(len(feed.sent) - 1, -1, -1) if i % feed.loop == number)
        index = next(i for i in indices if feed.sent[i] < moment_s)
        sent.append(moment_s - feed.sent[index])
        if index in came:
            decoded.append(moment_s - came[index])
    return decoded, sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    about = machine()
    feed, rng, answers = Feed(), random.Random(0), Counter[str]()
    quiet, loaded, decoded, sent, rounds = [], [], [], [], []
    with (
        tempfile.TemporaryDirectory() as name,
        Live("-", Path(name), "--web", "127.0.0.1:0", feed=feed.reader) as live,
    ):
        page = live.page
        live.tracking_after(0.0, 90)
        time.sleep(5.0)
        for _ in range(options.rounds):
            begin_s = time.monotonic()
            time.sleep(SPAN_S)
            alone = latencies(live, begin_s, time.monotonic())
            begin_s = time.monotonic()
            with crowd(page, answers, -(-MALFORMED // options.rounds), rng):
                time.sleep(SPAN_S)
                crowded = latencies(live, begin_s, time.monotonic())
            time.sleep(1.0)
            for into, found in zip((decoded, sent), delays(live, feed, SPAN_S), strict=True):
                into += found
            quiet += alone
            loaded += crowded
            rounds.append({"alone": quantiles_ms(alone), "crowded": quantiles_ms(crowded)})
            print(json.dumps(rounds[-1]), flush=True)
        alive = live.alive
        said = [line for line in live.said.splitlines() if line][-5:]
    p99 = [float(np.quantile(values, 0.99)) for values in (quiet, loaded)]
    result: dict[str, Any] = {
        "machine": about,
        "clients": CLIENTS,
        "malformed_requests": sum(answers.values()),
        "answers": dict(answers),
        "survived": alive,
        "said": said,
        "latency_ms": {"alone": quantiles_ms(quiet), "crowded": quantiles_ms(loaded)},
        "rows": {"alone": len(quiet), "crowded": len(loaded)},
        "p99_ratio": round(p99[1] / p99[0], 3),
        "rounds": rounds,
        "picture_delay_ms": {"since_decoded": quantiles_ms(decoded), "since_sent": quantiles_ms(sent)},
        "pictures": len(sent),
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
