"""From what a user types to a link."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from horizon_rt.errors import OptionsError
from horizon_rt.horizon import Horizon
from horizon_rt.links.address import LinkAddress, parse_link
from horizon_rt.links.formats import Encoder, JsonLines, Nmea
from horizon_rt.links.sender import LinkSink
from horizon_rt.links.transport import open_way
from horizon_rt.system.extras import require

__all__ = ["open_link"]

_log = logging.getLogger(__name__)


class _Bytes:
    """A format over a way for bytes; see `sender.Channel`."""

    def __init__(self, address: LinkAddress, encoder: Encoder) -> None:
        self._way, self._encoder = open_way(address), encoder

    def send(self, horizon: Horizon) -> bool:
        if data := self._encoder.encode(horizon):
            self._way.send(data)
        return bool(data)

    def beat(self) -> None:
        if data := self._encoder.idle():
            self._way.send(data)

    def close(self) -> None:
        self._way.close()


def open_link(text: str, *, tell: Callable[[str], object] = _log.info) -> LinkSink:
    """A link by its address, FORMAT[+TRANSPORT]://PLACE[?rate=HZ]; it connects in the background.

    FORMAT is mavlink, nmea, json or mqtt; TRANSPORT udp (the usual one), tcp, or serial with a device for
    PLACE and `baud=`. `tell` gets one line when the first horizon is sent. Raises OptionsError for what
    names no link and MissingExtra where a package is missing.
    """
    address = parse_link(text)
    if address.format == "mqtt":
        from horizon_rt.links.mqtt import MqttChannel

        require("links", "MQTT")
        return LinkSink(address.name, partial(MqttChannel, address), address.rate_hz, tell=tell)
    if address.transport == "serial":
        require("links", "a serial line")
    encoder = _encoder(address)
    return LinkSink(address.name, lambda: _Bytes(address, encoder), address.rate_hz, tell=tell)


def _encoder(address: LinkAddress) -> Encoder:
    if address.format == "json":
        return JsonLines()
    if address.format == "nmea":
        return Nmea()
    from horizon_rt.links.mavlink import Mavlink

    try:
        return Mavlink(address)
    except ValueError as error:
        raise OptionsError(f"{address.name}: system and component are numbers from 1 to 255") from error
