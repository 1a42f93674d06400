"""The frames to label: read from the source, chosen, and put on offer with the tracker's lines."""

from __future__ import annotations

import os
import re
from pathlib import Path
from threading import Event

import cv2
import numpy as np

from horizon_rt.camera import Camera
from horizon_rt.errors import DecodeError
from horizon_rt.frame import Frame
from horizon_rt.label.choice import Chosen, FrameChoice
from horizon_rt.label.journal import LabelFrame
from horizon_rt.label.proposal import Proposal
from horizon_rt.label.session import Session
from horizon_rt.pipeline.run import expected_frames
from horizon_rt.sources import Source
from horizon_rt.sources.names import output_name
from horizon_rt.tracker import HorizonTracker

__all__ = ["extract"]

_KEPT_SUFFIXES = (".jpg", ".jpeg", ".png")
_MIN_SIDE = 16  # px
_PNG_SPEED = [cv2.IMWRITE_PNG_COMPRESSION, 3]


def extract(source: Source, tracker: HorizonTracker, camera: Camera, session: Session, stop: Event) -> None:
    """Fill the session from the source until its end, or until `stop` is set; raises HorizonError."""
    choice = FrameChoice(session.every, keep_similar=source.info.is_image_set)
    session.expected = expected_frames(source.info) or 0
    taker = _Taker(source, camera, session)
    for frame in source:
        session.seen = frame.index + 1
        if stop.is_set():
            return
        if choice.wants(frame.index) and min(frame.width, frame.height) >= _MIN_SIDE:
            taker.take(choice.add(Chosen(frame, tracker.update(frame).observation)))
    taker.take(choice.finish())
    if not session.frames:
        raise DecodeError(f"{source.info.name}: no picture of at least {_MIN_SIDE}x{_MIN_SIDE} px")
    if not source.closed:
        session.finish()


class _Taker:
    """Saves chosen frames into a session."""

    def __init__(self, source: Source, camera: Camera, session: Session) -> None:
        self._info, self._camera, self._session = source.info, camera, session
        homes = [picture.parent for picture in source.info.pictures]
        self._root = Path(os.path.commonpath(homes)) if homes else None

    def take(self, chosen: Chosen | None) -> None:
        if chosen is None:
            return
        frame = chosen.frame
        stem, suffix, picture = self._picture(frame)
        entry = LabelFrame(
            file=self._session.unused_name(stem, suffix, frame.index),
            index=frame.index,
            time_s=frame.time_s,
            width=frame.width,
            height=frame.height,
            proposal=Proposal.of(chosen.observation, self._camera.for_size(frame.width, frame.height)),
        )
        self._session.add(entry, picture)

    def _picture(self, frame: Frame) -> tuple[str, str, bytes]:
        """Name, extension and content of the file: a JPEG or PNG as it is, anything else as PNG."""
        if frame.name is None or self._root is None:
            return f"{output_name(self._info)}_{frame.index:06d}", ".png", _png(frame)
        path = self._root / frame.name
        stem = re.sub(r"[^\w.+-]+", "_", Path(frame.name).with_suffix("").as_posix()).strip("._") or "picture"
        suffix = path.suffix.lower()
        if suffix in _KEPT_SUFFIXES and (data := _upright(path)) is not None:
            return stem, suffix, data
        return stem, ".png", _png(frame)


def _png(frame: Frame) -> bytes:
    image = frame.to_bgr()
    return bytes(cv2.imencode(".png", image, _PNG_SPEED)[1].tobytes())


def _upright(path: Path) -> bytes | None:
    """The file, unless it is to be turned for viewing (EXIF), which not every reader does."""
    data = path.read_bytes()
    flags = (cv2.IMREAD_COLOR, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    seen, stored = (cv2.imdecode(np.frombuffer(data, np.uint8), flag) for flag in flags)
    return data if seen is not None and stored is not None and np.array_equal(seen, stored) else None
