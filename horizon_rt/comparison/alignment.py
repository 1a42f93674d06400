"""Two clocks and two sets of axes, aligned: offset, drift and mount by least squares, with their sigmas.

The rates of the two up vectors are compared at all common times, and the up vectors themselves at some:
u' = R v'(s) and u = R v(s) with s = t + offset + drift·(t − t₀). Outliers weigh little (Cauchy). Standard
deviations come from the scatter of the residuals over blocks of time (the sandwich of Huber 1967, with
blocks as in Liang and Zeger 1986), so that errors that last a while are not taken for independent ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from horizon_rt.comparison.correlation import Lag, find_lag
from horizon_rt.comparison.motion import STEP_S, Motion
from horizon_rt.errors import SourceError
from horizon_rt.geometry.rotation import rotations

__all__ = ["Alignment", "align"]

Array = NDArray[np.float64]
_LEAST_CORRELATION = 0.3
_LEAST_EVIDENCE, _LEAST_AHEAD = 12.0, 6.0
_LEAST_EVIDENCE_NEAR = 4.0  # for an offset that is known roughly
_LARGEST_SD_S = 0.5
_RATE_STEP_S, _UP_STEP_S = 0.08, 0.48
_FIRST_S = 240.0  # of the liveliest stretch, by which the clocks are aligned first
_BLOCKS, _BLOCK_S = 16, (3.0, 30.0)  # how many for the scatter, and how long they are at least and at most
_DRIFT_PRIOR, _DRIFT_SD = 2e-3, 2e-4  # usual size of a drift; the largest sigma of one that is told
_ROUNDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """log time = time + `offset_s` + `drift`·(time − `middle_s`), and camera = `rotation`·vehicle.

    `drift` is None where the recording is too short to tell it. `rotation_covariance` (3, 3) is that of a
    small turn of it, about the camera's axes, in rad²; `correlation` is that of the aligned rates, 0..1.
    """

    offset_s: float
    offset_sd_s: float
    drift: float | None
    drift_sd: float | None
    middle_s: float
    rotation: Array
    rotation_covariance: Array
    correlation: float
    overlap_s: float

    def log_time(self, time_s: Array) -> Array:
        """Times of the log in seconds for those of the telemetry."""
        return np.asarray(time_s + self.offset_s + (self.drift or 0.0) * (time_s - self.middle_s))


def align(camera: Motion, log: Motion, within_s: tuple[float, float] | None = None) -> Alignment:
    """Align a camera's motion with that of a log.

    `within_s` bounds the offset, log time minus telemetry time, in seconds. Raises SourceError, with the
    reason, where the rates of the two do not correlate enough to tell the offset.
    """
    fit = _Fit.start(_found(camera, log, within_s), camera)
    for times in _growing(camera):
        fit = fit.refined(times, camera, log)
    return _told(fit, camera, log)


def _found(camera: Motion, log: Motion, within_s: tuple[float, float] | None) -> Lag:
    """The lag of the whole recording or, as a drift may blur that, of its liveliest stretch."""
    lag = find_lag(camera, log, within_s)
    least = _LEAST_EVIDENCE if within_s is None else _LEAST_EVIDENCE_NEAR
    reason = _doubt(lag, least)
    if reason is None and lag is not None:
        return lag
    if len(camera.up) * STEP_S > 2 * _FIRST_S:
        lively = find_lag(_cut(camera, *_liveliest(camera)), log, within_s)
        if _doubt(lively, least) is None and lively is not None:
            return lively
    raise SourceError(reason)


def _doubt(lag: Lag | None, least: float) -> str | None:
    """Why a lag cannot be taken, if so; `least` is the evidence that it takes."""
    if lag is None:
        return "telemetry and log have no 8 s in common in which both move, which their offset takes"
    told = f"the rates of telemetry and log correlate by {lag.correlation:.2f} at best"
    if lag.correlation < _LEAST_CORRELATION or (lag.evidence < least and lag.correlation < 0.7):
        return f"{told}, which tells no offset; is it the log of this flight, and does it move?"
    if lag.evidence < least:
        return f"{told}, but over too few movements to tell the offset; take a longer or livelier part"
    if lag.ahead < _LEAST_AHEAD:
        return (
            f"{told}, and nearly so at several offsets: none can be told; name one with --offset SECONDS, or "
            "take a longer or livelier part"
        )
    return None


def _liveliest(camera: Motion) -> tuple[float, float]:
    """From when to when in seconds the rates are largest, over some minutes."""
    energy = np.where(camera.known, (camera.rate**2).sum(axis=1), 0.0)
    window = min(round(_FIRST_S / STEP_S), len(energy))
    sums = np.concatenate([[0.0], np.cumsum(energy)])
    start_s = camera.start_s + STEP_S * int(np.argmax(sums[window:] - sums[:-window]))
    return start_s, start_s + STEP_S * window


def _cut(motion: Motion, start_s: float, end_s: float) -> Motion:
    first, last = (round((at - motion.start_s) / STEP_S) for at in (start_s, end_s))
    part = slice(first, last)
    return Motion(motion.start_s + STEP_S * first, motion.up[part], motion.rate[part], motion.known[part])


def _growing(camera: Motion) -> list[Array]:
    """Times of the liveliest stretch, and of stretches around it, each twice as long, up to the whole."""
    times = camera.time_s[camera.known]
    first, last = float(times[0]), float(times[-1])
    low, high = _liveliest(camera)
    stretches = []
    while True:
        stretches.append(np.arange(max(first, low), min(last, high), _RATE_STEP_S))
        if low <= first and high >= last:
            return stretches
        low, high = low - 0.5 * (high - low), high + 0.5 * (high - low)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Offset at `middle_s`, drift, rotation, and the covariance (5, 5) of them; the turn is in rad."""

    offset_s: float
    drift: float
    middle_s: float
    rotation: Array
    covariance: Array
    has_drift: bool = True

    @classmethod
    def start(cls, lag: Lag, camera: Motion) -> _Fit:
        """At the lag that correlates best."""
        middle = float(camera.time_s[len(camera.up) // 2])
        return cls(lag.offset_s, 0.0, middle, lag.rotation, np.zeros((5, 5)))

    def log_time(self, time_s: Array) -> Array:
        return np.asarray(time_s + self.offset_s + self.drift * (time_s - self.middle_s))

    def refined(self, times: Array, camera: Motion, log: Motion) -> _Fit:
        """Fitted to these times, from where it is."""
        middle = float(times.mean())
        fit = _Fit(
            float(self.log_time(np.array([middle]))[0] - middle),
            self.drift,
            middle,
            self.rotation,
            self.covariance,
            self.has_drift,
        )
        for _ in range(_ROUNDS):
            step, covariance = _normal_step(fit, times, camera, log)
            fit = fit.moved(step, covariance)
            if np.abs(step).max() < 1e-7:
                break
        return fit

    def moved(self, step: Array, covariance: Array) -> _Fit:
        """After a step of offset (s), drift and turn (rad)."""
        return _Fit(
            self.offset_s + float(np.clip(step[0], -0.3, 0.3)),
            self.drift + float(step[1]),
            self.middle_s,
            rotations(step[None, 2:])[0] @ self.rotation,
            covariance,
            self.has_drift,
        )


def _normal_step(fit: _Fit, times: Array, camera: Motion, log: Motion) -> tuple[Array, Array]:
    """One step of Gauss and Newton, and the covariance of its parameters."""
    information, slope, gradient, parts = np.zeros((5, 5)), np.zeros((5, 5)), np.zeros(5), []
    every = round(_UP_STEP_S / _RATE_STEP_S)
    for values, at in (("rate", times), ("up", times[::every])):
        jacobian, residual, shown = _residuals(fit, at, camera, log, values)
        scale, trust = _cauchy(residual)
        squares = np.einsum("nij,nik->njk", jacobian, jacobian) / scale**2
        information += np.einsum("n,njk->jk", trust, squares)
        slope += np.einsum("n,njk->jk", trust**2, squares)
        scores = np.einsum("n,nij,ni->nj", trust, jacobian, residual) / scale**2
        gradient += scores.sum(axis=0)
        parts.append((shown, scores))
    gradient[1] -= fit.drift * _DRIFT_PRIOR**-2
    inverse, bread = (np.linalg.inv(_with_priors(one, fit)) for one in (information, slope))
    return inverse @ gradient, bread @ _scatter(parts) @ bread


def _with_priors(information: Array, fit: _Fit) -> Array:
    """What is known of the drift beforehand, and a little of everything, so that it can be inverted."""
    prior = np.zeros(5)
    prior[1] = _DRIFT_PRIOR**-2 if fit.has_drift else 1e20
    return np.asarray(information + np.diag(1e-9 * np.diag(information) + prior + 1e-9))


def _residuals(
    fit: _Fit, times: Array, camera: Motion, log: Motion, values: str
) -> tuple[Array, Array, Array]:
    """Derivatives (n, 3, 5), residuals (n, 3) of rates or up vectors, and the times (n,) that both know."""
    at = fit.log_time(times)
    common = camera.is_known(times) & log.is_known(at)
    times, at = times[common], at[common]
    ours, theirs = getattr(camera, values), getattr(log, values)
    turned = log.at(at, theirs) @ fit.rotation.T
    change = (log.at(at + 0.02, theirs) - log.at(at - 0.02, theirs)) @ fit.rotation.T / 0.04
    jacobian = np.empty((len(times), 3, 5))
    jacobian[:, :, 0] = change
    jacobian[:, :, 1] = change * (times - fit.middle_s)[:, None]
    for axis in range(3):
        jacobian[:, :, 2 + axis] = np.cross(np.eye(3)[axis], turned)
    return jacobian, camera.at(times, ours) - turned, times


def _cauchy(residual: Array) -> tuple[float, Array]:
    """The robust standard deviation of residuals (n, 3) that lie in a plane, and Cauchy's weights (n,).

    In a plane the mean derivative of the weighted residual, w·r, is w².
    """
    size = np.linalg.norm(residual, axis=1)
    scale = max(float(np.median(size)) if len(size) else 0.0, 1e-6) / 1.18
    return scale, 1.0 / (1.0 + (size / (2.4 * scale)) ** 2)


def _scatter(parts: list[tuple[Array, Array]]) -> Array:
    """The sum of outer products of the scores, added up over blocks of time, (5, 5)."""
    every = np.concatenate([shown for shown, _ in parts])
    start, span = (float(every.min()), float(np.ptp(every))) if len(every) else (0.0, 0.0)
    length = float(np.clip(span / _BLOCKS, *_BLOCK_S))
    blocks: dict[int, Array] = {}
    for shown, scores in parts:
        number = ((shown - start) / length).astype(np.intp)
        for block in np.unique(number).tolist():
            blocks[block] = blocks.get(block, np.zeros(5)) + scores[number == block].sum(axis=0)
    sums = np.array(list(blocks.values())).reshape(-1, 5)
    return np.asarray(len(sums) / max(len(sums) - 5, 1) * sums.T @ sums)


def _told(fit: _Fit, camera: Motion, log: Motion) -> Alignment:
    whole = _growing(camera)[-1]
    has_drift = bool(fit.covariance[1, 1] ** 0.5 <= _DRIFT_SD)
    if not has_drift:
        fixed = _Fit(fit.offset_s, 0.0, fit.middle_s, fit.rotation, fit.covariance, has_drift=False)
        fit = fixed.refined(whole, camera, log)
    sd = np.sqrt(np.maximum(np.diag(fit.covariance), 0.0))
    correlation, overlap_s = _correlation(fit, whole, camera, log)
    if correlation < _LEAST_CORRELATION or not sd[0] <= _LARGEST_SD_S:
        raise SourceError(
            f"the rates of telemetry and log correlate too little ({correlation:.2f}) to tell the offset "
            f"(± {sd[0]:.2f} s); take a longer or livelier part"
        )
    return Alignment(
        offset_s=fit.offset_s,
        offset_sd_s=float(sd[0]),
        drift=fit.drift if has_drift else None,
        drift_sd=float(sd[1]) if has_drift else None,
        middle_s=fit.middle_s,
        rotation=fit.rotation,
        rotation_covariance=fit.covariance[2:, 2:],
        correlation=correlation,
        overlap_s=overlap_s,
    )


def _correlation(fit: _Fit, times: Array, camera: Motion, log: Motion) -> tuple[float, float]:
    """Of the aligned rates, and for how many seconds both are known."""
    at = fit.log_time(times)
    common = camera.is_known(times) & log.is_known(at)
    ours = camera.at(times[common], camera.rate)
    theirs = log.at(at[common], log.rate) @ fit.rotation.T
    norm = np.sqrt((ours**2).sum() * (theirs**2).sum())
    return float((ours * theirs).sum() / norm) if norm > 0 else 0.0, _RATE_STEP_S * int(common.sum())
