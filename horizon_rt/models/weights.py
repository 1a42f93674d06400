"""Models on disk: a manifest says what each weights file is; a file that does not match is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from horizon_rt.errors import WeightsError
from horizon_rt.models import manifest
from horizon_rt.models.manifest import ModelCard, SigmaCalibration
from horizon_rt.models.sizes import INPUT_AREA_PX
from horizon_rt.system.paths import shipped_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from horizon_rt.models.sizes import NetSize

__all__ = [
    "ModelCard",
    "SigmaCalibration",
    "find_model",
    "load_net",
    "new_net",
    "shipped_models",
    "weights_bytes",
    "weights_folder",
    "write_manifest",
]


def weights_folder() -> Path:
    """The folder of the shipped weights: inside an installed package, or at the top of a checkout."""
    return shipped_folder("weights")


def shipped_models() -> tuple[str, ...]:
    """Names of the shipped models; raises WeightsError where their manifest is damaged."""
    return tuple(manifest.read(weights_folder() / manifest.FILE).models)


def find_model(path: Path | None = None, name: str | None = None) -> ModelCard:
    """The entry `name` of the manifest at `path`, its default if None.

    Without a path, `name` is a shipped model, or where there is none of that name, a manifest or its folder:
    PATH for its default, PATH:NAME for another. Raises WeightsError.
    """
    if path is not None:
        return _entry(path, name)
    shipped = weights_folder() / manifest.FILE
    if name is None or name in manifest.read(shipped).models:
        return _entry(shipped, name)
    found = _manifest_at(name)
    if found is not None:
        return _entry(found)
    place, _, entry = name.rpartition(":")
    found = _manifest_at(place)
    if found is not None:
        return _entry(found, entry)
    raise WeightsError(
        f"there is no model {name[:200]!a}; there are: {', '.join(shipped_models())}, "
        f"or a folder with a {manifest.FILE}"
    )


def _manifest_at(text: str) -> Path | None:
    """The manifest that a folder or a file is, if there is one."""
    if not text:
        return None
    path = Path(text)
    try:
        found = path / manifest.FILE if path.is_dir() else path
        if path.suffix == ".safetensors" and path.is_file():
            raise WeightsError(f"{path} is the weights of a model; give its folder, or FOLDER:NAME")
        return found if found.is_file() or path.is_dir() else None
    except (OSError, ValueError):
        return None


def _entry(path: Path, name: str | None = None) -> ModelCard:
    """The card of an entry, the default if None."""
    found = manifest.read(path)
    if name is not None and name not in found.models:
        raise WeightsError(f"no model {name!a} in {path}; there are: {', '.join(found.models)}")
    return manifest.card(path, found.default if name is None else name, found)


def new_net(spec: str | NetSize, classes: int = 1) -> nn.Module:
    """A freshly initialised net: by its name in the zoo, or the default net of these sizes; of one class its
    mask is that of 'above the horizon'.

    Raises WeightsError for an unknown name and ValueError for sizes that do not fit each other.
    """
    from horizon_rt.models.nets import build_net
    from horizon_rt.models.nets.horizon_net import HorizonNet

    return build_net(spec, classes) if isinstance(spec, str) else HorizonNet(spec, classes=classes)


def load_net(card: ModelCard, *, all_classes: bool = False) -> nn.Module:
    """The net with its weights; raises WeightsError if the file is absent or not the one of the manifest.

    Its mask is that of 'above the horizon', of a model of several classes too; with `all_classes` that has a
    score for each.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    data = weights_bytes(card)
    try:
        # Without memory at first, so that sizes made up by a manifest cost none.
        with torch.device("meta"):
            net = new_net(card.net, max(len(card.classes), 1))
        _fill(net, load(data))
    except (RuntimeError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{card.path} does not fit the net of its manifest: {reason}") from error
    if all_classes or not card.classes:
        return net
    from horizon_rt.models.nets.contract import AboveHorizon

    return AboveHorizon(net)


def weights_bytes(card: ModelCard) -> bytes:
    """The weights file, checked; raises WeightsError if it is absent or not the one of the manifest."""
    try:
        data = card.path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read the weights {card.path}: {error.strerror}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.sha256:
        raise WeightsError(
            f"{card.path} is damaged or was changed: it is not the file of its manifest, "
            f"sha256 {digest[:12]}…, not {card.sha256[:12]}…"
        )
    return data


def _fill(net: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Take over the values; only counters of batch normalisation, which inference ignores, may be absent."""
    own = net.state_dict()
    counters = {k: own[k].new_zeros((), device="cpu") for k in own if k.endswith(".num_batches_tracked")}
    wrong = [*(own.keys() - counters.keys() - values.keys()), *(values.keys() - own.keys())]
    if wrong:
        raise ValueError(f"missing or unknown: {', '.join(sorted(wrong)[:4])}")
    given = {key: value.to(own[key].dtype) for key, value in values.items()}
    net.load_state_dict(counters | given, assign=True)


def write_manifest(
    folder: Path,
    name: str,
    net: str | NetSize,
    state: Mapping[str, Tensor],
    sigma: SigmaCalibration,
    facts: Mapping[str, object],
    *,
    input_area_px: int = INPUT_AREA_PX,
    default: bool = False,
    classes: Sequence[str] = (),
) -> ModelCard:
    """Write NAME.safetensors and its entry in the folder's manifest, and return what was written.

    Other entries stay. The first entry of a folder is its default, a later one with `default`. `facts` are
    further keys of the entry: text, numbers, booleans, and lists and tables of them. Raises WeightsError for
    what a manifest cannot say, and OutputError where the files cannot be written.
    """
    from safetensors.torch import save

    values = {k: v.detach().cpu().contiguous() for k, v in state.items()}
    data = save({k: v for k, v in values.items() if not k.endswith(".num_batches_tracked")})
    return manifest.add(
        folder,
        name,
        {
            "file": f"{name}.safetensors",
            "sha256": hashlib.sha256(data).hexdigest(),
            "net": manifest.net_entry(net),
            "input_area_px": input_area_px,
            "sigma": {"scale": sigma.scale, "doubt": sigma.boundary_width},
            **({"classes": list(classes)} if classes else {}),
            **facts,
        },
        data,
        default=default,
    )
