"""What is known of the nets without building one: this module loads no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NETS", "OUTPUT_STRIDE", "NetSize"]

OUTPUT_STRIDE = 4
# Names of the zoo.
NETS = (
    *("nano", "small", "base", "lite0"),
    *("fcn32s", "fcn8s", "unet-small", "unet", "segnet", "pspnet", "deeplabv3plus"),
)


@dataclass(frozen=True, slots=True)
class NetSize:
    """Channels at 1/4, 1/8, 1/16 and 1/32, blocks at 1/8 and 1/16, attention blocks."""

    channels: tuple[int, int, int, int] = (16, 48, 96, 128)
    blocks: tuple[int, int] = (1, 2)
    attention: int = 2
    heads: int = 4
