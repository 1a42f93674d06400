"""One live run through all that an RTSP source, a broker and browsers can do to it."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from live_clients import Reader
from live_files import outputs, readable
from live_process import Live, Row, longest_gap_s, seen
from live_streams import SIZE, SMALL, Camera, clip_folder, free_port

__all__ = ["long_run"]

RESTARTS, SILENCE_S = 20, 30.0
Found = dict[str, Any]


def outage(live: Live, camera: Camera, begin_s: float, end_s: float) -> Found:
    """What telemetry told of an outage that began at `begin_s` and whose end was given way to at `end_s`."""
    again_s = live.tracking_after(end_s)
    first_s = camera.first_after(end_s)
    if again_s is None or first_s is None:
        return {"again_s": None, "again_from_picture_s": None}
    last_s = camera.last_before(begin_s)
    rows = [row for row in live.rows if begin_s - 1 < row[0] <= again_s]
    came = [t for t, row in rows if seen(row)]
    gap_s = max(b - a for a, b in pairwise(came))
    stood_in = [row for row in rows if row[0] > begin_s and not seen(row[1])]
    return {
        "server_away_s": round(end_s - begin_s, 3),
        "outage_s": round(first_s - last_s, 3),
        "telemetry_gap_s": round(gap_s, 3),
        "longest_without_a_row_s": longest_gap_s(rows),
        "told_after_s": round(stood_in[0][0] - last_s, 3) if stood_in else None,
        "states": _runs(rows, begin_s),
        "again_s": round(again_s - end_s, 3),
        "again_from_picture_s": round(again_s - first_s, 3),
    }


def _runs(rows: list[Row], begin_s: float) -> list[str]:
    """The states since the outage began, each once in their order."""
    states = [row["state"] for t, row in rows if t > begin_s]
    return [state for before, state in pairwise([None, *states]) if state != before]


def restarts(live: Live, camera: Camera, rng: random.Random) -> list[Found]:
    rows = []
    for _ in range(RESTARTS):
        time.sleep(rng.uniform(0.5, 3.0))
        begin_s = time.monotonic()
        camera.kill()
        time.sleep(rng.uniform(0.1, 4.0))
        camera.start()
        rows.append(outage(live, camera, begin_s, time.monotonic()))
        if not live.alive:
            break
        print(json.dumps(rows[-1]), flush=True)
    return rows


def silence(live: Live, camera: Camera) -> Found:
    begin_s = time.monotonic()
    camera.process.send_signal(signal.SIGSTOP)
    time.sleep(SILENCE_S)
    camera.process.send_signal(signal.SIGCONT)
    return outage(live, camera, begin_s, time.monotonic())


def wrong_password(live: Live, camera: Camera) -> Found:
    right, camera.password = camera.password, "another"
    begin_s = time.monotonic()
    camera.kill()
    camera.start()
    time.sleep(6.0)
    camera.kill()
    camera.password = right
    camera.start()
    told = "wrong user or password" in " ".join(live.said.split())
    return {
        "told": told,
        "password_told": "p%40ss" in live.said,
        **outage(live, camera, begin_s, time.monotonic()),
    }


def other_sizes(live: Live, camera: Camera) -> list[Found]:
    rows = []
    for size in (SMALL, SIZE):
        begin_s = time.monotonic()
        camera.kill()
        camera.clip = clip_folder(size)
        camera.start()
        rows.append({"size": size, **outage(live, camera, begin_s, time.monotonic())})
        time.sleep(3.0)
    return rows


class Broker:
    """mosquitto on a port of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    def start(self) -> None:
        command = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert command, "needs mosquitto"
        self.process = subprocess.Popen(
            [command, "-p", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def broker(live: Live, mosquitto: Broker) -> Found:
    def mqtt(what: str) -> float:
        return live.metric(f'horizon_rt_link_{what}{{link="mqtt')

    before, sent = mqtt("opened_total"), mqtt("sent_total")
    mosquitto.kill()
    time.sleep(5.0)
    mosquitto.start()
    back_s = time.monotonic()
    again = live.wait(lambda: mqtt("opened_total") > before and mqtt("sent_total") > sent, 30)
    return {"again_s": round(time.monotonic() - back_s, 2) if again else None}


def web_clients(live: Live) -> Found:
    """Ten clients leave with a reset, and ten others take nothing any more until they are dropped."""

    def streams() -> float:
        return live.metric("horizon_rt_web_streams")

    readers = [Reader(live.page, path) for path in ("picture.mjpg", "telemetry") for _ in range(5)]
    time.sleep(1.0)
    most = streams()
    for reader in readers:
        reader.close(reset=True)
    gone = live.wait(lambda: streams() == 0, 20)
    stuck = [Reader(live.page, "picture.mjpg", pause_s=1e6) for _ in range(10)]
    before_s = time.monotonic()
    dropped = live.wait(lambda: streams() == 0, 60)
    dropped_s = round(time.monotonic() - before_s, 1)
    for reader in stuck:
        reader.close()
    return {
        "streams": most,
        "left": gone,
        "dropped": dropped,
        "dropped_after_s": dropped_s if dropped else None,
    }


def long_run(folder: Path, rng: random.Random) -> Found:
    """One process through everything that an RTSP source, a broker and browsers can do to it."""
    camera, mosquitto = Camera(folder), Broker()
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    links = [
        "--link",
        f"mqtt://127.0.0.1:{mosquitto.port}/boat",
        "--link",
        f"json://127.0.0.1:{receiver.getsockname()[1]}",
    ]
    found: Found = {}
    with Live(
        camera.guarded, folder / "out", *outputs(folder / "out"), *links, "--web", "127.0.0.1:0"
    ) as live:
        live.tracking_after(0.0, 90)
        time.sleep(10.0)
        usage = {"before": live.usage()}
        steps: dict[str, Callable[[], object]] = {
            "restarts": lambda: restarts(live, camera, rng),
            "silence": lambda: silence(live, camera),
            "wrong password": lambda: wrong_password(live, camera),
            "other sizes": lambda: other_sizes(live, camera),
            "broker": lambda: broker(live, mosquitto),
            "web clients": lambda: web_clients(live),
            "web clients again": lambda: web_clients(live),
        }
        for name, step in steps.items():
            found[name] = step() if live.alive else None
            if not live.alive:
                break
            usage[name] = live.usage()
            print(name, json.dumps(found[name]), flush=True)
        time.sleep(10.0)
        found["survived"] = live.alive
        found["tracks at the end"] = live.tracking_after(time.monotonic(), 5) is not None
        found["usage"] = usage | ({"after": live.usage()} if live.alive else {})
        found["end_s"], found["exit_code"] = live.end()
    camera.kill()
    mosquitto.kill()
    return found | {"files": readable(folder / "out")}
