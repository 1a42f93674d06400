"""What is said of a frame: what it shows, where the camera points, and the row of telemetry."""

from horizon_rt.horizon.answer import Horizon, State
from horizon_rt.horizon.attitude import Attitude, roll_pitch_sd_deg
from horizon_rt.horizon.observation import Change, Measurement, Observation, View
from horizon_rt.horizon.sighting import Side

__all__ = [
    "Attitude",
    "Change",
    "Horizon",
    "Measurement",
    "Observation",
    "Side",
    "State",
    "View",
    "roll_pitch_sd_deg",
]
