"""The live page: over HTTP by hand, and in a real browser."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import cv2
import numpy as np
import pytest
from support.sinks import context
from support.web import Recorder, Run

from horizon_rt.errors import OptionsError, OutputError
from horizon_rt.serving.gate import TOKEN
from horizon_rt.sinks import Overlay
from horizon_rt.sources import Health

web = pytest.importorskip("horizon_rt.web.sink", reason="needs the extra 'web'")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run()
    yield run
    run.close()


@pytest.fixture
def guarded() -> Iterator[Run]:
    run = Run("0.0.0.0:0")
    yield run
    run.close()


def read_stream(run: Run, path: str, enough: Callable[[bytes], bool]) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", run.port), 10)) as link:
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{run.port}\r\n\r\n".encode())
        data = b""
        while not enough(data):
            data += link.recv(65536)
    return data


def test_telemetry_comes_as_events(run: Run) -> None:
    data = read_stream(run, "/telemetry", lambda got: got.count(b'"row"') > 5)
    events = [
        json.loads(line[6:])
        for line in data.decode().splitlines()
        if line.startswith("data: {") and line.endswith("}")
    ]
    rows = [event["row"] for event in events if "row" in event]
    assert [row["frame"] for row in rows] == sorted({row["frame"] for row in rows})
    assert rows[-1]["pitch_deg"] == 5.0
    assert events[-1]["source"] == "rtsp://camera/1"
    assert (events[-1]["source_state"], events[-1]["reconnects"]) == ("receiving", 2)
    assert b"text/event-stream" in data


def test_pictures_come_as_mjpeg(run: Run) -> None:
    data = read_stream(run, "/picture.mjpg", lambda got: got.count(b"--frame") > 3)
    start = data.index(b"\xff\xd8")
    picture = cv2.imdecode(
        np.frombuffer(data[start : data.index(b"--frame", start)], np.uint8), cv2.IMREAD_COLOR
    )
    assert picture is not None
    assert picture.shape == (64, 96, 3)


def test_one_picture_and_the_health(run: Run) -> None:
    time.sleep(0.2)
    status, headers, data = run.ask("/picture.jpg")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
    status, _, data = run.ask("/health")
    assert (status, json.loads(data)["source_state"]) == (200, "receiving")
    run.health = Health(state="stalled", age_s=3.0)
    status, _, data = run.ask("/health")
    assert (status, json.loads(data)) == (
        503, {"source": "rtsp://camera/1", "source_state": "stalled", "age_s": 3.0, "reconnects": 0,
              "hanging": [], "recording": None, "recording_failure": ""},
    )  # fmt: skip


def test_a_stage_that_hangs_is_no_health() -> None:
    hanging: list[str] = []
    run = Run(hanging=lambda: hanging)
    assert run.ask("/health")[0] == 200
    hanging.append("analysis")
    status, _, data = run.ask("/health")
    assert (status, json.loads(data)["hanging"]) == (503, ["analysis"])
    run.close()


def test_no_token_is_asked_for_on_this_machine_but_for_other_names_nothing_is_answered(run: Run) -> None:
    assert run.sink.token is None
    status, headers, data = run.ask("/")
    assert (status, b"<title>horizon-rt" in data) == (200, True)
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert run.ask("/", Host="evil.example")[0] == 421
    assert run.ask("/", Origin="http://evil.example")[0] == 403
    assert run.ask("/nothing")[0] == 404
    assert run.ask("/", "POST", "x" * 5000)[0] == 413


def test_elsewhere_nothing_but_the_login_is_answered_without_the_token(guarded: Run) -> None:
    assert guarded.sink.token
    for path in (
        "/",
        "/telemetry",
        "/picture.mjpg",
        "/picture.jpg",
        "/health",
        "/metrics",
        "/main.js",
        "/nothing",
    ):
        status, headers, data = guarded.ask(path)
        assert (status, b'type="password"' in data) == (401, True)
        assert "content-security-policy" in headers
        assert guarded.sink.token.encode() not in data
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert guarded.ask("/login", "POST", "token=wrong", **form)[0] == 401
    status, headers, _ = guarded.ask("/login", "POST", f"token={guarded.sink.token}", **form)
    assert status == 303
    assert "httponly" in headers["set-cookie"].lower()
    assert "samesite=strict" in headers["set-cookie"].lower()
    assert guarded.sink.token not in headers["set-cookie"]
    cookie = headers["set-cookie"].partition(";")[0]
    assert guarded.ask("/health", Cookie=cookie)[0] == 200
    assert guarded.ask("/health", Cookie=f"{cookie[:-1]}x")[0] == 401
    assert guarded.ask("/health", Authorization=f"Bearer {guarded.sink.token}")[0] == 200
    assert guarded.ask("/health", Authorization="Bearer wrong")[0] == 401


def test_the_token_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "a chosen one")
    run = Run("0.0.0.0:0")
    assert run.sink.token == "a chosen one"
    run.close()


@pytest.mark.parametrize(
    "data",
    [b"\0" * 500, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
     b"GET /" + b"a" * 30_000 + b" HTTP/1.1\r\n\r\n",
     b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"],
)  # fmt: skip
def test_malformed_requests_do_no_harm(run: Run, data: bytes) -> None:
    for _ in range(20):
        with closing(socket.create_connection(("127.0.0.1", run.port), 5)) as link:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            answer = b""
            while part := link.recv(4096):
                answer += part
        assert b"root:" not in answer
    assert run.ask("/health")[0] == 200


def test_slow_clients_hold_up_nobody(run: Run) -> None:
    links = [socket.create_connection(("127.0.0.1", run.port), 5) for _ in range(20)]
    for link in links:
        link.sendall(f"GET /picture.mjpg HTTP/1.1\r\nHost: 127.0.0.1:{run.port}\r\n\r\n".encode())
    time.sleep(1.0)
    assert run.ask("/health")[0] == 200
    for link in links:
        link.close()


def test_recording_is_started_and_stopped() -> None:
    recorder = Recorder()
    run = Run(recorder=recorder)
    try:
        for on in (True, False):
            status, _, data = run.ask("/recording", "POST", json.dumps({"on": on}))
            assert (status, json.loads(data)["recording"], recorder.recording) == (200, on, on)
        for body in ("", "[]", '{"on": 1}', "{", '{"on": null}'):
            assert run.ask("/recording", "POST", body)[0] == 422
        assert run.ask("/recording")[0] == 405
        elsewhere = {"Origin": "http://elsewhere.example"}
        assert run.ask("/recording", "POST", '{"on": true}', **elsewhere)[0] == 403
        assert not recorder.recording
        recorder.failure = "No space left on device"
        assert json.loads(run.ask("/health")[2])["recording_failure"] == recorder.failure
    finally:
        run.close()


def test_where_nothing_is_recorded_there_is_no_switch(run: Run, guarded: Run) -> None:
    assert run.ask("/recording", "POST", '{"on": true}')[0] == 404
    assert json.loads(run.ask("/health")[2])["recording"] is None
    assert guarded.ask("/recording", "POST", '{"on": true}')[0] == 401


def test_a_taken_port_and_a_place_that_is_none(run: Run) -> None:
    about = context()
    with pytest.raises(OutputError, match="cannot be used"):
        web.WebSink(f"127.0.0.1:{run.port}", about, Overlay(about.camera))
    with pytest.raises(OptionsError, match="HOST:PORT"):
        web.WebSink("127.0.0.1:http", about, Overlay(about.camera))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:81", ("127.0.0.1", 81)),
        ("0.0.0.0", ("0.0.0.0", 8700)),
        (":81", ("127.0.0.1", 81)),
        ("81", ("127.0.0.1", 81)),
        ("[::1]:81", ("::1", 81)),
        ("[::1]", ("::1", 8700)),
        ("boat.local:81", ("boat.local", 81)),
    ],
)
def test_places(text: str, place: tuple[str, int]) -> None:
    assert web.parse_place(text) == place


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "no-first-run",
        "disable-background-networking",
    ):
        options.add_argument(f"--{flag}")
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield started
    started.quit()


def until(driver: Any, script: str) -> None:
    end = time.monotonic() + 30
    while not driver.execute_script(f"return {script}"):
        assert time.monotonic() < end, script
        time.sleep(0.05)


def errors(driver: Any) -> list[str]:
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


@needs_chromium
@pytest.mark.parametrize("size", [(1200, 800, False), (390, 800, True)])
def test_the_page_shows_the_run(driver: Any, run: Run, size: tuple[int, int, bool]) -> None:
    width, height, mobile = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get(run.sink.url)
    until(driver, "document.getElementById('state').textContent === 'tracking'")
    until(driver, "document.getElementById('picture').naturalWidth === 96")
    until(driver, "document.getElementById('pitch').textContent === '5.0° ± 1.0°'")
    until(driver, "Number(document.getElementById('fps').textContent) > 10")
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    sky = "document.getElementById('instrument').getContext('2d').getImageData(20, 5, 1, 1).data[2]"
    assert driver.execute_script(f"return {sky}") > 150
    run.health = Health(state="stalled", age_s=4.0)
    until(driver, "document.getElementById('state').textContent === 'stalled'")
    assert (
        driver.execute_script("return document.getElementById('silent').textContent")
        == "stalled, no picture for 4 s"
    )
    assert errors(driver) == []


@needs_chromium
def test_the_token_is_entered_once(driver: Any, guarded: Run) -> None:
    driver.get(f"http://127.0.0.1:{guarded.port}/")
    field = driver.find_element("name", "token")
    field.send_keys(f"{guarded.sink.token}\n")
    until(driver, "document.getElementById('state')?.textContent === 'tracking'")
    assert guarded.sink.token not in driver.current_url


@needs_chromium
def test_the_page_starts_and_stops_recording(driver: Any) -> None:
    recorder = Recorder()
    run = Run(recorder=recorder)
    errors(driver)  # those of the tests before
    try:
        driver.get(run.sink.url)
        button = "document.getElementById('record')"
        until(driver, f"{button}.textContent === 'Record' && !{button}.hidden")
        for text, on in (("Stop recording", True), ("Record", False)):
            driver.execute_script(f"{button}.click()")
            until(driver, f"{button}.textContent === '{text}'")
            assert recorder.recording == on
        recorder.start()
        recorder.failure = "No space left on device"
        until(driver, f"{button}.textContent === 'Not recording: No space left on device'")
        assert errors(driver) == []
    finally:
        run.close()
