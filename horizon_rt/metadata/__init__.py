"""What a file's own metadata tell of the lens that it was taken with."""

from horizon_rt.metadata.lens import METADATA, FoundLens, lens_of_file, lens_of_pictures

__all__ = ["METADATA", "FoundLens", "lens_of_file", "lens_of_pictures"]
