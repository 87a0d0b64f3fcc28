"""ResNets from a file of torchvision's format, a state dict with ImageNet's weights: resnet-50:<file>."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from kith.data.digests import sha256
from kith.encoders.encoder import Origin, PictureEncoder
from kith.encoders.kind import EncoderKind
from kith.encoders.names import Side, files_of
from kith.encoders.preprocessing import Preprocessing
from kith.errors import KithError, reading
from kith.networks.resnet import ResNet

# As torchvision's models were trained and are evaluated.
PREPROCESSING = Preprocessing(224, 0.875, "bilinear")


class ResNetFile(EncoderKind):
    pattern = r"resnet-(18|34|50|101|152):(.+)"
    shown = "resnet-50:<file of weights>"
    package = "torch"

    def check(self, name: str) -> None:
        path = files_of(name)
        if path is None or not path.is_file():
            raise KithError(f"{path}: no such file; put a state dict of torchvision's {name.partition(':')[0]} there")

    def images(self, name: str) -> PictureEncoder:
        self.check(name)
        path, depth = files_of(name), _depth(name)
        assert path is not None
        network = ResNet(3, PREPROCESSING.size, depth)
        with reading(path, f"is no state dict of torchvision's resnet{depth}, or damaged; get it again"):
            network.load_torchvision(torch.load(path, map_location="cpu", weights_only=True))
        origin = Origin(name, f"resnet-{depth}", sha256(path), "not stated; see where the file is from")
        return PictureEncoder(origin, network.eval(), network.out_features, PREPROCESSING, {"depth": depth})

    def build(self, rebuild: Mapping[str, Any], side: Side) -> nn.Module:
        return ResNet(3, PREPROCESSING.size, rebuild["depth"])


def _depth(name: str) -> int:
    found = re.fullmatch(ResNetFile.pattern, name)
    assert found is not None
    return int(found[1])
