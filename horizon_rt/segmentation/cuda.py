"""The net in half precision on CUDA, and the queue of work that is captured once and replayed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from horizon_rt.errors import DeviceError
from horizon_rt.options import Precision
from horizon_rt.segmentation.backend import backend_name
from horizon_rt.segmentation.torchscript import run_as_it_is, scripted

__all__ = ["CudaQueue", "DeviceNet", "Queue", "Work"]

Work = Callable[[], None]
_WARM_UP_CALLS = 3


class DeviceNet:
    """A net in TorchScript for a GPU: batch norms folded, channels-last, weights and activations of `dtype`.

    Raises DeviceError where no CUDA device answers.
    """

    def __init__(
        self, net: nn.Module, device: torch.device | str = "cuda", dtype: Precision = "float16"
    ) -> None:
        self.device, self.dtype = torch.device(device), getattr(torch, dtype)
        self.on_gpu = self.device.type == "cuda"
        if self.on_gpu and not torch.cuda.is_available():
            raise DeviceError("no CUDA device answers; use --device cpu")
        self.name = backend_name("torchscript", dtype, on_gpu=self.on_gpu)
        # Norms are folded before the weights are rounded.
        folded = _without_norms(deepcopy(net).eval()).requires_grad_(False)
        self.graph = scripted(folded.to(self.device, self.dtype, memory_format=torch.channels_last))  # type: ignore[call-overload]

    def __call__(self, picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Run the net once, without a graph; see `Backend`."""
        tensor = torch.from_numpy(picture).to(self.device, self.dtype, memory_format=torch.channels_last)
        mask, presence = self.run(tensor)
        return mask[0, 0].float().cpu().numpy(), float(presence[0])

    def run(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mask logits (n, 1, h/4, w/4) and presence logits (n,) of a batch (n, 3, h, w) on the device."""
        return run_as_it_is(self.graph, pictures)


def _without_norms(net: nn.Module) -> nn.Module:
    """The net, changed in place: batch norms right behind a convolution become part of it."""
    for part in net.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for index in range(len(part) - 1):
            conv, norm = part[index], part[index + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                part[index], part[index + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return net


class Queue(Protocol):
    """Where work on a device is put in; nothing but the answer of `launch` waits for it."""

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A buffer of the host from and to which copies do not wait."""
        ...

    def capture(self, work: Work) -> Work:
        """The same work on the same tensors, to be run again and again."""
        ...

    def launch(self, upload: Work, replay: Work, download: Work) -> Work:
        """Start the three, one after the other; call what is returned to wait for their end."""
        ...


class CudaQueue:
    """Uploads on a stream of their own, so that they overlap with the graph of the frames before.

    An answer follows its graph on the same stream: it is small, and behind an upload it would wait.
    """

    def __init__(self) -> None:
        self._copies, self._compute = (torch.cuda.Stream() for _ in range(2))  # type: ignore[no-untyped-call]

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Page-locked memory."""
        return torch.empty(shape, dtype=dtype, pin_memory=True)

    def capture(self, work: Work) -> Work:
        """As a CUDA graph. The weights may still be on their way on the caller's stream."""
        graph = torch.cuda.CUDAGraph()
        self._compute.wait_stream(torch.cuda.current_stream())
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            with torch.cuda.stream(self._compute):
                for _ in range(_WARM_UP_CALLS):
                    work()
            # A decoder in another thread may allocate meanwhile, which 'global' would forbid.
            with torch.cuda.graph(graph, stream=self._compute, capture_error_mode="thread_local"):
                work()
        return graph.replay

    def launch(self, upload: Work, replay: Work, download: Work) -> Work:
        """See `Queue`. Frames of a hardware decoder are written on the default stream."""
        self._copies.wait_stream(torch.cuda.default_stream())
        with torch.cuda.stream(self._copies):
            upload()
        self._compute.wait_stream(self._copies)
        with torch.cuda.stream(self._compute):
            replay()
            download()
        return self._compute.record_event().synchronize
