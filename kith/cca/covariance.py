"""Means and covariances of two views, block by block, so that millions of rows need the memory of one block."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kith.errors import KithError

STRIPS = 4
NONE = 1e-12  # a mean variance below this counts as this: a view that says nothing has a covariance all the same


@dataclass
class Moments:
    """Running means (p,), (q,) and sums of products about them, (p, p), (q, q) and (p, q), all float64.

    >>> block = Moments.of(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [3.0]]))
    >>> block.mean1.tolist(), [each.tolist() for each in block.covariances()]
    ([1.0], [[[2.0]], [[2.0]], [[2.0]]])
    """

    count: int
    mean1: Tensor
    mean2: Tensor
    products11: Tensor
    products22: Tensor
    products12: Tensor

    @classmethod
    def over(cls, batches: Iterable[tuple[Any, Any]]) -> "Moments":
        """Of arrays or tensors that hold blocks of rows of both views, as they come.

        Raises KithError where there is no block, and what `of` raises.
        """
        total = None
        for x, y in batches:
            block = cls.of(torch.as_tensor(x), torch.as_tensor(y), 0 if total is None else total.count)
            total = block if total is None else total + block
        if total is None:
            raise KithError("two views without rows; there is nothing to fit")
        return total

    @classmethod
    def of(cls, x: Tensor, y: Tensor, start: int = 0) -> "Moments":
        """Of one block: x (n, p) and y (n, q), row i of one belonging to row i of the other.

        Raises KithError for blocks that do not match and for values that are not finite; rows are then counted
        from `start`.
        """
        if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or not len(x):
            shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
            raise KithError(f"two views need as many rows each, (n, p) and (n, q), not {shapes}")
        centred, means = [], []
        for name, view in (("first", x), ("second", y)):
            whole = view.double()
            mean = whole.mean(dim=0)
            # Looking at every value would cost more than the products.
            if not torch.isfinite(mean).all():
                bad = torch.nonzero(~torch.isfinite(view).all(dim=1))
                raise KithError(f"the {name} view: row {start + int(bad[0])} is not finite ({len(bad)} such rows)")
            centred.append(whole - mean if whole is view else whole.sub_(mean))
            means.append(mean)
        x, y = centred
        return cls(len(x), means[0], means[1], _squared(x), _squared(y), x.T @ y)

    def __add__(self, other: "Moments") -> "Moments":
        """Of both blocks together, without cancellation: Chan, Golub & LeVeque, 1983.

        Raises KithError for blocks of different widths.
        """
        if self.products12.shape != other.products12.shape:
            widths = f"{tuple(self.products12.shape)} and {tuple(other.products12.shape)}"
            raise KithError(f"all blocks of two views need the same numbers of columns, not {widths}")
        count = self.count + other.count
        d1, d2 = other.mean1 - self.mean1, other.mean2 - self.mean2
        share, weight = other.count / count, self.count * other.count / count
        return Moments(
            count,
            self.mean1 + share * d1,
            self.mean2 + share * d2,
            self.products11 + other.products11 + weight * torch.outer(d1, d1),
            self.products22 + other.products22 + weight * torch.outer(d2, d2),
            self.products12 + other.products12 + weight * torch.outer(d1, d2),
        )

    def covariances(self) -> tuple[Tensor, Tensor, Tensor]:
        """S11, S22 and S12, divided by n − 1. Raises KithError for a single row."""
        if self.count < 2:
            raise KithError("a covariance needs at least 2 rows, there is 1")
        divisor = self.count - 1
        return self.products11 / divisor, self.products22 / divisor, self.products12 / divisor


def _squared(view: Tensor) -> Tensor:
    """Vᵀ V of (n, p), strip by strip of columns, each with those from it on: 10 products of blocks in place of 16."""
    p = view.shape[1]
    width, product = -(-p // STRIPS), view.new_empty(p, p)
    for start in range(0, p, width):
        strip = slice(start, start + width)
        block = view[:, strip].T @ view[:, start:]
        product[strip, start:], product[start:, strip] = block, block.T
    return product


def unit(covariance: Tensor, relative: bool) -> Tensor:
    """What a ridge of 1 adds to a covariance (p, p): the identity, with `relative` of its mean variance.

    >>> unit(torch.diag(torch.tensor([1.0, 3.0])), relative=True).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    identity = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    return covariance.diagonal().mean().clamp(min=NONE) * identity if relative else identity


def oracle_share(covariance: Tensor, rows: int) -> float:
    """How far to shrink the covariance (p, p) of so many rows towards `unit`, 0 … 1: the share that would come nearest
    to the true covariance of normal rows (oracle approximating shrinkage: Chen et al., IEEE TSP 2010).

    >>> share = oracle_share(torch.diag(torch.tensor([1.0, 3.0, 2.0])), rows=100)
    >>> round(share, 2), round(oracle_share(torch.eye(3), rows=100), 2)
    (0.2, 1.0)
    """
    p, trace, squares = len(covariance), float(covariance.diagonal().sum()), float(covariance.square().sum())
    apart = (rows + 1 - 2 / p) * (squares - trace**2 / p)
    return 1.0 if apart <= 0 else min(1.0, ((1 - 2 / p) * squares + trace**2) / apart)


def lower_roots(covariances: Tensor, first: int = 0) -> Tensor:
    """L, lower triangular, of each covariance S = L Lᵀ of (v, p, p), of the first view and the second, or of that view
    alone whose number `first` is: (v, p, p).

    Raises KithError for a covariance that is not positive definite.

    >>> lower_roots(torch.tensor([[[4.0]], [[9.0]]])).flatten().tolist()
    [2.0, 3.0]
    """
    roots, failed = torch.linalg.cholesky_ex(covariances)
    # What a column has of its own, as a share: of a sum of others it is 0, up to rounding, which may be above 0.
    own = roots.diagonal(dim1=1, dim2=2).square() / covariances.diagonal(dim1=1, dim2=2)
    least = 10 * covariances.shape[1] * torch.finfo(covariances.dtype).eps
    if failed.any() or own.min() < least:
        bad = (failed > 0) | (own < least).any(dim=1)
        name, ridge = (("first", "r1"), ("second", "r2"))[first + int(bad.int().argmax())]
        raise KithError(
            f"the {name} view has a singular covariance (columns that are constant, or sums of others): "
            f"raise {ridge}, or take fewer dimensions than rows"
        )
    return roots


def whitened(left: Tensor, right: Tensor, s12: Tensor) -> Tensor:
    """T = L1⁻¹ S12 L2⁻ᵀ, whose singular values are the canonical correlations.

    Any other square root of S11 and S22 turns T by orthogonal matrices and leaves the projections as they are.

    left: (p, p) L1, right: (q, q) L2, s12: (p, q); T: (p, q).

    >>> float(whitened(torch.tensor([[2.0]]), torch.tensor([[1.0]]), torch.tensor([[1.0]])))
    0.5
    """
    half = torch.linalg.solve_triangular(left, s12, upper=False)
    return torch.linalg.solve_triangular(right.T, half, upper=True, left=False)


def unwhiten(factor: Tensor, directions: Tensor) -> Tensor:
    """L⁻ᵀ directions: from whitened coordinates to projections of the centred view.

    factor: (…, p, p), lower triangular; directions: (…, p, k); returns (…, p, k).

    >>> unwhiten(torch.tensor([[2.0]]), torch.tensor([[1.0]])).tolist()
    [[0.5]]
    """
    return torch.linalg.solve_triangular(factor.mT, directions, upper=True)
