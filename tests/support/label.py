"""A labelling of rendered pictures, and a plain client that sends what it is told to."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
from support.edges import half_plane

from horizon_rt.geometry import HorizonLine
from horizon_rt.label.journal import LabelFrame
from horizon_rt.label.proposal import Proposal
from horizon_rt.label.session import Session

WIDTH, HEIGHT = 320, 240


def seen(line: HorizonLine | None) -> Proposal:
    """What a tracker may have said."""
    if line is None:
        return Proposal(view="ground", confidence=0.9)
    return Proposal(view="horizon", confidence=0.9, line=line, angle_sd_deg=0.5, offset_sd_px=1.5)


def add_picture(session: Session, image: np.ndarray, line: HorizonLine | None) -> None:
    number = len(session.frames)
    height, width = image.shape[:2]
    frame = LabelFrame(
        file=f"clip_{number:06d}.png",
        index=number,
        time_s=number / 5,
        width=width,
        height=height,
        proposal=seen(line),
    )
    session.add(frame, cv2.imencode(".png", image)[1].tobytes())


@cache
def _picture(line: HorizonLine | None, seed: int) -> np.ndarray:
    truth = line or HorizonLine(0.0, -400.0)
    return half_plane(truth, WIDTH, HEIGHT, blur_px=0.8, noise=2, seed=seed)


def rendered_session(folder: Path, lines: Sequence[HorizonLine | None]) -> Session:
    """A frame for each line, with its edge on it, and a tracker that is half a degree and 2 px off."""
    session = Session(folder, source="clip.mp4", every=5)
    for number, line in enumerate(lines):
        off = None if line is None else HorizonLine(line.angle_deg + 0.5, line.offset_px + 2.0)
        add_picture(session, _picture(line, number), off)
    session.finish()
    return session


def as_json(line: HorizonLine) -> dict[str, float]:
    return {"angle_deg": line.angle_deg, "offset_px": line.offset_px}


def from_json(line: dict[str, float]) -> HorizonLine:
    return HorizonLine(line["angle_deg"], line["offset_px"])


def through(p: tuple[float, float], q: tuple[float, float], size: tuple[int, int]) -> HorizonLine:
    """The upright line through two points, by elementary geometry."""
    angle = math.atan2(q[1] - p[1], q[0] - p[0])
    cx, cy = (size[0] - 1) / 2, (size[1] - 1) / 2
    return HorizonLine(math.degrees(angle), math.sin(angle) * (cx - p[0]) - math.cos(angle) * (cy - p[1]))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Requests to a label server; paths are sent as they are, without tidying."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.base = parts.netloc, parts.path

    def __call__(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Answer:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        with closing(HTTPConnection(self.host, timeout=120)) as link:
            whole = path if path.startswith("/") else self.base + path
            link.putrequest(method, whole, skip_host=True)
            for name, value in {"Host": self.host, **(headers or {})}.items():
                link.putheader(name, value)
            if data is not None:
                link.putheader("Content-Length", str(len(data)))
            link.endheaders(data)
            answer = link.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
