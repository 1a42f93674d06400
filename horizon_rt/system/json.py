"""The one reader of foreign JSON: what is wrong with a text is a ValueError, whatever it holds."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["parse_object", "parse_value"]


def parse_object(data: bytes | str) -> dict[str, Any]:
    """The object of a UTF-8 text; raises ValueError, with the reason in one line."""
    value = parse_value(data)
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    return value


def parse_value(data: bytes | str) -> Any:
    """The value of a UTF-8 text; raises ValueError, with the reason in one line.

    Python's parser has errors of its own for deep nesting and for numbers of thousands of digits.
    """
    try:
        return json.loads(data.decode("utf-8-sig") if isinstance(data, bytes) else data)
    except RecursionError as error:
        raise ValueError("its values are nested too deep") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 text, as byte {error.start + 1} shows") from error
