"""Shipped models: `weights/manifest.toml` says what each file is; a file that does not match is refused."""

from __future__ import annotations

import hashlib
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from horizon_rt.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    from horizon_rt.segmentation.net import HorizonNet

__all__ = ["ModelCard", "SigmaScale", "default_model", "load_net", "weights_folder"]


@dataclass(frozen=True, slots=True)
class SigmaScale:
    """How the fit's formal covariance becomes honest, measured on data that was not trained on.

    The standard deviation is `scale` times the formal one, and at least `floor_deg` in each direction.
    """

    scale: float
    floor_deg: float


@dataclass(frozen=True, slots=True)
class ModelCard:
    """An entry of the manifest."""

    name: str
    path: Path
    sha256: str
    channels: tuple[int, int, int, int]
    blocks: tuple[int, int]
    attention: int
    sigma: SigmaScale


def weights_folder() -> Path:
    """The folder of the shipped weights: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_weights"
    return installed if installed.is_dir() else package.parent / "weights"


def default_model(manifest: Path | None = None, name: str | None = None) -> ModelCard:
    """The manifest's entry of this name (its default if None); raises WeightsError."""
    manifest = manifest or weights_folder() / "manifest.toml"
    try:
        table = tomllib.loads(manifest.read_text(encoding="utf-8"))
        name = table["default"] if name is None else name
        if name not in table["model"]:
            raise WeightsError(f"no model '{name}' in {manifest}; there are: {', '.join(table['model'])}")
        return _card(manifest.parent, name, table["model"][name])
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{manifest} is no usable manifest: {error}") from error


def _card(folder: Path, name: str, entry: dict[str, Any]) -> ModelCard:
    a, b, c, d = _counts(entry["net"]["channels"])
    e, f = _counts(entry["net"]["blocks"])
    (attention,) = _counts([entry["net"]["attention"]])
    return ModelCard(
        name=name,
        path=folder / entry["file"],
        sha256=entry["sha256"],
        channels=(a, b, c, d),
        blocks=(e, f),
        attention=attention,
        sigma=SigmaScale(_positive(entry["sigma"]["scale"]), _positive(entry["sigma"]["floor_deg"])),
    )


def _counts(values: Any) -> list[int]:
    if not all(type(value) is int and 0 <= value <= 4096 for value in values):
        raise ValueError(f"sizes of a net are whole numbers, got {values}")
    return list(values)


def _positive(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"sigma's scale and floor_deg are above 0, got {value}")
    return number


def load_net(card: ModelCard) -> HorizonNet:
    """The net with its weights; raises WeightsError if the file is absent or not the one of the manifest."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    from horizon_rt.segmentation.net import HorizonNet, NetSize

    data = _read(card)
    try:
        net = HorizonNet(NetSize(card.channels, card.blocks, card.attention))
        _fill(net, load(data))
    except (RuntimeError, ValueError, AssertionError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{card.path} does not fit the net of its manifest: {reason}") from error
    return net


def _read(card: ModelCard) -> bytes:
    try:
        data = card.path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read the weights {card.path}: {error.strerror}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.sha256:
        raise WeightsError(
            f"{card.path} is not the file of its manifest: sha256 {digest[:12]}…, not {card.sha256[:12]}…"
        )
    return data


def _fill(net: HorizonNet, values: dict[str, Tensor]) -> None:
    """Load the values; only batch normalisation's counters, which inference never reads, may be absent."""
    missing, unknown = net.load_state_dict({k: v.float() for k, v in values.items()}, strict=False)
    wrong = [*(k for k in missing if not k.endswith(".num_batches_tracked")), *unknown]
    if wrong:
        raise ValueError(f"missing or unknown: {', '.join(wrong[:4])}")
