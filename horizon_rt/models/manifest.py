"""The format of `manifest.toml`: which models a folder holds, and what each of them is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from horizon_rt.errors import WeightsError
from horizon_rt.models.sizes import INPUT_AREA_PX, MOST_CLASSES, NETS, NetSize
from horizon_rt.system.files import toml_text
from horizon_rt.system.toml import parse_toml, read_toml

__all__ = [
    "FILE",
    "Manifest",
    "ModelCard",
    "SigmaCalibration",
    "add",
    "card",
    "check_name",
    "class_names",
    "net_entry",
    "read",
    "usable_name",
]

FILE = "manifest.toml"
_LARGEST_FILE, _LONGEST_LINE = 65536, 4096
_LARGEST_AREA = 2048 * 2048
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_COMMENTS = {
    "input_area_px": "Net inputs are multiples of 32, the largest within this area that keep the picture's "
    "aspect.",
    "sigma": "Variance = (scale x formal sigma of the fit)^2 + (doubt x width of the doubtful band)^2; see "
    "docs/accuracy.md.",
    "presence_shift": "Added to the presence logit after training, so that doubtful frames with a clear half "
    "plane are kept.",
}


@dataclass(frozen=True, slots=True)
class SigmaCalibration:
    """How the fit's formal covariance becomes honest, measured on data that was not trained on.

    Two parts are added: `scale` times the formal standard deviation, and in each direction `boundary_width`
    times the width of the band in which the mask is ambiguous (`doubt` in a manifest). Neighbouring frames
    share the second.
    """

    scale: float
    boundary_width: float


@dataclass(frozen=True, slots=True)
class ModelCard:
    """An entry of a manifest; `net` is a name of the zoo, or the sizes of the default net.

    `input_area_px` is the largest net input, width × height. `classes` names those of a net of several, the
    first of which lies above the horizon.
    """

    name: str
    path: Path
    sha256: str
    net: str | NetSize
    sigma: SigmaCalibration
    input_area_px: int = INPUT_AREA_PX
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """The entries as they stand in the file, by name, and the name of the default."""

    default: str
    models: dict[str, dict[str, Any]]


def read(path: Path) -> Manifest:
    """The entries of a manifest, unchecked but for their names; raises WeightsError."""
    try:
        table = read_toml(path, largest=_LARGEST_FILE, longest_line=_LONGEST_LINE)
        default, models = table["default"], table["model"]
        if not (isinstance(models, dict) and all(isinstance(entry, dict) for entry in models.values())):
            raise ValueError("[model.NAME] tables are missing")
        for name in models:
            check_name(name)
        if not isinstance(default, str) or default not in models:
            raise ValueError(f"the default {default!a} is no model of it")
    except (OSError, KeyError, ValueError) as error:
        raise _unusable(path, error) from error
    return Manifest(default, models)


def _unusable(path: Path, error: Exception) -> WeightsError:
    if isinstance(error, FileNotFoundError):
        return WeightsError(f"{path.parent} holds no model: {_what_lies_there(path.parent)}")
    if path.is_file() and path.suffix != ".toml":
        return WeightsError(f"{path} is no model; give the folder of a training run, or a name")
    missing = "the key is missing: " if isinstance(error, KeyError) else ""
    reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
    return WeightsError(f"{path} is no usable manifest: {missing}{reason}")


def _what_lies_there(folder: Path) -> str:
    if (folder / "checkpoint.pt").exists():
        return "its training is not finished; go on with `horizon-rt train --resume`"
    return f"there is no {FILE}"


def card(path: Path, name: str, found: Manifest) -> ModelCard:
    """An entry of the manifest at `path`, checked; raises WeightsError."""
    try:
        return _card(path.parent, name, found.models[name])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _unusable(path, error) from error


def _card(folder: Path, name: str, entry: Mapping[str, Any]) -> ModelCard:
    file, sha256 = entry["file"], entry["sha256"]
    if not (isinstance(file, str) and _NAME.fullmatch(file)):
        raise ValueError(f"file is the name of a file beside the manifest, got {file!a}")
    if not isinstance(sha256, str):
        raise ValueError(f"sha256 is text, got {sha256}")
    return ModelCard(
        name=name,
        path=folder / file,
        sha256=sha256,
        net=_net(entry["net"]),
        sigma=SigmaCalibration(_positive(entry["sigma"]["scale"]), _positive(entry["sigma"]["doubt"])),
        input_area_px=_whole(entry.get("input_area_px", INPUT_AREA_PX), 32 * 32, _LARGEST_AREA),
        classes=class_names(entry.get("classes", [])),
    )


def class_names(given: Any) -> tuple[str, ...]:
    """The names of the classes of a net, as an entry holds them; raises ValueError for any other list."""
    if not (isinstance(given, list) and all(isinstance(n, str) and _NAME.fullmatch(n) for n in given)):
        raise ValueError(
            f"classes is a list of names of letters, digits, dots, _ and -, at most 100 each, got {given!a}"
        )
    if given and not 2 <= len(set(given)) == len(given) <= MOST_CLASSES:
        raise ValueError(f"classes are 2 to {MOST_CLASSES} different names, got {', '.join(given)}")
    if len(f"classes = {_value(given)}") > _LONGEST_LINE:
        raise ValueError(f"the names of the classes are longer together than {_LONGEST_LINE} bytes")
    return tuple(given)


def _net(entry: Any) -> str | NetSize:
    if isinstance(entry, str):
        if entry not in NETS:
            raise ValueError(f"there is no net {entry!a}; there are: {', '.join(NETS)}")
        return entry
    a, b, c, d = (_whole(value, 1, 4096) for value in entry["channels"])
    e, f = (_whole(value, 0, 64) for value in entry["blocks"])
    return NetSize(
        channels=(a, b, c, d),
        blocks=(e, f),
        attention=_whole(entry["attention"], 0, 64),
        heads=_whole(entry.get("heads", NetSize().heads), 1, 4096),
    )


def _whole(value: Any, least: int, most: int) -> int:
    if not (type(value) is int and least <= value <= most):
        raise ValueError(f"sizes are whole numbers from {least} to {most}, got {value}")
    return value


def _positive(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"sigma's scale and doubt are above 0, got {value}")
    return number


def net_entry(net: str | NetSize) -> object:
    """What stands for a net in a manifest."""
    return net if isinstance(net, str) else asdict(net)


def usable_name(folder: Path) -> str:
    """The name of a folder as that of its model, if one can be called so."""
    name = folder.resolve().name
    return name if _NAME.fullmatch(name) else "model"


def check_name(name: str) -> None:
    """Raises WeightsError for what no model can be called."""
    if not _NAME.fullmatch(name):
        raise WeightsError(f"a model's name is made of letters, digits, dots, _ and -, got {name!a}")


def add(folder: Path, name: str, entry: Mapping[str, object], weights: bytes, *, default: bool) -> ModelCard:
    """Put an entry and its weights file into a folder; see `weights.write_manifest`."""
    from horizon_rt.system.files import write_atomic

    path = folder / FILE
    check_name(name)
    old = read(path) if path.exists() else Manifest(name, {})
    found = Manifest(name if default else old.default, old.models | {name: dict(entry)})
    checked = card(path, name, found)
    text = _render(found)
    try:
        parse_toml(text.encode(), largest=_LARGEST_FILE, longest_line=_LONGEST_LINE)
    except ValueError as error:
        raise WeightsError(f"{path} cannot hold the facts of {name}: {error}") from error
    write_atomic(checked.path, weights)
    write_atomic(path, text.encode())
    return checked


def _render(found: Manifest) -> str:
    lines = ["# A file whose checksum differs from its entry is refused."]
    lines += [f"default = {_value(found.default)}"]
    for name, entry in found.models.items():
        lines += ["", f"[model.{_value(name)}]"]
        for key, value in entry.items():
            lines += [f"# {_COMMENTS[key]}"] if key in _COMMENTS else []
            lines += [f"{_key(key)} = {_value(value)}"]
    return "\n".join([*lines, ""])


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: object) -> str:
    """A TOML value."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (bool, int)):
        return json.dumps(value)
    raise WeightsError(f"a manifest holds text, numbers, lists and tables, got {value!a}")
