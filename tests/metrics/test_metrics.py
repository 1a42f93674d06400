"""Metrics of masks, sequences, sigma and refusal against torchmetrics, closed forms and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional import classification as oracle

from horizon_rt.geometry import HorizonLine, wrap_degrees
from horizon_rt.metrics import (
    AttitudeError,
    LineError,
    MaskCounts,
    line_error,
    summarise,
    summarise_attitude,
    summarise_refusal,
    summarise_sequences,
    summarise_uncertainty,
)
from horizon_rt.metrics.classes import ClassCounts
from horizon_rt.metrics.motion import AttitudeSample, summarise_motion

QUICK = settings(max_examples=40, deadline=None)


def _frames(seed: int, count: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """Scores in the middle of the counts' bins, so that ties are the same for everyone."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        shape = tuple(rng.integers(3, 30, 2))
        sky = rng.random(shape) < rng.random()
        logits = np.clip(rng.normal(2.0 * sky - 1, 2, shape), -20, 20)
        frames.append((((np.floor(logits * 100) + 0.5) / 100).astype(np.float32), sky))
    return frames


@pytest.mark.parametrize("seed", range(6))
def test_mask_metrics_are_those_of_torchmetrics(seed: int) -> None:
    frames, counts = _frames(seed), MaskCounts()
    for logits, sky in frames:
        counts.update(logits, sky)
    scores = torch.sigmoid(torch.from_numpy(np.concatenate([f.ravel() for f, _ in frames])))
    truth = torch.from_numpy(np.concatenate([s.ravel() for _, s in frames]).astype(np.int64))
    row = counts.summary()
    expected = {
        "pixel_accuracy_percent": 100 * oracle.binary_accuracy(scores, truth),
        "precision": oracle.binary_precision(scores, truth),
        "recall": oracle.binary_recall(scores, truth),
        "f1": oracle.binary_f1_score(scores, truth),
        "dice": oracle.binary_f1_score(scores, truth),
        "iou": oracle.binary_jaccard_index(scores, truth),
        "miou": oracle.multiclass_jaccard_index((scores > 0.5).long(), truth, num_classes=2, average="macro"),
        "auc_roc": oracle.binary_auroc(scores.double(), truth),
        "average_precision": oracle.binary_average_precision(scores.double(), truth),
    }
    assert {name: row[name] for name in expected} == pytest.approx(
        {name: float(value) for name, value in expected.items()}, rel=1e-6, abs=2e-6
    )
    assert row["frames"] == len(frames)


@pytest.mark.parametrize("seed", range(3))
def test_the_curves_are_those_of_torchmetrics(seed: int) -> None:
    ((logits, sky), *_), counts = _frames(seed), MaskCounts()
    counts.update(logits, sky)
    curves = counts.curves()
    assert curves is not None
    scores, truth = torch.from_numpy(logits.ravel()).double(), torch.from_numpy(sky.ravel().astype(np.int64))
    fpr, tpr, _ = oracle.binary_roc(torch.sigmoid(scores), truth)
    assert curves.false_positive_rate == pytest.approx(fpr.numpy(), abs=1e-6)
    assert curves.recall == pytest.approx(tpr.numpy(), abs=1e-6)
    precision, recall, _ = oracle.binary_precision_recall_curve(torch.sigmoid(scores), truth)
    assert curves.recall == pytest.approx(recall.numpy()[::-1], abs=1e-6)
    assert curves.precision == pytest.approx(precision.numpy()[::-1], abs=1e-6)
    for k in (1, len(curves.threshold) // 2):  # what is meant by a threshold
        above = logits >= curves.threshold[k]
        assert (above & sky).sum() / sky.sum() == pytest.approx(curves.recall[k])


@pytest.mark.parametrize("seed", range(3))
def test_metrics_of_classes_are_those_of_torchmetrics(seed: int) -> None:
    generator, counts = torch.Generator().manual_seed(seed), ClassCounts(4)
    found, truth = (torch.randint(0, 3 + seed // 2, (2, 9, 11), generator=generator) for _ in range(2))
    truth[0, :3] = 255
    for frame in range(2):
        counts.update(found[frame].numpy(), truth[frame].numpy())
    row = counts.summary()
    options = {"num_classes": 4, "ignore_index": 255}
    iou = oracle.multiclass_jaccard_index(found, truth, average="none", **options)
    there = counts.confusion.sum(axis=0) + counts.confusion.sum(axis=1) > 0
    assert row["miou"] == pytest.approx(float(iou[torch.from_numpy(there)].mean()))
    accuracy = oracle.multiclass_accuracy(found, truth, average="micro", **options)
    assert row["accuracy_percent"] == pytest.approx(100 * float(accuracy))
    assert ClassCounts(2).summary() == {"miou": None, "accuracy_percent": None}


def test_counts_of_parts_add_up_and_what_does_not_count_is_left_out() -> None:
    frames, whole, parts = _frames(9), MaskCounts(), MaskCounts()
    for logits, sky in frames:
        whole.update(logits, sky)
        part = MaskCounts()
        part.update(logits, sky)
        parts.add(part)
    assert parts.summary() == whole.summary()
    logits, sky = frames[0]
    valid = np.random.default_rng(1).random(sky.shape) < 0.5
    some, chosen = MaskCounts(), MaskCounts()
    some.update(logits, sky, valid)
    chosen.update(logits[valid][None], sky[valid][None])
    assert some.summary() == chosen.summary()


def test_known_masks() -> None:
    sky = np.array([[True, True], [False, False]])
    counts = MaskCounts()
    counts.update_sides(np.array([[True, False], [True, False]]), sky)
    row = counts.summary()
    assert (row["pixel_accuracy_percent"], row["precision"], row["recall"], row["dice"]) == (
        50,
        0.5,
        0.5,
        0.5,
    )
    assert (row["iou"], row["miou"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert row["auc_roc"] == 0.5
    extreme = MaskCounts()
    extreme.update(np.array([[1e30, np.inf], [-1e30, -np.inf]], np.float32), sky)
    assert (extreme.summary()["iou"], extreme.summary()["auc_roc"]) == (1, 1)


def test_nothing_to_count() -> None:
    assert set(MaskCounts().summary().values()) == {0, None}
    only_sky = MaskCounts()
    only_sky.update(np.ones((2, 2), np.float32), np.ones((2, 2), np.bool_))
    row = only_sky.summary()
    assert (row["iou"], row["auc_roc"], row["average_precision"], only_sky.curves()) == (1, None, None, None)


@pytest.mark.parametrize("wrong", [np.zeros((2, 3), np.float32), np.full((2, 2), np.nan, np.float32)])
def test_masks_that_do_not_fit_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="logits"):
        MaskCounts().update(wrong, np.ones((2, 2), np.bool_))


@QUICK
@given(st.lists(st.lists(st.floats(-1, 1) | st.none(), max_size=12), max_size=4))
def test_sequence_metrics_are_those_of_plain_loops(sequences: list[list[float | None]]) -> None:
    runs = [
        [LineError(1.0) if e is None else LineError(abs(e), 1.0, 1.0, e) for e in run] for run in sequences
    ]
    squares, steps = [], []
    for run in sequences:
        for i, e in enumerate(run):
            squares.append(1.0 if e is None else e * e)
            if i and e is not None and run[i - 1] is not None:
                steps.append(abs(e - run[i - 1]))  # type: ignore[operator]
    row = summarise_sequences(runs)
    assert row["pairs"] == len(steps)
    assert row["mse_e"] == (pytest.approx(sum(squares) / len(squares)) if squares else None)
    assert row["a_tv"] == (pytest.approx(sum(steps) / len(steps)) if steps else None)


def test_the_signed_error_tells_which_side_the_estimate_lies() -> None:
    truth = HorizonLine(0, 0)
    lower, higher = (line_error(HorizonLine(0, d), truth, 640, 480) for d in (48, -48))
    assert (lower.signed_e, higher.signed_e) == (pytest.approx(0.1), pytest.approx(-0.1))
    assert summarise_sequences([[lower, higher]])["a_tv"] == pytest.approx(0.2)
    assert line_error(None, truth, 640, 480).signed_e is None


def test_mean_and_deviation_of_line_errors() -> None:
    row = summarise([LineError(0.1, v, 2 * v) for v in (1.0, 2.0, 3.0, 6.0)] + [LineError(1.0)])
    assert (row["dy_mean_px"], row["dphi_mean_deg"]) == (3, 6)
    assert (row["dy_sd_px"], row["dphi_sd_deg"]) == pytest.approx((math.sqrt(3.5), math.sqrt(14)))


def test_attitude_percentiles_and_availability() -> None:
    rng = np.random.default_rng(2)
    roll, pitch = rng.normal(0, 2, 60), rng.normal(0, 1, 60)
    errors = [AttitudeError(float(a), float(b), 1.0, 1.0) for a, b in zip(roll, pitch, strict=True)]
    row = summarise_attitude(errors, 80)
    assert row["availability"] == 0.75
    assert row["roll_deg"] == pytest.approx(np.quantile(np.abs(roll), [0.25, 0.5, 0.95]))
    assert row["pitch_deg"] == pytest.approx(np.quantile(np.abs(pitch), [0.25, 0.5, 0.95]))
    assert summarise_attitude([], 0) == {"availability": None, "roll_deg": None, "pitch_deg": None}


def test_honest_sigmas_cover_as_the_normal_distribution_says() -> None:
    rng = np.random.default_rng(3)
    sd = rng.uniform(0.1, 3, (20000, 2))
    errors = [AttitudeError(*map(float, (*e, *s))) for e, s in zip(rng.normal(0, sd), sd, strict=True)]
    row = summarise_uncertainty(errors)
    for axis in (0, 1):
        assert row["within_1_sigma"][axis] == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.012)
        assert row["within_2_sigma"][axis] == pytest.approx(math.erf(2 / math.sqrt(2)), abs=0.006)
        assert row["median_error_over_sigma"][axis] == pytest.approx(0.6745, abs=0.02)
        assert row["mean_normalised_squared_error"][axis] == pytest.approx(1, abs=0.04)
    assert summarise_uncertainty([]) == {}


def test_sigmas_that_are_half_too_small_show() -> None:
    row = summarise_uncertainty([AttitudeError(2.0, 1.0, 1.0, 2.0), AttitudeError(-2.0, -1.0, 1.0, 2.0)])
    assert (row["within_1_sigma"], row["within_2_sigma"]) == ([0, 1], [1, 1])
    assert row["mean_normalised_squared_error"] == [4, 0.25]


@QUICK
@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_refusal_counts_are_those_of_a_loop(frames: list[tuple[bool, bool]]) -> None:
    row = summarise_refusal(frames)
    refused = sum(not reported for in_view, reported in frames if not in_view)
    lost = sum(not reported for in_view, reported in frames if in_view)
    with_one = sum(in_view for in_view, _ in frames)
    without = len(frames) - with_one
    assert (row["refused"], row["lost"]) == (refused, lost)
    assert (row["without_horizon"], row["with_horizon"]) == (without, with_one)
    assert row["refused_share"] == (refused / without if without else None)
    assert row["lost_share"] == (lost / with_one if with_one else None)


def _moments(
    times: np.ndarray, truth: np.ndarray, roll: np.ndarray, *, seen: object = True
) -> list[AttitudeSample]:
    """Estimates of roll, NaN for none; pitch is known exactly."""
    views = np.broadcast_to(np.asarray(seen), times.shape)
    return [
        AttitudeSample(
            float(t),
            float(a),
            0.0,
            None if math.isnan(e) else AttitudeError(float(wrap_degrees(e - a)), 0.0, 1.0, 1.0),
            bool(v),
        )
        for t, a, e, v in zip(times, truth, roll, views, strict=True)
    ]


@given(st.floats(-2, 4), st.floats(0.01, 0.05))
@QUICK
def test_lag_is_that_of_a_delayed_roll_through_180_degrees(frames: float, dt: float) -> None:
    times = np.arange(600) * dt
    truth, late = (300 * np.sin(0.4 * t) for t in (times, times - frames * dt))
    found = summarise_motion([_moments(times, truth, late)])
    assert found["lag_frames"] == pytest.approx(frames, abs=0.02)
    assert found["lag_s"] == pytest.approx(frames * dt, abs=1e-3)
    assert found["jitter_deg"] is None or abs(frames) < 1e-6 or found["jitter_deg"][0] < 0.1


def test_jitter_is_the_standard_deviation_of_noise_at_rest() -> None:
    rng = np.random.default_rng(3)
    times = np.arange(4000) * 0.04
    drift = 3 * np.sin(0.05 * times)  # an error that lasts is no jitter
    found = summarise_motion([_moments(times, np.full(4000, 20.0), 20 + drift + rng.normal(0, 0.2, 4000))])
    assert found["jitter_deg"] == pytest.approx([0.2, 0.0], abs=0.01)
    assert found["lag_s"] is None


def test_returns_count_frames_until_the_next_estimate() -> None:
    times, nan = np.arange(12) * 0.04, math.nan
    seen = np.array([1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1], bool)
    roll = np.array([0, 0, nan, nan, nan, nan, 0, nan, 0, 0, nan, nan])
    found = summarise_motion([_moments(times, np.zeros(12), roll, seen=seen), []])
    assert (found["returns"], found["return_frames"]) == (3, [1.0, 2.0])


def test_the_surest_frames_have_the_smaller_errors() -> None:
    errors = [AttitudeError(e, e, s, 1.0) for e, s in [(1.0, 0.5)] * 80 + [(10.0, 5.0)] * 20]
    found = summarise_uncertainty(errors)["surest_80_percent"]
    assert found[0] == pytest.approx(0.1)
