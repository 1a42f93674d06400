"""What an evaluation found: a row for each frame, and all metric families summed up from the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from horizon_rt.datasets import TruthKind
from horizon_rt.metrics.detection import summarise_refusal
from horizon_rt.metrics.lines import LineError, summarise
from horizon_rt.metrics.masks import MaskCounts
from horizon_rt.metrics.motion import AttitudeSample, summarise_motion
from horizon_rt.metrics.sequences import AttitudeError, summarise_attitude, summarise_sequences
from horizon_rt.metrics.uncertainty import summarise_uncertainty
from horizon_rt.reports.hardest import HardestFrame

__all__ = ["Evaluation", "FrameRow", "Masks", "Numbers", "Summary", "join"]

Numbers = dict[str, Any]
_OF_SCORES = ("auc_roc", "average_precision")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRow:
    """One evaluated frame.

    `in_view` is None where nobody said whether a horizon shows; `reported` says whether one was. `error` is
    None without a horizon in view, `attitude` also without an estimate, and `roll_pitch_deg`, the true
    attitude, where none is known. `iou` is that of the net's sky side.
    """

    file: str
    frame: int
    time_s: float
    scene: str
    truth: TruthKind
    sequence: str = ""
    in_view: bool | None = None
    reported: bool = False
    error: LineError | None = None
    roll_pitch_deg: tuple[float, float] | None = None
    attitude: AttitudeError | None = None
    iou: float | None = None


@dataclass(frozen=True, slots=True)
class Masks:
    """Pixel counts of the net's mask and of the fitted half plane."""

    net: MaskCounts = field(default_factory=MaskCounts)
    half_plane: MaskCounts = field(default_factory=MaskCounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The metric families over some frames; None where no frame has the truth for one."""

    frames: int
    lines: Numbers | None = None
    sequences: Numbers | None = None
    attitude: Numbers | None = None
    motion: Numbers | None = None
    uncertainty: Numbers | None = None
    mask: Numbers | None = None
    half_plane: Numbers | None = None
    refusal: Numbers | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One model on one dataset: rows in the order of the frames, mask counts by scene, the worst frames."""

    dataset: str
    model: str
    rows: tuple[FrameRow, ...]
    masks: Mapping[str, Masks]
    worst: tuple[HardestFrame, ...] = ()

    @property
    def scenes(self) -> list[str]:
        """The scene types, sorted."""
        return sorted({row.scene for row in self.rows})

    def summary(self, scene: str | None = None) -> Summary:
        """All metric families, over one type of scene or over all."""
        return join([self], scene)

    def mask_counts(self) -> MaskCounts:
        """Pixels of the net's mask, over all scenes."""
        total = MaskCounts()
        for masks in self.masks.values():
            total.add(masks.net)
        return total

    def records(self) -> list[Numbers]:
        """The rows as plain values, for JSON."""
        return [asdict(row) for row in self.rows]


def join(evaluations: Sequence[Evaluation], scene: str | None = None) -> Summary:
    """Sum up over datasets: frames of this type of scene, or all."""
    chosen = [[row for row in e.rows if scene in (None, row.scene)] for e in evaluations]
    rows = [row for part in chosen for row in part]
    evaluated = [row.error for row in rows if row.error is not None]
    return Summary(
        frames=len(rows),
        lines=summarise(evaluated) if evaluated else None,
        sequences=_sequences(chosen),
        attitude=_attitude(rows),
        motion=_motion(chosen),
        uncertainty=summarise_uncertainty(_attitudes(rows)) or None,
        refusal=_refusal(rows),
        **_mask_summaries(evaluations, scene),
    )


def _sequences(chosen: Sequence[Sequence[FrameRow]]) -> Numbers | None:
    runs = [run for rows in chosen for run in _unbroken(rows)]
    return summarise_sequences(runs) if runs else None


def _unbroken(rows: Sequence[FrameRow]) -> list[list[LineError]]:
    """Errors of neighbouring frames of a recording; a frame without one ends a run."""
    runs: list[list[LineError]] = []
    before: FrameRow | None = None
    for row in rows:
        if row.error is not None and row.sequence:
            follows = before is not None and (before.sequence, before.frame + 1) == (row.sequence, row.frame)
            if not follows:
                runs.append([])
            runs[-1].append(row.error)
        before = row if row.error is not None else None
    return runs


def _attitudes(rows: Sequence[FrameRow]) -> list[AttitudeError]:
    return [row.attitude for row in rows if row.attitude is not None]


def _attitude(rows: Sequence[FrameRow]) -> Numbers | None:
    exact = [row for row in rows if row.truth == "attitude"]
    return summarise_attitude(_attitudes(exact), len(exact)) if exact else None


def _motion(chosen: Sequence[Sequence[FrameRow]]) -> Numbers | None:
    recordings: dict[tuple[int, str], list[AttitudeSample]] = {}
    for number, rows in enumerate(chosen):
        for row in rows:
            if row.truth == "attitude" and row.roll_pitch_deg is not None:
                moment = AttitudeSample(row.time_s, *row.roll_pitch_deg, row.attitude, bool(row.in_view))
                recordings.setdefault((number, row.sequence), []).append(moment)
    return summarise_motion(recordings.values()) if recordings else None


def _refusal(rows: Sequence[FrameRow]) -> Numbers | None:
    told = [(row.in_view, row.reported) for row in rows if row.in_view is not None]
    return summarise_refusal(told) if told else None


def _mask_summaries(evaluations: Sequence[Evaluation], scene: str | None) -> dict[str, Numbers | None]:
    total = Masks()
    for evaluation in evaluations:
        for name, masks in evaluation.masks.items():
            if scene in (None, name):
                total.net.add(masks.net)
                total.half_plane.add(masks.half_plane)
    named = {"mask": total.net, "half_plane": total.half_plane}
    return {name: _mask_numbers(counts, name) if counts.frames else None for name, counts in named.items()}


def _mask_numbers(counts: MaskCounts, name: str) -> Numbers:
    """A half plane has sides but no scores, and so no curves."""
    numbers = counts.summary()
    return numbers if name == "mask" else {key: v for key, v in numbers.items() if key not in _OF_SCORES}
