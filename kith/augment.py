"""Random changes of training pictures, a batch at a time, on the batch's device."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(
    images: Tensor,
    generator: torch.Generator,
    *,
    flip: bool = False,
    shift: float = 0.0,
    rotate: float = 0.0,
    scale: float = 0.0,
) -> Tensor:
    """Flip, shift, rotate and scale each picture by its own random amount; the border is continued.

    images: (B, C, H, W) floats. shift: at most this share of the side; rotate: at most these degrees;
    scale: sides multiplied by a factor between 1/(1+scale) and 1+scale. The draws come from `generator`, a CPU
    one, so they do not depend on the device.
    """
    if not (flip or shift or rotate or scale):
        return images
    count = len(images)

    def uniform(limit: float, columns: int = 1) -> Tensor:
        return (torch.rand(count, columns, generator=generator) * 2 - 1) * limit

    angle = uniform(math.radians(rotate))[:, 0]
    factor = torch.exp(uniform(math.log1p(scale))[:, 0])
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0) if flip else torch.ones(count)
    offset = uniform(2 * shift, columns=2)
    cos, sin = torch.cos(angle) * factor, torch.sin(angle) * factor
    matrix = torch.stack([cos * mirror, -sin, offset[:, 0], sin * mirror, cos, offset[:, 1]], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False).to(images.device, images.dtype)
    warped = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return warped.contiguous(memory_format=torch.channels_last)
