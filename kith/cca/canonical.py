"""A batch of two views in its own canonical directions, with the gradient of the views."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

LEAST = 1e-12  # rows shorter than this are divided by it, as in F.normalize


@dataclass(frozen=True)
class CanonicalBatch:
    """What a batch of two views was found to be, all float64: views (2, n, d) about means (2, d); directions (2, d, d)
    W and correlations (d,), falling. keep: how many are kept. alpha: the share of the batch in means and covariances;
    ridges (2,): what one of the mean variance adds to the diagonal of a covariance, None where nothing.

    >>> rows, one = torch.tensor([[1.0], [-1.0]], dtype=torch.float64), torch.ones(2, 1, 1, dtype=torch.float64)
    >>> CanonicalBatch(torch.stack([rows, -rows]), one[:, 0], one, one[0, 0], keep=1).views.shape
    torch.Size([2, 2, 1])
    """

    views: Tensor
    means: Tensor
    directions: Tensor
    correlations: Tensor
    keep: int
    alpha: float = 1.0
    ridges: Tensor | None = None


class CanonicalRows(torch.autograd.Function):
    """Unit rows (n, k) of both views in their first k canonical directions, with these, U and V (d, k), their
    correlations (k,), and the means (d,).

    U and V are such that Uᵀ S11 U = Vᵀ S22 V = I and Uᵀ S12 V = Σ: U = S11^-½ P and V = S22^-½ R of the singular
    triples P Σ Rᵀ of T = S11^-½ S12 S22^-½, whichever root is meant. Everything is differentiated in the coordinates
    of the directions, where the views are X U and Y V and the covariances I, I and Σ. With A, B, C for Uᵀ dS11 U,
    Vᵀ dS22 V, Uᵀ dS12 V and symmetric roots, dT = C − (A Σ + Σ B) / 2 and dU = U (dP − A / 2): no root has to be
    differentiated, and each product of the batch is made once.

    The derivative of a singular vector by itself divides by σ_i − σ_j, and is undefined where correlations are
    equal. But vectors that turn together in both views leave all cosines as they are. With that freedom taken
    out, what is left for a pair of kept directions divides by σ_i + σ_j: the derivative of the polar factor of T.
    So the gradient is exact for every loss of cosines, equal correlations or not. Pairs of a kept and a dropped
    direction do divide by σ_i² − σ_j²: the space that is kept is undefined where these are equal. The derivative of
    σ divides by nothing.
    Divisors below FLOOR · σ_max (or its square) are taken as that, for the sake of finite gradients at such points:
    there the numerators of a loss that is smooth are rounding errors. Views without any correlation have σ_max = 0;
    less than NONE counts as NONE, so that their gradients, and the squares of these, are still finite in float32.

    first, second: (n, d), as `found` is of. All is computed in float64 but the last products, which bring the gradient
    from the directions to the rows: these are made in the precision of the rows (float32 at least). In float32 those
    before would leave rounding errors that the smallest divisors make as large as anything.

    >>> rows = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    >>> one = torch.ones(2, 1, 1, dtype=torch.float64)
    >>> found = CanonicalBatch(torch.stack([rows, -rows]), one[:, 0], one, one[0, 0], keep=1)
    >>> [each.flatten().tolist() for each in CanonicalRows.apply(1 + rows, 1 - rows, found)[:2]]
    [[1.0, -1.0], [-1.0, 1.0]]
    """

    FLOOR = 1e-10
    NONE = 1e-6

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor, found: CanonicalBatch) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        turned = found.views @ found.directions
        kept = turned[..., : found.keep]
        length = torch.linalg.vector_norm(kept, dim=2, keepdim=True).clamp_(min=LEAST)
        rows = kept / length
        ctx.found, ctx.computed = found, (turned, rows, length)
        ctx.kind = torch.promote_types(first.dtype, torch.float32)
        directions = found.directions[..., : found.keep]
        return (*rows.to(first.dtype), *directions, found.correlations[: found.keep], *found.means)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        found, (turned, rows, length) = ctx.found, ctx.computed
        by_rows = _stacked(gradients[:2], rows)
        along = torch.linalg.vecdot(rows, by_rows)[..., None]
        by_turned = by_rows.addcmul_(rows, along, value=-1).div_(length)
        by_directions = turned.mT @ by_turned
        if gradients[2] is not None or gradients[3] is not None:
            given = _stacked(gradients[2:4], found.directions[..., : found.keep])
            by_directions += found.directions.mT @ given
        within, between = CanonicalRows._by_covariances(by_directions, gradients[4], found.correlations)
        weight = found.alpha / (rows.shape[1] - 1)
        turned, by_turned = turned.to(ctx.kind), by_turned.to(ctx.kind)
        own, other = (2 * weight * within).to(ctx.kind), (weight * between).to(ctx.kind)
        # Those of the rows in the coordinates of the directions, then in their own.
        if found.keep < turned.shape[2]:
            by_turned = F.pad(by_turned, (0, turned.shape[2] - found.keep))
        by_turned.baddbmm_(turned, own)
        by_turned[0].addmm_(turned[1], other.T)
        by_turned[1].addmm_(turned[0], other)
        back = found.directions.mT.to(ctx.kind)
        # What the centred rows get they give to their mean too.
        shift = -found.alpha * (by_turned.mean(dim=1, keepdim=True) @ back)
        if gradients[5] is not None or gradients[6] is not None:
            shift += found.alpha / rows.shape[1] * _stacked(gradients[5:], found.means).to(ctx.kind)[:, None]
        by_views = torch.baddbmm(shift, by_turned, back)
        if found.ridges is not None:
            traces = (found.directions @ within * found.directions).sum(dim=(1, 2), keepdim=True)
            ridge = (2 * weight * found.ridges[:, None, None] * traces * found.views).to(ctx.kind)
            by_views += ridge - found.alpha * ridge.mean(dim=1, keepdim=True)
        return *by_views, None

    @staticmethod
    def _by_covariances(by_directions: Tensor, by_sigma: Tensor | None, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients (2, d, d) of A and B and (d, d) of C, from those of U and V times Uᵀ and Vᵀ (2, d, k) and of σ."""
        between = CanonicalRows._by_whitened(by_directions[0], by_directions[1], sigma)
        if by_sigma is not None:
            between.diagonal()[: len(by_sigma)] += by_sigma
        within = torch.stack([between * sigma, sigma[:, None] * between])
        within[..., : by_directions.shape[2]] += by_directions
        return (within + within.mT) / -4, between

    @staticmethod
    def _by_whitened(m: Tensor, n: Tensor, sigma: Tensor) -> Tensor:
        """The gradient (d, d) of T in the coordinates of P and R, from those of P and R in them, (d, k)."""
        keep = m.shape[1]
        kept, dropped = sigma[:keep], sigma[keep:]
        largest = sigma[0].clamp(min=CanonicalRows.NONE)
        floor = CanonicalRows.FLOOR * largest
        turn = (m - n)[:keep]
        inner = (turn - turn.T) / (kept[:, None] + kept).clamp_(min=floor) / 2
        if not len(dropped):
            return inner
        whole = m.new_zeros(len(m), len(m))
        whole[:keep, :keep] = inner
        gap = (kept.square() - dropped.square()[:, None]).clamp(min=floor * largest)
        whole[keep:, :keep] = (m[keep:] * kept + n[keep:] * dropped[:, None]) / gap
        whole[:keep, keep:] = ((m[keep:] * dropped[:, None] + n[keep:] * kept) / gap).T
        return whole


def _stacked(pair: tuple[Tensor | None, ...], like: Tensor) -> Tensor:
    """(2, …) of two gradients, either of which may be missing."""
    both = zip(pair, like, strict=True)
    return torch.stack([torch.zeros_like(each) if one is None else one.to(each.dtype) for one, each in both])
