"""The command line: one file a verb, options only."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `horizon-rt`; exits with 0 done, 1 failed, 2 usage, 130 interrupted."""
    from horizon_rt.cli.style import take_style, use_style
    from horizon_rt.system.interrupts import interrupts_raise
    from horizon_rt.system.process import hide_arguments

    try:
        style, others = take_style(sys.argv[1:] if arguments is None else arguments)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    use_style(style)
    if arguments is None:
        hide_arguments()  # before all imports, which take a second
    try:
        with interrupts_raise():
            from horizon_rt.cli.app import program

            program(_camera_first(others), prog_name="horizon-rt")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        if style.debug:
            raise
        from horizon_rt.errors import OptionsError

        _print_error(error)
        raise SystemExit(2 if isinstance(error, OptionsError) else 1) from None


def _print_error(error: Exception) -> None:
    from horizon_rt.cli.style import current_style, write_record
    from horizon_rt.system.messages import error_line

    if current_style().progress == "jsonl":
        write_record("error", text=error_line(error))
    else:
        print(f"error: {error_line(error)}", file=sys.stderr)


def _camera_first(arguments: list[str]) -> list[str]:
    """`--camera N …` is `live N …`, so that all options of `live` follow it."""
    if arguments and arguments[0] == "--camera" and len(arguments) > 1:
        return ["live", *arguments[1:]]
    if arguments and arguments[0].startswith("--camera="):
        return ["live", arguments[0].partition("=")[2], *arguments[1:]]
    return arguments
