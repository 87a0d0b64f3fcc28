"""The pairs of a batch that losses of codes compare: which are of one class, and how much each kind weighs."""

import torch
from torch import Tensor


def same_class(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(B, B) bool: true for two rows of one class; and true for two different rows.

    >>> alike, pairs = same_class(torch.tensor([0, 0, 1]))
    >>> alike[0].tolist(), pairs[0].tolist()
    ([True, True, False], [False, True, True])
    """
    return labels[:, None] == labels[None, :], ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)


def balanced_weights(alike: Tensor, pairs: Tensor) -> Tensor:
    """(B, B) of n/n₁ for the n₁ pairs that are alike, n/n₀ for the others, over the n pairs; elsewhere 0.

    Cao et al., "HashNet", ICCV 2017, eq. 2, within a batch.

    >>> alike, pairs = same_class(torch.tensor([0, 0, 1]))
    >>> balanced_weights(alike, pairs)[0].tolist()  # 2 of 6 pairs are alike
    [0.0, 3.0, 1.5]
    """
    near, far = alike & pairs, ~alike & pairs
    total = pairs.sum()
    return near * (total / near.sum().clamp(min=1)) + far * (total / far.sum().clamp(min=1))
