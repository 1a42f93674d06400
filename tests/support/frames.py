"""Random frames of every layout, on the host and as a GPU's decoder gives them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from horizon_rt.frame import DevicePlane, Frame, Sampling

RNG = np.random.default_rng(0)


def random_frame(
    size: tuple[int, int], *, bits: int = 8, sub: tuple[int, int] = (2, 2), grey: bool = False, **how: object
) -> Frame:
    width, height = size
    shapes = [(height, width)]
    if not grey:
        shapes += [(-(-height // sub[1]), -(-width // sub[0]))] * 2
    kind = np.uint8 if bits == 8 else np.uint16
    planes = tuple(RNG.integers(0, 2**bits, shape).astype(kind) for shape in shapes)
    return Frame(planes, 0, 0.0, Sampling(bits, **how))  # type: ignore[arg-type]


def on_device(frame: Frame) -> Frame:
    """The frame as a decoder on a GPU gives it, chroma interleaved, but in the memory of the host."""
    luma = torch.from_numpy(np.ascontiguousarray(frame.luma))
    planes = [luma]
    if len(frame.planes) == 3:
        packed = torch.from_numpy(np.stack(frame.planes[1:], axis=2))
        planes += [packed[..., 0], packed[..., 1]]
    return replace(frame, planes=tuple(map(DevicePlane, planes)))
