"""Views of the board in a stream of frames, and the choice of sharp and diverse ones among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera.board import Board, Corners
from horizon_rt.errors import CalibrationError
from horizon_rt.frame import Frame

__all__ = ["BoardView", "Survey", "ViewPlace", "covered_share", "select", "survey"]

# Neighbouring frames of a video show the same view; the finder is slow.
_SECONDS_BETWEEN_LOOKS = 0.25
_MOST_LOOKS = 3000
# A view counts as new when an outer corner of the board moved by this share of the image's diagonal.
_NEW_VIEW = 0.03
_BLURRED = 1.6  # times the median edge width
_RASTER = (90, 160)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewPlace:
    """The frame of a view: its number and time in a video, or its file."""

    index: int
    time_s: float
    name: str | None

    @property
    def label(self) -> str:
        """What a reader knows it by."""
        return self.name or f"frame {self.index} at {self.time_s:.2f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView(ViewPlace):
    """The board as one frame shows it: its points (n, 2) in px, which of the board's they are (n,), and the
    width of its edges in px.
    """

    corners: Corners
    ids: NDArray[np.intp]
    edge_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All views of the board in a source, and in how many frames it was looked for."""

    board: Board
    views: tuple[BoardView, ...]
    looks: int
    width: int
    height: int


def survey(frames: Iterable[Frame], board: Board, on_look: Callable[[int, int], None] | None) -> Survey:
    """Look for the board in pictures, and in about four frames a second of a video.

    Keeps corners only, so memory does not grow with the pictures. `on_look` is called with the number of
    frames looked at and of boards found. Raises CalibrationError for no frames or a change of size.
    """
    views: list[BoardView] = []
    size, looks = (0, 0), 0
    for frame in _looked_at(frames):
        looks += 1
        if size not in ((0, 0), (frame.width, frame.height)):
            raise CalibrationError(
                f"all pictures must have one size, got {size[0]}x{size[1]} and {frame.width}x{frame.height}"
            )
        size = frame.width, frame.height
        views += [view] if (view := _view(frame, board)) is not None else []
        if on_look is not None:
            on_look(looks, len(views))
    if not looks:
        raise CalibrationError(
            "the source has no pictures: give a video or a folder of pictures of the board"
        )
    return Survey(board=board, views=tuple(views), looks=looks, width=size[0], height=size[1])


def select(found: Survey, most: int) -> list[BoardView]:
    """At most `most` sharp views, each of them new against all others: farthest-point sampling."""
    limit = _BLURRED * float(np.median([view.edge_px for view in found.views])) if found.views else 0.0
    sharp = [view for view in found.views if view.edge_px <= limit]
    if not sharp:
        return []
    diagonal = np.hypot(found.width, found.height)
    outlines = np.stack([_outline(view, found.board) for view in sharp]) / diagonal
    chosen = [int(np.argmin([view.edge_px for view in sharp]))]
    distance = np.full(len(sharp), np.inf)
    while len(chosen) < most:
        distance = np.minimum(distance, np.abs(outlines - outlines[chosen[-1]]).max(axis=1))
        farthest = int(np.argmax(distance))
        if distance[farthest] < _NEW_VIEW:
            break
        chosen.append(farthest)
    return [sharp[i] for i in sorted(chosen)]


def covered_share(views: Iterable[BoardView], width: int, height: int) -> float:
    """Share 0..1 of the image that the corners of at least one view enclose."""
    import cv2

    raster = np.zeros(_RASTER, np.uint8)
    scale = np.array([_RASTER[1] / width, _RASTER[0] / height])
    for view in views:
        hull = cv2.convexHull((view.corners * scale).astype(np.int32)[:, None, :])
        cv2.fillConvexPoly(raster, hull, (1,))
    return float(raster.mean())


def _looked_at(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Every picture of a folder; of a video one frame per interval."""
    due, looks = -np.inf, 0
    for frame in frames:
        if frame.name is None and frame.time_s < due:
            continue
        due = frame.time_s + _SECONDS_BETWEEN_LOOKS
        looks += 1
        yield frame
        if looks >= _MOST_LOOKS:
            return


def _view(frame: Frame, board: Board) -> BoardView | None:
    image = _eight_bits(frame)
    seen = board.detect(image)
    if seen is None or not np.isfinite(seen.corners).all():
        return None
    return BoardView(
        index=frame.index,
        time_s=frame.time_s,
        name=frame.name,
        corners=seen.corners,
        ids=seen.ids,
        edge_px=seen.edge_px,
    )


def _eight_bits(frame: Frame) -> NDArray[np.uint8]:
    shift = max(frame.sampling.bit_depth - 8, 0)
    image: NDArray[np.uint8] = np.ascontiguousarray(frame.arrays()[0] >> shift).astype(np.uint8)
    return image


def _outline(view: BoardView, board: Board) -> NDArray[np.float64]:
    """The four outer points, which tell position, size, rotation and tilt; shape (8,).

    They follow from those that the view shows by a homography.
    """
    import cv2

    points = board.object_points()[view.ids, :2]
    homography, _ = cv2.findHomography(points, view.corners)
    if homography is None:
        return np.full(8, np.inf)
    outer = cv2.perspectiveTransform(board.outline()[:, None, :2].astype(np.float64), homography)
    return np.asarray(outer, np.float64).ravel()
