"""Horizons over time: the filter and its states, and the smoother of whole recordings."""

from horizon_rt.tracking.answer import answer_at, answer_for, smooth_horizons
from horizon_rt.tracking.beside import LooksBeside
from horizon_rt.tracking.filter import Filter, NoFilter, Track, TrackFilter
from horizon_rt.tracking.hypothesis import TrackSettings
from horizon_rt.tracking.key_frames import KeyFrames, KeyFrameSettings
from horizon_rt.tracking.presence import Presence, PresenceSettings, believed_throughout
from horizon_rt.tracking.rewind import RewindFilter
from horizon_rt.tracking.scene_change import SceneChangeDetector
from horizon_rt.tracking.smoother import smooth_tracks

__all__ = [
    "Filter",
    "KeyFrameSettings",
    "KeyFrames",
    "LooksBeside",
    "NoFilter",
    "Presence",
    "PresenceSettings",
    "RewindFilter",
    "SceneChangeDetector",
    "Track",
    "TrackFilter",
    "TrackSettings",
    "answer_at",
    "answer_for",
    "believed_throughout",
    "smooth_horizons",
    "smooth_tracks",
]
