"""A local web page on which the horizon is drawn by hand, saved as a dataset."""
