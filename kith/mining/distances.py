"""Distances between rows, with gradients."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

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
    others = None if others is None or others is rows else in_full(others)
    if distance == "product":
        return -(rows @ (rows if others is None else others).T) / 2
    if distance not in ("squared", "euclidean"):
        raise ValueError(f"no distance '{distance}'; there are squared, euclidean and product")
    squared: Tensor = SquaredDistances.apply(rows, others)
    return squared if distance == "squared" else root(squared)


class SquaredDistances(torch.autograd.Function):
    """(n, m) squared distances of (n, d) rows to (m, d) others, or, without others, of the rows to themselves.

    With G the gradient of all distances, that of row x_i is 2 Σ_j G_ij (x_i − y_j). Among the rows themselves G + Gᵀ
    stands for G, and one matrix product does what the derivative of a product of the rows with themselves does by two.

    >>> SquaredDistances.apply(torch.tensor([[0.0], [3.0]]), None).tolist()
    [[0.0, 9.0], [9.0, 0.0]]
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, others: Tensor | None) -> Tensor:
        near, far = _nearer_the_origin(rows, rows if others is None else others)
        ctx.save_for_backward(near, far)
        ctx.alone = others is None
        return _squared(near, far)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        rows, others = ctx.saved_tensors
        if ctx.alone:
            gradient = gradient + gradient.T
        return (
            _of_distances(gradient, rows, others) if ctx.needs_input_grad[0] else None,
            _of_distances(gradient.T, others, rows) if ctx.needs_input_grad[1] else None,
        )


class SumOverPairs(torch.autograd.Function):
    """A sum over given pairs of (n, d) rows of a function of their squared distances, whose derivative is known.

    first, second: (T,) rows of the pairs. of: makes of (T,) squared distances the sum, and its (T,) derivatives. Of all
    rows one matrix product is made, and one for the gradient; in between nothing has to be differentiated.

    >>> rows, pair = torch.tensor([[0.0], [3.0]]), (torch.tensor([0]), torch.tensor([1]))
    >>> float(SumOverPairs.apply(rows, *pair, lambda squared: (squared.sum(), torch.ones(1))))
    9.0
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, first: Tensor, second: Tensor, of: Callable[[Tensor], tuple[Tensor, Tensor]]
    ) -> Tensor:
        near, _ = _nearer_the_origin(rows, rows)
        place = first * len(rows) + second
        total, slopes = of(_squared(near, near).flatten().index_select(0, place))
        ctx.save_for_backward(near, place, slopes)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, place, slopes = ctx.saved_tensors
        weights = rows.new_zeros(len(rows) ** 2).index_add_(0, place, gradient * slopes).view(len(rows), len(rows))
        return _of_distances(weights + weights.T, rows, rows), None, None, None


def _squared(rows: Tensor, others: Tensor) -> Tensor:
    own = rows.square().sum(dim=1)
    squared = own[:, None] + (own if others is rows else others.square().sum(dim=1))
    return squared.sub_(rows @ others.T, alpha=2).clamp_(min=0)


def _of_distances(gradient: Tensor, rows: Tensor, others: Tensor) -> Tensor:
    return torch.addmm(gradient.sum(dim=1, keepdim=True) * rows, gradient, others, alpha=-1).mul_(2)


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
    middle = others.mean(dim=0)
    spread = (others - middle).square().sum(dim=1).mean()
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
