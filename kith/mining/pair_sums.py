"""Means over pairs of rows of a function of their squared distance, with gradients that are made on the way."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kith.mining import passes
from kith.mining.alike import alike
from kith.mining.distances import FEW, of_distances, squares, with_lengths

BLOCK = 256  # rows whose distances are held at once, on a processor

Listed = tuple[Tensor, Tensor, Tensor]
Hinge = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class MeanOverPairs(torch.autograd.Function):
    """The mean over given pairs of (n, d) rows, 0 without pairs, and how many of them count, int64.

    pairs: (T,) rows, (T,) rows, (T,) bool, whether they belong together. limit: a squared distance; from there on the
    other pairs do not count, and are worth nothing. hinge: makes of squared distances and that bool, of any shape, the
    values and their derivatives.

    >>> rows, pair = torch.tensor([[0.0], [3.0]]), (torch.tensor([0]), torch.tensor([1]), torch.tensor([True]))
    >>> [float(each) for each in MeanOverPairs.apply(rows, pair, 1.0, lambda squared, same: (squared, same.float()))]
    [9.0, 1.0]
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, pairs: Listed, limit: float, hinge: Hinge) -> tuple[Tensor, Tensor]:
        first, second, same = pairs
        size, count = len(rows), max(1, len(first))
        if passes.by_numpy(rows) and FEW * len(first) < size**2:
            gradient = torch.zeros_like(rows)
            squared, values = _add_listed(gradient, rows, pairs, hinge, count)
        else:
            rows, _, own, _ = with_lengths(rows, rows)
            place = first * size + second
            squared = squares(rows, rows, own, own).flatten().index_select(0, place)
            values, slopes = hinge(squared, same)
            weights = rows.new_zeros(size**2).index_add_(0, place, slopes.div_(count)).view(size, size)
            gradient = of_distances(weights + weights.T, rows, rows)
        total = values.sum() + squared.sum() * 0  # NaN where a distance is not finite, which would be worth nothing
        return _kept(ctx, total / count, (passes.below(squared, limit) | same).sum(), gradient)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        return gradient * ctx.saved_tensors[0], None, None, None


class MeanOverAllPairs(torch.autograd.Function):
    """As `MeanOverPairs`, of every pair of a batch once; labels: (n,) or (n, C), see `alike`.

    Each distance is made once, block by block. Where few pairs of a block count, they are listed: half of one matrix
    product is then nearly all there is to do. On other devices none are, for to look would be to wait.

    >>> rows, labels = torch.tensor([[0.0], [3.0], [9.0]]), torch.tensor([0, 0, 1])
    >>> hinge = lambda squared, same: (squared * same, same.float())
    >>> [float(each) for each in MeanOverAllPairs.apply(rows, labels, 1.0, hinge)]
    [3.0, 1.0]
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, labels: Tensor, limit: float, hinge: Hinge) -> tuple[Tensor, Tensor]:
        rows, _, own, _ = with_lengths(rows, rows)
        gradient, count = torch.zeros_like(rows), max(1, len(rows) * (len(rows) - 1) // 2)
        total = own.sum() * 0  # NaN where a row is not finite: it would be far, and worth nothing
        active: Tensor | int = 0
        size = BLOCK if passes.by_numpy(rows) else max(1, len(rows))
        for start in range(0, len(rows), size):
            some, later = slice(start, start + size), slice(start, None)
            squared = squares(rows[some], rows[later], own[some], own[later])
            same = alike(labels[some], labels[later])
            counts = passes.below(squared, limit).logical_or_(same)
            counts[:, : len(counts)].triu_(1)
            found = passes.count(counts)
            if passes.by_numpy(rows) and FEW * found < counts.numel():
                place, first, second = passes.places(counts)
                pairs = first, second, same.view(-1).index_select(0, place)
                total += _add_listed(gradient[later], rows[later], pairs, hinge, count)[1].sum()
            else:
                total += _add_table(gradient[later], rows[later], *hinge(squared.fill_diagonal_(0), same), count)
            active += found
        return _kept(ctx, total / count, torch.as_tensor(active), gradient)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        return gradient * ctx.saved_tensors[0], None, None, None


def _kept(ctx: Any, mean: Tensor, active: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    ctx.save_for_backward(gradient)
    ctx.mark_non_differentiable(active)
    return mean, active


def _add_listed(gradient: Tensor, rows: Tensor, pairs: Listed, hinge: Hinge, count: int) -> tuple[Tensor, Tensor]:
    """(T,) squared distances and values of pairs; the gradient by the rows of their sum, by `count`, is added."""
    first, second, same = pairs
    apart = rows.index_select(0, first).sub_(rows.index_select(0, second))
    squared = apart.square().sum(dim=1)
    values, slopes = hinge(squared, same)
    apart.mul_(slopes.mul_(2 / count)[:, None])
    gradient.index_add_(0, first, apart).index_add_(0, second, apart, alpha=-1)
    return squared, values


def _add_table(gradient: Tensor, rows: Tensor, values: Tensor, slopes: Tensor, count: int) -> Tensor:
    """The sum over the pairs of the first b of (m, d) rows with all, of (b, m) values; its gradient, by `count`, is
    added. Pairs among the b stand there twice, in either order, and each row with itself, which is no pair."""
    width = len(values)
    values.fill_diagonal_(0)
    slopes.div_(count).fill_diagonal_(0)
    gradient[:width] += of_distances(slopes, rows[:width], rows)
    gradient[width:] += of_distances(slopes[:, width:].T, rows[width:], rows[:width])
    return values[:, :width].sum() / 2 + values[:, width:].sum()
