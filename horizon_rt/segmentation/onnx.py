"""Nets as ONNX graphs for pictures of any size, and ONNX Runtime, which runs them."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from horizon_rt._version import __version__
from horizon_rt.errors import WeightsError
from horizon_rt.models.manifest import ModelCard
from horizon_rt.models.sizes import OUTPUT_STRIDE
from horizon_rt.segmentation.backend import backend_name
from horizon_rt.system.cache import keep, kept

if TYPE_CHECKING:
    from torch import nn

__all__ = ["OnnxRuntime", "graph_of", "onnx_bytes"]

_EXAMPLE = (192, 320)
_DOC = (
    "horizon-rt. picture: luma standardised (mean 0, divided by its deviation + 0.02, luma in 0..1), then Cb "
    "and Cr in -0.5..0.5 times 4; BT.709. mask: logits of 'above the horizon' for each 4x4 block. presence: "
    "logit of 'a horizon is in view'."
)
_STRIDE, _MOST_STRIDES = 32, 64
_log = logging.getLogger(__name__)


def onnx_bytes(net: nn.Module, *, half: bool = False, card: ModelCard | None = None) -> bytes:
    """The ONNX graph of a net, from `picture` (1, 3, h, w) to `mask` (1, 1, h/4, w/4) and `presence` (1,);
    h and w are multiples of 32 from 64 on. Its metadata say what it is, and of which model. Takes seconds.
    """
    import torch
    from torch.export import Dim

    h, w = (Dim(name, min=2, max=_MOST_STRIDES) for name in ("h", "w"))
    picture = torch.zeros(1, 3, *_EXAMPLE, dtype=torch.float16 if half else torch.float32)
    with _quiet_exporter():
        program = torch.onnx.export(
            net.eval(),
            (picture,),
            dynamo=True,
            input_names=["picture"],
            output_names=["mask", "presence"],
            dynamic_shapes={"picture": {2: _STRIDE * h, 3: _STRIDE * w}},
            verbose=False,
        )
        assert program is not None
        proto = program.model_proto
        proto.doc_string = _DOC
        proto.producer_name, proto.producer_version = "horizon-rt", __version__
        for key, value in _metadata(card, half=half).items():
            proto.metadata_props.add(key=key, value=value)
        return proto.SerializeToString()


def _metadata(card: ModelCard | None, *, half: bool) -> dict[str, str]:
    facts = {"precision": "float16" if half else "float32", "output_stride": str(OUTPUT_STRIDE)}
    if card is not None:
        area = str(card.input_area_px)
        facts |= {"model": card.name, "weights_sha256": card.sha256, "input_area_px": area}
        facts |= {"classes": ",".join(card.classes)} if card.classes else {}
    return {f"horizon_rt.{key}": value for key, value in facts.items()}


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """It tells of deprecated parts of its own, and of packages that it could have used."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)


def graph_of(card: ModelCard) -> bytes:
    """The ONNX graph of a model, made at its first use and kept in the user's cache if it can be.

    Raises WeightsError.
    """
    from horizon_rt.models.weights import load_net, weights_bytes

    weights_bytes(card)  # checked, whatever is kept
    name = f"{_key(card)}.graph"
    graph = kept(name)
    if graph is None:
        _log.warning("%s is made ready for its backend, once; this takes some seconds", card.name)
        graph = onnx_bytes(load_net(card), card=card)
        keep(name, graph)
    return graph


def _key(card: ModelCard) -> str:
    """What a graph depends on: the weights, the net and the programs that made it."""
    made_of = f"{card.sha256} {card.net!r} {__version__} {version('torch')}"
    return hashlib.sha256(made_of.encode()).hexdigest()[:32]


class OnnxRuntime:
    """Runs an ONNX graph on the CPU in float32."""

    on_gpu = False

    def __init__(self, graph: bytes, *, threads: int = 1) -> None:
        """Raises WeightsError for what is no such graph."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # it has many kinds of them
            raise WeightsError(
                "a graph that cannot be run here; use another --backend, such as torchscript"
            ) from error
        self.name = backend_name("onnx", "float32")

    def __call__(self, picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Run the net; see `Backend`."""
        mask, presence = self._session.run(None, {"picture": picture})
        return mask[0, 0], float(presence[0])
