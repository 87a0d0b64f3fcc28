"""Pictures in the form that an encoder was trained on: it belongs to the encoder, never to the data set."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """The short side is resized to size / crop pixels, and the middle square of `size` is looked at.

    mean, std: of the channels red, green and blue, in 0…1.

    >>> Preprocessing(224, crop=0.875).resized
    256
    """

    size: int
    crop: float = 1.0
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    @property
    def resized(self) -> int:
        """The short side after resizing, in pixels."""
        return max(self.size, round(self.size / self.crop))

    def but(self, size: int | None, crop: float | None) -> "Preprocessing":
        """With another size or crop, where they are given."""
        return replace(self, size=size or self.size, crop=crop or self.crop)

    def plain(self) -> dict[str, Any]:
        """For JSON and for a model's config; `Preprocessing(**plain)` is the same again."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


class Preprocess(nn.Module):
    """uint8 pictures (B, H, W, C), C = 1 or 3, to standardised float32 (B, 3, size, size).

    >>> network = Preprocess(Preprocessing(4, mean=(0.5,) * 3, std=(0.5,) * 3))
    >>> network(torch.full((1, 8, 8, 1), 255, dtype=torch.uint8))[0, :, 0, 0].tolist()
    [1.0, 1.0, 1.0]
    """

    mean: Tensor
    std: Tensor

    def __init__(self, preprocessing: Preprocessing):
        super().__init__()
        self.preprocessing = preprocessing
        for name in ("mean", "std"):
            values = torch.tensor(getattr(preprocessing, name))
            self.register_buffer(name, values.view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        x = images.permute(0, 3, 1, 2).float()
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        x = _middle(_resized(x, self.preprocessing, 0, 255), self.preprocessing.size) / 255
        return ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


class Refit(nn.Module):
    """Pictures (B, 3, H, W) that are standardised already, and maybe augmented, to the size that an encoder takes: with
    standardising before it, what `Preprocess` does.

    >>> tuple(Refit(Preprocessing(4, crop=0.8))(torch.zeros(2, 3, 8, 8)).shape)
    (2, 3, 4, 4)
    """

    low: Tensor
    high: Tensor

    def __init__(self, preprocessing: Preprocessing):
        super().__init__()
        self.preprocessing = preprocessing
        mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (preprocessing.mean, preprocessing.std))
        # Black and white, as they are standardised.
        self.register_buffer("low", -mean / std, persistent=False)
        self.register_buffer("high", (1 - mean) / std, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = _middle(_resized(x, self.preprocessing, self.low, self.high), self.preprocessing.size)
        return x.contiguous(memory_format=torch.channels_last)


def _resized(x: Tensor, preprocessing: Preprocessing, low: Any, high: Any) -> Tensor:
    """Its short side as the encoder wants it; low, high: the darkest and the brightest value that there is."""
    height, width, short = x.shape[2], x.shape[3], preprocessing.resized
    if min(height, width) == short:
        return x
    scale = short / min(height, width)
    to = [short if side == min(height, width) else round(side * scale) for side in (height, width)]
    mode = preprocessing.interpolation
    # Smaller pictures are averaged over what they lose; larger ones need no such filter, and ONNX has none.
    x = F.interpolate(x, to, mode=mode, align_corners=False, antialias=scale < 1)
    return x.clamp(low, high) if mode == "bicubic" else x


def _middle(x: Tensor, size: int) -> Tensor:
    top, left = (x.shape[2] - size) // 2, (x.shape[3] - size) // 2
    return x[:, :, top : top + size, left : left + size]
