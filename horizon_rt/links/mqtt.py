"""MQTT: the row of telemetry as JSON, and what Home Assistant needs to find it by itself.

TOPIC/state holds the newest row, TOPIC/status 'online' or, by the broker's word where the program was killed,
'offline'. Messages of MQTT discovery (Home Assistant) describe roll, pitch, their sigmas and the state.
"""

from __future__ import annotations

import json
import re
import threading

from horizon_rt._version import __version__
from horizon_rt.horizon import Horizon
from horizon_rt.links.address import LinkAddress
from horizon_rt.links.formats import row_json
from horizon_rt.system.extras import require

__all__ = ["MqttChannel"]

_TIMEOUT_S, _KEEP_ALIVE_S = 3.0, 15
_SENSORS = {
    "roll_deg": ("Roll", "°"),
    "pitch_deg": ("Pitch", "°"),
    "roll_sd_deg": ("Roll sigma", "°"),
    "pitch_sd_deg": ("Pitch sigma", "°"),
    "state": ("State", None),
}


class MqttChannel:
    """A connection to a broker; see `sender.Channel`."""

    def __init__(self, address: LinkAddress) -> None:
        """Raises OSError where the broker does not answer or refuses, MissingExtra without paho-mqtt."""
        require("links", "MQTT")
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._topic = address.path or "horizon-rt"
        self._discovery = address.options.get("discovery", "homeassistant")
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.connect_timeout = _TIMEOUT_S
        self._client.max_queued_messages_set(10)
        if address.user is not None:
            self._client.username_pw_set(address.user, address.password)
        self._client.will_set(f"{self._topic}/status", "offline", retain=True)
        self._refusal, self._announced = "", False
        self._answer = threading.Event()
        self._client.on_connect = self._answered
        self._client.connect(address.host, address.port, _KEEP_ALIVE_S)
        self._client.loop_start()
        if not self._answer.wait(_TIMEOUT_S) or self._refusal:
            self._end()
            raise PermissionError(0, f"the broker refuses: {self._refusal or 'no answer'}")

    def _answered(
        self, client: object, data: object, flags: object, reason: object, properties: object
    ) -> None:
        self._announced = False
        if getattr(reason, "is_failure", False):
            self._refusal = str(reason)
        self._answer.set()

    def send(self, horizon: Horizon) -> bool:
        """See `sender.Channel`; raises OSError while there is no connection."""
        if not self._client.is_connected():
            raise ConnectionError(0, "the broker is gone")
        self._publish("state", row_json(horizon))
        return True

    def beat(self) -> None:
        """See `sender.Channel`."""
        if not self._announced and self._client.is_connected():
            self._announced = True
            self._publish("status", "online", retain=True)
            self._announce()

    def close(self) -> None:
        """See `sender.Channel`."""
        if self._client.is_connected():
            self._publish("status", "offline", retain=True)
        self._end()

    def _end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        # The client closes its sockets when it is freed, which a reference back to this would put off.
        self._client.on_connect = None

    def _publish(self, topic: str, text: str | bytes, *, retain: bool = False) -> None:
        self._client.publish(f"{self._topic}/{topic}", text, retain=retain)

    def _announce(self) -> None:
        if self._discovery in ("", "off"):
            return
        node = re.sub(r"[^A-Za-z0-9_-]", "_", self._topic)
        device = {
            "identifiers": [node],
            "name": self._topic,
            "model": "horizon-rt",
            "sw_version": __version__,
        }
        for key, (name, unit) in _SENSORS.items():
            about = {
                "name": name,
                "unique_id": f"{node}_{key}",
                "state_topic": f"{self._topic}/state",
                "value_template": f"{{{{ value_json.{key} }}}}",
                "availability_topic": f"{self._topic}/status",
                "device": device,
            }
            if unit is not None:
                about |= {"unit_of_measurement": unit, "state_class": "measurement"}
            topic = f"{self._discovery}/sensor/{node}/{key}/config"
            self._client.publish(topic, json.dumps(about), retain=True)
