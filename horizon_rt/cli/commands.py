"""What all commands share: flags without a type in the help, and hints for who names no command."""

from __future__ import annotations

import os
import shlex
from typing import Any

from typer.core import TyperCommand, TyperGroup

from horizon_rt.system.address import is_address, without_secrets
from horizon_rt.system.messages import printable

__all__ = ["HELP_NAMES", "Command", "Group"]

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class Command(TyperCommand):
    """A command whose help gives no type for flags, which take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, with that of --help."""
        return _untyped(super().get_params(ctx))


class Group(TyperGroup):
    """As `Command`; who names a source where a command belongs is told the command for it.

    Errors of commands all reach `main`: Typer takes an EOFError, as of a damaged file, for Ctrl-D.
    """

    def invoke(self, ctx: Any) -> Any:
        """See `click.Group`."""
        try:
            return super().invoke(ctx)
        except EOFError as error:
            raise RuntimeError(f"a file ends too early: {error}") from error
        except Exception as error:
            _clean(error)
            raise

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, with that of --help."""
        return _untyped(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """As the base says; a usage error that names `track` or `live` for a source without a command."""
        if ctx.parent is None and self.get_command(ctx, args[0]) is None and _is_source(args[0]):
            verb = "live" if _is_camera(args[0]) or is_address(args[0]) else "track"
            named = [without_secrets(word) for word in args]
            ctx.fail(f"'{named[0]}' is no command; did you mean: horizon-rt {shlex.join([verb, *named])}")
        return super().resolve_command(ctx, args)


def _clean(error: Any) -> None:
    """Escape control characters in a usage error: the pattern of a shell puts names of files into it."""
    text = getattr(error, "message", None)
    if isinstance(text, str):
        error.message = "\n".join(map(printable, text.split("\n")))


def _untyped(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


def _is_source(text: str) -> bool:
    """Whether it can be a source, and no misspelt command: those are letters alone."""
    return not text.isalpha() or os.path.exists(text)


def _is_camera(text: str) -> bool:
    return text.isdecimal() or text.startswith("/dev/video")
