"""Two towers, one space: pictures and texts become unit vectors that can be compared by dot product."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.models.image import image_tower
from kith.models.text import text_tower


class DualEncoder(nn.Module):
    """An image tower and a text tower, each followed by a linear layer and L2 normalisation.

    config: {"dim", "image": {"tower", "depth", "width", "channels", "size", "fit", "mean", "std"},
    "text": {"tower", "words", "embedding", "hidden", "dropout"}}: all that is needed to build it again.
    Linear layers start Xavier-normal with bias 0.1, as published (Thomas & Kovashka, ECCV 2020).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: dict[str, Any]):
        super().__init__()
        self.config = config
        image = dict(config["image"])
        mean, std, _ = image.pop("mean"), image.pop("std"), image.pop("fit")
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)
        self.image_tower = image_tower(**image)
        self.text_tower = text_tower(**config["text"])
        self.image_head = _head(self.image_tower.out_features, config["dim"])
        self.text_head = _head(self.text_tower.out_features, config["dim"])

    def prepare(self, images: Tensor) -> Tensor:
        """uint8 (B, H, W, C) to standardised float32 (B, C, H, W), channels last in memory."""
        return (images.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std

    def embed_images(self, images: Tensor) -> Tensor:
        """Standardised (B, C, H, W) pictures to unit float32 rows (B, dim)."""
        return F.normalize(self.image_head(self.image_tower(images)).float())

    def embed_texts(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Word numbers (B, L) and lengths (B,) to unit float32 rows (B, dim)."""
        return F.normalize(self.text_head(self.text_tower(tokens, lengths)).float())


def _head(inputs: int, outputs: int) -> nn.Linear:
    head = nn.Linear(inputs, outputs)
    nn.init.xavier_normal_(head.weight)
    nn.init.constant_(head.bias, 0.1)
    return head
