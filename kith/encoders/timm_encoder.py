"""Networks of the timm package with its pretrained weights: timm:<name>."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from kith.encoders.encoder import Origin, PictureEncoder
from kith.encoders.kind import EncoderKind
from kith.encoders.names import Side
from kith.encoders.preprocessing import Preprocessing
from kith.errors import KithError


class Timm(EncoderKind):
    pattern = r"timm:(.+)"
    shown = "timm:<name>"
    package = "timm"
    install = "pip install timm, with a torchvision made for this torch"

    def images(self, name: str) -> PictureEncoder:
        self.check(name)
        timm = _timm()
        called = name.partition(":")[2]
        if not timm.is_model(called):
            raise KithError(f"timm has no model {called}; timm.list_models(pretrained=True) gives their names")
        try:
            network = timm.create_model(called, pretrained=True, num_classes=0).eval()
        except Exception as error:  # of whatever it downloads with
            raise KithError(
                f"timm's weights of {called} cannot be had ({str(error).splitlines()[0]}); without a network put them "
                "into timm's cache, or give their folder as hf:<folder>"
            ) from None
        given = timm.data.resolve_model_data_config(network)
        preprocessing = Preprocessing(
            given["input_size"][1],
            given["crop_pct"],
            "bilinear" if given["interpolation"] == "bilinear" else "bicubic",
            tuple(given["mean"]),
            tuple(given["std"]),
        )
        described = network.pretrained_cfg
        origin = Origin(
            name, f"timm {timm.__version__}", _fingerprint(network), described.get("license") or "not stated"
        )
        return PictureEncoder(origin, network, _width(network, preprocessing.size), preprocessing, {"name": called})

    def build(self, rebuild: Mapping[str, Any], side: Side) -> nn.Module:
        return _timm().create_model(rebuild["name"], pretrained=False, num_classes=0)


def _timm() -> Any:
    try:
        import timm
        import timm.data
    except (ImportError, RuntimeError) as error:  # torchvision, which timm needs, raises either
        raise KithError(f"timm cannot be used: {Timm.install} ({error})") from None
    return timm


@torch.no_grad()
def _width(network: nn.Module, size: int) -> int:
    """Told by a black picture: what timm calls num_features is before the head that some networks have."""
    return network(torch.zeros(1, 3, size, size)).shape[1]


def _fingerprint(network: nn.Module) -> str:
    """SHA-256 of the weights: where timm keeps its files is its own business."""
    total = hashlib.sha256()
    for name, value in network.state_dict().items():
        total.update(name.encode())
        total.update(value.contiguous().numpy().tobytes())
    return total.hexdigest()
