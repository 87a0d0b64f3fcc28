"""Distances between rows, with gradients."""

from typing import Literal

import torch
from torch import Tensor

from kith.mining.given import in_full

Distance = Literal["squared", "euclidean", "product"]
FAR = 100  # squared distance of the mean from the origin, for 1 of the rows from their mean


def pairwise(rows: Tensor, others: Tensor | None = None, distance: Distance = "squared") -> Tensor:
    """(n, m) distances of (n, d) rows to (m, d) others, by default the rows themselves, by one matrix product.

    squared: |x − y|²; euclidean: |x − y|, whose gradient is 0 where the rows are equal; product: −½xᵀy, which is
    minus the θ of hashing by pairs or triplets. Raises ValueError for another name.

    >>> pairwise(torch.tensor([[0.0], [3.0]])).tolist()
    [[0.0, 9.0], [9.0, 0.0]]
    """
    rows = in_full(rows)
    others = rows if others is None else in_full(others)
    if distance != "product":
        rows, others = _nearer_the_origin(rows, others)
    product = rows @ others.T
    if distance == "product":
        return -product / 2
    squared = rows.square().sum(dim=1, keepdim=True) + others.square().sum(dim=1) - 2 * product
    if distance == "squared":
        return squared.clamp(min=0)
    if distance != "euclidean":
        raise ValueError(f"no distance '{distance}'; there are squared, euclidean and product")
    return root(squared)


def paired(rows: Tensor, others: Tensor, distance: Distance = "squared") -> Tensor:
    """(n,) distances of each of (n, d) rows to the other of its number; distances as of `pairwise`.

    >>> paired(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]), "euclidean").tolist()
    [5.0]
    """
    rows, others = in_full(rows), in_full(others)
    if distance == "product":
        return -(rows * others).sum(dim=1) / 2
    squared = (rows - others).square().sum(dim=1)
    return squared if distance == "squared" else root(squared)


def _nearer_the_origin(rows: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Both moved by the mean of the others, where they lie far from the origin for how far they are from each other:
    the squares of the matrix product would leave no digits for their differences."""
    middle = others.detach().mean(dim=0)
    spread = (others.detach() - middle).square().sum(dim=1).mean()
    if not middle.square().sum() > FAR * spread:
        return rows, others
    return rows - middle, others - middle


def root(squared: Tensor) -> Tensor:
    """Square roots of what is above 0, else 0, where the gradient is 0 too; NaN stays.

    >>> root(torch.tensor([-1.0, 4.0])).tolist()
    [0.0, 2.0]
    """
    apart = ~(squared <= 0)
    return torch.where(apart, torch.where(apart, squared, 1).sqrt(), 0)
