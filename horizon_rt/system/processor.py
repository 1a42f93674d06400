"""What this computer's processor calculates in."""

from __future__ import annotations

import platform

__all__ = ["NO_BFLOAT16", "has_bfloat16"]

NO_BFLOAT16 = "this processor does not calculate in bfloat16 (it has no AVX-512)"
"""Why bfloat16 is refused."""


def has_bfloat16() -> bool:
    """Whether PyTorch calculates in bfloat16 on the CPU by its instructions: on x86 that takes AVX-512.
    Without them it goes number by number, over thirty times slower, and less exactly.
    """
    import torch

    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    return torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "AVX2")
