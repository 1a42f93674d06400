"""What others on this machine can see of this process."""

from __future__ import annotations

import sys

__all__ = ["hide_argument"]


def hide_argument(secret: str, instead: str) -> bool:
    """Have the list of processes show `instead` in place of an argument; whether that could be done."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        return False
    words = ("horizon-rt", *(instead if word == secret else word for word in sys.argv[1:]))
    setproctitle(" ".join(words))
    return True
