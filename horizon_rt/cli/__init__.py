"""The command line: one file a verb, options only."""

from __future__ import annotations

import logging
import sys
from io import TextIOWrapper

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `horizon-rt`; exits with 0 done, 1 failed, 2 usage, 130 interrupted."""
    from horizon_rt.interrupts import interrupts_raise

    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    _prepare_messages(debug=debug)
    try:
        with interrupts_raise():
            from horizon_rt.cli.app import app

            app(_camera_first([a for a in given if a != "--debug"]), prog_name="horizon-rt")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        if debug:
            raise
        from horizon_rt.messages import error_line

        print(f"error: {error_line(error)}", file=sys.stderr)
        raise SystemExit(1) from None


class _OneLine(logging.Formatter):
    """Messages without control characters; names of files stand in them."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        from horizon_rt.messages import printable

        return printable(super().formatMessage(record))


def _prepare_messages(*, debug: bool) -> None:
    """Warnings as one line on stderr, and names that the terminal cannot show with escapes."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_OneLine("%(levelname)s: %(message)s"))
        logging.lastResort.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("horizon_rt").setLevel(logging.DEBUG if debug else logging.NOTSET)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _camera_first(arguments: list[str]) -> list[str]:
    """`--camera N …` is `live N …`, so that all options of `live` follow it."""
    if arguments and arguments[0] == "--camera" and len(arguments) > 1:
        return ["live", *arguments[1:]]
    if arguments and arguments[0].startswith("--camera="):
        return ["live", arguments[0].partition("=")[2], *arguments[1:]]
    return arguments
