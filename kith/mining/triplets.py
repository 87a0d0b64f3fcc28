"""Triplets (anchor, positive, negative) of a batch, found by distance.

l = d(a, p) − d(a, n) + margin is what a triplet violates. For each positive pair a strategy takes a negative:
  all                 every one, whatever it violates
  hardest             the nearest, where l > 0
  random              any with l > 0
  semi_hard           any with 0 < l < margin (Schroff et al., "FaceNet", CVPR 2015)
  nearest_semi_hard   the nearest that is farther than the positive, else the farthest
  distance_weighted   drawn inversely to the density of distances on the sphere, for unit rows and any `distance`
                      (Wu et al., ICCV 2017)
or for each anchor with a positive and a negative, whatever it violates:
  batch_hard          its farthest positive and nearest negative (Hermans et al., 2017)
  batch_easy_hard     its nearest positive and nearest negative (Xuan et al., WACV 2020)

Each anchor's negatives are sorted once, and those that a positive may take are then a range, found by binary search:
O(B² log B) time, and memory of `block` anchors.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from kith.errors import KithError
from kith.mining import passes
from kith.mining.alike import alike
from kith.mining.distances import Distance, pairwise
from kith.mining.given import check_rows
from kith.mining.positives import positives

Strategy = Literal[
    "all",
    "hardest",
    "random",
    "semi_hard",
    "nearest_semi_hard",
    "distance_weighted",
    "batch_hard",
    "batch_easy_hard",
]
MOST = 100_000_000  # triplets that are listed


class Triplets(NamedTuple):
    """Rows of triplets, and out of how many.

    anchor: (T,) int64 rows of the batch; positive, negative: (T,) int64 rows of the pool, which begins with the batch.
    candidates: how many could have been found: positive pairs, or anchors with a positive, or all triplets.
    """

    anchor: Tensor
    positive: Tensor
    negative: Tensor
    candidates: int


class _AnchorBlock(NamedTuple):
    """Some anchors. negatives: (b, N) distances, infinite to what is no negative; near: (b, K) distances to the
    positives; kept: (b, K) bool; draws: (b, K) uniform in [0, 1)."""

    negatives: Tensor
    near: Tensor
    kept: Tensor
    draws: Tensor
    margin: float
    dim: int


@torch.no_grad()
def mine_triplets(
    embeddings: Tensor,
    labels: Tensor,
    strategy: Strategy = "semi_hard",
    *,
    margin: float = 1.0,
    distance: Distance = "squared",
    ordered: bool = False,
    generator: torch.Generator | None = None,
    bank: tuple[Tensor, Tensor] | None = None,
    block: int = 512,
) -> Triplets:
    """Triplets of a batch, as a strategy chooses them; the module says what each of them takes.

    embeddings: (B, d) floats; labels: (B,) integers, or (B, C) sets (see `alike`); distance: as of `pairwise`. ordered:
    each positive pair counts twice, with either row as its anchor. bank: (M, d) and (M,) or (M, C) of further rows,
    which are positives and negatives only. generator: where draws come from; they are made on the CPU, the same
    whatever device the embeddings are on. block: anchors whose distances are held at once. Raises ValueError for an
    unknown strategy, rows without a label each and rows that are not finite, KithError for more than 100 million
    triplets of `all`.

    >>> found = mine_triplets(torch.tensor([[0.0], [1.0], [1.5]]), torch.tensor([0, 0, 1]), "batch_hard")
    >>> found.anchor.tolist(), found.positive.tolist(), found.negative.tolist(), found.candidates
    ([0, 1], [1, 0], [2, 2], 2)
    """
    pool, pool_labels = _pool(embeddings, labels, bank)
    if strategy == "all":
        return _all(labels, pool_labels, ordered)
    if strategy not in CHOICES and strategy not in PER_ANCHOR:
        raise ValueError(f"no mining '{strategy}'; there are all, {', '.join([*CHOICES, *PER_ANCHOR])}")
    if strategy in PER_ANCHOR:
        return _of_anchors(embeddings, labels, pool, pool_labels, strategy, distance, block)
    index, kept = positives(labels, pool_labels, ordered)
    draws = _draws(kept, generator)
    kind = "euclidean" if strategy == "distance_weighted" else distance
    found, candidates = [], 0
    for start in range(0, len(labels), block):
        part = slice(start, start + block)
        apart = pairwise(embeddings[part], pool, kind)
        near = apart.gather(1, index[part])
        negatives = passes.put(apart, alike(labels[part], pool_labels), math.inf)
        some = _AnchorBlock(negatives, near, kept[part], draws[part], margin, embeddings.shape[1])
        anchor, place, negative = _per_pair(some, strategy)
        candidates += int(some.kept.sum())
        found.append((anchor + start, index[part][anchor, place], negative))
    return _joined(found, labels, candidates)


def _pool(embeddings: Tensor, labels: Tensor, bank: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """The batch, and after it the bank."""
    check_rows(embeddings, labels)
    if bank is None:
        return embeddings, labels
    check_rows(*bank, "the bank")
    return torch.cat([embeddings, bank[0]]), torch.cat([labels, bank[1]])


def _draws(kept: Tensor, generator: torch.Generator | None) -> Tensor:
    draws = torch.zeros(kept.shape, dtype=torch.float64)
    draws[kept.cpu()] = torch.rand(int(kept.sum()), dtype=torch.float64, generator=generator)
    return draws.to(kept.device)


def _all(labels: Tensor, pool: Tensor, ordered: bool) -> Triplets:
    index, kept = positives(labels, pool, ordered)
    pairs = kept.sum(dim=1)
    apart = ~alike(labels, pool)
    negatives = apart.sum(dim=1)
    count = int((pairs * negatives).sum())
    if count > MOST:
        raise KithError(f"{count:,} triplets in a batch of {len(labels)} are too many to list; mine some of them")
    anchor, place = kept.nonzero(as_tuple=True)
    repeats = negatives[anchor]
    # Row by row, the pool's rows of other classes: those of one anchor lie side by side.
    others = apart.nonzero()[:, 1]
    first = negatives.cumsum(0) - negatives
    within = torch.arange(count, device=labels.device) - (repeats.cumsum(0) - repeats).repeat_interleave(repeats)
    negative = others[first[anchor].repeat_interleave(repeats) + within]
    positive = index[anchor, place].repeat_interleave(repeats)
    return Triplets(anchor.repeat_interleave(repeats), positive, negative, count)


def _per_pair(some: _AnchorBlock, strategy: str) -> tuple[Tensor, Tensor, Tensor]:
    chosen, possible = CHOICES[strategy](some)
    anchor, place = (some.kept & possible).nonzero(as_tuple=True)
    return anchor, place, chosen[anchor, place]


def _of_anchors(
    embeddings: Tensor,
    labels: Tensor,
    pool: Tensor,
    pool_labels: Tensor,
    strategy: str,
    distance: Distance,
    block: int,
) -> Triplets:
    """One triplet of each anchor that has a positive and a negative."""
    found, candidates = [], 0
    for start in range(0, len(labels), block):
        part = slice(start, start + block)
        apart = pairwise(embeddings[part], pool, distance)
        same = alike(labels[part], pool_labels)
        nearest, negative = passes.least(passes.put(apart.clone(), same, math.inf))
        # What is no positive, the anchor itself among them, is never the farthest, or never the nearest.
        nothing, best = (-math.inf, passes.most) if strategy == "batch_hard" else (math.inf, passes.least)
        apart = passes.put(apart, ~same, nothing)
        apart.diagonal(start).fill_(nothing)
        hardest, positive = best(apart)
        paired = hardest != nothing
        anchor = (paired & (nearest != math.inf)).nonzero()[:, 0]
        candidates += int(paired.sum())
        found.append((anchor + start, positive.index_select(0, anchor), negative.index_select(0, anchor)))
    return _joined(found, labels, candidates)


def _joined(found: list[tuple[Tensor, Tensor, Tensor]], labels: Tensor, candidates: int) -> Triplets:
    """The triplets of all blocks of anchors; of none without any."""
    if not found:
        nothing = labels.new_zeros(0, dtype=torch.int64)
        return Triplets(nothing, nothing, nothing, 0)
    anchor, positive, negative = (torch.cat(each) for each in zip(*found, strict=True))
    return Triplets(anchor, positive, negative, candidates)


def _hardest(some: _AnchorBlock) -> tuple[Tensor, Tensor]:
    nearest, negative = (each[:, None] for each in passes.least(some.negatives))
    return negative.expand_as(some.near), nearest < some.near + some.margin


def _random(some: _AnchorBlock) -> tuple[Tensor, Tensor]:
    ranked, order = some.negatives.sort(dim=1)
    stop = torch.searchsorted(ranked, some.near + some.margin)
    return _drawn(order, torch.zeros_like(stop), stop, some.draws)


def _semi_hard(some: _AnchorBlock) -> tuple[Tensor, Tensor]:
    ranked, order = some.negatives.sort(dim=1)
    start = torch.searchsorted(ranked, some.near, right=True)
    return _drawn(order, start, torch.searchsorted(ranked, some.near + some.margin), some.draws)


def _nearest_semi_hard(some: _AnchorBlock) -> tuple[Tensor, Tensor]:
    ranked, order = some.negatives.sort(dim=1)
    count = some.negatives.isfinite().sum(dim=1, keepdim=True)
    place = torch.minimum(torch.searchsorted(ranked, some.near, right=True), count - 1)
    return order.gather(1, place.clamp(min=0)), (count > 0).expand_as(some.kept)


def _distance_weighted(some: _AnchorBlock) -> tuple[Tensor, Tensor]:
    """Weights 1 / q(d), q(d) = d^(n−2) (1 − d²/4)^((n−3)/2), of distances taken to be at least ½; beyond 1.4 there
    is nothing to learn from."""
    apart = some.negatives.double().clamp(min=0.5)
    log = (2 - some.dim) * apart.log() - (some.dim - 3) / 2 * (1 - apart.square() / 4).clamp(min=1e-8).log()
    possible = some.negatives < 1.4
    log = log.masked_fill(~possible, -math.inf)
    top = log.amax(dim=1, keepdim=True).clamp(min=torch.finfo(log.dtype).min)
    reached = (log - top).exp().cumsum(dim=1)
    total = reached[:, -1:]
    chosen = torch.searchsorted(reached, some.draws * total, right=True)
    return chosen.clamp(max=apart.shape[1] - 1), (total > 0).expand_as(some.kept)


def _drawn(order: Tensor, start: Tensor, stop: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """One of each range of places in `order`, and whether there is any."""
    place = start + (draws * (stop - start)).long()
    return order.gather(1, place.clamp(0, order.shape[1] - 1)), stop > start


CHOICES: dict[str, Callable[[_AnchorBlock], tuple[Tensor, Tensor]]] = {
    "hardest": _hardest,
    "random": _random,
    "semi_hard": _semi_hard,
    "nearest_semi_hard": _nearest_semi_hard,
    "distance_weighted": _distance_weighted,
}
PER_ANCHOR = ("batch_hard", "batch_easy_hard")
