"""Addresses of network streams, and how they are written where others may read them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from horizon_rt.errors import OptionsError

__all__ = ["hide_passwords", "is_address", "shown", "split_name", "with_password", "without_secrets"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
# From the start of a word alone, so that a long text takes no longer than it must.
_PASSWORD = re.compile(r"(?<![^\s/'\"])[^\s/'\":]+:[^\s'\"]*@")
_PASSWORD_OPTIONS = ("password-file=", "password-env=")
_NAMED = re.compile(r"([a-z0-9][a-z0-9_.-]*)=(.+)", re.IGNORECASE | re.DOTALL)
_KNOWN = frozenset({"rtsp", "rtsps", "rtp", "udp", "tcp", "http", "https", "srt", "rtmp", "rtmps"})


def is_address(text: str) -> bool:
    """Whether this names a stream on the network."""
    found = _SCHEME.match(text)
    return found is not None and found[1].lower() in _KNOWN


def split_name(text: str) -> tuple[str, str]:
    """The name, '' where there is none, and the rest of NAME=REST."""
    found = _NAMED.fullmatch(text)
    return (found[1], found[2]) if found else ("", text)


def with_password(url: str) -> str:
    """An address with the password that `password-file=PATH` or `password-env=NAME` of its query names, which
    are taken out of it; any other address as it is. The line end of a file is no part of a password.

    Raises OptionsError where there is no such file or variable, and no user that it belongs to.
    """
    head, _, query = url.partition("?")
    parts = query.split("&")
    named = [part for part in parts if part.startswith(_PASSWORD_OPTIONS)]
    if not named:
        return url
    scheme, _, rest = head.partition("://")
    place, slash, path = rest.partition("/")
    user, _, host = place.rpartition("@")
    if len(named) > 1 or not user or ":" in user:
        raise OptionsError(
            f"{shown(url)}: write one password-file= or password-env=, and USER@ before the host"
        )
    password = quote(_read_password(shown(url), *named[0].split("=", 1)), safe="")
    left = "&".join(part for part in parts if part not in named)
    return f"{scheme}://{user}:{password}@{host}{slash}{path}{'?' if left else ''}{left}"


def _read_password(name: str, option: str, value: str) -> str:
    value = unquote(value)
    if option == "password-env":
        if value not in os.environ:
            raise OptionsError(f"{name}: there is no environment variable {value}")
        return os.environ[value]
    try:
        return Path(value).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise OptionsError(f"{name}: password-file {value} cannot be read: {reason}") from error


def hide_passwords(text: str) -> str:
    """A message without what looks like a user and password before a host."""
    return _PASSWORD.sub("…@", text)


def without_secrets(text: str) -> str:
    """What a user typed, as it may be told: an address of any kind, or NAME=ADDRESS, as `shown`, all else as
    it is.
    """
    if "://" not in text:
        return text
    name, address = split_name(text)
    return f"{name}={shown(address)}" if name else shown(text)


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
