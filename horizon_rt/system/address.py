"""Addresses of network streams, and how they are written where others may read them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["hide_passwords", "is_address", "shown", "without_secrets"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_PASSWORD = re.compile(r"[^\s/'\"]+:[^\s'\"]*@")
_KNOWN = frozenset({"rtsp", "rtsps", "rtp", "udp", "tcp", "http", "https", "srt", "rtmp", "rtmps"})


def is_address(text: str) -> bool:
    """Whether this names a stream on the network."""
    found = _SCHEME.match(text)
    return found is not None and found[1].lower() in _KNOWN


def hide_passwords(text: str) -> str:
    """A message without what looks like a user and password before a host."""
    return _PASSWORD.sub("…@", text)


def without_secrets(text: str) -> str:
    """What a user typed, as it may be told: an address of any kind as `shown`, all else as it is."""
    return shown(text) if "://" in text else text


def shown(url: str) -> str:
    """An address without what may be secret: user, password, query and fragment.

    Of one that cannot be taken apart for sure, as its password holds a / or ?, only the scheme is left.
    """
    scheme = url.partition("://")[0].lower()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{scheme}://…"
    user, _, _ = parts.netloc.rpartition("@")
    if "@" in f"{user}{parts.path}{parts.query}{parts.fragment}":
        return f"{scheme}://…"
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"
