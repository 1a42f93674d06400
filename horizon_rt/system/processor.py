"""What this computer's processor calculates in."""

from __future__ import annotations

__all__ = ["NO_BFLOAT16", "has_bfloat16"]

NO_BFLOAT16 = "this processor does not calculate in bfloat16 (on x86 that takes AVX-512)"
"""Why bfloat16 is refused."""


def has_bfloat16() -> bool:
    """Whether PyTorch calculates in bfloat16 on the CPU by its instructions. Without them it goes number by
    number, over thirty times slower, and less exactly.
    """
    import torch

    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # built without oneDNN
        return torch.backends.cpu.get_cpu_capability() == "AVX512"
