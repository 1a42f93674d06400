"""From the mask to the horizon of one frame, with its covariance; or the refusal of a frame without one."""

from horizon_rt.fitting.fitter import HorizonFitter
from horizon_rt.fitting.refiner import HorizonRefiner
from horizon_rt.fitting.uncertainty import DEFAULT_UNCERTAINTY, Uncertainty

__all__ = ["DEFAULT_UNCERTAINTY", "HorizonFitter", "HorizonRefiner", "Uncertainty"]
