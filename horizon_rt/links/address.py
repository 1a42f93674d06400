"""What a user types to name a link: FORMAT[+TRANSPORT]://PLACE[?rate=HZ&…]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from horizon_rt.errors import OptionsError
from horizon_rt.system.address import with_password, without_secrets

__all__ = ["FORMATS", "Format", "LinkAddress", "Transport", "parse_link"]

Format = Literal["mavlink", "nmea", "json", "mqtt"]
Transport = Literal["udp", "tcp", "serial"]
FORMATS: dict[str, tuple[float, int]] = {
    "mavlink": (25.0, 14550),
    "nmea": (10.0, 10110),
    "json": (25.0, 9870),
    "mqtt": (2.0, 1883),
}
"""Each format with its usual rate in Hz and its usual port."""
_OPTIONS = {"mavlink": {"system", "component"}, "mqtt": {"discovery"}}
_FASTEST_HZ, _FASTEST_BAUD = 1000.0, 4_000_000
_EXAMPLE = "such as mavlink://127.0.0.1:14550, nmea+tcp://HOST:10110, json://HOST:PORT or mqtt://HOST/boat"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAddress:
    """Where a link goes: `host` and `port`, or the `device` of a serial line; `name` holds no secret.

    `rate_hz` is the most that is sent; `options` is what else the address asks for.
    """

    name: str
    format: Format
    transport: Transport
    rate_hz: float
    host: str = ""
    port: int = 0
    device: str = ""
    path: str = ""
    user: str | None = None
    password: str | None = None
    options: Mapping[str, str]


def parse_link(text: str) -> LinkAddress:
    """Take the address of a link apart; raises OptionsError."""
    text = with_password(text)
    name = without_secrets(text)
    scheme, found, _ = text.partition("://")
    kind, _, transport = scheme.lower().partition("+")
    if not found or kind not in FORMATS or transport not in ("", "udp", "tcp", "serial"):
        raise OptionsError(f"{name} names no link; give one {_EXAMPLE}")
    if kind == "mqtt" and transport not in ("", "tcp"):
        raise OptionsError(f"{name}: MQTT goes over TCP; write mqtt://HOST/TOPIC")
    usual_hz, usual_port = FORMATS[kind]
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        rate_hz = float(query.pop("rate", usual_hz))
    except ValueError:  # its text may hold the password
        raise OptionsError(f"{name}: that address cannot be read; give one {_EXAMPLE}") from None
    if not 0 < rate_hz <= _FASTEST_HZ:
        raise OptionsError(f"{name}: rate is a number of messages a second from 0 to {_FASTEST_HZ:g}")
    serial = transport == "serial"
    _check_options(name, kind, transport, query)
    if serial and not parts.netloc + parts.path:
        raise OptionsError(f"{name}: it names no device, such as nmea+serial:///dev/ttyUSB0")
    if kind == "mqtt" and set(parts.path) & set("+#"):
        raise OptionsError(f"{name}: a topic holds no + and no #")
    if not serial and not host:
        raise OptionsError(f"{name}: it names no host; give one {_EXAMPLE}")
    return LinkAddress(
        name=name,
        format=kind,  # type: ignore[arg-type]
        transport=transport or ("tcp" if kind == "mqtt" else "udp"),  # type: ignore[arg-type]
        rate_hz=rate_hz,
        host=host,
        port=port or usual_port,
        device=(parts.netloc + parts.path) if serial else "",
        path=parts.path.strip("/"),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        options=query,
    )


def _check_options(name: str, kind: str, transport: str, given: Mapping[str, str]) -> None:
    known = _OPTIONS.get(kind, set()) | ({"baud"} if transport == "serial" else set())
    for option, value in given.items():
        if option not in known:
            there = ", ".join(sorted({"rate", *known}))
            raise OptionsError(f"{name}: there is no option {option!r}; there are: {there}")
        if option == "baud" and not (
            value.isascii() and value.isdecimal() and 0 < int(value) <= _FASTEST_BAUD
        ):
            raise OptionsError(f"{name}: baud is a number from 1 to {_FASTEST_BAUD}")
