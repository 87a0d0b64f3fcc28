"""Contrastive losses of pairs, by Euclidean distance (Hadsell et al., CVPR 2006)."""

from collections.abc import Sequence

from torch import Tensor

from kith.mining.distances import pairwise, root


def contrastive(first: Tensor, second: Tensor, same: Tensor, margin: float = 1.0) -> Tensor:
    """Mean of ½ [s·d² + (1 − s)·max(0, m − √(d² + 1e-9))²] over given pairs.

    first, second: (n, d); same: (n,) s, true or 1 where the rows of a pair belong together.
    """
    squared = (first - second).square().sum(dim=1)
    apart = (margin - (squared + 1e-9).sqrt()).clamp(min=0).square()
    same = same.to(squared.dtype)
    return _mean(same * squared + (1 - same) * apart) / 2


def contrastive_pairs(embeddings: Tensor, pairs: Sequence[Tensor], margin: float = 1.0) -> Tensor:
    """Mean of d², of those that belong together, and max(0, m − d)², of the others, over pairs of a batch.

    embeddings: (B, d); pairs: (n,) rows, (n,) rows, (n,) bool, as from kith.mining. 0 without pairs.
    """
    first, second, same = pairs
    squared = pairwise(embeddings).flatten().index_select(0, first * len(embeddings) + second)
    apart = (margin - root(squared)).clamp(min=0).square()
    return _mean(squared.where(same, apart))


def _mean(values: Tensor) -> Tensor:
    return values.sum() / max(1, len(values))
