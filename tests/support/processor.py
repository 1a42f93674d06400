"""What the processor under test can do."""

from __future__ import annotations

import pytest

from horizon_rt.system.processor import NO_BFLOAT16, has_bfloat16

__all__ = ["needs_bfloat16"]

needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason=NO_BFLOAT16)
