"""Random numbers that several makers of pictures draw."""

from __future__ import annotations

import numpy as np

__all__ = ["log_uniform"]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Between `low` and `high`, every factor as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
