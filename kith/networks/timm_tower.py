"""Backbones of the timm package, which is not one of Kith's requirements."""

from typing import Any

import torch
from torch import Tensor, nn


class TimmTower(nn.Module):
    """A timm model without its classifier, untrained: (B, channels, size, size) to (B, out_features).

    Raises ValueError if timm is missing, does not know the name, or its model does not take such pictures.
    """

    def __init__(self, name: str, channels: int, size: int):
        super().__init__()
        timm = _timm(name)
        if not timm.is_model(name):
            raise ValueError(f"timm has no model {name!r}; timm.list_models() gives their names")
        self.backbone = timm.create_model(name, pretrained=False, num_classes=0, in_chans=channels)
        self.out_features = self._width(name, channels, size)

    def forward(self, x: Tensor) -> Tensor:
        return self.backbone(x)

    @torch.no_grad()
    def _width(self, name: str, channels: int, size: int) -> int:
        self.eval()
        try:
            rows = self.backbone(torch.zeros(1, channels, size, size))
        except (AssertionError, RuntimeError, ValueError) as error:
            raise ValueError(f"timm's {name} does not take pictures of {channels}×{size}×{size}: {error}") from error
        self.train()
        return rows.shape[1]


def _timm(name: str) -> Any:
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # torchvision, which timm needs, raises either
        raise ValueError(
            f"the tower timm:{name} needs timm and a torchvision made for this torch: pip install timm ({error})"
        ) from error
    return timm
