"""One model and the pictures that it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from horizon_rt.camera import Camera
from horizon_rt.errors import WeightsError
from horizon_rt.fitting import HorizonFitter
from horizon_rt.frame import Frame
from horizon_rt.geometry import HorizonLine, UpVector
from horizon_rt.inspection.attribution import (
    Cell,
    EffectiveField,
    Occlusion,
    cell_at_horizon,
    cell_gradient,
    effective_field,
    occlude,
)
from horizon_rt.inspection.complexity import (
    ReceptiveField,
    count_flops,
    count_parameters,
    receptive_field,
)
from horizon_rt.inspection.units import Excitation, Unit, excitation, find_unit, peak
from horizon_rt.models.sizes import NETS
from horizon_rt.models.weights import ModelCard, find_model, load_net, new_net, shipped_models
from horizon_rt.segmentation import Segmentation, Segmenter
from horizon_rt.segmentation.torchscript import TorchScript
from horizon_rt.sources import open_source

__all__ = ["Inspection", "Look", "inspect_model"]

_FRAMES_PER_SOURCE = 4
_RENDERED = tuple(
    f"synth:{kind}?size=640x360&seconds=1&fps=1&seed=3" for kind in ("sea", "coast", "fields", "mountains")
)


@dataclass(frozen=True, slots=True)
class Look:
    """What a model sees in one picture; without a horizon in it, only the picture.

    `gradient` (h, w) is that of the cell at the horizon by the net input; `excitation` is that of a unit that
    was asked for.
    """

    name: str
    frame: Frame
    segmentation: Segmentation
    up: UpVector | None = None
    line: HorizonLine | None = None
    cell: Cell | None = None
    gradient: NDArray[np.float64] | None = None
    occlusion: Occlusion | None = None
    excitation: Excitation | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """The numbers of a net for an input of `width` × `height` px, and what its weights look at.

    Without weights `looks` is empty. `field` is None where no picture shows a horizon. `strongest` are the
    looks of all frames that excite `unit` most, the strongest first.
    """

    name: str
    width: int
    height: int
    parameters: int
    flops: int
    receptive: ReceptiveField
    looks: tuple[Look, ...] = ()
    field: EffectiveField | None = None
    unit: Unit | None = None
    strongest: tuple[Look, ...] = ()


def inspect_model(
    model: str,
    sources: Iterable[str] = (),
    *,
    width: int,
    height: int,
    unit: str | None = None,
    top: int = 9,
) -> Inspection:
    """Inspect a net of the zoo by its name, or a model with weights (`weights.find_model`).

    `width` and `height`, multiples of 32, are the net input for the numbers; pictures keep their own aspect.
    Without sources, scenes are rendered. Of each source the first frames are looked at; `unit`,
    LAYER:CHANNEL, asks for the `top` of all frames, of a live source of the first, that excite it.
    Raises WeightsError and SourceError.
    """
    card = _card(model)
    net = new_net(model) if card is None else load_net(card)
    if unit is not None and card is None:
        raise WeightsError(f"{model} has no weights here; give a trained model to look at a unit")
    asked = None if unit is None else find_unit(net, unit)
    shown = tuple(sources) or _RENDERED
    looks = () if card is None else tuple(_looks(net, card, shown))
    seen = [(look.gradient, look.cell) for look in looks if look.gradient is not None and look.cell]
    return Inspection(
        name=model,
        width=width,
        height=height,
        parameters=count_parameters(net),
        flops=count_flops(net, height, width),
        receptive=receptive_field(net, height, width),
        looks=looks,
        field=effective_field(*zip(*seen, strict=True)) if seen else None,
        unit=asked,
        strongest=() if card is None or asked is None else tuple(_strongest(net, card, shown, asked, top)),
    )


def _card(model: str) -> ModelCard | None:
    """Of a model with weights; None for a net of the zoo, unless a shipped model bears its name."""
    if model in NETS and model not in shipped_models():
        return None
    try:
        return find_model(name=model)
    except WeightsError as error:
        raise WeightsError(f"{error}; without weights: {', '.join(NETS)}") from error


def _looks(net: nn.Module, card: ModelCard, sources: Iterable[str]) -> Iterator[Look]:
    segmenter = Segmenter(TorchScript(net), input_area_px=card.input_area_px)
    for name, frame in _frames(sources, whole=False):
        yield _look(net, card, segmenter, frame, name)


def _strongest(
    net: nn.Module, card: ModelCard, sources: Iterable[str], unit: Unit, count: int
) -> Iterator[Look]:
    """Of all frames the `count` that excite the unit most, which alone are kept; the strongest first."""
    segmenter = Segmenter(TorchScript(net), input_area_px=card.input_area_px)
    kept: list[tuple[float, int, str, Frame]] = []
    for number, (name, frame) in enumerate(_frames(sources, whole=True)):
        segmenter.preprocess(frame)
        heappush(kept, (peak(net, unit, segmenter.preprocess.input), -number, name, frame))
        if len(kept) > count:
            heappop(kept)
    for _, _, name, frame in sorted(kept, reverse=True):
        look = _look(net, card, segmenter, frame, name)
        segmenter.preprocess(frame)
        yield replace(look, excitation=excitation(net, unit, segmenter.preprocess.input))


def _frames(sources: Iterable[str], *, whole: bool) -> Iterator[tuple[str, Frame]]:
    """The first frames of each source, or all of those that end, with their titles."""
    for spec in sources:
        with open_source(spec) as source:
            count = None if whole and not source.info.live else _FRAMES_PER_SOURCE
            for frame in islice(source, count):
                yield _title(spec, frame), frame


def _title(spec: str, frame: Frame) -> str:
    if frame.name is not None:
        return frame.name
    return f"{Path(spec.partition('?')[0]).name}, frame {frame.index}"


def _look(net: nn.Module, card: ModelCard, segmenter: Segmenter, frame: Frame, name: str) -> Look:
    camera = Camera.assumed(frame.width, frame.height)
    fitter = HorizonFitter(camera, card.sigma)
    segmentation = segmenter.segment(frame)
    picture = segmenter.preprocess.input.copy()
    measurement = fitter.fit(segmentation).measurement
    line = None if measurement is None else camera.line(measurement.up)
    if measurement is None or line is None:
        return Look(name, frame, segmentation)
    cell = cell_at_horizon(segmentation, line, frame.width, frame.height)
    return Look(
        name=name,
        frame=frame,
        segmentation=segmentation,
        up=measurement.up,
        line=line,
        cell=cell,
        gradient=None if cell is None else cell_gradient(net, picture, cell),
        occlusion=occlude(segmenter, fitter, picture, segmentation),
    )
