"""Links against real receivers: pymavlink, pynmea2, a broker, sockets and a pseudo terminal."""

from __future__ import annotations

import gc
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from pymavlink import mavutil
from support.sinks import frame, horizon
from support.streams import free_port

from horizon_rt.errors import OptionsError
from horizon_rt.geometry import Mount
from horizon_rt.horizon import Horizon
from horizon_rt.links import LinkSink, open_link
from horizon_rt.links.address import parse_link
from horizon_rt.links.mqtt import MqttChannel

LOST = horizon(0, roll=None, state="lost", view="unknown", sd=None)


def feed(sink: LinkSink, count: int, *, hz: float = 50.0, **changes: Any) -> list[Horizon]:
    """Write horizons in real time."""
    made = [horizon(index, **changes) for index in range(count)]
    for index, one in enumerate(made):
        sink.write(frame(index), one)
        time.sleep(1 / hz)
    return made


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_mavlink_over_udp_says_what_the_horizon_does() -> None:
    port = free_port()
    receiver = mavutil.mavlink_connection(f"udpin:127.0.0.1:{port}", source_system=250, dialect="common")
    seen: dict[str, list[Any]] = {}
    every: list[Any] = []
    with open_link(f"mavlink://127.0.0.1:{port}?system=7") as sink:
        sink.write(frame(0), LOST)
        time.sleep(0.1)
        feed(sink, 20, roll=-35.0, pitch=12.5, sd=(0.4, 0.3))
        while (message := receiver.recv_match(blocking=True, timeout=0.3)) is not None:
            assert (message.get_srcSystem(), message.get_srcComponent()) == (7, 197)
            seen.setdefault(message.get_type(), []).append(message)
            every.append(message)
    receiver.close()
    numbers = [message.get_seq() for message in every]
    assert numbers == [(numbers[0] + i) % 256 for i in range(len(numbers))]
    assert seen.keys() == {"HEARTBEAT", "ATTITUDE", "ODOMETRY", "STATUSTEXT"}
    attitude, odometry = seen["ATTITUDE"][-1], seen["ODOMETRY"][-1]
    assert math.degrees(attitude.roll) == pytest.approx(-35.0, abs=1e-4)
    assert math.degrees(attitude.pitch) == pytest.approx(12.5, abs=1e-4)
    assert attitude.yaw == 0.0
    assert _euler(odometry.q) == pytest.approx((-35.0, 12.5, 0.0), abs=1e-3)
    variances = [odometry.pose_covariance[i] for i in (0, 6, 11, 15, 18, 20)]
    assert variances[3:5] == pytest.approx([math.radians(0.4) ** 2, math.radians(0.3) ** 2], rel=1e-4)
    assert min(variances[:3] + variances[5:]) >= 1e6
    assert not any(math.isnan(value) for value in (*odometry.pose_covariance, *odometry.velocity_covariance))
    assert (odometry.frame_id, odometry.child_frame_id, odometry.estimator_type) == (20, 12, 2)
    assert odometry.reset_counter == 1
    assert 1 <= odometry.quality <= 100
    times = [message.time_boot_ms for message in seen["ATTITUDE"]]
    assert times == sorted(times)
    assert [message.text for message in seen["STATUSTEXT"]] == ["horizon tracking"]
    assert (seen["HEARTBEAT"][0].type, seen["HEARTBEAT"][0].autopilot) == (18, 8)


def _euler(q: list[float]) -> tuple[float, float, float]:
    """Roll, pitch and yaw in degrees, by the other library."""
    from pymavlink.quaternion import Quaternion

    return tuple(math.degrees(angle) for angle in Quaternion(list(q)).euler)  # type: ignore[return-value]


def test_of_a_mounted_camera_the_vehicles_attitude_is_sent() -> None:
    """A camera that looks to the right: its roll is the vehicle's pitch, and so are their sigmas."""
    port = free_port()
    receiver = mavutil.mavlink_connection(f"udpin:127.0.0.1:{port}", source_system=250, dialect="common")
    with open_link(f"mavlink://127.0.0.1:{port}") as sink:
        sink.write(frame(0), LOST)
        time.sleep(0.1)
        feed(sink, 5, roll=15.0, pitch=0.0, sd=(0.4, 0.3), mount=Mount(roll_deg=0, pitch_deg=0, yaw_deg=90))
    attitude = receiver.recv_match(type="ATTITUDE", blocking=True, timeout=5)
    odometry = receiver.recv_match(type="ODOMETRY", blocking=True, timeout=5)
    receiver.close()
    assert (math.degrees(attitude.roll), math.degrees(attitude.pitch)) == pytest.approx((0.0, 15.0), abs=1e-4)
    assert _euler(odometry.q) == pytest.approx((0.0, 15.0, 0.0), abs=1e-3)
    pitch_variance = odometry.pose_covariance[18]
    assert math.degrees(math.sqrt(pitch_variance)) == pytest.approx(0.4, rel=1e-3)


def test_the_reset_counter_rises_when_the_track_starts_anew() -> None:
    port = free_port()
    receiver = mavutil.mavlink_connection(f"udpin:127.0.0.1:{port}", dialect="common")
    with open_link(f"mavlink://127.0.0.1:{port}?rate=200") as sink:
        for _ in range(3):
            sink.write(frame(0), LOST)
            time.sleep(0.05)
            feed(sink, 3)
        counters = []
        while (message := receiver.recv_match(type="ODOMETRY", blocking=True, timeout=0.3)) is not None:
            counters.append(message.reset_counter)
    receiver.close()
    assert counters == sorted(counters)
    assert set(counters) == {1, 2, 3}


def test_nmea_is_read_by_another_library() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(3)
        with open_link(f"nmea://127.0.0.1:{receiver.getsockname()[1]}") as sink:
            sink.write(frame(0), LOST)  # says nothing
            time.sleep(0.2)
            feed(sink, 3, roll=-4.25, pitch=1.5)
            data = receiver.recv(200)
    assert data.endswith(b"\r\n")
    sentence = pynmea2.parse(data.decode(), check=True)
    found = {
        sentence.get_transducer(i).id: sentence.get_transducer(i) for i in range(sentence.num_transducers)
    }
    assert {name: (part.value, part.units, part.type) for name, part in found.items()} == {
        "PTCH": ("1.5", "D", "A"),
        "ROLL": ("-4.2", "D", "A"),
    }


class Server:
    """A TCP server of this machine that keeps what it gets."""

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = int(self._socket.getsockname()[1])
        self.data = bytearray()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
                self._connections.append(connection)
                while data := connection.recv(4096):
                    self.data += data
            except OSError:
                return

    def close(self) -> None:
        for part in (self._socket, *self._connections):
            part.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            part.close()


def test_json_lines_are_rows_of_telemetry_and_a_lost_server_is_found_again() -> None:
    server = Server()
    with open_link(f"json+tcp://127.0.0.1:{server.port}?rate=100") as sink:
        feed(sink, 5)
        wait_for(lambda: server.data.count(b"\n") > 2)
        row = json.loads(server.data.split(b"\n")[0])
        assert {key: row[key] for key in ("state", "roll_deg", "pitch_deg")} == {
            "state": "tracking",
            "roll_deg": 10.0,
            "pitch_deg": 3.0,
        }
        server.close()
        feed(sink, 20)
        again = Server(server.port)
        for _ in range(40):
            feed(sink, 5)
            if again.data.count(b"\n") > 2:
                break
        assert again.data.count(b"\n") > 2
        again.close()
        assert sink.counts.failures >= 1
        assert sink.counts.dropped >= 1


def test_a_receiver_that_does_not_read_holds_nobody_up() -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=1)) as deaf:
        sink = open_link(f"json+tcp://127.0.0.1:{deaf.getsockname()[1]}?rate=1000")
        for index in range(20_000):
            sink.write(frame(0), horizon(index))
        assert sink.counts.sent + sink.counts.dropped >= 19_990
        assert sink.counts.dropped > 10_000
        sink.abort()


def test_the_last_horizon_is_sent_at_the_end() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(3)
        with open_link(f"json://127.0.0.1:{receiver.getsockname()[1]}?rate=1") as sink:
            feed(sink, 5)
        rows = [json.loads(receiver.recv(2000)) for _ in range(sink.counts.sent)]
    assert rows[-1]["frame"] == 4
    assert sink.counts.sent + sink.counts.dropped == 5


def test_a_link_that_cannot_be_opened_is_told_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def beat(self) -> None:
            raise RuntimeError("of a library")

        def send(self, horizon: Horizon) -> bool:
            raise AssertionError("never reached")

        def close(self) -> None:
            pass

    with LinkSink("broken", Broken, 10.0) as sink:
        wait_for(lambda: sink.counts.failures > 2)
    assert len(caplog.records) == 1


def test_a_link_keeps_to_its_rate() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("127.0.0.1", 0))
        with open_link(f"json://127.0.0.1:{receiver.getsockname()[1]}?rate=10") as sink:
            start = time.monotonic()
            feed(sink, 100, hz=100)
            seconds = time.monotonic() - start
            assert 5 <= sink.counts.sent <= 10 * seconds + 2


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_a_serial_line() -> None:
    master, slave = os.openpty()
    with open_link(f"nmea+serial://{os.ttyname(slave)}?baud=4800&rate=20") as sink:
        feed(sink, 20, roll=1.0, pitch=2.0)
        wait_for(lambda: sink.counts.sent > 3)
        data = os.read(master, 500)
    os.close(master)
    os.close(slave)
    assert b"$YXXDR,A,2.0,D,PTCH,A,1.0,D,ROLL*" in data


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    command = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if command is None:
        pytest.skip("no mosquitto here; see make system-tools")
    port, passwords = free_port(), tmp_path / "passwords"
    tool = str(Path(command).parent.parent / "bin" / "mosquitto_passwd")
    subprocess.run([tool, "-b", "-c", str(passwords), "me", "p@ss"], check=True, capture_output=True)
    passwords.chmod(0o644)
    settings = f"listener {port} 127.0.0.1\nallow_anonymous true\n"
    guarded = (
        f"per_listener_settings true\n{settings}listener {port + 1} 127.0.0.1\npassword_file {passwords}\n"
    )
    (tmp_path / "mosquitto.conf").write_text(guarded + "allow_anonymous false\nuser root\n")
    with subprocess.Popen(
        [command, "-c", str(tmp_path / "mosquitto.conf")], stderr=subprocess.DEVNULL
    ) as process:
        for _ in range(100):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
        process.kill()


def subscriber(port: int, messages: dict[str, list[bytes]]) -> Client:
    client = Client(CallbackAPIVersion.VERSION2)

    def on_message(_client: object, _data: object, message: Any) -> None:
        messages.setdefault(message.topic, []).append(message.payload)

    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.subscribe("#")
    client.loop_start()
    return client


def test_mqtt_with_discovery(broker: int) -> None:
    messages: dict[str, list[bytes]] = {}
    client = subscriber(broker, messages)
    with open_link(f"mqtt://127.0.0.1:{broker}/boat/bow?rate=20") as sink:
        for _ in range(30):
            feed(sink, 5)
            if "boat/bow/state" in messages and "boat/bow/status" in messages:
                break
        row = json.loads(messages["boat/bow/state"][-1])
        assert (row["roll_deg"], row["state"]) == (10.0, "tracking")
        wait_for(lambda: len([topic for topic in messages if topic.startswith("homeassistant/")]) == 5)
        about = json.loads(messages["homeassistant/sensor/boat_bow/roll_deg/config"][0])
        assert about["state_topic"] == "boat/bow/state"
        assert about["value_template"] == "{{ value_json.roll_deg }}"
        assert about["unit_of_measurement"] == "°"
        assert about["availability_topic"] == "boat/bow/status"
        assert messages["boat/bow/status"][-1] == b"online"
    wait_for(lambda: messages["boat/bow/status"][-1] == b"offline")
    client.loop_stop()


class Proxy:
    """Passes bytes to a port of this machine, until it is cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                here, _ = self._socket.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._to))
            self._open += [here, there]
            for one, other in ((here, there), (there, here)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        try:
            with one:
                while data := one.recv(4096):
                    other.sendall(data)
        except OSError:
            pass

    def cut(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self._socket.close()
        self.cut()


def test_mqtt_is_online_again_after_a_cut(broker: int) -> None:
    messages: dict[str, list[bytes]] = {}
    client, proxy = subscriber(broker, messages), Proxy(broker)
    with open_link(f"mqtt://127.0.0.1:{proxy.port}/boat?rate=20") as sink:
        statuses: list[bytes] = []
        for round_ in range(2):
            for _ in range(60):
                feed(sink, 5)
                statuses = messages.get("boat/status", [])
                if statuses.count(b"online") > round_:
                    break
            assert statuses.count(b"online") == round_ + 1
            if round_ == 0:
                proxy.cut()
                wait_for(lambda: messages["boat/status"][-1] == b"offline")
        before = len(messages["boat/state"])
        feed(sink, 10)
        wait_for(lambda: len(messages["boat/state"]) > before)
    proxy.close()
    client.loop_stop()


def check_sends(sink: LinkSink) -> None:
    """It sends, and has not failed before."""
    for _ in range(30):
        feed(sink, 5)
        if sink.counts.sent > 3:
            break
    assert sink.counts.failures == 0
    assert sink.counts.sent > 3


def test_mqtt_with_a_password_right_and_wrong(broker: int, caplog: pytest.LogCaptureFixture) -> None:
    with open_link(f"mqtt://me:p%40ss@127.0.0.1:{broker + 1}/x?rate=20") as sink:
        check_sends(sink)
    with open_link(f"mqtt://me:swordfish@127.0.0.1:{broker + 1}/x?rate=20") as sink:
        for _ in range(40):
            feed(sink, 5)
            if sink.counts.failures:
                break
        assert sink.counts.failures
    assert "refuses" in caplog.text
    assert "swordfish" not in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("word", ["p%40ss", "swordfish"])
def test_no_connection_to_a_broker_leaves_a_descriptor_open(broker: int, word: str) -> None:
    """Without waiting for the collector of garbage, which comes seldom in a run of a month."""
    address = parse_link(f"mqtt://me:{word}@127.0.0.1:{broker + 1}/x")
    gc.collect()
    gc.disable()
    try:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with suppress(PermissionError):
                MqttChannel(address).close()
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()


def test_the_first_message_is_told_once_and_without_secrets(broker: int) -> None:
    told: list[str] = []
    address = f"mqtt://me:p%40ss@127.0.0.1:{broker + 1}/x?rate=50"
    with open_link(address, tell=told.append) as sink:
        for _ in range(30):
            feed(sink, 5)
            if sink.counts.sent > 3:
                break
        assert sink.counts.opened == 1
    assert told == [f"telemetry goes to mqtt://127.0.0.1:{broker + 1}/x"]


def test_what_says_nothing_is_not_told() -> None:
    told: list[str] = []
    with open_link("nmea://127.0.0.1:9", tell=told.append) as sink:
        sink.write(frame(0), LOST)
    assert (told, sink.counts.sent, sink.counts.opened) == ([], 0, 1)


@pytest.mark.parametrize("option", ["password-file", "password-env"])
def test_a_password_may_come_from_elsewhere(
    broker: int, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "word").write_text("p@ss\n")
    monkeypatch.setenv("BROKER_WORD", "p@ss")
    place = tmp_path / "word" if option == "password-file" else "BROKER_WORD"
    with open_link(f"mqtt://me@127.0.0.1:{broker + 1}/x?{option}={place}&rate=20") as sink:
        check_sends(sink)


def test_a_link_to_nobody_ends_at_once() -> None:
    sinks = [open_link(f"{kind}://127.0.0.1:1") for kind in ("json+tcp", "mavlink+tcp", "mqtt")]
    for sink in sinks:
        feed(sink, 3)
        sink.close()
        assert sink.counts.sent == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "names no link"),
        ("carrier-pigeon://x", "names no link"),
        ("mqtt+udp://host/x", "MQTT goes over TCP"),
        ("json://", "names no host"),
        ("json://host:port", "cannot be read"),
        ("json://host:1?rate=fast", "cannot be read"),
        ("json://host:1?rate=0", "rate is a number"),
        ("json://host:1?rate=nan", "rate is a number"),
        ("mavlink://host?system=900", "system and component"),
        ("mavlink://host?sistem=1", "no option 'sistem'; there are: component, rate, system"),
        ("json+tcp://host?baud=9600", "no option 'baud'"),
        ("nmea+serial:///dev/ttyUSB0?baud=fast", "baud is a number"),
        ("nmea+serial://", "names no device"),
        ("mqtt://host/boat/+", "holds no"),
        ("mqtt://me@host/x?password-file=/no/such", "password-file /no/such cannot be read: No such file"),
        ("mqtt://me@host/x?password-env=NOT_THERE", "no environment variable NOT_THERE"),
        ("mqtt://host/x?password-env=HOME", "USER@ before the host"),
        ("mqtt://me:word@host/x?password-env=HOME", "USER@ before the host"),
    ],
)
def test_what_names_no_link_is_told_in_one_line(text: str, words: str) -> None:
    with pytest.raises(OptionsError, match=words) as caught:
        open_link(text).close()
    assert "\n" not in str(caught.value)


SECRET = st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=12)


@given(kind=st.sampled_from(["mqtt", "json+tcp", "nmea"]), word=SECRET, query=SECRET)
def test_no_secret_of_a_link_is_told(kind: str, word: str, query: str) -> None:
    try:
        said = parse_link(f"{kind}://me:WORD{word}@host/topic?token=WORD{query}").name
    except OptionsError as error:
        said = str(error)
    assert "WORD" not in said


def test_an_address_is_taken_apart() -> None:
    found = parse_link("mqtt://me:p%40ss@[fe80::1]:1884/a/b?rate=5&discovery=ha")
    assert (found.host, found.port, found.path, found.rate_hz) == ("fe80::1", 1884, "a/b", 5.0)
    assert (found.user, found.password, dict(found.options)) == ("me", "p@ss", {"discovery": "ha"})
    serial = parse_link("mavlink+serial:///dev/ttyUSB0?baud=115200")
    assert (serial.device, serial.transport, serial.options["baud"]) == ("/dev/ttyUSB0", "serial", "115200")
