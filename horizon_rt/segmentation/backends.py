"""The seam between a net and what runs it, and which of those there are.

A backend turns a net input, float32 (1, 3, h, w), into the mask logits (h/4, w/4) and the presence logit.
TorchScript is always there; ONNX Runtime and OpenVINO are extras and run a graph that is made of the weights
once and kept (`onnx.graph_of`). On a GPU TorchScript becomes part of a CUDA graph (`gpu.GpuSegmenter`).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from horizon_rt.config import BackendChoice, BackendName, DeviceChoice
from horizon_rt.errors import DeviceError
from horizon_rt.segmentation import Segmenter
from horizon_rt.segmentation.manifest import ModelCard

__all__ = ["Backend", "installed_backends", "make_backend", "make_segmenter"]


class Backend(Protocol):
    """Something that runs the net."""

    name: str

    def __call__(self, picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Mask logits (h/4, w/4) float32 and presence logit of a (1, 3, h, w) float32 net input."""
        ...


# What each needs, the fastest on a CPU first (docs/performance.md).
_NEEDS: dict[BackendName, tuple[str, ...]] = {
    "onnx": ("onnxruntime", "onnx", "onnxscript"),
    "openvino": ("openvino", "onnx", "onnxscript"),
    "torchscript": (),
}


def installed_backends() -> tuple[BackendName, ...]:
    """Those whose packages are installed, the fastest first."""
    return tuple(name for name, packages in _NEEDS.items() if all(map(find_spec, packages)))


def make_backend(
    card: ModelCard, choice: BackendChoice = "torchscript", device: DeviceChoice = "auto", *, threads: int = 1
) -> Backend:
    """The net of a model, ready to run; 'auto' is the fastest that is installed. On a GPU 'torchscript', too,
    is the net in half precision.

    Raises DeviceError for what is not installed or has no such device, WeightsError for weights that do not
    match their manifest, ValueError for an unknown choice.
    """
    if choice not in get_args(BackendChoice) or device not in get_args(DeviceChoice):
        raise ValueError(f"backend {choice!r} or device {device!r} is unknown")
    on_gpu = device == "cuda" or (device == "auto" and choice in ("auto", "torchscript") and _gpu_answers())
    name: BackendName = choice if choice != "auto" else "torchscript" if on_gpu else installed_backends()[0]
    if on_gpu and name != "torchscript":
        raise DeviceError(f"the backend {name} runs on the CPU; use --device cpu, or --backend torchscript")
    if name not in installed_backends():
        raise DeviceError(f"the backend {name} is not installed: pip install 'horizon-rt[{name}]'")
    if name == "torchscript":
        from horizon_rt.segmentation.compile import TorchScript
        from horizon_rt.segmentation.cuda import DeviceNet
        from horizon_rt.segmentation.weights import load_net

        net = load_net(card)
        return DeviceNet(net) if on_gpu else TorchScript(net, threads=threads)
    from horizon_rt.segmentation.onnx import OnnxRuntime, graph_of
    from horizon_rt.segmentation.openvino import OpenVino

    runtime = OnnxRuntime if name == "onnx" else OpenVino
    return runtime(graph_of(card), threads=threads)


def make_segmenter(
    card: ModelCard, choice: BackendChoice = "torchscript", device: DeviceChoice = "auto"
) -> Segmenter:
    """Preprocess and net of a model, on a GPU as one graph; raises as `make_backend`."""
    backend = make_backend(card, choice, device)
    if not backend.name.endswith("-cuda"):
        return Segmenter(backend, input_area_px=card.input_area_px)
    from horizon_rt.segmentation.cuda import DeviceNet
    from horizon_rt.segmentation.gpu import GpuSegmenter

    assert isinstance(backend, DeviceNet)
    return GpuSegmenter(backend, input_area_px=card.input_area_px)


def _gpu_answers() -> bool:
    from horizon_rt.segmentation.compile import best_device

    return best_device() == "cuda"
