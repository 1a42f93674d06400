"""What is sure enough to level by, and how fast an attitude that was lost is taken up again."""

from __future__ import annotations

import math

__all__ = ["SURE", "SWING"]

SURE = math.radians(4.0)
"""The largest standard deviation in rad of an attitude to level by."""
SWING = math.radians(60.0)
"""rad/s at which one that was lost is taken up again."""
