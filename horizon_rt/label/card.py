"""dataset.toml of labelled frames."""

from __future__ import annotations

from pathlib import Path

from horizon_rt.system.files import toml_text, write_atomic

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
    text = "".join(f"{key} = {toml_text(value)}\n" for key, value in card.items())
    write_atomic(path, text.encode(errors="replace"))
    return True
