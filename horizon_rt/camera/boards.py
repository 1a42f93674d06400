"""The kinds of calibration boards by their names."""

from __future__ import annotations

from typing import Any

from horizon_rt.camera.board import Board, ChessBoard
from horizon_rt.camera.circle_board import CircleBoard
from horizon_rt.camera.marker_board import MarkerBoard
from horizon_rt.errors import CalibrationError

__all__ = ["make_board"]

_KINDS: dict[str, Any] = {"chessboard": ChessBoard, "charuco": MarkerBoard, "circles": CircleBoard}
_OF_MARKERS = ("marker_mm", "dictionary")


def make_board(kind: str, **values: float | str | None) -> Board:
    """The board of a kind by columns, rows and square_mm; of a ChArUco board marker_mm and dictionary, too.

    What is None has its default. Raises CalibrationError.
    """
    given = {name: value for name, value in values.items() if value is not None}
    if kind != "charuco" and (wrong := [name for name in _OF_MARKERS if name in given]):
        raise CalibrationError(f"a {kind} has no {wrong[0]}; that is for --board charuco")
    board: Board = _KINDS[kind](**given)
    return board
