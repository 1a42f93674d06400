"""Ways for bytes: UDP, TCP and serial lines. Each raises OSError where it fails, and is then opened anew."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, Protocol

from horizon_rt.links.address import LinkAddress

__all__ = ["Way", "open_way"]

_TIMEOUT_S = 2.0
_BAUD = 57600


class Way(Protocol):
    """An open way for bytes."""

    def send(self, data: bytes) -> None:
        """Send all of the bytes; raises OSError."""

    def close(self) -> None:
        """Give it back."""


class _Udp:
    def __init__(self, address: LinkAddress) -> None:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, to = found[0]
        self._to: Any = to
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setblocking(False)

    def send(self, data: bytes) -> None:
        with suppress(ConnectionRefusedError):  # nobody listens yet, of which an earlier datagram tells
            self._socket.sendto(data, self._to)

    def close(self) -> None:
        self._socket.close()


class _Tcp:
    def __init__(self, address: LinkAddress) -> None:
        self._socket = socket.create_connection((address.host, address.port), _TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        self._socket.close()


class _Serial:
    def __init__(self, address: LinkAddress) -> None:
        import serial

        baud = int(address.options.get("baud", _BAUD))
        self._port = serial.Serial(address.device, baud, write_timeout=_TIMEOUT_S)

    def send(self, data: bytes) -> None:
        self._port.write(data)

    def close(self) -> None:
        self._port.close()


def open_way(address: LinkAddress) -> Way:
    """Open the way that an address names; raises OSError."""
    if address.transport == "serial":
        return _Serial(address)
    return _Udp(address) if address.transport == "udp" else _Tcp(address)
