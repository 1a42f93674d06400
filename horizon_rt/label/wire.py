"""What the page and the server say to each other, as JSON."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException

from horizon_rt.fitting.edge import visible_span
from horizon_rt.geometry import HorizonLine, wrap_degrees
from horizon_rt.label.journal import LabelFrame, frame_entry
from horizon_rt.label.session import Mark, Session

__all__ = ["frame_json", "line_json", "read_line", "read_mark", "read_number", "session_json"]


def session_json(session: Session) -> dict[str, Any]:
    """Everything that the page shows."""
    pairs = zip(session.frames, session.marks, strict=False)  # a frame may come between the two
    return {
        "name": session.folder.resolve().name,
        "source": session.source,
        "complete": session.complete,
        "failure": session.failure,
        "seen": session.seen,
        "expected": session.expected,
        "frames": [frame_json(frame, mark) for frame, mark in pairs],
    }


def frame_json(frame: LabelFrame, mark: Mark) -> dict[str, Any]:
    """One frame with what was said of it."""
    return {
        **frame_entry(frame),
        "status": mark.status,
        "line": None if mark.line is None else line_json(mark.line),
    }


def line_json(line: HorizonLine) -> dict[str, float]:
    """A line as the page holds it."""
    return {"angle_deg": line.angle_deg, "offset_px": line.offset_px}


def read_mark(value: Any, frame: LabelFrame) -> Mark:
    """A mark from {"status": …} with "line" where the status is 'line'; raises HTTPException."""
    status = value.get("status") if isinstance(value, dict) else None
    match status:
        case "line":
            return Mark("line", read_line(value.get("line"), frame))
        case "open" | "none" | "skipped":
            return Mark(status)
    raise HTTPException(422, "status must be open, line, none or skipped")


def read_line(value: Any, frame: LabelFrame) -> HorizonLine:
    """A line that crosses the frame, from {"angle_deg": …, "offset_px": …}; raises HTTPException."""
    if not isinstance(value, dict):
        raise HTTPException(422, "a line has angle_deg and offset_px")
    line = HorizonLine(
        wrap_degrees(_finite(value.get("angle_deg"), 360.0)), _finite(value.get("offset_px"), 1e6)
    )
    if visible_span(line, frame.width, frame.height) is None:
        raise HTTPException(422, "the line does not cross the picture")
    return line


def read_number(value: Any, count: int) -> int:
    """The number of a frame; raises HTTPException."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
        raise HTTPException(404, f"there are frames 0 to {count - 1}")
    return value


def _finite(value: Any, largest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise HTTPException(422, "angle_deg and offset_px are numbers")
    if not abs(value) <= largest:  # before it is made a float, which a number of 400 digits cannot be
        raise HTTPException(422, f"angle_deg and offset_px must not exceed {largest:g}")
    return float(value)
