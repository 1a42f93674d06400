"""Which backends there are, and one of them for a model.

TorchScript is always there; ONNX Runtime and OpenVINO are extras and run a graph that is made of the weights
once and kept (`onnx.graph_of`). On a GPU TorchScript becomes part of a CUDA graph (`gpu.GpuSegmenter`).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import get_args

from horizon_rt.errors import DeviceError
from horizon_rt.models.manifest import ModelCard
from horizon_rt.options import (
    BATCH,
    BackendChoice,
    BackendName,
    DeviceChoice,
    Precision,
    PrecisionChoice,
    may_use_gpu,
)
from horizon_rt.segmentation.backend import Backend, precisions_of
from horizon_rt.segmentation.segmenter import Segmenter
from horizon_rt.system.cuda import has_cuda_driver

__all__ = [
    "installed_backends",
    "make_backend",
    "make_segmenter",
    "runs_on_gpu",
]


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
    card: ModelCard,
    choice: BackendChoice = "torchscript",
    device: DeviceChoice = "auto",
    precision: PrecisionChoice = "auto",
    *,
    threads: int = 1,
) -> Backend:
    """The net of a model, ready to run; 'auto' is the fastest that is installed, and a backend's usual
    precision (`precisions_of`).

    Raises DeviceError for what is not installed, has no such device or does not run in that precision,
    WeightsError for weights that do not match their manifest, ValueError for an unknown choice.
    """
    for value, kind in ((choice, BackendChoice), (device, DeviceChoice), (precision, PrecisionChoice)):
        if value not in get_args(kind):
            raise ValueError(f"{value!r} is unknown; there are {', '.join(get_args(kind))}")
    on_gpu = device == "cuda" or runs_on_gpu(choice, device)
    name: BackendName = _fastest(precision, on_gpu=on_gpu) if choice == "auto" else choice
    if on_gpu and name != "torchscript":
        raise DeviceError(f"the backend {name} runs on the CPU; use --device cpu, or --backend torchscript")
    if name not in installed_backends():
        raise DeviceError(f"the backend {name} is not installed: pip install 'horizon-rt[{name}]'")
    usual, *_ = known = precisions_of(name, on_gpu=on_gpu)
    chosen: Precision = usual if precision == "auto" else precision
    if chosen not in known:
        raise DeviceError(_no_such_precision(name, known, precision, on_gpu=on_gpu))
    if name == "torchscript":
        from horizon_rt.models.weights import load_net
        from horizon_rt.segmentation.cuda import DeviceNet
        from horizon_rt.segmentation.torchscript import TorchScript

        net = load_net(card)
        return DeviceNet(net, dtype=chosen) if on_gpu else TorchScript(net, chosen, threads=threads)
    from horizon_rt.segmentation.onnx import OnnxRuntime, graph_of
    from horizon_rt.segmentation.openvino import OpenVino

    graph = graph_of(card)
    return OnnxRuntime(graph, threads=threads) if name == "onnx" else OpenVino(graph, chosen, threads=threads)


def _fastest(precision: PrecisionChoice, *, on_gpu: bool) -> BackendName:
    """Of those that are installed and run in this precision, if any does."""
    if on_gpu:
        return "torchscript"
    able = [name for name in installed_backends() if precision in ("auto", *precisions_of(name))]
    return (able or installed_backends())[0]


def _no_such_precision(
    name: BackendName, known: tuple[Precision, ...], precision: PrecisionChoice, *, on_gpu: bool
) -> str:
    others = [other for other in _NEEDS if not on_gpu and precision in precisions_of(other)]
    hint = f"; --backend {' or '.join(others)} does" if others else ""
    hint = hint or ("; that needs a GPU" if precision == "float16" else "")
    place = "a GPU" if on_gpu else "the CPU"
    return f"the backend {name} runs in {' or '.join(known)} on {place}, not in {precision}{hint}"


def make_segmenter(
    card: ModelCard,
    choice: BackendChoice = "torchscript",
    device: DeviceChoice = "auto",
    precision: PrecisionChoice = "auto",
    *,
    batch: int = BATCH,
) -> Segmenter:
    """Preprocess and net of a model, on a GPU as one graph for `batch` frames of a recording; raises as
    `make_backend`.
    """
    backend = make_backend(card, choice, device, precision)
    if not backend.on_gpu:
        return Segmenter(backend, input_area_px=card.input_area_px)
    from horizon_rt.segmentation.cuda import DeviceNet
    from horizon_rt.segmentation.gpu import GpuSegmenter

    assert isinstance(backend, DeviceNet)
    return GpuSegmenter(backend, input_area_px=card.input_area_px, in_flight=batch)


def runs_on_gpu(choice: BackendChoice, device: DeviceChoice) -> bool:
    """Whether this choice runs on a GPU here."""
    if not may_use_gpu(device, choice) or not has_cuda_driver():
        return False
    from horizon_rt.segmentation.torchscript import best_device

    return best_device() == "cuda"
