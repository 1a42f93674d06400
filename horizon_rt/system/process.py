"""What others on this machine can see of this process."""

from __future__ import annotations

import sys

from horizon_rt.system.address import without_secrets
from horizon_rt.system.host import ARGUMENTS_CAN_BE_HIDDEN

__all__ = ["hide_arguments"]


def hide_arguments() -> bool:
    """Have the list of processes show the arguments without secrets, if they hold any; whether it shows none
    then.
    """
    if all(_hidden(word) == word for word in sys.argv[1:]):
        return True
    if not ARGUMENTS_CAN_BE_HIDDEN:
        return False
    try:
        from setproctitle import setproctitle
    except ImportError:
        return False
    setproctitle(" ".join(("horizon-rt", *map(_hidden, sys.argv[1:]))))
    return True


def _hidden(word: str) -> str:
    """An argument, or --option=ADDRESS, without secrets."""
    option, equals, address = word.partition("=")
    if equals and word.startswith("--"):
        return f"{option}={without_secrets(address)}"
    return without_secrets(word)
