"""Values of a configuration file as words of the command line, with references looked up and paths placed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from horizon_rt.errors import OptionsError
from horizon_rt.options import Named
from horizon_rt.system.address import split_name

__all__ = ["placed", "relative_to", "take_value"]

_LARGEST_SECRET = 4096
_NO_PATH = re.compile(r"-|[0-9]+|[a-z][a-z0-9+.-]+:.*", re.IGNORECASE | re.DOTALL)  # a source that is no file


def take_value(key: str, value: Any, parameter: Any, folder: Path, named: Named | None) -> Any:
    """A value as typer takes it: true or false for a flag, else the words of the command line."""
    if getattr(parameter, "is_flag", False):
        if not isinstance(value, bool):
            raise OptionsError(f"{key} is true or false")
        return value
    if not parameter.multiple and parameter.nargs == 1:
        return _word(key, value, folder, named)
    return [_word(key, one, folder, named) for one in (value if isinstance(value, list) else [value])]


def _word(key: str, value: Any, folder: Path, named: Named | None) -> str:
    if isinstance(value, dict):
        return relative_to(_secret(key, value, folder), folder, named)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise OptionsError(
            f"{key} takes one text or number" + (", no list" if isinstance(value, list) else "")
        )
    try:
        return relative_to(str(value), folder, named)
    except ValueError:  # a number of thousands of digits
        raise OptionsError(f"{key} takes no number of that size") from None


def _secret(key: str, reference: Mapping[str, Any], folder: Path) -> str:
    """The text that { file = … } or { env = … } stands for."""
    if len(reference) == 1 and isinstance(name := reference.get("env"), str):
        if name not in os.environ:
            raise OptionsError(f"{key}: there is no environment variable {name[:100]!a}")
        return os.environ[name]
    if len(reference) == 1 and isinstance(name := reference.get("file"), str):
        return _file_text(key, folder, name)
    raise OptionsError(f'{key} is a value, {{ file = "PATH" }} or {{ env = "NAME" }}')


def _file_text(key: str, folder: Path, name: str) -> str:
    try:
        with (folder / name).open("rb") as file:
            data = file.read(_LARGEST_SECRET + 1)
        text = data.decode().strip()
    except OSError as error:
        raise OptionsError(f"{key}: {name[:200]!a} cannot be read: {error.strerror}") from None
    except ValueError:
        raise OptionsError(f"{key}: {name[:200]!a} is no text") from None
    if not text.isprintable() or len(data) > _LARGEST_SECRET:
        raise OptionsError(f"{key}: {name[:200]!a} holds more than one line of {_LARGEST_SECRET} bytes")
    return text


def relative_to(text: str, folder: Path, named: Named | None) -> str:
    """A path of a file in the folder of that file; what may be a name is one where nothing is there, unless
    it is the file of {name}. Of NAME=SOURCE the source is meant.
    """
    if named == "source":
        name, source = split_name(text)
        if name:
            return f"{name}={relative_to(source, folder, named)}"
    is_other = {"file": text == "-", "name": False, "source": _NO_PATH.fullmatch(text) is not None}
    if named is None or is_other[named]:
        return text
    path = folder / text
    place, colon, _ = text.rpartition(":")
    known = path if named != "name" or not colon else folder / place
    try:
        is_file = named != "name" or known.exists() or ("{" in text and path.suffix != "")
        return str(path) if is_file else text
    except (OSError, ValueError):
        return text


def placed(value: Any, folder: Path) -> Any:
    """A value of a file as another file elsewhere can hold it."""
    if isinstance(value, list):
        return [placed(one, folder) for one in value]
    if isinstance(value, dict) and "file" in value:
        return {"file": str(folder / value["file"])}
    return value
