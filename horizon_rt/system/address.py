"""Addresses of network streams, and how they are written where others may read them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["is_address", "shown"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_KNOWN = frozenset({"rtsp", "rtsps", "rtp", "udp", "tcp", "http", "https", "srt", "rtmp", "rtmps"})


def is_address(text: str) -> bool:
    """Whether this names a stream on the network."""
    found = _SCHEME.match(text)
    return found is not None and found[1].lower() in _KNOWN


def shown(url: str) -> str:
    """An address without what may be secret: user, password, query and fragment.

    Of one that cannot be taken apart only the scheme is left.
    """
    scheme = url.partition("://")[0].lower()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{scheme}://…"
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}{'' if port is None else f':{port}'}{_path(parts.path)}"


def _path(path: str) -> str:
    """A password with a slash or a question mark in it ends up in what looks like the path."""
    return "/…" if "@" in path or ":" in path else path
