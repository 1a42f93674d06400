"""Which backends there are, and one of them for a model.

TorchScript is always there; ONNX Runtime and OpenVINO are extras and run a graph that is made of the weights
once and kept (`onnx.graph_of`). On a GPU TorchScript becomes part of a CUDA graph (`gpu.GpuSegmenter`).
"""

from __future__ import annotations

import logging
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from horizon_rt.errors import DeviceError
from horizon_rt.models.manifest import ModelCard
from horizon_rt.options import BackendName, Engine, Precision, PrecisionChoice
from horizon_rt.segmentation.backend import Backend, precisions_of
from horizon_rt.segmentation.segmenter import Segmenter
from horizon_rt.system.extras import EXTRAS, is_installed, require
from horizon_rt.system.host import has_cuda_driver
from horizon_rt.system.processor import NO_BFLOAT16, has_bfloat16

__all__ = [
    "forget_nets",
    "installed_backends",
    "make_backend",
    "make_segmenter",
    "runs_on_gpu",
]


# On a CPU (docs/performance.md).
_FASTEST_FIRST: tuple[BackendName, ...] = ("onnx", "openvino", "torchscript")
_SHARED_NETS = 4
_LONGEST_REASON = 200  # characters
_log = logging.getLogger(__name__)


def installed_backends() -> tuple[BackendName, ...]:
    """Those whose packages are installed, the fastest first."""
    return tuple(name for name in _FASTEST_FIRST if name not in EXTRAS or is_installed(name))


def make_backend(card: ModelCard, engine: Engine | None = None, *, threads: int = 1) -> Backend:
    """The net of a model, ready to run; 'auto' is the fastest that is installed and runs it, and a backend's
    usual precision (`precisions_of`). Trackers of one model share what has no state of theirs.

    Raises DeviceError for what is not installed, has no such device or does not run in that precision,
    WeightsError for weights that do not match their manifest.
    """
    asked = engine or Engine()
    choice, device, precision = asked.backend, asked.device, asked.precision
    on_gpu = device == "cuda" or runs_on_gpu(asked)
    names = _fastest_first(precision, on_gpu=on_gpu) if choice == "auto" else (choice,)
    engines = tuple(
        _Resolved(name, _chosen(name, precision, on_gpu=on_gpu), on_gpu, threads) for name in names
    )
    from horizon_rt.models.weights import weights_bytes

    weights_bytes(card)  # checked, whatever is shared
    return _made(card, engines[0] if len(engines) == 1 else _first_that_runs(card, engines))


class _Resolved(NamedTuple):
    name: BackendName
    precision: Precision
    on_gpu: bool
    threads: int


def _fastest_first(precision: PrecisionChoice, *, on_gpu: bool) -> tuple[BackendName, ...]:
    """Those that are installed and run in this precision, or one to say that none does."""
    if on_gpu:
        return ("torchscript",)
    able = tuple(name for name in installed_backends() if precision in ("auto", *precisions_of(name)))
    return able or installed_backends()[:1]


def _chosen(name: BackendName, precision: PrecisionChoice, *, on_gpu: bool) -> Precision:
    """The precision to run in; raises DeviceError or MissingExtra where it cannot run."""
    if on_gpu and name != "torchscript":
        raise DeviceError(f"the backend {name} runs on the CPU; use --device cpu, or --backend torchscript")
    if name in EXTRAS:
        require(name, f"the backend {name}")
    known = precisions_of(name, on_gpu=on_gpu)
    if precision == "auto":
        return known[0]
    if precision not in known:
        raise DeviceError(_no_such_precision(name, known, precision, on_gpu=on_gpu))
    if precision == "bfloat16" and not has_bfloat16():
        raise DeviceError(f"{NO_BFLOAT16}; use --precision float32")
    return precision


@lru_cache(maxsize=_SHARED_NETS)
def _first_that_runs(card: ModelCard, engines: tuple[_Resolved, ...]) -> _Resolved:
    """TorchScript is the last, and needs no conversion, which other versions of packages may refuse."""
    for engine, following in pairwise(engines):
        try:
            _made(card, engine)
        except Exception as error:
            reason = " ".join(str(error).split())[:_LONGEST_REASON]
            _log.warning(
                "%s cannot run %s here (%s); %s is next", engine.name, card.name, reason, following.name
            )
        else:
            return engine
    return engines[-1]


def _made(card: ModelCard, engine: _Resolved) -> Backend:
    # OpenVINO's has buffers for its answers, so that each thread needs its own.
    return _make(card, engine) if engine.name == "openvino" else _shared(card, engine)


def _make(card: ModelCard, engine: _Resolved) -> Backend:
    if engine.name == "torchscript":
        from horizon_rt.models.weights import load_net
        from horizon_rt.segmentation.cuda import DeviceNet
        from horizon_rt.segmentation.torchscript import TorchScript

        net = load_net(card)
        if engine.on_gpu:
            return DeviceNet(net, dtype=engine.precision)
        return TorchScript(net, engine.precision, threads=engine.threads)
    from horizon_rt.segmentation.onnx import OnnxRuntime, graph_of
    from horizon_rt.segmentation.openvino import OpenVino

    if engine.name == "onnx":
        return OnnxRuntime(graph_of(card), threads=engine.threads)
    return OpenVino(graph_of(card), engine.precision, threads=engine.threads)


_shared = lru_cache(maxsize=_SHARED_NETS)(_make)


def forget_nets() -> None:
    """Let go of the nets that trackers of one model share; those in use live on."""
    _shared.cache_clear()
    _first_that_runs.cache_clear()


def _no_such_precision(
    name: BackendName, known: tuple[Precision, ...], precision: PrecisionChoice, *, on_gpu: bool
) -> str:
    others = [other for other in _FASTEST_FIRST if not on_gpu and precision in precisions_of(other)]
    hint = f"; --backend {' or '.join(others)} does" if others else ""
    hint = hint or ("; that needs a GPU" if precision == "float16" else "")
    place = "a GPU" if on_gpu else "the CPU"
    return f"the backend {name} runs in {' or '.join(known)} on {place}, not in {precision}{hint}"


def make_segmenter(card: ModelCard, engine: Engine | None = None) -> Segmenter:
    """Preprocess and net of a model, on a GPU as one graph for `batch` frames of a recording; raises as
    `make_backend`.
    """
    asked = engine or Engine()
    backend = make_backend(card, asked)
    if not backend.on_gpu:
        return Segmenter(backend, input_area_px=card.input_area_px)
    from horizon_rt.segmentation.cuda import DeviceNet
    from horizon_rt.segmentation.gpu import GpuSegmenter

    assert isinstance(backend, DeviceNet)
    return GpuSegmenter(backend, input_area_px=card.input_area_px, in_flight=asked.batch)


def runs_on_gpu(engine: Engine) -> bool:
    """Whether this choice runs on a GPU here."""
    if not engine.may_use_gpu or not has_cuda_driver():
        return False
    from horizon_rt.segmentation.torchscript import best_device

    return best_device() == "cuda"
