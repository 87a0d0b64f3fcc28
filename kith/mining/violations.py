"""All triplets of a batch, counted without being listed."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from kith.mining import passes
from kith.mining.alike import alike
from kith.mining.distances import Distance, pairwise
from kith.mining.given import check_rows, in_full
from kith.mining.positives import positives


class Violations(NamedTuple):
    """weights: (B, B), how often the distance of two rows counts in the sum over violated triplets, negative where
    they are of different classes; active: violated triplets; candidates: all triplets."""

    weights: Tensor
    active: int
    candidates: int


@torch.no_grad()
def violations(
    embeddings: Tensor,
    labels: Tensor,
    margin: float = 1.0,
    distance: Distance = "squared",
    ordered: bool = False,
    block: int = 512,
) -> Violations:
    """Count the violated triplets of a batch, and how often each distance stands in them.

    Σ max(0, d(a, p) − d(a, n) + margin) over all triplets is Σ weights·d + margin·active, gradients included:
    O(B² log B) time for up to B³ triplets.

    embeddings: (B, d) floats; labels: (B,) integers, or (B, C) sets; distance: as of `pairwise`; each positive pair
    counts once, or twice where `ordered`; block: anchors whose distances are held at once. Raises ValueError for
    another distance, rows without a label each, and rows that are not finite.

    >>> found = violations(torch.tensor([[0.0], [1.0], [1.5]]), torch.tensor([0, 0, 1]), ordered=True)
    >>> found.active, found.candidates
    (1, 2)
    """
    check_rows(embeddings, labels)
    embeddings = in_full(embeddings)
    index, kept = positives(labels, ordered=ordered)
    size = len(labels)
    weights = embeddings.new_zeros(size, size)
    active = candidates = 0
    for start in range(0, size, block):
        part = slice(start, start + block)
        apart = pairwise(embeddings[part], embeddings, distance)
        same = alike(labels[part], labels)
        within = apart.gather(1, index[part]) + margin
        ranked, order = passes.put(apart, same, math.inf).sort(dim=1)
        below = torch.searchsorted(ranked, within).masked_fill(~kept[part], 0)
        # A negative of rank r counts for every positive with more than r negatives below.
        ends = torch.zeros(len(below), size + 1, device=below.device, dtype=torch.int64)
        ends.scatter_add_(1, below, torch.ones_like(below))
        times = below.shape[1] - ends.cumsum(dim=1)[:, :-1]
        weights[part] = torch.zeros_like(apart).scatter_(1, order, -times.to(apart.dtype))
        weights[part].scatter_add_(1, index[part], below.to(apart.dtype))
        active += int(below.sum())
        candidates += int((kept[part].sum(dim=1) * (~same).sum(dim=1)).sum())
    return Violations(weights, active, candidates)
