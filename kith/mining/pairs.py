"""Pairs of a batch: all that belong together, and as many that do not."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from kith.mining import passes
from kith.mining.alike import alike
from kith.mining.distances import pairwise
from kith.mining.given import check_rows
from kith.mining.positives import positives


class Pairs(NamedTuple):
    """first, second: (n,) int64 rows, first < second; same: (n,) bool, true where they are of one class."""

    first: Tensor
    second: Tensor
    same: Tensor


def all_pairs(labels: Tensor) -> Pairs:
    """Every pair of a batch with (B,) integer labels, or (B, C) sets of them (see `alike`).

    >>> pairs = all_pairs(torch.tensor([0, 0, 1]))
    >>> pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist()
    ([0, 0, 1], [1, 2, 2], [True, False, False])
    """
    first, second = torch.triu_indices(len(labels), len(labels), 1, device=labels.device)
    return Pairs(first, second, alike(labels)[first, second])


def balanced_pairs(labels: Tensor, generator: torch.Generator | None = None) -> Pairs:
    """All positive pairs, and as many different negative ones, or all there are, drawn on the CPU.

    labels: (B,) integers, or (B, C) sets. generator: where the draws come from; default: torch's own.

    >>> balanced_pairs(torch.tensor([0, 0, 1, 1])).same.tolist()
    [True, True, False, False]
    """
    first, second = _positive(labels)
    if labels.ndim == 2:
        one, other = (~alike(labels)).triu(1).nonzero(as_tuple=True)
        drawn = torch.randperm(len(one), generator=generator)[: len(first)].to(labels.device)
        return _joined(first, second, one[drawn], other[drawn])
    order = labels.argsort(stable=True)
    # The negatives of a row that come later in this order are all those of later classes.
    ranked = labels[order]
    after = torch.searchsorted(ranked, ranked, right=True)
    ends = (len(labels) - after).cumsum(0)
    total = int(ends[-1]) if len(labels) else 0
    drawn = torch.randperm(total, generator=generator)[: len(first)].to(labels.device)
    place = torch.searchsorted(ends, drawn, right=True)
    later = len(labels) - (ends[place] - drawn)
    return _joined(first, second, order[place], order[later])


@torch.no_grad()
def hardest_pairs(embeddings: Tensor, labels: Tensor, block: int = 512) -> Pairs:
    """All positive pairs, and as many negative ones, or all there are: the closest.

    embeddings: (B, d) floats; labels: (B,) integers, or (B, C) sets; block: rows whose distances are held at once.
    Raises ValueError for rows without a label each, and rows that are not finite.

    >>> pairs = hardest_pairs(torch.tensor([[0.0], [1.0], [1.5]]), torch.tensor([0, 0, 1]))
    >>> pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist()
    ([0, 1], [1, 2], [True, False])
    """
    check_rows(embeddings, labels)
    first, second = _positive(labels)
    size = len(labels)
    best, where = embeddings.new_zeros(0), first.new_zeros(0)
    later = torch.arange(size, device=labels.device)
    for start in range(0, size, block):
        part = slice(start, start + block)
        apart = pairwise(embeddings[part], embeddings)
        out = alike(labels[part], labels) | (later[part, None] >= later)
        apart = torch.cat([best, passes.put(apart, out, math.inf).flatten()])
        best, chosen = apart.topk(min(len(first), len(apart)), largest=False)
        known = len(where)
        new = (chosen >= known).nonzero()[:, 0]
        where = torch.where(chosen < known, where[chosen.clamp(max=max(known - 1, 0))], 0) if known else chosen * 0
        where[new] = chosen[new] - known + start * size
    where = where[best.isfinite()]
    return _joined(first, second, where // max(size, 1), where % max(size, 1))


def class_pairs(labels: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Two different rows of each class that has two, drawn on the CPU: anchors and positives, (classes,) int64 each.

    labels: (B,) integers. generator: where the draws come from; default: torch's own.

    >>> anchor, positive = class_pairs(torch.tensor([0, 1, 0]))
    >>> sorted([int(anchor), int(positive)])
    [0, 2]
    """
    shuffled = torch.randperm(len(labels), generator=generator).to(labels.device)
    order = shuffled[labels[shuffled].argsort(stable=True)]
    ranked = labels[order]
    start = torch.searchsorted(ranked, ranked.unique())
    start = start[torch.searchsorted(ranked, ranked[start], right=True) - start > 1]
    return order[start], order[start + 1]


def _positive(labels: Tensor) -> tuple[Tensor, Tensor]:
    index, kept = positives(labels)
    first, place = kept.nonzero(as_tuple=True)
    return first, index[first, place]


def _joined(first: Tensor, second: Tensor, one: Tensor, other: Tensor) -> Pairs:
    same = torch.arange(len(first) + len(one), device=first.device) < len(first)
    return Pairs(torch.cat([first, torch.minimum(one, other)]), torch.cat([second, torch.maximum(one, other)]), same)
