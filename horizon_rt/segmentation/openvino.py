"""OpenVINO, which runs the same ONNX graphs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from horizon_rt.config import Precision
from horizon_rt.errors import WeightsError
from horizon_rt.segmentation.backends import backend_name

if TYPE_CHECKING:
    import openvino

__all__ = ["OpenVino", "openvino_files"]


@cache
def _core() -> openvino.Core:
    # Each gives its thread another stack for signals, and when it goes the one before. Two that go in the
    # order in which they came leave one that is gone: Ctrl-C then ends in a crash.
    import openvino

    return openvino.Core()


class OpenVino:
    """Runs an ONNX graph on the CPU in float32 or bfloat16; compiles it for each size of picture."""

    on_gpu = False

    def __init__(self, graph: bytes, precision: Precision = "float32", *, threads: int = 1) -> None:
        """Raises WeightsError for what is no such graph."""
        self._core = _core()
        try:
            self._model = self._core.read_model(graph)
        except RuntimeError as error:
            raise WeightsError(
                "a graph that cannot be run here; use another --backend, such as torchscript"
            ) from error
        self._settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32" if precision == "float32" else "bf16",
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._requests: dict[tuple[int, ...], Any] = {}
        self.name = backend_name("openvino", precision)

    def __call__(self, picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Run the net; see `Backend`."""
        request = self._requests.get(picture.shape) or self._compile(picture.shape)
        request.infer([picture], share_inputs=True)
        mask, presence = (request.get_output_tensor(i).data for i in (0, 1))
        return mask[0, 0].copy(), float(presence[0])

    def _compile(self, shape: tuple[int, ...]) -> Any:
        model = self._model.clone()
        model.reshape(list(shape))
        request = self._core.compile_model(model, "CPU", self._settings).create_infer_request()
        self._requests[shape] = request
        return request


def openvino_files(graph: bytes) -> tuple[bytes, bytes]:
    """An ONNX graph as the two files of OpenVINO: the net (.xml) and its weights (.bin)."""
    import tempfile

    import openvino

    with tempfile.TemporaryDirectory() as folder:
        source, xml = Path(folder, "net.onnx"), Path(folder, "net.xml")
        source.write_bytes(graph)
        openvino.save_model(openvino.convert_model(str(source)), str(xml), compress_to_fp16=False)
        return xml.read_bytes(), xml.with_suffix(".bin").read_bytes()
