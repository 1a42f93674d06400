"""Options from a TOML file: `--config FILE` and `--print-config` for a command.

The keys are the long names of the command's own options, as typer knows them, so that a new option has a key
at once. What a file says stands in the place of defaults: the command line goes before it.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer

from horizon_rt.cli.config_values import placed, relative_to, take_value
from horizon_rt.cli.options import Command
from horizon_rt.errors import OptionsError
from horizon_rt.options import Named
from horizon_rt.system.address import is_address, split_name, without_secrets
from horizon_rt.system.files import toml_text
from horizon_rt.system.toml import read_toml

__all__ = ["configured"]

_OWN = ("config", "print_config", "help")
# An address without a password, whose query has only options of links and where its password is.
_HARMLESS = re.compile(
    r"[a-z0-9+.-]+://([^\s:@/?#]+@)?[^\s@?#]*(\?((password-file|password-env|rate|system|component|baud)=[^&\s]*&?)+)?",
    re.IGNORECASE,
)
_NOT_SHOWN = "  # user, password and query are not shown"
_FILE = "horizon_rt.config"
"""Where a context keeps the values of its file as they are written there."""


def configured(command: Command) -> Command:
    """Give a command `--config` and `--print-config`; what is wrong in the file is a usage error."""
    parameters = inspect.signature(command).parameters
    names = {name: _named(parameter.annotation) for name, parameter in parameters.items()}

    def load(ctx: typer.Context, path: Path | None) -> Path | None:
        if path is not None and not ctx.resilient_parsing:
            try:
                _load(ctx, path, names)
            except OptionsError as error:
                raise typer.BadParameter(f"{path}: {error}", ctx=ctx, param_hint="--config") from None
        return path

    @wraps(command)
    def run(ctx: typer.Context, config: Path | None, print_config: bool, **values: Any) -> None:
        if print_config:
            print("\n".join(_printed(ctx, names)))
        else:
            command(**values)

    more = (
        Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context),
        Parameter("config", Parameter.KEYWORD_ONLY, default=None, annotation=_config_option(load)),
        Parameter("print_config", Parameter.KEYWORD_ONLY, default=False, annotation=_PRINT),
    )
    run.__signature__ = inspect.Signature([*parameters.values(), *more])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in (*parameters.values(), *more)}
    return run


_PRINT = Annotated[
    bool, typer.Option("--print-config", help="Print all options with their values as TOML, and end.")
]


def _config_option(load: Callable[..., object]) -> Any:
    return Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            is_eager=True,
            callback=load,
            help="Options from a TOML file, a key each; those given here go before them.",
        ),
    ]


def _named(hint: Any) -> Named | None:
    """What a parameter names: a Path is a file, others say it in their Annotated notes."""
    if get_origin(hint) is not Annotated:
        return None
    kind, *notes = get_args(hint)
    note = next((note for note in notes if note in get_args(Named)), None)
    return note or ("file" if kind is Path or Path in get_args(kind) else None)


def _options(ctx: typer.Context) -> dict[str, Any]:
    """The parameters of a command by their keys."""
    return {_key(p): p for p in ctx.command.params if p.name not in _OWN}


def _key(parameter: Any) -> str:
    return str(parameter.opts[0]).lstrip("-")


def _load(ctx: typer.Context, path: Path, names: Mapping[str, Named | None]) -> None:
    """Make the values of a file the defaults of a command; raises OptionsError."""
    known = _options(ctx)
    written, folder = _read(path), Path(os.path.abspath(path.parent))
    for key in written:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise OptionsError(f"there is no key {key[:100]!a}{hint}; there are: {', '.join(sorted(known))}")
    ctx.default_map = dict(ctx.default_map or {})
    for key, value in written.items():
        name = known[key].name
        taken = take_value(key, value, known[key], folder, names.get(name))
        _check(ctx, key, value, known[key], taken)
        ctx.default_map[name] = taken
    ctx.meta[_FILE] = {known[key].name: placed(value, folder) for key, value in written.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError as error:
        raise OptionsError(f"it cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise OptionsError(f"it is no TOML: {error}") from None


def _check(ctx: typer.Context, key: str, value: Any, parameter: Any, taken: Any) -> None:
    """Raises OptionsError for a value that the option does not take, without the text of a secret."""
    try:
        parameter.process_value(ctx, taken)
    except typer.BadParameter as error:
        is_secret = any(isinstance(one, dict) for one in (value if isinstance(value, list) else [value]))
        reason = "what it refers to does not fit" if is_secret else without_secrets(error.message)
        raise OptionsError(f"{key}: {reason}") from None


def _printed(ctx: typer.Context, names: Mapping[str, Named | None]) -> Iterator[str]:
    """The effective options as TOML, with references for secrets, and without the secrets of addresses."""
    written = ctx.meta.get(_FILE, {})
    for key, parameter in _options(ctx).items():
        value = _located(ctx.params[parameter.name], names.get(parameter.name))
        source = ctx.get_parameter_source(parameter.name)
        from_file = written.get(parameter.name) if source and source.name == "DEFAULT_MAP" else None
        if parameter.nargs != 1 and len(value) == 1:
            (value,), from_file = value, from_file[0] if isinstance(from_file, list) else from_file
        yield f"# {parameter.help}"
        if value is None or value == []:
            yield f"# {key} ="
            continue
        hidden = any(_hidden(one) != one for one in _texts(value)) and not isinstance(from_file, dict)
        yield f"{key} = {_shown(value, from_file)}" + (_NOT_SHOWN if hidden else "")


def _located(value: Any, named: Named | None) -> Any:
    """A value with paths that hold in any folder."""
    if isinstance(value, list | tuple):
        return [_located(one, named) for one in value]
    return value if named is None or value is None else relative_to(str(value), Path.cwd(), named)


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def _hidden(text: str) -> str:
    """A value without secrets; the options of a link, which stand in its query, are none."""
    name, rest = split_name(text)
    if _HARMLESS.fullmatch(rest) or (not is_address(rest) and "@" not in text):
        return text
    return f"{name}={without_secrets(rest)}" if name else without_secrets(text)


def _shown(value: Any, from_file: Any = None) -> str:
    if isinstance(from_file, dict):
        ((kind, name),) = from_file.items()
        return f"{{ {kind} = {toml_text(name)} }}"
    if isinstance(value, list | tuple):
        given = from_file if isinstance(from_file, list) else [from_file] * len(value)
        return f"[{', '.join(map(_shown, value, given))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return toml_text(_hidden(str(value)))
