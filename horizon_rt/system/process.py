"""What others on this machine can see of this process."""

from __future__ import annotations

import sys

from horizon_rt.system.address import without_secrets

__all__ = ["arguments_tell", "hide_arguments"]


def arguments_tell() -> bool:
    """Whether an argument of this process is an address with a secret."""
    return any(_hidden(word) != word for word in sys.argv[1:])


def hide_arguments() -> bool:
    """Have the list of processes show the arguments without secrets; whether that could be done."""
    if sys.platform == "win32":
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
