"""The angular N-pairs loss: Wang et al., ICCV 2017, as used by Thomas & Kovashka, ECCV 2020."""

import math

import torch
from torch import Tensor


def angular(
    anchor: Tensor,
    positive: Tensor,
    negatives: Tensor,
    mask: Tensor | None = None,
    angle: float = 45.0,
    repeats: int = 1,
) -> Tensor:
    """mean_i log(1 + repeats · Σ_{n∈N_i} exp(4t·(a_i + p_i)ᵀn − 2(1 + t)·a_iᵀp_i)), t = tan²(angle).

    anchor, positive: (B, d) unit rows; negatives: (N, d); mask: (B, N) bool, true where a row of `negatives`
    is a negative of the anchor (default: all are). angle in degrees; the published program uses 45, t = 1.
    repeats: the published program repeats anchors and negatives to B² rows, which counts every negative B
    times; repeats=B gives its value without its memory.
    """
    t = math.tan(math.radians(angle)) ** 2
    pull = 2 * (1 + t) * (anchor * positive).sum(dim=1, keepdim=True)
    exponents = 4 * t * (anchor + positive) @ negatives.T - pull + math.log(repeats)
    if mask is not None:
        exponents = exponents.masked_fill(~mask, -math.inf)
    # The 1 inside the logarithm is one more exponent, 0.
    return torch.logsumexp(torch.cat([torch.zeros_like(pull), exponents], dim=1), dim=1).mean()
