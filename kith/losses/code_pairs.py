"""The pairs of a batch that losses of codes compare: which are of one class, and how much each kind weighs."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kith.mining.alike import alike


def same_class(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(B, B) bool: true for two rows of one class, see `kith.mining.alike`; and true for two different rows.

    >>> same, pairs = same_class(torch.tensor([0, 0, 1]))
    >>> same[0].tolist(), pairs[0].tolist()
    ([True, True, False], [False, True, True])
    """
    return alike(labels), ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)


def negative_likelihood(outputs: Tensor, labels: Tensor, alpha: float = 0.5) -> Tensor:
    """Mean over the pairs of (B, bits) outputs of log(1 + e^θ) − s·θ, θ = αuᵀu′; s is 1 for two rows of one class, else
    0. 0 for a row alone, which has no pairs.

    >>> round(float(negative_likelihood(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))), 4)  # log(1 + e^−½)
    0.4741
    """
    same, pairs = same_class(labels)
    theta = outputs @ outputs.T * alpha
    return ((F.softplus(theta) - same * theta) * pairs).sum() / pairs.sum().clamp(min=1)


def balanced_weights(same: Tensor, pairs: Tensor) -> Tensor:
    """(B, B) of n/n₁ for the n₁ pairs that are alike, n/n₀ for the others, over the n pairs; elsewhere 0.

    Cao et al., "HashNet", ICCV 2017, eq. 2, within a batch.

    >>> same, pairs = same_class(torch.tensor([0, 0, 1]))
    >>> balanced_weights(same, pairs)[0].tolist()  # 2 of 6 pairs are alike
    [0.0, 3.0, 1.5]
    """
    near, far = same & pairs, ~same & pairs
    total = pairs.sum()
    return near * (total / near.sum().clamp(min=1)) + far * (total / far.sum().clamp(min=1))
