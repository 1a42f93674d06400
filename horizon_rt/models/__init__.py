"""Models: their manifest and weights on disk, and the nets that they are for."""
