"""Datasets with truth: folders of this project's format and readers of foreign ones.

One interface for all: a `Dataset` gives frames, each with its `Label` of line, mask or attitude.
"""

from horizon_rt.datasets.base import Dataset, Example, Label, LabelledFrame, MaskFile, TruthKind
from horizon_rt.datasets.detect import FORMATS, open_dataset
from horizon_rt.datasets.folder import LabelledImage, read_horizons
from horizon_rt.datasets.masks import open_mask_folder, parse_palette
from horizon_rt.datasets.splits import SplitPart, is_held_out, is_split, split_part

__all__ = [
    "FORMATS",
    "Dataset",
    "Example",
    "Label",
    "LabelledFrame",
    "LabelledImage",
    "MaskFile",
    "SplitPart",
    "TruthKind",
    "is_held_out",
    "is_split",
    "open_dataset",
    "open_mask_folder",
    "parse_palette",
    "read_horizons",
    "split_part",
]
