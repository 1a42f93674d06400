"""Clients of a live run's page that read, read slowly, or leave."""

from __future__ import annotations

import http.client
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

__all__ = ["Reader", "connect", "jpegs", "step_back"]


def step_back() -> None:
    """Have this thread come after all others, as clients have machines of their own (on Linux)."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def connect(page: str) -> socket.socket:
    """A connection to the server of a page."""
    place = urlsplit(page)
    return socket.create_connection((place.hostname, place.port), timeout=30)


def jpegs(page: str) -> Iterator[tuple[float, bytes]]:
    """The pictures of /picture.mjpg, and when each had come (`time.time`)."""
    connection = http.client.HTTPConnection(urlsplit(page).netloc, timeout=30)
    connection.request("GET", "/picture.mjpg")
    answer = connection.getresponse()
    while line := answer.readline():
        found = re.match(rb"Content-Length: (\d+)", line, re.IGNORECASE)
        if found:
            answer.readline()
            data = answer.read(int(found[1]))
            yield time.time(), data


class Reader:
    """Reads an endless answer in a thread of its own, `pause_s` between pieces, until it is closed.

    `count` are the bytes so far.
    """

    def __init__(self, page: str, path: str, *, pause_s: float = 0.0, piece: int = 65536) -> None:
        self.count = 0
        self._pause_s, self._piece = pause_s, piece
        self._closing = threading.Event()
        self._socket = connect(page)
        self._socket.sendall(f"GET /{path} HTTP/1.1\r\nHost: {urlsplit(page).netloc}\r\n\r\n".encode())
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        step_back()
        try:
            while not self._closing.wait(self._pause_s) and (data := self._socket.recv(self._piece)):
                self.count += len(data)
        except OSError:
            return

    def close(self, *, reset: bool = False) -> None:
        """Leave; with `reset` as a program that dies, without the farewell of TCP."""
        self._closing.set()
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
