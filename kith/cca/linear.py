"""Linear canonical correlation analysis of two views (Hotelling, 1936)."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kith.cca.covariance import Moments, lower_roots, oracle_share, unit, unwhiten, whitened
from kith.errors import KithError

BLOCK = 1 << 22  # numbers of a view that are looked at together


class CCA:
    """Projections of two views whose columns are pairwise as correlated as can be, by falling correlation.

    r1, r2: ridges, shares of the mean variance of a view's columns, tr(S) / p, that are added to the diagonal of its
    covariance, so that the units of a view change nothing; relative=False adds r itself, as published. shrink:
    (1 − r) S + r tr(S) / p I in place of it, and √((1 − r1)(1 − r2)) S12, so that correlations stay below 1; an r of
    None is then the share that fits the number of rows (see `covariance.oracle_share`). rT: added to T Tᵀ, T the
    whitened cross-covariance, so that correlations are √(σ² + rT), at most 1. dim: directions kept, all min(p, q) by
    default. power: projections are weighted by correlation ** power, so that reliable directions decide; 0 leaves them
    as they are. Raises KithError for a dim below 1, a ridge below 0, and a share of None, or above 1, that is none.

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
        r1: float | None = 1e-3,
        r2: float | None = 1e-3,
        rT: float = 0.0,
        *,
        dim: int | None = None,
        relative: bool = True,
        shrink: bool = False,
        power: float = 0.0,
    ):
        if dim is not None and dim < 1:
            raise KithError(f"dim: {dim} directions; keep at least 1, or all with None")
        for name, ridge in (("r1", r1), ("r2", r2)):
            if (ridge is None and not shrink) or not 0 <= (ridge or 0) <= (1 if shrink else float("inf")):
                raise KithError(f"{name}: {ridge}; a ridge is 0 or more, and with shrink a share up to 1, or None")
        self.r1, self.r2, self.rT = r1, r2, rT
        self.dim, self.relative, self.shrink, self.power = dim, relative, shrink, power

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
        r1, r2 = self._share(s11, self.r1, total.count), self._share(s22, self.r2, total.count)
        if self.shrink:
            s12 = ((1 - r1) * (1 - r2)) ** 0.5 * s12
        left, right = (lower_roots(self._ridged(s, r)[None], i)[0] for i, (s, r) in enumerate([(s11, r1), (s22, r2)]))
        p, sigma, rt = torch.linalg.svd(whitened(left, right, s12), full_matrices=False)
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

    def _share(self, covariance: Tensor, given: float | None, rows: int) -> float:
        return oracle_share(covariance, rows) if given is None else given

    def _ridged(self, covariance: Tensor, ridge: float) -> Tensor:
        return (1 - ridge if self.shrink else 1) * covariance + ridge * unit(covariance, self.relative)


def _blocks(x: Any, y: Any) -> Iterator[tuple[Any, Any]]:
    if len(x) != len(y):
        raise KithError(f"two views need as many rows each, not {len(x)} and {len(y)}")
    step = max(1, BLOCK // max(1, *(int(np.prod(view.shape[1:])) for view in (x, y))))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        yield (x[part], y[part]) if isinstance(x, Tensor) else (np.array(x[part]), np.array(y[part]))
