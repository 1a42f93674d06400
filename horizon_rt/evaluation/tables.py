"""The metric families as tables of text, for the terminal, Markdown and HTML alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from horizon_rt.evaluation.results import Evaluation, Numbers, Summary, join
from horizon_rt.reports.table import Table

__all__ = ["Group", "dataset_groups", "make_tables", "scene_groups"]

_NONE = "–"


@dataclass(frozen=True, slots=True)
class Group:
    """Frames that are summed up together: a dataset, or a type of scene."""

    label: str
    model: str
    summary: Summary


def dataset_groups(evaluations: Sequence[Evaluation]) -> list[Group]:
    """One group for each dataset and model, in the order given."""
    return [Group(e.dataset, e.model, e.summary()) for e in evaluations]


def scene_groups(evaluations: Sequence[Evaluation]) -> list[Group]:
    """One group for each type of scene and model, over all datasets; none where that says nothing new."""
    scenes = sorted({scene for e in evaluations for scene in e.scenes})
    if len(scenes) < 2:
        return []
    models = list(dict.fromkeys(e.model for e in evaluations))
    return [
        Group(scene, model, join([e for e in evaluations if e.model == model], scene))
        for scene in scenes
        for model in models
        if any(e.model == model and scene in e.scenes for e in evaluations)
    ]


def make_tables(groups: Sequence[Group], first: str) -> list[Table]:
    """A table for each metric family that any group has; `first` heads the column of the groups."""
    several = len({group.model for group in groups}) > 1
    tables = [
        _table(groups, first, family, several=several)
        for family in (_LINES, _NET, _HALF_PLANE, _ATTITUDE, _MOTION, _SEQUENCES, _SIGMA, _REFUSAL)
    ]
    return [table for table in tables if table.rows]


@dataclass(frozen=True, slots=True)
class _Family:
    """How one metric family becomes a table: where its numbers are, and the cells made of them."""

    title: str
    note: str
    numbers: Callable[[Summary], Numbers | None]
    cells: dict[str, Callable[[Numbers], str]]


def _table(groups: Sequence[Group], first: str, family: _Family, *, several: bool) -> Table:
    head = (first, *(["model"] if several else []), *family.cells)
    rows = []
    for group in groups:
        numbers = family.numbers(group.summary)
        if numbers:
            names = [group.label, *([group.model] if several else [])]
            rows.append((*names, *(cell(numbers) for cell in family.cells.values())))
    return Table(family.title, family.note, head, tuple(rows))


def _one(name: str, digits: int, factor: float = 1.0) -> Callable[[Numbers], str]:
    def cell(numbers: Numbers) -> str:
        value = numbers[name]
        return _NONE if value is None else f"{factor * value:.{digits}f}"

    return cell


def _three(name: str, digits: int) -> Callable[[Numbers], str]:
    def cell(numbers: Numbers) -> str:
        values = numbers[name]
        return _NONE if values is None else " / ".join(f"{value:.{digits}f}" for value in values)

    return cell


def _spread(mean: str, sd: str, digits: int) -> Callable[[Numbers], str]:
    def cell(numbers: Numbers) -> str:
        if numbers[mean] is None:
            return _NONE
        return f"{numbers[mean]:.{digits}f} ± {numbers[sd]:.{digits}f}"

    return cell


def _axis(name: str, axis: int, digits: int, factor: float = 1.0) -> Callable[[Numbers], str]:
    return lambda numbers: f"{factor * numbers[name][axis]:.{digits}f}"


def _share(part: str, whole: str) -> Callable[[Numbers], str]:
    return lambda numbers: f"{numbers[part]} of {numbers[whole]}" if numbers[whole] else _NONE


_LINES = _Family(
    "Lines",
    "dY: error in px at the middle column; dphi: that of the tilt in degrees; both over the frames with an "
    "estimate (percentiles; mean ± standard deviation). AUC: area under the cumulative horizon error up to "
    "0.25 of the height, in percent; a frame without an estimate counts 1 (Horizon Lines in the Wild).",
    lambda summary: summary.lines,
    {
        "found": _share("found", "frames"),
        "AUC": _one("auc", 1),
        "dY 25/50/95, px": _three("dy_px", 2),
        "mean, px": _spread("dy_mean_px", "dy_sd_px", 2),
        "dphi 25/50/95, °": _three("dphi_deg", 2),
        "mean, °": _spread("dphi_mean_deg", "dphi_sd_deg", 2),
    },
)
_MASK_CELLS = {
    "frames": _one("frames", 0),
    "pixels right %": _one("pixel_accuracy_percent", 2),
    "precision": _one("precision", 4),
    "recall": _one("recall", 4),
    "F1 = Dice": _one("dice", 4),
    "IoU": _one("iou", 4),
    "mIoU": _one("miou", 4),
}
_NET = _Family(
    "Mask of the net",
    "The sky side at source resolution, every pixel of every frame alike; AUC-ROC and average precision (AP) "
    "from the probabilities.",
    lambda summary: summary.mask,
    {**_MASK_CELLS, "AUC-ROC": _one("auc_roc", 5), "AP": _one("average_precision", 5)},
)
_HALF_PLANE = _Family(
    "Fitted half plane",
    "The side of the fitted horizon that is sky, over the frames with an estimate.",
    lambda summary: summary.half_plane,
    _MASK_CELLS,
)
_ATTITUDE = _Family(
    "Attitude",
    "Errors of roll and pitch in degrees (percentiles) against exact attitude; availability in percent.",
    lambda summary: summary.attitude,
    {
        "available %": _one("availability", 1, 100),
        "roll 25/50/95, °": _three("roll_deg", 2),
        "pitch 25/50/95, °": _three("pitch_deg", 2),
    },
)
_MOTION = _Family(
    "Motion",
    "Lag: slope of the error against the true rate, in frames and ms. Jitter: noise of roll and pitch from "
    "frame to frame at rest. Return: frames until an estimate after the horizon came back into view.",
    lambda summary: summary.motion,
    {
        "lag, frames": _one("lag_frames", 2),
        "lag, ms": _one("lag_s", 1, 1e3),
        "jitter roll / pitch, °": _three("jitter_deg", 3),
        "returns": _one("returns", 0),
        "return 50 / 100 %, frames": _three("return_frames", 0),
    },
)
_SEQUENCES = _Family(
    "Jitter",
    "Mean square of the horizon error, and A_TV, the mean change of the signed error from frame to frame "
    "(KITTI Horizon); both times 1000.",
    lambda summary: summary.sequences,
    {"pairs": _one("pairs", 0), "MSE ×10³": _one("mse_e", 3, 1e3), "A_TV ×10³": _one("a_tv", 3, 1e3)},
)
_SIGMA = _Family(
    "Sigma",
    "Share of true values within ±1 and ±2 sigma in percent (68.3 and 95.4 are meant), the mean squared "
    "error over sigma² (1 is meant), and the 95th percentile of the error of the surest 80 % of the frames "
    "as a share of that of all.",
    lambda summary: summary.uncertainty,
    {
        f"{name} {head}": _axis(key, axis, digits, factor)
        for axis, name in enumerate(("roll", "pitch"))
        for head, key, digits, factor in (
            ("±1σ %", "within_1_sigma", 1, 100.0),
            ("±2σ %", "within_2_sigma", 1, 100.0),
            ("(e/σ)²", "mean_normalised_squared_error", 2, 1.0),
            ("80 %", "surest_80_percent", 2, 1.0),
        )
    },
)
_REFUSAL = _Family(
    "Refusal",
    "Frames without a horizon that got none, and frames with one that were left without an estimate.",
    lambda summary: summary.refusal,
    {"refused": _share("refused", "without_horizon"), "lost": _share("lost", "with_horizon")},
)
