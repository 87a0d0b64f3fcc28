"""The CCA layer and the learned linear layer: two views of a batch into one space (Dorfer et al., IJMIR 2018).

Both layers project the views, centred, by matrices U and V and bring the rows to length 1. In the CCA layer U and
V are the canonical directions of the batch, through which gradients flow. In evaluation the stored projection
is used. All that is d×d in the CCA layer is computed in float64, whatever the precision of the views.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.cca.canonical import CanonicalBatch, CanonicalRows
from kith.cca.covariance import NONE, Moments, lower_roots, unwhiten, whitened
from kith.cca.linear import CCA
from kith.errors import KithError


@dataclass(frozen=True)
class Projection:
    """Where two views go: mean1, mean2 (d,); u, v (d, k); correlations (k,), falling, where the layer knows them.

    >>> Projection(torch.zeros(2), torch.zeros(2), torch.eye(2), torch.eye(2)).first(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """

    mean1: Tensor
    mean2: Tensor
    u: Tensor
    v: Tensor
    correlations: Tensor | None = None

    def first(self, rows: Tensor) -> Tensor:
        """(n, d) rows of the first view to unit rows (n, k) of the same dtype."""
        return F.normalize((rows.to(self.u.dtype) - self.mean1) @ self.u).to(rows.dtype)

    def second(self, rows: Tensor) -> Tensor:
        """(n, d) rows of the second view to unit rows (n, k) of the same dtype."""
        return F.normalize((rows.to(self.v.dtype) - self.mean2) @ self.v).to(rows.dtype)


@dataclass(frozen=True)
class BatchProjection(Projection):
    """Where the two views of a batch go, whose own rows are projected already: first_rows and second_rows (n, k) are
    what given1 and given2 (n, d) become.

    >>> rows = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    >>> projection = CCALayer(2).project(rows, -rows)
    >>> projection.first(rows) is projection.first_rows, projection.first(rows.clone()) is projection.first_rows
    (True, False)
    """

    given1: Tensor = field(kw_only=True)
    given2: Tensor = field(kw_only=True)
    first_rows: Tensor = field(kw_only=True)
    second_rows: Tensor = field(kw_only=True)

    def first(self, rows: Tensor) -> Tensor:
        return self.first_rows if rows is self.given1 else super().first(rows)

    def second(self, rows: Tensor) -> Tensor:
        return self.second_rows if rows is self.given2 else super().second(rows)


class CCALayer(nn.Module):
    """Projects two views (m, dim) to their canonical directions, in training those of the batch.

    r1, r2: ridges of the covariances, added as they are, as published, or with `relative` as shares of a view's mean
    variance; rT: added to the squared correlations; alpha: the share of the batch in the
    running statistics, of which the rest are constants; 1 forgets earlier batches. The statistics start at zero,
    as published; debias makes the first batch count in full, and later ones less by and by. keep: directions
    kept, all by default. power: as in `CCA`, for the projection that `refit` stores. Raises KithError for a `keep`
    outside 1 … dim.

    >>> first = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    >>> layer = CCALayer(2)
    >>> z1, z2 = layer(first, -first)
    >>> bool(((z1 * z2).sum(dim=1) > 0.999).all()), tuple(layer.correlations.shape)
    (True, (2,))
    """

    mean1: Tensor
    mean2: Tensor
    s11: Tensor
    s22: Tensor
    s12: Tensor
    u: Tensor
    v: Tensor
    stored_correlations: Tensor
    steps: Tensor

    def __init__(
        self,
        dim: int,
        r1: float = 1e-3,
        r2: float = 1e-3,
        rT: float = 1e-3,
        alpha: float = 1.0,
        *,
        relative: bool = False,
        keep: int | None = None,
        power: float = 0.0,
        debias: bool = False,
    ):
        super().__init__()
        self.dim, self.keep = dim, dim if keep is None else keep
        if not 1 <= self.keep <= dim:
            raise KithError(f"keep {keep}: a CCA layer of dimension {dim} keeps 1 to {dim} directions")
        self.r1, self.r2, self.rT, self.alpha = r1, r2, rT, alpha
        self.relative, self.power, self.debias = relative, power, debias
        zeros = torch.zeros(dim, dim, dtype=torch.float64)
        for name in ("mean1", "mean2"):
            self.register_buffer(name, zeros[0].clone())
        for name in ("s11", "s22", "s12"):
            self.register_buffer(name, zeros.clone())
        for name in ("u", "v"):
            self.register_buffer(name, torch.eye(dim, self.keep, dtype=torch.float64))
        self.register_buffer("stored_correlations", zeros[0, : self.keep].clone())
        self.register_buffer("steps", torch.zeros((), dtype=torch.float64))
        self._batch_correlations: Tensor | None = None

    @property
    def correlations(self) -> Tensor:
        """(keep,) falling: after a step in training those of its batch, with their graph; else the stored ones."""
        return self.stored_correlations if self._batch_correlations is None else self._batch_correlations

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Views (m, dim) to unit rows (m, keep). In training raises what `project` raises."""
        projection = self.project(first, second)
        return projection.first(first), projection.second(second)

    def project(self, first: Tensor, second: Tensor) -> Projection:
        """In training the projection of this batch (m, dim) each, which is stored too; else the stored one.

        Raises KithError for m ≤ dim, FloatingPointError for values that are not finite.
        """
        self._batch_correlations = None
        if not self.training:
            return self.stored()
        if len(first) <= self.dim:
            raise KithError(
                f"a batch of {len(first)} is too small for a CCA layer of dimension {self.dim}: views of so few rows "
                "are always perfectly correlated; take a batch well above the dimension, or a smaller dimension"
            )
        with torch.autocast(first.device.type, enabled=False):
            with torch.no_grad():
                found = self._canonical(torch.stack([first, second]).double())
            z1, z2, u, v, sigma, mean1, mean2 = CanonicalRows.apply(first, second, found)
            correlations = (sigma.square() + self.rT).clamp(1e-7, 1).sqrt()
        self._store(mean1, mean2, u, v, correlations)
        self._batch_correlations = correlations
        batch = {"given1": first, "given2": second, "first_rows": z1, "second_rows": z2}
        return BatchProjection(mean1, mean2, u, v, correlations, **batch)

    def stored(self) -> Projection:
        """The projection that evaluation uses."""
        return Projection(self.mean1, self.mean2, self.u, self.v, self.stored_correlations)

    def refit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Store the linear CCA of all rows, given as blocks of both views, in place of a batch's projection.

        Raises KithError for no more rows than dimensions, and what `CCA.fit_batches` raises.
        """
        cca = CCA(self.r1, self.r2, dim=self.keep, relative=self.relative, power=self.power).fit_batches(batches)
        if cca.rows <= self.dim:
            raise KithError(
                f"{cca.rows} rows are too few for a CCA layer of dimension {self.dim}: views of so few rows are always "
                "perfectly correlated; give it more pairs, or a smaller dimension"
            )
        self._store(cca.mean1, cca.mean2, cca.u, cca.v, cca.correlations)
        self._batch_correlations = None

    def _canonical(self, views: Tensor) -> CanonicalBatch:
        """The canonical directions of views (2, m, dim), float64, which are centred in place, by running means, and
        running covariances of the views centred by them, with their ridges."""
        means = views.mean(dim=1)
        # No sum of float32 is infinite in float64; looking at every value would cost as much as a product.
        if not math.isfinite(float(means.sum())):
            raise FloatingPointError("the views that the CCA layer got are not finite")
        self.steps.add_(1)
        alpha = self.alpha / (1 - (1 - self.alpha) ** float(self.steps)) if self.debias else self.alpha
        if alpha != 1:
            means = (1 - alpha) * torch.stack([self.mean1, self.mean2]) + alpha * means
        views -= means[:, None]
        divisor = views.shape[1] - 1
        within, between = (views.mT @ views).div_(divisor), (views[0].T @ views[1]).div_(divisor)
        ridges = self._add_ridges(within) if self.relative else None
        if not self.relative:
            for covariance, ridge in zip(within, (self.r1, self.r2), strict=True):
                covariance.diagonal().add_(ridge)
        for running, covariance in zip((self.s11, self.s22, self.s12), (*within, between), strict=True):
            if alpha != 1:
                covariance.mul_(alpha).add_(running, alpha=1 - alpha)
            running.copy_(covariance)
        roots = lower_roots(within)
        p, sigma, rt = torch.linalg.svd(whitened(roots[0], roots[1], between))
        directions = unwhiten(roots, torch.stack([p, rt.T]))
        return CanonicalBatch(views, means, directions, sigma, self.keep, alpha, ridges)

    def _add_ridges(self, covariances: Tensor) -> Tensor:
        """Ridges that are shares of the mean variance; returns what one of it adds to the diagonal, (2,)."""
        shares = covariances.new_tensor([self.r1, self.r2])
        variances = covariances.diagonal(dim1=1, dim2=2).mean(dim=1)
        covariances.diagonal(dim1=1, dim2=2).add_((shares * variances.clamp(min=NONE))[:, None])
        return shares * (variances >= NONE) / self.dim

    def _store(self, *values: Tensor) -> None:
        buffers = (self.mean1, self.mean2, self.u, self.v, self.stored_correlations)
        for buffer, value in zip(buffers, values, strict=True):
            buffer.copy_(value.detach())

    def __getstate__(self) -> dict[str, Any]:
        # A graph can be neither copied nor pickled.
        return self.__dict__ | {"_batch_correlations": None}


class LearnedLayer(nn.Module):
    """Projects two views (m, dim) by learned matrices, centred, in training by the batch's means.

    alpha: the share of the batch in the running means. Weights start uniform in ±√(3 / dim).

    >>> z1, z2 = LearnedLayer(2)(torch.zeros(8, 2), torch.ones(8, 2))
    >>> tuple(z1.shape), tuple(z2.shape)
    ((8, 2), (8, 2))
    """

    correlations = None
    mean1: Tensor
    mean2: Tensor

    def __init__(self, dim: int, alpha: float = 1.0):
        super().__init__()
        self.alpha = alpha
        bound = (3 / dim) ** 0.5
        self.u, self.v = (nn.Parameter(torch.empty(dim, dim).uniform_(-bound, bound)) for _ in range(2))
        for name in ("mean1", "mean2"):
            self.register_buffer(name, torch.zeros(dim, dtype=torch.float64))

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Views (m, dim) to unit rows (m, dim)."""
        projection = self.project(first, second)
        return projection.first(first), projection.second(second)

    def project(self, first: Tensor, second: Tensor) -> Projection:
        """In training with the batch's means, which are stored too; else with the stored ones."""
        if not self.training:
            return self.stored()
        means = []
        for running, rows in ((self.mean1, first), (self.mean2, second)):
            means.append((1 - self.alpha) * running + self.alpha * rows.double().mean(dim=0))
            running.copy_(means[-1].detach())
        return Projection(means[0].to(self.u.dtype), means[1].to(self.u.dtype), self.u, self.v)

    def stored(self) -> Projection:
        """The projection that evaluation uses."""
        return Projection(self.mean1.to(self.u.dtype), self.mean2.to(self.u.dtype), self.u, self.v)

    def refit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Store the means of all rows, given as blocks of both views."""
        moments = Moments.over(batches)
        self.mean1.copy_(moments.mean1)
        self.mean2.copy_(moments.mean2)
