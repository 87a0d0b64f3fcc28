"""Image towers: (B, C, H, W) standardised pictures to (B, out_features) vectors."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kith.errors import KithError, reading
from kith.models.features import VGG
from kith.networks.cifar_resnet import CifarResNet
from kith.networks.cnn import CNN
from kith.networks.densenet import DenseNet
from kith.networks.plain import Plain
from kith.networks.pyramidnet import PyramidNet
from kith.networks.resnet import ResNet
from kith.networks.timm_tower import TimmTower
from kith.networks.wide_resnet import WideResNet

Builder = Callable[..., nn.Module]  # (channels, size, and the groups of the name)


SMALL = ("8", "14", "20", "32", "44", "56", "110", "1202")  # layers of the published ResNets of small pictures


def _cifar_resnet(channels: int, size: int, depth: str, variant: str | None, selu: str | None) -> nn.Module:
    if depth not in SMALL:
        # resnet-164 and others are the names of other networks, with bottlenecks.
        raise ValueError(
            f"there is no resnet-{depth} here: of small pictures there are resnet-{', '.join(SMALL)}, of photographs "
            f"resnet-18, 34, 50, 101, 152, 200; or take timm:resnet{depth}"
        )
    width = 32 if variant == "-wfc" else 16
    return CifarResNet(channels, int(depth), width, fixed=variant is None, selu=selu is not None)


def _pyramidnet(channels: int, size: int, depth: str, widening: str, selu: str | None) -> nn.Module:
    # The published ones of 164 layers or more have bottlenecks.
    return PyramidNet(channels, int(depth), int(widening), bottleneck=int(depth) >= 164, selu=selu is not None)


# Published networks by name.
PUBLISHED: dict[str, Builder] = {
    r"plain-11(-selu)?": lambda channels, size, selu: Plain(channels, selu=selu is not None),
    r"resnet-(18|34|50|101|152|200)": lambda channels, size, depth: ResNet(channels, size, int(depth), 64),
    r"resnet-(\d+)(-fc|-wfc)?(-selu)?": _cifar_resnet,
    r"wrn-(\d+)-(\d+)": lambda channels, size, depth, factor: WideResNet(channels, int(depth), int(factor)),
    r"pyramidnet-(\d+)-(\d+)(-selu)?": _pyramidnet,
    r"densenet(-bc)?-(\d+)-(\d+)": lambda channels, size, compact, depth, growth: DenseNet(
        channels, int(depth), int(growth), compact=compact is not None
    ),
    r"timm:(.+)": lambda channels, size, name: TimmTower(name, channels, size),
}


def image_tower(tower: str, channels: int, size: int, depth: int = 18, width: int = 32) -> Any:
    """The tower named in a method's parameters: cnn, resnet or vgg, with `depth` and `width`, or a published network,
    whose name says all: plain-11, resnet-18 to -200, resnet-110, -fc or -wfc, wrn-28-10, pyramidnet-272-200,
    densenet-bc-100-12, timm:<name>; plain-11, resnet-110 and its like and pyramidnets also with -selu behind.

    Raises ValueError if it does not take pictures, or there is none of that depth.

    >>> tower = image_tower("resnet-20", channels=3, size=32)
    >>> tower.out_features, tuple(tower(torch.zeros(2, 3, 32, 32)).shape)
    (64, (2, 64))
    """
    if tower == "cnn":
        return CNN(channels, size, width)
    if tower == "resnet":
        return ResNet(channels, size, depth, width)
    if tower == "vgg":
        return VGG(channels, width)
    for pattern, build in PUBLISHED.items():
        if match := re.fullmatch(pattern, tower):
            return build(channels, size, *match.groups())
    raise ValueError(
        f"the {tower} tower does not take pictures; choose cnn, resnet, vgg or a published network, as plain-11, "
        "resnet-50, resnet-110-wfc, wrn-28-10, pyramidnet-272-200, densenet-bc-100-12 or timm:<name>"
    )


@torch.no_grad()
def load_weights(tower: nn.Module, path: str) -> None:
    """Start a ResNet tower from a torchvision state dict, a file saved with torch.save.

    Raises ValueError for another tower, and KithError for a file that cannot be read, or is no state dict.
    """
    if not isinstance(tower, ResNet):
        raise ValueError("train.image.weights: only the resnet tower takes torchvision weights")
    with reading(Path(path), "train.image.weights takes a state dict of torchvision's, saved with torch.save"):
        state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise KithError(f"{path}: is no state dict; train.image.weights takes one of torchvision's")
    try:
        tower.load_torchvision(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
