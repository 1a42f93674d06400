"""Levelled video: from the attitude of each frame to where each pixel of its levelled picture comes from."""

from horizon_rt.levelling.bounds import SURE
from horizon_rt.levelling.following import RollFollower
from horizon_rt.levelling.geometry import Shutter, Turn, needed_zoom, source_points
from horizon_rt.levelling.plan import LevelPlan, LevelSettings, plan_level
from horizon_rt.levelling.trajectory import AttitudeTrack
from horizon_rt.levelling.warp import Leveller

__all__ = [
    "SURE",
    "AttitudeTrack",
    "LevelPlan",
    "LevelSettings",
    "Leveller",
    "RollFollower",
    "Shutter",
    "Turn",
    "needed_zoom",
    "plan_level",
    "source_points",
]
