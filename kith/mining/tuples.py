"""Pairs and triplets that were drawn before the batch was made of them: its rows are one after the other."""

import torch
from torch import Tensor

from kith.mining.pairs import Pairs
from kith.mining.triplets import Triplets


def given_pairs(labels: Tensor) -> Pairs:
    """Rows 0 and 1, rows 2 and 3, and so on. labels: (2n,) integers. Raises ValueError for an odd number of rows.

    >>> pairs = given_pairs(torch.tensor([4, 4, 4, 7]))
    >>> pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist()
    ([0, 2], [1, 3], [True, False])
    """
    first, second = _columns(labels, 2)
    return Pairs(first, second, labels[first] == labels[second])


def given_triplets(labels: Tensor) -> Triplets:
    """Rows 0, 1 and 2, rows 3, 4 and 5, and so on: an anchor, a positive and a negative. labels: (3n,) integers.

    Raises ValueError for other numbers of rows, and where a positive is of another class or a negative of the same.

    >>> found = given_triplets(torch.tensor([4, 4, 7, 7, 7, 4]))
    >>> found.anchor.tolist(), found.positive.tolist(), found.negative.tolist()
    ([0, 3], [1, 4], [2, 5])
    """
    anchor, positive, negative = _columns(labels, 3)
    if not ((labels[anchor] == labels[positive]) & (labels[anchor] != labels[negative])).all():
        raise ValueError("the batch is not of triplets; take train.sampler: triplets")
    return Triplets(anchor, positive, negative, len(anchor))


def _columns(labels: Tensor, width: int) -> tuple[Tensor, ...]:
    if len(labels) % width:
        raise ValueError(f"{len(labels)} rows are no tuples of {width}; take train.sampler: pairs, or triplets")
    return torch.arange(len(labels), device=labels.device).reshape(-1, width).unbind(dim=1)
