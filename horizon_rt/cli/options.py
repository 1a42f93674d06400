"""Dataclasses of `horizon_rt.options` as options of a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import fields
from functools import wraps
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer

from horizon_rt.errors import OptionsError
from horizon_rt.options import Help, Part, from_flat, help_of, option_fields

if TYPE_CHECKING:
    from horizon_rt.sources.v4l2 import Exposure

__all__ = [
    "PART",
    "Command",
    "net_input_size",
    "option_of",
    "parse_exposure",
    "parse_size",
    "repeatable",
    "takes",
]

Command = Callable[..., None]
PART = tuple(item.name for item in fields(Part))
"""The options of a command that can take a part of a recording; the others omit them."""


def takes(*, omit: Collection[str] = (), **groups: type[Any]) -> Callable[[Command], Command]:
    """Give a command the options of dataclasses: each parameter named in `groups` receives one.

    Fields without `Help`, and those named by `omit`, keep their defaults. OptionsError is a usage error.
    """

    def decorate(command: Command) -> Command:
        hints = get_type_hints(command, include_extras=True)
        parameters: list[Parameter] = []
        for parameter in inspect.signature(command).parameters.values():
            if parameter.name in groups:
                parameters += _parameters(groups[parameter.name], omit)
            else:
                kind = hints[parameter.name]
                parameters.append(parameter.replace(annotation=kind, kind=Parameter.KEYWORD_ONLY))

        @wraps(command)
        def run(**values: Any) -> None:
            for name, kind in groups.items():
                own = {item.name for item, _ in option_fields(kind)} & values.keys() - set(omit)
                values[name] = _value(kind, {field: values.pop(field) for field in own})
            command(**values)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _parameters(kind: type[Any], omit: Collection[str]) -> list[Parameter]:
    found = []
    for item, hint in option_fields(kind):
        value, text = help_of(hint)
        if text is not None and item.name not in omit:
            note: Any = Annotated[value, _option(item.name, text), text.named]
            found.append(Parameter(item.name, Parameter.KEYWORD_ONLY, default=item.default, annotation=note))
    return found


def _option(name: str, text: Help) -> Any:
    return typer.Option(
        *(() if text.flag is None else (text.flag,)),
        help=text.text,
        metavar=text.metavar,
        min=text.minimum,
        max=text.maximum,
        autocompletion=_COMPLETIONS.get(name),
    )


def _model_names() -> list[str]:
    from horizon_rt.models.weights import shipped_models

    return list(shipped_models())


def _profile_names() -> list[str]:
    from horizon_rt.camera.profile_files import profile_names

    return list(profile_names())


_COMPLETIONS = {"model": _model_names, "camera_profile": _profile_names}
"""What a shell offers as the value of an option, by its field."""


def _value(kind: type[Any], values: dict[str, Any]) -> Any:
    try:
        return from_flat(kind, values)
    except OptionsError as error:
        raise typer.BadParameter(str(error)) from error


def option_of(kind: type[Any], name: str) -> Any:
    """The option of a field of a dataclass, for a command that takes that field alone."""
    (text,) = (help_of(hint)[1] for item, hint in option_fields(kind) if item.name == name)
    assert text is not None
    return _option(name, text)


def repeatable(literal: Any, text: str) -> Any:
    """An option of values of a Literal that may be given several times; a list of text."""
    known = get_args(literal)

    def parse(value: str) -> str:
        if value not in known:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(known)}")
        return value

    return typer.Option(parser=parse, metavar=f"<{'|'.join(known)}>", help=text)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of a --size; a usage error for anything else."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        width = height = 0
    if width < 1 or height < 1:
        raise typer.BadParameter(f"--size is WIDTHxHEIGHT, such as 1280x720, got '{text}'")
    return width, height


def parse_exposure(text: str) -> Exposure:
    """What --exposure says; a usage error for anything else."""
    named: dict[str, Exposure] = {"auto": "auto", "locked": "locked"}
    if text in named:
        return named[text]
    try:
        time_ms = float(text)
    except ValueError:
        time_ms = 0.0
    if not 0.1 <= time_ms <= 10_000:
        raise typer.BadParameter(f"--exposure is auto, locked or a time of 0.1 to 10000 ms, got {text!r}")
    return time_ms


def net_input_size(text: str) -> tuple[int, int]:
    """As `parse_size`, for the input of a net."""
    width, height = parse_size(text)
    if width % 32 or height % 32 or max(width, height) > 2048:
        raise typer.BadParameter(f"a net input has sides of multiples of 32 up to 2048 px, got '{text}'")
    return width, height
