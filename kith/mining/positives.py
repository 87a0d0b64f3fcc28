"""What goes with what: the positives of each anchor, from labels alone."""

import torch
from torch import Tensor

from kith.mining.alike import alike


def positives(labels: Tensor, pool: Tensor | None = None, ordered: bool = False) -> tuple[Tensor, Tensor]:
    """The positives of each of B anchors, in a table that is as wide as the largest class: (B, K) int64 rows of the
    pool, and (B, K) bool, true where the table holds one.

    labels: (B,) integers, or (B, C) sets of them; pool: (N,) or (N, C) labels of all rows, of which the anchors are the
    first B; by default the anchors alone. Each pair counts once, with the smaller row as its anchor; twice where
    `ordered`.

    >>> index, kept = positives(torch.tensor([0, 0, 1]), ordered=True)
    >>> index[kept].tolist(), kept.sum(dim=1).tolist()
    ([1, 0], [1, 1, 0])
    """
    pool = labels if pool is None else pool
    if labels.ndim == 2:
        return _of_sets(alike(labels, pool), ordered)
    order = pool.argsort(stable=True)
    ranked = pool[order]
    start, stop = (torch.searchsorted(ranked, labels, right=right)[:, None] for right in (False, True))
    width = int((stop - start).max()) if len(labels) else 0
    place = start + torch.arange(width, device=labels.device)
    index = order[place.clamp(max=len(pool) - 1)]
    anchor = torch.arange(len(labels), device=labels.device)[:, None]
    return index, (place < stop) & (index != anchor if ordered else index > anchor)


def _of_sets(same: Tensor, ordered: bool) -> tuple[Tensor, Tensor]:
    """The same of (B, N) bool, which rows of the pool belong to which anchor."""
    anchor, row = (torch.arange(size, device=same.device) for size in same.shape)
    kept = same & (row != anchor[:, None] if ordered else row > anchor[:, None])
    count = kept.sum(dim=1, keepdim=True)
    width = max(1, int(count.max())) if len(same) else 0
    index = (~kept).to(torch.uint8).argsort(dim=1, stable=True)[:, :width]
    return index, torch.arange(width, device=same.device) < count
