"""From a frame to the probability of 'above the horizon'."""

from horizon_rt.segmentation.letterbox import Letterbox
from horizon_rt.segmentation.mask import Segmentation
from horizon_rt.segmentation.segmenter import OnStage, Segmenter, no_op

__all__ = ["Letterbox", "OnStage", "Segmentation", "Segmenter", "no_op"]
