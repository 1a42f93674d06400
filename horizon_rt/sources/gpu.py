"""Decoding on a GPU: whether this machine can, and what PyAV needs for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from horizon_rt.options import DecoderChoice
from horizon_rt.system.host import CUDA_VIDEO_LIBRARY, has_cuda_driver, has_library

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

__all__ = ["accelerator", "accelerator_for", "gpu_refusal"]


def gpu_refusal() -> str | None:
    """Why this machine cannot decode on a GPU, in a few words; None where it can."""
    from av.codec.hwaccel import hwdevices_available

    if not has_cuda_driver():
        return "there is no CUDA driver"
    # FFmpeg opens it with the first picture, and where it is not there decodes on the CPU without a word.
    if not has_library(CUDA_VIDEO_LIBRARY):
        return f"the driver has no {CUDA_VIDEO_LIBRARY}; a container needs the capability 'video'"
    if "cuda" not in hwdevices_available():
        return "this build of PyAV has no CUDA"
    return _device_refusal()


def _device_refusal() -> str | None:
    import torch
    from av.codec import Codec
    from av.error import FFmpegError

    if not torch.cuda.is_available():
        return "no CUDA device answers"
    try:
        accelerator().create(Codec("h264", "r"))
    except NotImplementedError:
        return "this build of PyAV decodes nothing with CUDA"
    except (FFmpegError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        return f"PyAV cannot use the GPU ({reason})"
    return None


def accelerator_for(decoder: DecoderChoice) -> HWAccel | None:
    """What `av.open` needs to leave pictures on the GPU, in the thread that opens; None for the CPU."""
    return None if decoder == "cpu" or gpu_refusal() is not None else accelerator()


def accelerator() -> HWAccel:
    """CUDA, sharing PyTorch's context and stream."""
    import torch
    from av.codec.hwaccel import HWAccel

    # FFmpeg refuses the primary context when PyTorch has made it first, but takes the one that is current in
    # this thread, which it is after any call of the runtime. Pictures are then written on its default stream.
    torch.cuda.synchronize()
    context: dict[str, object] = {"primary_ctx": "0", "current_ctx": "1"}
    return HWAccel("cuda", allow_software_fallback=True, is_hw_owned=True, options=context)
