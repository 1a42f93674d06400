"""Procedural scenes, panorama views, trajectories: frames with exact truth."""
