"""The page and its interface over HTTP."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from horizon_rt.errors import HorizonError, SourceError
from horizon_rt.imaging.picture import read_picture
from horizon_rt.label.carry import carry_line
from horizon_rt.label.guard import TokenInPath
from horizon_rt.label.session import Session
from horizon_rt.label.snap import refine_line
from horizon_rt.label.wire import (
    frame_json,
    line_json,
    read_line,
    read_mark,
    read_number,
    session_json,
)
from horizon_rt.serving.gate import Gate
from horizon_rt.serving.pages import page_file, page_routes
from horizon_rt.system.json import parse_object

__all__ = ["make_app"]

_THUMBNAIL_PX = 128
_LARGEST_BODY = 65536
_MOST_DIGITS = 9  # of the number of a frame
_DEFAULT_REACH_PX, _LARGEST_REACH_PX = 6.0, 40.0


def make_app(session: Session, *, token: str, port: int, is_local: bool) -> Starlette:
    """The application for one session, behind `TokenInPath` on this machine, elsewhere behind a `Gate`."""
    api = _Api(session)
    routes = [
        *page_routes(__package__),
        Route("/api/session", api.session),
        Route("/api/frames/{number}/image", api.image),
        Route("/api/frames/{number}/thumbnail", api.thumbnail),
        Route("/api/frames/{number}/mark", api.mark, methods=["PUT"]),
        Route("/api/frames/{number}/snap", api.snap, methods=["POST"]),
        Route("/api/frames/{number}/carry", api.carry, methods=["POST"]),
    ]
    style = page_file(__package__, "page.css")
    guard = (
        Middleware(TokenInPath, token=token, port=port, largest_body=_LARGEST_BODY)
        if is_local
        else Middleware(Gate, token=token, port=port, style=style, largest_body=_LARGEST_BODY)
    )
    return Starlette(
        routes=[Mount(f"/{token}", routes=routes)] if is_local else routes,
        middleware=[guard],
        exception_handlers={HTTPException: _refused, HorizonError: _failed},
    )


class _Api:
    """The endpoints; what takes time runs in the thread pool."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._luma = lru_cache(maxsize=4)(self._read_luma)

    def session(self, _: Request) -> Response:
        return JSONResponse(session_json(self._session))

    def image(self, request: Request) -> Response:
        path = self._session.image_path(self._number(request))
        if not path.is_file():
            raise HTTPException(404, f"{path.name} is no longer there")
        return FileResponse(path)

    def thumbnail(self, request: Request) -> Response:
        path = self._session.image_path(self._number(request))
        image = _read(path, cv2.IMREAD_REDUCED_COLOR_2)
        scale = _THUMBNAIL_PX / max(image.shape[:2])
        height, width = (max(1, round(scale * side)) for side in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        return Response(cv2.imencode(".jpg", small)[1].tobytes(), media_type="image/jpeg")

    async def mark(self, request: Request) -> Response:
        number = self._number(request)
        frame = self._session.frames[number]
        mark = read_mark(await _body(request), frame)
        await run_in_threadpool(self._session.mark, number, mark)
        return JSONResponse(frame_json(frame, mark))

    async def snap(self, request: Request) -> Response:
        """The edge beside {"line": …} within "reach_px"; the same line where there is none."""
        number = self._number(request)
        body = await _body(request)
        line = read_line(body.get("line"), self._session.frames[number])
        reach = body.get("reach_px", _DEFAULT_REACH_PX)
        if (
            isinstance(reach, bool)
            or not isinstance(reach, (int, float))
            or not 1 <= reach <= _LARGEST_REACH_PX
        ):
            raise HTTPException(422, f"reach_px lies between 1 and {_LARGEST_REACH_PX:g}")
        luma = await run_in_threadpool(self._luma, number)
        edge = await run_in_threadpool(refine_line, luma, line, reach_px=float(reach))
        return JSONResponse({"found": edge is not None, "line": line_json(edge.line if edge else line)})

    async def carry(self, request: Request) -> Response:
        """The line of frame {"from": …}, carried to this one."""
        number = self._number(request)
        frames = self._session.frames
        origin = read_number((await _body(request)).get("from"), len(frames))
        line, here, there = self._session.marks[origin].line, frames[origin], frames[number]
        if line is None:
            raise HTTPException(409, "that frame has no line to carry")
        if (here.width, here.height) != (there.width, there.height):
            raise HTTPException(409, "the pictures differ in size")
        lumas = [await run_in_threadpool(self._luma, n) for n in (origin, number)]
        tracked = here.proposal.line, there.proposal.line
        carried, method = await run_in_threadpool(carry_line, line, (lumas[0], lumas[1]), tracked)
        return JSONResponse({"line": line_json(carried), "method": method})

    def _number(self, request: Request) -> int:
        text = request.path_params["number"]
        known = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
        return read_number(int(text) if known else None, len(self._session.frames))

    def _read_luma(self, number: int) -> NDArray[np.uint8]:
        path, frame = self._session.image_path(number), self._session.frames[number]
        image = _read(path, cv2.IMREAD_GRAYSCALE)
        if image.shape != (frame.height, frame.width):
            raise HTTPException(409, f"{path.name} is no longer {frame.width}x{frame.height} px")
        return image


def _read(path: Path, flags: int) -> NDArray[np.uint8]:
    try:
        return read_picture(path, flags)
    except SourceError as error:
        raise HTTPException(404, f"{path.name} cannot be read") from error


async def _body(request: Request) -> dict[str, Any]:
    try:
        return parse_object(await request.body())
    except ClientDisconnect as error:
        raise HTTPException(400, "the request ended early") from error
    except ValueError as error:
        raise HTTPException(400, f"a request is a JSON object: {error}") from error


def _refused(_: Request, error: Exception) -> Response:
    refused = cast("HTTPException", error)
    return JSONResponse({"error": refused.detail}, refused.status_code)


def _failed(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 500)
