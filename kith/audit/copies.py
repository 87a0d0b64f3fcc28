"""Whether one picture is a copy of another: cropped, lighter or darker, saved anew."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

SIDE = 32  # pixels at which pictures are compared
SHARES = (32, 30, 28, 26, 24, 22)  # of them, which a cropped copy may show
BATCH = 256
FLAT = 1e-3  # deviation below which a picture has nothing to be compared by


def likeness(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) float32: how well each pair of pictures fits, the one laid over the other in any place and size.

    The correlation of their pixels, 0 to 1, where it is highest (template matching by normalised cross-correlation,
    Lewis 1995); light and contrast do not count. One may show from 69 % of the other's sides to all of it. 0 where
    one of them has one colour.

    first, second: (n, H, W, C) uint8.

    >>> noise = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3)).astype(np.uint8)
    >>> likeness(noise[:1], noise[:1] // 2).round(2).tolist(), bool(likeness(noise[:1], noise[1:])[0] < 0.5)
    ([1.0], True)
    """
    parts = [np.zeros(0, np.float32)]
    for start in range(0, len(first), BATCH):
        a, b = (_small(each[start : start + BATCH]) for each in (first, second))
        parts.append(torch.maximum(_within(a, b), _within(b, a)).clamp(0, 1).numpy())
    return np.concatenate(parts)


def _small(pictures: np.ndarray) -> Tensor:
    """(n, C, SIDE, SIDE) float32 in 0…1."""
    tensor = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255
    return interpolate(tensor, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)


def _within(whole: Tensor, part: Tensor) -> Tensor:
    """(n,) the best correlation of `part`, made smaller, with what lies below it in `whole`."""
    best, spectrum, squares = torch.zeros(len(whole)), torch.fft.rfft2(whole), whole.square()
    for side in SHARES:
        template = interpolate(part, (side, side), mode="bilinear", antialias=True, align_corners=False)
        template = template - template.mean(dim=(2, 3), keepdim=True)
        length, places = template.square().sum(dim=(1, 2, 3))[:, None, None], SIDE + 1 - side
        # Places where the template lies inside do not wrap around.
        other = torch.fft.rfft2(pad(template, (0, SIDE - side, 0, SIDE - side)))
        products = torch.fft.irfft2((spectrum * other.conj()).sum(dim=1), (SIDE, SIDE))[:, :places, :places]
        mean = avg_pool2d(whole, side, stride=1)
        spread = (avg_pool2d(squares, side, stride=1) - mean.square()).clamp(min=0).sum(dim=1) * side**2
        flat = (FLAT * side) ** 2
        fit = products / (spread * length).sqrt().clamp(min=1e-12)
        best = torch.maximum(best, torch.where((spread > flat) & (length > flat), fit, 0).amax(dim=(1, 2)))
    return best
