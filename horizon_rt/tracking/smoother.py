"""The fixed-interval smoother: what a whole recording tells of each of its frames.

The filter runs forward and keeps its steps; then a sweep back lets each state know what came after it (Rauch,
Tung and Striebel 1965), in the tangent plane of the sphere. There is no lag, and gaps are bridged from both
sides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from horizon_rt.geometry.sphere import offset, turn
from horizon_rt.horizon import Observation
from horizon_rt.tracking.filter import LOST, Step, Track, TrackFilter
from horizon_rt.tracking.hypothesis import TrackSettings, attitude_of
from horizon_rt.tracking.kalman import KalmanState
from horizon_rt.tracking.presence import believed_throughout

__all__ = ["smooth_tracks"]

_SETTINGS = TrackSettings(acquire_s=2.5, coast_s=5.0)  # gaps up to there are bridged
_COAST_S = TrackSettings().coast_s  # how long a track goes on after its last measurement


def smooth_tracks(
    frames: Iterable[tuple[float, Observation]], settings: TrackSettings = _SETTINGS
) -> list[Track]:
    """The track at each frame of a recording, from its time in seconds and its observation.

    Frames whose measurement was used are 'tracking', those between them and the 2 s after the last one
    'coasting', then 'lost'; a track of less than `confirm_frames` measurements is 'acquiring' up to its last,
    and so are frames where the looks do not believe in a horizon (`believed_throughout`) or nearly nothing is
    known.
    """
    frames = list(frames)
    # The smoother runs the filter backwards, which knows of no slowing down.
    forward = TrackFilter(replace(settings, rate_decay_s=math.inf), record=True)
    for time_s, observation in frames:
        forward.update(time_s, observation)
    steps, beliefs = forward.steps or [], believed_throughout(frames)
    tracks: list[Track] = []
    starts = [i for i, step in enumerate(steps) if step.predicted is None] or [0]
    for first, last in zip([0, *starts], [*starts, len(steps)], strict=True):
        tracks += _smooth_run(steps[first:last], beliefs[first:last], settings)
    return tracks


def _smooth_run(run: Sequence[Step], beliefs: Sequence[bool], settings: TrackSettings) -> list[Track]:
    """The tracks of one unbroken track, followed by frames without any."""
    used = [i for i, step in enumerate(run) if step.used]
    if not used:
        return [LOST] * len(run)
    states = _sweep_back(run[: used[-1] + 1])
    confirmed = len(used) >= settings.confirm_frames
    tracks, belief = [], False
    for step, smoothed, believed in zip(run, states, beliefs, strict=False):
        belief = believed if step.used else belief
        attitude = attitude_of(smoothed, step.correlated)
        doubtful = not (confirmed and belief) or settings.is_useless(attitude)
        tracks.append(Track("acquiring" if doubtful else "tracking" if step.used else "coasting", attitude))
    for step in run[len(tracks) :]:
        if step.filtered is None or not confirmed or step.time_s - run[used[-1]].time_s > _COAST_S:
            tracks.append(LOST)
        else:
            attitude = attitude_of(step.filtered, step.correlated)
            tracks.append(Track("coasting" if belief else "acquiring", attitude))
    return tracks


def _sweep_back(run: Sequence[Step]) -> list[KalmanState]:
    """The smoothed states of frames that all have a track, the first of which began it."""
    states = [step.filtered for step in run if step.filtered is not None]
    for k in range(len(run) - 2, -1, -1):
        after, predicted = run[k + 1], run[k + 1].predicted
        assert predicted is not None
        states[k] = _step_back(states[k], predicted, states[k + 1], after.time_s - run[k].time_s)
    return states


def _step_back(filtered: KalmanState, predicted: KalmanState, later: KalmanState, dt: float) -> KalmanState:
    """The state with what the smoothed one after it tells; tangent axes travel with the prediction.

    x + C·(x' − Fx), P + C·(P' − P⁻)·Cᵀ with C = P·Fᵀ·(P⁻)⁻¹.
    """
    motion = np.eye(4)
    motion[0, 2] = motion[1, 3] = dt
    gain = np.linalg.solve(predicted.covariance, motion @ filtered.covariance).T
    basis = predicted.frame[:, :2]
    change = np.array(
        [*offset(predicted.frame, later.frame[:, 2]), *(basis.T @ later.rate - predicted.velocity)]
    )
    step = gain @ change
    frame = filtered.frame.copy()
    turn(frame, step[0], step[1])
    covariance = filtered.covariance + gain @ (later.covariance - predicted.covariance) @ gain.T
    return KalmanState(frame, filtered.velocity + step[2:], 0.5 * (covariance + covariance.T))
