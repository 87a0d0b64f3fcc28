"""Linear canonical correlation analysis of two views (Hotelling, 1936)."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kith.cca.covariance import Moments, unwhiten, whitened
from kith.errors import KithError

BLOCK = 1 << 22  # numbers of a view that are looked at together


class CCA:
    """Projections of two views whose columns are pairwise as correlated as can be, by falling correlation.

    r1, r2: added to the diagonals of the two covariances; rT: added to T Tᵀ, T the whitened cross-covariance,
    so that correlations are √(σ² + rT), at most 1. shrink: (1 − r) S + r I in place of S + r I, and
    √((1 − r1)(1 − r2)) S12, so that correlations stay below 1. dim: directions kept, all min(p, q) by default.
    power: projections are weighted by correlation ** power, so that reliable directions decide; 0 leaves them as
    they are. Raises KithError for a dim below 1.

    After fitting: rows, how many it is of; correlations (d,), mean1 (p,), mean2 (q,), u (p, d), v (q, d), float64, of
    the kind that was given: arrays, or tensors on their device. The largest entry of each column of u is positive.

    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> cca = CCA().fit(x, 3 * x)
    >>> cca.correlations.round(2).tolist(), cca.transform(x, 3 * x)[0].shape
    ([1.0, 1.0], (100, 2))
    """

    rows: int
    correlations: Any
    mean1: Any
    mean2: Any
    u: Any
    v: Any

    def __init__(
        self,
        r1: float = 1e-3,
        r2: float = 1e-3,
        rT: float = 0.0,
        *,
        dim: int | None = None,
        shrink: bool = False,
        power: float = 0.0,
    ):
        if dim is not None and dim < 1:
            raise KithError(f"dim: {dim} directions; keep at least 1, or all with None")
        self.r1, self.r2, self.rT = r1, r2, rT
        self.dim, self.shrink, self.power = dim, shrink, power

    def fit(self, x: Any, y: Any) -> "CCA":
        """x (n, p) and y (n, q): arrays, which may be memory-mapped, or tensors; read in blocks of rows.

        Raises KithError for views that do not match, values that are not finite and singular covariances.
        """
        return self.fit_batches(_blocks(x, y))

    def fit_batches(self, batches: Iterable[tuple[Any, Any]]) -> "CCA":
        """As `fit`, on blocks of rows of both views as they come.

        Raises what `fit` raises, and KithError where there is no block.
        """
        batches = iter(batches)
        head = list(itertools.islice(batches, 1))
        total = Moments.over(itertools.chain(head, batches))
        as_given = (lambda tensor: tensor) if isinstance(head[0][0], Tensor) else Tensor.numpy
        s11, s22, s12 = total.covariances()
        if self.shrink:
            s12 = ((1 - self.r1) * (1 - self.r2)) ** 0.5 * s12
        t, left, right = whitened(self._ridged(s11, self.r1), self._ridged(s22, self.r2), s12)
        p, sigma, rt = torch.linalg.svd(t, full_matrices=False)
        u, v = unwhiten(left, p), unwhiten(right, rt.T)
        correlations = (sigma.square() + self.rT).clamp(max=1).sqrt()
        scale = u.gather(0, u.abs().argmax(dim=0, keepdim=True)).sign() * correlations**self.power
        self.correlations = as_given(correlations[: self.dim])
        self.rows = total.count
        self.mean1, self.mean2 = as_given(total.mean1), as_given(total.mean2)
        self.u, self.v = (as_given((each * scale)[:, : self.dim]) for each in (u, v))
        return self

    def transform(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Both views projected: (n, d) each, float64."""
        return self.transform_first(x), self.transform_second(y)

    def transform_first(self, x: Any) -> Any:
        """(n, p) to (n, d)."""
        return (x - self.mean1) @ self.u

    def transform_second(self, y: Any) -> Any:
        """(n, q) to (n, d)."""
        return (y - self.mean2) @ self.v

    def _ridged(self, covariance: Tensor, ridge: float) -> Tensor:
        identity = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
        return (1 - ridge if self.shrink else 1) * covariance + ridge * identity


def _blocks(x: Any, y: Any) -> Iterator[tuple[Any, Any]]:
    if len(x) != len(y):
        raise KithError(f"two views need as many rows each, not {len(x)} and {len(y)}")
    step = max(1, BLOCK // max(1, *(int(np.prod(view.shape[1:])) for view in (x, y))))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        yield (x[part], y[part]) if isinstance(x, Tensor) else (np.array(x[part]), np.array(y[part]))
