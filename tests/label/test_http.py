"""The interface of the label page over HTTP, on a real server."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.edges import apart_px
from support.label import HEIGHT, WIDTH, Client, as_json, from_json, rendered_session

from horizon_rt.datasets import read_horizons
from horizon_rt.errors import OutputError
from horizon_rt.geometry import HorizonLine

pytest.importorskip("starlette", reason="needs the extra 'label'")
pytest.importorskip("uvicorn", reason="needs the extra 'label'")

from horizon_rt.label.server import LabelServer

LINES = [HorizonLine(4.0, 10.0), HorizonLine(-8.0, 3.0), None]


@pytest.fixture
def server(tmp_path: Path, no_leaks: None) -> Iterator[LabelServer]:
    with LabelServer(rendered_session(tmp_path / "set", LINES), lambda _: None) as running:
        yield running


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server whose dataset no test changes."""
    session = rendered_session(tmp_path_factory.mktemp("label") / "set", LINES)
    with LabelServer(session, lambda _: None) as running:
        yield Client(running.url)
    assert session.counts()["open"] == len(LINES)


@pytest.fixture
def client(server: LabelServer) -> Client:
    return Client(server.url)


def test_the_page_and_all_that_it_asks_for_come_from_here(untouched: Client) -> None:
    page = untouched("GET", "")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    names = ["main.js", "page.css", "theme.js", "icon.svg", "view.js", "line.js"]
    assert [untouched("GET", name).status for name in names] == [200] * len(names)
    assert untouched("GET", "main.js").headers["content-type"].startswith("text/javascript")


def test_the_session_lists_the_frames_with_what_the_tracker_saw(untouched: Client) -> None:
    session = untouched("GET", "api/session").json
    assert session["complete"]
    assert [frame["status"] for frame in session["frames"]] == ["open"] * 3
    assert session["frames"][0]["proposal"]["angle_deg"] == 4.5
    assert session["frames"][2]["proposal"] == {"view": "ground", "confidence": 0.9}


def test_pictures_are_served_as_they_are_saved(client: Client, server: LabelServer) -> None:
    answer = client("GET", "api/frames/1/image")
    assert answer.body == server.session.image_path(1).read_bytes()
    small = cv2.imdecode(np.frombuffer(client("GET", "api/frames/1/thumbnail").body, np.uint8), 1)
    assert max(small.shape) == 128


def test_marks_stand_in_the_dataset_at_once(client: Client, server: LabelServer) -> None:
    line = HorizonLine(3.7, 11.25)
    answer = client("PUT", "api/frames/0/mark", {"status": "line", "line": as_json(line)})
    assert answer.status == 200
    assert answer.json["status"] == "line"
    assert client("PUT", "api/frames/2/mark", {"status": "none"}).status == 200
    first, second = read_horizons(server.session.folder)
    assert first.path == server.session.image_path(0)
    assert first.ends is not None
    assert apart_px(HorizonLine.from_points(*first.ends, WIDTH, HEIGHT), line, WIDTH, HEIGHT) < 2e-3
    assert second.ends is None
    assert client("PUT", "api/frames/0/mark", {"status": "open"}).status == 200
    assert [row.path.name for row in read_horizons(server.session.folder)] == ["clip_000002.png"]


def test_snap_moves_a_line_onto_the_edge_and_leaves_one_without(client: Client) -> None:
    answer = client("POST", "api/frames/0/snap", {"line": as_json(HorizonLine(4.4, 12.0))}).json
    assert answer["found"]
    assert apart_px(from_json(answer["line"]), LINES[0], WIDTH, HEIGHT) < 0.1
    far = as_json(HorizonLine(4.4, 60.0))
    answer = client("POST", "api/frames/0/snap", {"line": far}).json
    assert answer == {"found": False, "line": pytest.approx(far)}


def test_carry_takes_a_line_to_another_frame(client: Client) -> None:
    assert client("POST", "api/frames/1/carry", {"from": 0}).status == 409
    client("PUT", "api/frames/0/mark", {"status": "line", "line": as_json(LINES[0])})
    answer = client("POST", "api/frames/1/carry", {"from": 0}).json
    assert apart_px(from_json(answer["line"]), LINES[1], WIDTH, HEIGHT) < 1.5


# --- who may not


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "localhost:1", "", "127.0.0.1.evil.example:80"]
)
def test_other_host_names_are_refused(untouched: Client, host: str) -> None:
    assert untouched("GET", "api/session", headers={"Host": host}).status in (400, 421)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"])
def test_other_origins_are_refused(untouched: Client, origin: str) -> None:
    answer = untouched("PUT", "api/frames/0/mark", {"status": "none"}, {"Origin": origin})
    assert answer.status == 403


def test_its_own_origin_is_taken(client: Client) -> None:
    origin = {"Origin": f"http://{client.host}"}
    assert client("PUT", "api/frames/0/mark", {"status": "none"}, origin).status == 200


@pytest.mark.parametrize("path", ["/", "/api/session", "/wrong-token/", "/wrong-token/api/session", "//"])
def test_without_the_token_there_is_nothing(untouched: Client, path: str) -> None:
    answer = untouched("GET", path)
    assert answer.status == 403
    assert untouched.base.strip("/").encode() not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        "../label.jsonl", "..%2flabel.jsonl", "%2e%2e/%2e%2e/etc/passwd", "api/frames/0/image/../../../x",
        "api/frames/..%2f..%2flabel.jsonl/image", "api/frames/-1/image", "api/frames/99/image", "/etc/passwd",
        "api/frames/1e3/image", "__init__.py", "page/main.js", "....//label.jsonl", "main.js%00",
        f"api/frames/{'9' * 400}/image",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(untouched: Client, path: str) -> None:
    assert untouched("GET", path).status in (400, 403, 404)


def test_large_and_endless_bodies_are_refused(untouched: Client) -> None:
    assert untouched("PUT", "api/frames/0/mark", b"[" * 100_000).status == 413
    assert untouched("PUT", "api/frames/0/mark", b"", {"Transfer-Encoding": "chunked"}).status in (400, 413)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 60000, b"\xff\xfe", b"[]", b"1", b'"x"', b"NaN"])
def test_what_is_no_json_object_is_refused(untouched: Client, body: bytes) -> None:
    answer = untouched("PUT", "api/frames/0/mark", body)
    assert answer.status in (400, 422)
    assert answer.json["error"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_number = st.floats() | st.integers() | _json
_line = st.fixed_dictionaries({}, optional={"angle_deg": _number, "offset_px": _number}) | _json
_body = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["line", "none", "open", "skipped", "LINE"]) | _json,
        "line": _line,
        "reach_px": _number,
        "from": st.integers(-2, 4) | _json,
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(verb=st.sampled_from(["mark", "snap", "carry"]), number=st.integers(0, 3), body=_body | _json)
def test_any_json_is_answered_and_the_dataset_stays_readable(
    client: Client, server: LabelServer, verb: str, number: int, body: Any
) -> None:
    method = "PUT" if verb == "mark" else "POST"
    answer = client(method, f"api/frames/{number}/{verb}", json.dumps(body).encode())
    assert answer.status in (200, 400, 404, 409, 422), answer.body
    assert answer.status == 200 or answer.json["error"]
    rows = read_horizons(server.session.folder)
    assert all(row.ends is None or all(np.isfinite(row.ends)) for row in rows)


@pytest.mark.parametrize("target", ["*", "x:1", "abc", "?x", ""])
def test_targets_that_are_no_paths_are_refused(untouched: Client, target: str) -> None:
    for method in ("OPTIONS", "CONNECT", "GET"):
        sent = f"{method} {target} HTTP/1.1\r\nHost: {untouched.host}\r\nConnection: close\r\n\r\n"
        assert _first_line(untouched, sent.encode()) in (
            b"HTTP/1.1 403 Forbidden",
            b"HTTP/1.1 400 Bad Request",
        )


@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_of_any_length_are_refused(untouched: Client, digits: int) -> None:
    number = b"9" * digits
    line = b'{"status":"line","line":{"angle_deg":%b,"offset_px":0}}' % number
    assert untouched("PUT", "api/frames/0/mark", line).status in (400, 422)
    assert untouched("GET", f"api/frames/{number.decode()}/image").status == 404
    for value in ("0-", "-"):
        header = {"Range": f"bytes={value}{number.decode()}"}
        assert untouched("GET", "api/frames/0/image", headers=header).status in (206, 400, 416)


def test_a_request_that_ends_early_leaves_no_trace(
    server: LabelServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    sent = (
        f"PUT {client.base}api/frames/0/mark HTTP/1.1\r\nHost: {client.host}\r\nContent-Length: 50\r\n\r\n{{"
    )
    assert _first_line(client, sent.encode(), close=True) == b""
    assert client("GET", "api/session").json["frames"][0]["status"] == "open"
    assert not [record for record in caplog.records if record.exc_info]


def _first_line(client: Client, sent: bytes, *, close: bool = False) -> bytes:
    name, _, port = client.host.partition(":")
    with socket.create_connection((name, int(port)), timeout=30) as link:
        link.sendall(sent)
        if close:
            link.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := link.recv(65536):
            answer += chunk
    return answer.partition(b"\r\n")[0]


# --- time and connections


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("horizon_rt.label.connection.CHECK_S", 0.15)
    monkeypatch.setattr("horizon_rt.label.connection.MOST_CONNECTIONS", 8)


@pytest.mark.parametrize(
    "sent", ["", "GET / HT", "PUT {0}api/frames/0/mark HTTP/1.1\r\nHost: {1}\r\nContent-Length: 9\r\n\r\n"]
)
def test_who_does_not_finish_a_request_is_cut_off(impatient: None, client: Client, sent: str) -> None:
    assert _first_line(client, sent.format(client.base, client.host).encode()) == b""


def test_who_does_not_read_the_answer_is_cut_off(
    impatient: None, client: Client, server: LabelServer
) -> None:
    server.session.image_path(0).write_bytes(bytes(32 << 20))
    name, _, port = client.host.partition(":")
    with socket.create_connection((name, int(port)), timeout=30) as link:
        link.sendall(f"GET {client.base}api/frames/0/image HTTP/1.1\r\nHost: {client.host}\r\n\r\n".encode())
        time.sleep(3)
        received, chunk = 0, b"x"
        with suppress(ConnectionError):
            while chunk := link.recv(1 << 20):
                received += len(chunk)
    assert 0 < received < 32 << 20


def test_connections_are_bounded_and_the_page_comes_back(impatient: None, client: Client) -> None:
    name, _, port = client.host.partition(":")
    with ExitStack() as links:
        for _ in range(40):
            links.enter_context(socket.create_connection((name, int(port)), timeout=30))
        time.sleep(1.5)
        assert client("GET", "").status == 200


# --- when things go wrong


def test_a_full_disk_is_said_and_changes_nothing(
    client: Client, server: LabelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OutputError("cannot write horizon.csv: No space left on device")

    monkeypatch.setattr("horizon_rt.label.session.write_lines", full)
    answer = client("PUT", "api/frames/0/mark", {"status": "none"})
    assert answer.status == 500
    assert "No space left" in answer.json["error"]
    assert client("GET", "api/session").json["frames"][0]["status"] == "open"


def test_a_picture_that_went_away_is_said(client: Client, server: LabelServer) -> None:
    server.session.image_path(0).unlink()
    assert client("GET", "api/frames/0/image").status == 404
    assert client("GET", "api/frames/0/thumbnail").status == 404
    assert client("POST", "api/frames/0/snap", {"line": as_json(HorizonLine(0.0, 0.0))}).status == 404


def test_a_picture_with_too_many_pixels_is_not_decoded(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("horizon_rt.imaging.picture.MAX_PIXELS", WIDTH * HEIGHT - 1)
    assert client("GET", "api/frames/0/thumbnail").status == 404
    assert client("POST", "api/frames/0/snap", {"line": as_json(HorizonLine(0.0, 0.0))}).status == 404


@pytest.mark.parametrize("shape", [(2, 5000), (30000, 3), (1, 1), (40, 50)])
def test_a_picture_that_was_replaced_is_said(
    client: Client, server: LabelServer, shape: tuple[int, int]
) -> None:
    picture = cv2.imencode(".png", np.zeros(shape, np.uint8))[1]
    server.session.image_path(0).write_bytes(picture.tobytes())
    line = {"line": as_json(HorizonLine(0.0, 0.0))}
    assert client("GET", "api/frames/0/thumbnail").status in (200, 404)
    assert client("PUT", "api/frames/0/mark", {"status": "line", **line}).status == 200
    assert client("POST", "api/frames/0/snap", line).status == 409
    assert client("POST", "api/frames/1/carry", {"from": 0}).status == 409


def test_an_error_that_nobody_foresaw_is_one_line(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("lost\nit")

    monkeypatch.setattr("horizon_rt.label.app.session_json", fail)
    answer = client("GET", "api/session")
    assert answer.status == 500
    assert answer.json["error"].startswith("unexpected LookupError: lost it; please report")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_port_in_use_is_said(server: LabelServer, tmp_path: Path) -> None:
    port = int(server.url.split(":")[2].split("/")[0])
    with pytest.raises(OutputError, match=f":{port} cannot be used"):
        LabelServer(server.session, lambda _: None, port=port)


def test_a_source_that_fails_is_said_on_the_page(tmp_path: Path, no_leaks: None) -> None:
    def fail(_: threading.Event) -> None:
        raise OutputError("cannot write x")

    with LabelServer(rendered_session(tmp_path / "set", LINES), fail) as running:
        assert Client(running.url)("GET", "api/session").json["failure"] == "cannot write x"
    assert isinstance(running.error, OutputError)


# --- for other machines


def test_elsewhere_the_token_is_entered_on_the_page(tmp_path: Path, no_leaks: None) -> None:
    session = rendered_session(tmp_path / "set", LINES)
    mark = {"status": "none"}
    with LabelServer(session, lambda _: None, host="0.0.0.0") as running:
        client = Client(running.url)
        assert running.token is not None
        assert running.token not in running.url
        assert all(
            client(method, path).status == 401
            for method, path in [("GET", ""), ("GET", "api/session"), ("PUT", "api/frames/0/mark")]
        )
        assert client("POST", "login", b"token=wrong").status == 401
        entered = client("POST", "login", f"token={running.token}".encode())
        assert entered.status == 303
        cookie = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
        assert client("GET", "api/session", headers=cookie).status == 200
        assert client("GET", "api/frames/0/image", headers=cookie).status == 200
        elsewhere = cookie | {"Origin": "http://elsewhere.example"}
        assert client("PUT", "api/frames/0/mark", mark, elsewhere).status == 403
        assert session.counts()["open"] == len(LINES)
        assert client("PUT", "api/frames/0/mark", mark, cookie).status == 200
        assert session.counts()["open"] == len(LINES) - 1
