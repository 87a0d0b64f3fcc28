"""Random changes of training pictures, a batch at a time, on the batch's device."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kith.models.dual_encoder import crop_room

ERASED_AREA = (0.02, 0.4)  # shares of the picture, and heights over widths, of Zhong et al.
ERASED_ASPECT = (0.3, 1 / 0.3)
ATTEMPTS = 10  # at a rectangle that fits


def augment(
    images: Tensor,
    generator: torch.Generator,
    *,
    flip: bool = False,
    shift: float = 0.0,
    rotate: float = 0.0,
    scale: float = 0.0,
    crop: int | None = None,
    erase: float = 0.0,
) -> Tensor:
    """Crop, then flip, shift, rotate and scale, then erase a part of each picture by its own random amount.

    images: (B, C, H, W) floats. crop: the side of the square that is cut out; shift: at most this share of the side;
    rotate: at most these degrees; scale: sides multiplied by a factor between 1/(1+scale) and 1+scale; the border is
    continued. erase: the share of pictures of which a rectangle becomes noise. The draws come from `generator`, a
    CPU one, so they do not depend on the device.

    Raises ValueError for a crop that does not fit.

    >>> images = torch.zeros(2, 3, 40, 40)
    >>> tuple(augment(images, torch.Generator().manual_seed(0), crop=32, flip=True, shift=0.1).shape)
    (2, 3, 32, 32)
    """
    if crop is not None:
        images = _crop(images, generator, crop)
    if flip or shift or rotate or scale:
        images = _warp(images, generator, flip, shift, rotate, scale)
    return _erase(images, generator, erase) if erase else images


def _crop(images: Tensor, generator: torch.Generator, side: int) -> Tensor:
    count, device = len(images), images.device
    rows, columns = (
        (torch.randint(room + 1, (count, 1), generator=generator) + torch.arange(side)).to(device, non_blocking=True)
        for room in crop_room(images, side)
    )
    picture = torch.arange(count, device=device)[:, None, None]
    # The channels come last, in memory too.
    return images[picture, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _warp(images: Tensor, generator: torch.Generator, flip: bool, shift: float, rotate: float, scale: float) -> Tensor:
    count = len(images)

    def uniform(limit: float, columns: int = 1) -> Tensor:
        return (torch.rand(count, columns, generator=generator) * 2 - 1) * limit

    angle = uniform(math.radians(rotate))[:, 0]
    factor = torch.exp(uniform(math.log1p(scale))[:, 0])
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0) if flip else torch.ones(count)
    offset = uniform(2 * shift, columns=2)
    cos, sin = torch.cos(angle) * factor, torch.sin(angle) * factor
    matrix = torch.stack([cos * mirror, -sin, offset[:, 0], sin * mirror, cos, offset[:, 1]], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    grid = grid.to(images.device, images.dtype, non_blocking=True)
    warped = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return warped.contiguous(memory_format=torch.channels_last)


def _erase(images: Tensor, generator: torch.Generator, probability: float) -> Tensor:
    """Random erasing (Zhong et al., AAAI 2020) of standardised pictures; all of a batch share one picture of noise."""
    count, _, height, width = images.shape
    area, aspect = (
        low + (high - low) * torch.rand(count, ATTEMPTS, generator=generator)
        for low, high in (ERASED_AREA, ERASED_ASPECT)
    )
    # The first of the attempts that is smaller than the picture.
    sides = torch.stack([(height * width * area * aspect).sqrt(), (height * width * area / aspect).sqrt()], dim=2).int()
    room = torch.tensor([height, width]) - sides
    fits = (room > 0).all(dim=2)
    chosen = torch.arange(count), fits.int().argmax(dim=1)
    start = (torch.rand(count, 2, generator=generator) * (room[chosen] + 1).clamp(min=0)).int()
    erased = (torch.rand(count, generator=generator) < probability) & fits.any(dim=1)
    inside = [
        (at >= start[:, [axis]]) & (at < start[:, [axis]] + sides[chosen][:, [axis]])
        for axis, at in enumerate((torch.arange(height), torch.arange(width)))
    ]
    mask = (erased[:, None, None] & inside[0][:, :, None] & inside[1][:, None, :])[:, None]
    mask = mask.to(images.device, non_blocking=True)  # else a GPU is waited for
    noise = torch.randn(images.shape[1:], generator=generator).to(images.device, images.dtype, non_blocking=True)
    return torch.where(mask, noise, images).contiguous(memory_format=torch.channels_last)
