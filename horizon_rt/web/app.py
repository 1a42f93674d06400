"""The page and what it asks for: pictures, telemetry, health."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from horizon_rt.links import LinkSink
from horizon_rt.serving.gate import Gate
from horizon_rt.serving.pages import page_file, page_routes
from horizon_rt.sinks import RecordSwitch
from horizon_rt.sources import Health
from horizon_rt.system.json import parse_object
from horizon_rt.web.metrics import Metrics
from horizon_rt.web.newest import Newest

__all__ = ["Live", "make_app"]

_WAIT_S = 1.0  # for the next frame, then the state is told without one
_SLOW_S = 5.0  # until a reader that takes nothing is dropped
_ROWS_HZ = 20.0
_MOST_STREAMS = 32
_BOUNDARY = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


def make_app(live: Live, *, token: str | None, port: int) -> Starlette:
    """The application of one run, behind its `Gate`."""
    routes = [
        *page_routes(__package__),
        Route("/telemetry", live.telemetry),
        Route("/picture.mjpg", live.pictures),
        Route("/picture.jpg", live.picture),
        Route("/health", live.health),
        Route("/recording", live.recording, methods=["POST"]),
        Route("/metrics", live.exposition),
    ]
    style = page_file(__package__, "page.css")
    return Starlette(routes=routes, middleware=[Middleware(Gate, token=token, port=port, style=style)])


class _Stream:
    """An endless answer; who does not take it in time is dropped."""

    def __init__(self, media_type: str, parts: AsyncIterator[bytes]) -> None:
        self._type, self._parts = media_type, parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", self._type.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(_left(receive))
        try:
            async for part in self._parts:
                if gone.done():
                    return
                body = {"type": "http.response.body", "body": part, "more_body": True}
                await asyncio.wait_for(send(body), _SLOW_S)
        except TimeoutError:
            return
        finally:
            gone.cancel()
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Live:
    """The endpoints; what waits or takes time runs in the thread pool. `health` tells of the source,
    `hanging` which stages of the run hang; the `recorder` is started and stopped here.
    """

    def __init__(
        self,
        newest: Newest,
        *,
        name: str,
        health: Callable[[], Health | None],
        hanging: Callable[[], Sequence[str]],
        links: Sequence[LinkSink],
        recorder: RecordSwitch | None,
    ) -> None:
        self._newest, self._name, self._health, self._hanging = newest, name, health, hanging
        self._recorder = recorder
        self._streams = 0
        self.metrics = Metrics(health=health, links=links, streams=lambda: self._streams)

    def _counted(self, media_type: str, parts: AsyncIterator[bytes]) -> Any:
        if self._streams >= _MOST_STREAMS:
            return Response("too many pages are open", 503, media_type="text/plain")
        return _Stream(media_type, self._counting(parts))

    async def _counting(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._streams += 1
        try:
            async for part in parts:
                yield part
        finally:
            self._streams -= 1

    async def telemetry(self, _: Request) -> Any:
        """Server-sent events: a row of telemetry with the source's health, at most `_ROWS_HZ` a second."""
        return self._counted("text/event-stream", self._rows())

    async def pictures(self, _: Request) -> Any:
        """MJPEG: the newest picture, whenever the reader has taken the one before."""
        return self._counted("multipart/x-mixed-replace; boundary=frame", self._parts())

    async def picture(self, _: Request) -> Response:
        """The newest picture alone."""
        shown = await run_in_threadpool(self._newest.get, -1, 0.0)
        if shown is None:
            return Response("no picture yet", 404, media_type="text/plain")
        data = await run_in_threadpool(self._newest.jpeg, shown)
        return Response(data, media_type="image/jpeg")

    async def health(self, _: Request) -> Response:
        """How the run fares; status 503 where no picture comes or a stage hangs."""
        state = self._state()
        is_well = state["source_state"] == "receiving" and not state["hanging"]
        return JSONResponse(state, 200 if is_well else 503)

    async def recording(self, request: Request) -> Response:
        """Start or stop recording, by {"on": true or false}; tells the state afterwards."""
        if self._recorder is None:
            return Response("nothing is recorded here; see --record", 404, media_type="text/plain")
        try:
            on = parse_object(await request.body()).get("on")
        except ValueError:
            on = None
        if not isinstance(on, bool):
            return Response('a request is {"on": true} or {"on": false}', 422, media_type="text/plain")
        await run_in_threadpool(self._recorder.start if on else self._recorder.stop)
        return JSONResponse(self._state())

    async def exposition(self, request: Request) -> Response:
        """What Prometheus scrapes."""
        data, media_type = self.metrics.exposition(request.headers.get("accept", ""))
        return Response(data, headers={"content-type": media_type})

    def _state(self) -> dict[str, Any]:
        health = self._health()
        ended = self._newest.ended
        return {
            "source": self._name,
            "source_state": "ended" if ended else "receiving" if health is None else health.state,
            "age_s": None if health is None else round(health.age_s, 3),
            "reconnects": 0 if health is None else health.reconnects,
            "hanging": list(self._hanging()),
            "recording": None if self._recorder is None else self._recorder.recording,
            "recording_failure": "" if self._recorder is None else self._recorder.failure,
        }

    async def _rows(self) -> AsyncIterator[bytes]:
        number = -1
        while not self._newest.ended:
            shown = await run_in_threadpool(self._newest.get, number, _WAIT_S)
            row = self._state()
            if shown is not None:
                number = shown.number
                age_s = time.perf_counter() - (shown.seen_s or time.perf_counter())
                row |= {"row": shown.horizon.to_dict(), "picture_age_ms": round(1e3 * age_s, 1)}
            yield b"data: " + json.dumps(row, separators=(",", ":"), allow_nan=False).encode() + b"\n\n"
            await asyncio.sleep(1 / _ROWS_HZ)

    async def _parts(self) -> AsyncIterator[bytes]:
        number = -1
        while not self._newest.ended:
            shown = await run_in_threadpool(self._newest.get, number, _WAIT_S)
            if shown is not None:
                number = shown.number
                data = await run_in_threadpool(self._newest.jpeg, shown)
                yield _BOUNDARY % len(data) + data + b"\r\n"
