"""dataset.toml of labelled frames."""

from __future__ import annotations

import json
from pathlib import Path

from horizon_rt.files import write_whole

__all__ = ["write_card"]

_UNSTATED = "not stated"


def write_card(
    folder: Path, *, name: str | None, source: str, scene: str | None, licence: str | None
) -> bool:
    """dataset.toml, unless there is one; whether it was written. Raises OutputError."""
    path = folder / "dataset.toml"
    if path.exists():
        return False
    card = {
        "name": name or folder.resolve().name,
        "licence": licence or _UNSTATED,
        "source": source,
        "scene": scene or _UNSTATED,
        "modality": "rgb",
        "truth": "line, drawn by hand",
    }
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in card.items())
    write_whole(path, text.encode(errors="replace"))
    return True


def _toml(text: str) -> str:
    # A JSON string without escapes beyond ASCII's is a TOML basic string too, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
