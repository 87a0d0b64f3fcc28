"""Distances between rows, with gradients."""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kith.mining.given import in_full, uncast

Distance = Literal["squared", "euclidean", "product"]
FAR = 100  # squared distance of the mean from the origin, for 1 of the rows from their mean
FEW = 50  # the distance of one given pair costs, with its gradient, about as much as so many by matrix products


def pairwise(rows: Tensor, others: Tensor | None = None, distance: Distance = "squared") -> Tensor:
    """(n, m) distances of (n, d) rows to (m, d) others, by default the rows themselves, by one matrix product.

    squared: |x − y|²; euclidean: |x − y|, whose gradient is 0 where the rows are equal; product: −½xᵀy, which is
    minus the θ of hashing by pairs or triplets. Raises ValueError for another name.

    >>> pairwise(torch.tensor([[0.0], [3.0]])).tolist()
    [[0.0, 9.0], [9.0, 0.0]]
    """
    rows = in_full(rows)
    others = None if others is None or others is rows else in_full(others)
    if distance not in ("squared", "euclidean", "product"):
        raise ValueError(f"no distance '{distance}'; there are squared, euclidean and product")
    with uncast(rows):
        if distance == "product":
            return -(rows @ (rows if others is None else others).T) / 2
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
        near, far, own, theirs = with_lengths(rows, rows if others is None else others)
        ctx.save_for_backward(near, far)
        ctx.alone = others is None
        return squares(near, far, own, theirs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        rows, others = ctx.saved_tensors
        if ctx.alone:
            gradient = gradient + gradient.T
        return (
            of_distances(gradient, rows, others) if ctx.needs_input_grad[0] else None,
            of_distances(gradient.T, others, rows) if ctx.needs_input_grad[1] else None,
        )


class SquaredOfGiven(torch.autograd.Function):
    """(T,) squared distances of row first[t] of (n, d) rows to row second[t] of (m, d) others, or, without others, of
    the rows.

    >>> SquaredOfGiven.apply(torch.tensor([[0.0], [3.0]]), None, torch.tensor([0]), torch.tensor([1])).tolist()
    [9.0]
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, others: Tensor | None, first: Tensor, second: Tensor) -> Tensor:
        far = rows if others is None else others
        apart = rows.index_select(0, first).sub_(far.index_select(0, second))
        ctx.save_for_backward(apart, first, second)
        ctx.sizes = len(rows), None if others is None else len(others)
        return apart.square().sum(dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        apart, first, second = ctx.saved_tensors
        size, others = ctx.sizes
        each = apart * gradient.mul(2)[:, None]
        near = apart.new_zeros(size, apart.shape[1]).index_add_(0, first, each)
        far = near if others is None else apart.new_zeros(others, apart.shape[1])
        far.index_add_(0, second, each, alpha=-1)
        return near, None if others is None else far, None, None


def squares(rows: Tensor, others: Tensor, own: Tensor, theirs: Tensor) -> Tensor:
    """(n, m) squared distances; own, theirs: (n,) and (m,) squared lengths.

    >>> one, two = torch.tensor([[0.0]]), torch.tensor([[3.0]])
    >>> squares(one, two, torch.tensor([0.0]), torch.tensor([9.0])).tolist()
    [[9.0]]
    """
    return (own[:, None] + theirs).sub_(rows @ others.T, alpha=2).clamp_(min=0)


def of_distances(gradient: Tensor, rows: Tensor, others: Tensor) -> Tensor:
    """(n, d) gradient by the rows of what has the (n, m) gradient by squared distances.

    >>> of_distances(torch.tensor([[1.0]]), torch.tensor([[3.0]]), torch.tensor([[0.0]])).tolist()
    [[6.0]]
    """
    return torch.addmm(gradient.sum(dim=1, keepdim=True) * rows, gradient, others, alpha=-1).mul_(2)


def of_given(
    rows: Tensor, others: Tensor | None, first: Tensor, second: Tensor, distance: Distance = "squared"
) -> Tensor:
    """(T,) distances of row first[t] of (n, d) rows to row second[t] of (m, d) others, by default the rows, by the
    cheaper of two ways; distances as of `pairwise`.

    >>> of_given(torch.tensor([[0.0], [3.0]]), None, torch.tensor([0]), torch.tensor([1])).tolist()
    [9.0]
    """
    rows = in_full(rows)
    others = None if others is None or others is rows else in_full(others)
    far = rows if others is None else others
    if FEW * len(first) >= len(rows) * len(far):
        return pairwise(rows, others, distance).flatten().index_select(0, first * len(far) + second)
    if distance == "product":
        return paired(rows.index_select(0, first), far.index_select(0, second), distance)
    squared: Tensor = SquaredOfGiven.apply(rows, others, first, second)
    return squared if distance == "squared" else root(squared)


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


def with_lengths(rows: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Both, and the squared length of each row. Where they lie far from the origin for how far the others are from each
    other, both are moved by the mean of the others: the squares of the matrix product would leave no digits for their
    differences.

    >>> rows = torch.tensor([[1000.0], [1002.0]])
    >>> [each.tolist() for each in with_lengths(rows, rows)[1:3]]
    [[[-1.0], [1.0]], [1.0, 1.0]]
    """
    theirs = others.square().sum(dim=1)
    own = theirs if rows is others else rows.square().sum(dim=1)
    middle = others.mean(dim=0)
    away = middle.dot(middle)
    # The mean of their squared lengths is that of the mean, and the mean of the squared distances from it.
    if not away > FAR * (theirs.mean() - away):
        return rows, others, own, theirs
    near, far = rows - middle, others - middle
    return near, far, near.square().sum(dim=1), far.square().sum(dim=1)


def root(squared: Tensor) -> Tensor:
    """Square roots of what is above 0, else 0, where the gradient is 0 too; NaN stays.

    >>> root(torch.tensor([-1.0, 4.0])).tolist()
    [0.0, 2.0]
    """
    apart = ~(squared <= 0)
    return torch.where(apart, torch.where(apart, squared, 1).sqrt(), 0)
