"""What is known of the nets without building one: this module loads no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CHROMA_GAIN",
    "INPUT_AREA_PX",
    "INPUT_STRIDE",
    "LUMA_FLOOR",
    "MOST_CLASSES",
    "NETS",
    "OUTPUT_STRIDE",
    "NetSize",
]

INPUT_AREA_PX = 256 * 256  # 320×192 for 16:9, 288×224 for 4:3, 256×256 for a square
INPUT_STRIDE = 32
MOST_CLASSES = 64
OUTPUT_STRIDE = 4
# A net input is luma 0..1 less its mean, over its deviation plus a floor, and chroma −0.5..0.5 times a gain.
LUMA_FLOOR, CHROMA_GAIN = 0.02, 4.0
# Names of the zoo.
NETS = (
    "nano", "small", "base", "lite0",
    "encoder-decoder", "road", "fcn32s", "fcn8s", "unet-small", "unet", "segnet", "pspnet", "deeplabv3plus",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NetSize:
    """Channels at 1/4, 1/8, 1/16 and 1/32, blocks at 1/8 and 1/16, attention blocks."""

    channels: tuple[int, int, int, int] = (16, 48, 96, 128)
    blocks: tuple[int, int] = (1, 2)
    attention: int = 2
    heads: int = 4
