"""Where things lie on this machine: what the package ships, the datasets, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder", "data_root", "shipped_folder"]

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder(name: str) -> Path:
    """A folder that ships with the program, such as 'weights': in an installed package, or in a checkout."""
    installed = _PACKAGE / f"_{name}"
    return installed if installed.is_dir() else _PACKAGE.parent / name


def data_root() -> Path | None:
    """Folder of the datasets: HORIZON_RT_DATA, else `../shared/data` beside a checkout; None if absent."""
    given = os.environ.get("HORIZON_RT_DATA")
    root = Path(given) if given else _PACKAGE.parents[1] / "shared" / "data"
    return root if root.is_dir() else None


def cache_folder() -> Path:
    """Where this user's programs keep what they can make again; HORIZON_RT_CACHE names another place."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("HORIZON_RT_CACHE") or user_cache_path("horizon-rt"))
