"""One connection to a stream of the network, and what to say where there is none."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.error import (
    ConnectionRefusedError,
    ExitError,
    FFmpegError,
    HTTPClientError,
    HTTPForbiddenError,
    HTTPNotFoundError,
    HTTPUnauthorizedError,
    InvalidDataError,
    ProtocolNotFoundError,
    TimeoutError,
)

from horizon_rt.errors import DecodeError, SourceError, SourceNotFound
from horizon_rt.imaging.opening import describe
from horizon_rt.sources.container import ContainerOptions, ContainerSource
from horizon_rt.system.address import shown

__all__ = ["connect", "is_listening"]

_OPEN_TIMEOUT_S, _RECORDING_PATIENCE_S = 5.0, 30.0
_LIVE_OPTIONS = {
    "fflags": "nobuffer",
    "analyzeduration": "200000",
    "rtsp_transport": "tcp",
    "overrun_nonfatal": "1",
    "fifo_size": "50000",
    "reuse": "1",  # of a UDP port, which the connection that fell silent still holds
}
_PROTOCOLS = "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto,srt,rtmp,rtmps,hls"
_LISTENING, _LISTEN_OPTION = ("udp://", "rtp://"), re.compile(r"[?&](listen=1|mode=listener)(&|$)")
_UNSTAMPED = frozenset({"mpjpeg", "mjpeg"})  # formats whose pictures carry no time of their own


def is_listening(url: str) -> bool:
    """Whether this side listens at an address, so that its sender may come later."""
    return url.lower().startswith(_LISTENING) or _LISTEN_OPTION.search(url) is not None


def connect(url: str, *, threads: int, limit_s: float) -> ContainerSource:
    """One connection, with its first picture decoded; given up where a read takes longer than `limit_s`.

    What has a length is a recording, of which no packet is left out. Raises SourceNotFound where nothing
    answers, SourceError where it may not be read and DecodeError where it holds no video.
    """
    name = shown(url)
    try:
        container = _open(url, _LIVE_OPTIONS, limit_s)
        # A live playlist has no length; a file on a server has one, of which no packet may be left out.
        live = not container.duration or container.duration <= 0
        if not live:
            container.close()
            container = _open(url, {}, _RECORDING_PATIENCE_S)
    except (FFmpegError, ValueError, UnicodeError) as error:
        raise _failure(name, error) from None  # its text holds the address as it is
    unstamped = container.format.name in _UNSTAMPED
    options = ContainerOptions(name=name, kind="network", threads=threads, live=live, by_arrival=unstamped)
    try:
        return ContainerSource(container, options)
    except DecodeError as error:
        raise DecodeError(str(error).replace(url, name)) from None


def _open(url: str, options: dict[str, str], limit_s: float) -> InputContainer:
    scheme, _, rest = url.partition("://")
    return av.open(
        f"{scheme.lower()}://{rest}",
        "r",
        options={"protocol_whitelist": _PROTOCOLS} | options,
        timeout=(_OPEN_TIMEOUT_S, limit_s),
    )


def _failure(name: str, error: Exception) -> SourceError:
    if isinstance(error, HTTPUnauthorizedError | HTTPForbiddenError):
        return SourceError(f"{name}: wrong user or password, or none; write USER:PASSWORD@ before the host")
    if isinstance(error, ConnectionRefusedError):
        return SourceNotFound(f"{name}: nothing listens there; check host and port")
    if isinstance(error, HTTPNotFoundError):
        return SourceNotFound(f"{name}: the server knows no such stream; check the path")
    if isinstance(error, ExitError | TimeoutError):
        return SourceNotFound(f"{name}: no answer within {_OPEN_TIMEOUT_S:g} s; check the address")
    if isinstance(error, ProtocolNotFoundError):
        return SourceError(
            f"{name}: PyAV was built without it; pipe it in: "
            "ffmpeg -i URL -map 0:v -c copy -f mpegts - | horizon-rt live -"
        )
    if isinstance(error, InvalidDataError | HTTPClientError):
        return DecodeError(f"{name}: it gives no video ({describe(error)})")
    if not name.endswith("://…") and not _is_known(urlsplit(name).hostname):
        return SourceError(f"{name}: no host of that name is known; check it, and whether there is a network")
    return SourceError(
        f"{name}: it cannot be opened ({describe(error)}); write @ / : of a password as %40 %2F %3A"
    )


def _is_known(host: str | None) -> bool:
    try:
        return host is not None and bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False
