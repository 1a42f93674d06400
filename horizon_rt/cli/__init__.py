"""The command line: one file a verb, options only."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `horizon-rt`; exits with 0 done, 1 failed, 2 usage, 130 interrupted."""
    from horizon_rt.cli.app import app
    from horizon_rt.errors import HorizonError

    given = _camera_first(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        app([a for a in given if a != "--debug"], prog_name="horizon-rt")
    except HorizonError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None


def _camera_first(arguments: list[str]) -> list[str]:
    """`--camera N …` is `live N …`, so that all options of `live` follow it."""
    if arguments and arguments[0] == "--camera" and len(arguments) > 1:
        return ["live", *arguments[1:]]
    if arguments and arguments[0].startswith("--camera="):
        return ["live", arguments[0].partition("=")[2], *arguments[1:]]
    return arguments
