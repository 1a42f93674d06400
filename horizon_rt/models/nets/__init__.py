"""The nets that can be trained and compared: three sizes of the default net, one with an encoder
that ImageNet has trained, and the standard architectures.

Every one takes a picture (n, 3, h, w), h and w multiples of 32, and returns the mask logits (n, 1, h/4, w/4)
and the presence logits (n,), as `HorizonNet.forward` does; of several classes the mask has a score for each,
the first of which is 'above the horizon', for a softmax over them. None comes with weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from horizon_rt.errors import WeightsError
from horizon_rt.models.nets.contract import Body, MaskAndPresence
from horizon_rt.models.nets.deeplab import DeepLabV3Plus
from horizon_rt.models.nets.fcn import FCN8s, FCN32s
from horizon_rt.models.nets.horizon_net import HorizonNet
from horizon_rt.models.nets.lite import LiteNet
from horizon_rt.models.nets.plain import EncoderDecoder, RoadNet
from horizon_rt.models.nets.pspnet import PSPNet
from horizon_rt.models.nets.segnet import SegNet
from horizon_rt.models.nets.unet import UNet
from horizon_rt.models.sizes import NETS, NetSize

__all__ = ["build_net"]

_SIZES = {
    "nano": NetSize((8, 24, 48, 96), (1, 1), 1),
    "small": NetSize(),
    "base": NetSize((24, 96, 192, 256), (2, 3), 2),
}
_BODIES: dict[str, Callable[..., Body]] = {
    "encoder-decoder": EncoderDecoder,
    "road": RoadNet,
    "fcn32s": FCN32s,
    "fcn8s": FCN8s,
    "unet-small": partial(UNet, (8, 16, 32, 64, 140)),
    "unet": partial(UNet, (64, 128, 256, 512, 1024)),
    "segnet": SegNet,
    "pspnet": PSPNet,
    "deeplabv3plus": DeepLabV3Plus,
}


def build_net(name: str, classes: int = 1) -> nn.Module:
    """The net of this name, freshly initialised; raises WeightsError for a name that is not in NETS."""
    if name in _SIZES:
        return HorizonNet(_SIZES[name], classes=classes)
    if name == "lite0":
        return LiteNet(classes=classes)
    if name in _BODIES:
        return MaskAndPresence(_BODIES[name](classes=classes))
    raise WeightsError(f"there is no net '{name}'; there are: {', '.join(NETS)}")
