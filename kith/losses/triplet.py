"""Losses of triplets (anchor, positive, negative) of a batch.

embeddings: (B, d); triplets: three (T,) tensors of rows, as from kith.mining, the first of `embeddings`, the others of
`pool`, by default the same. distance: "squared" |x − y|², "euclidean" |x − y|, or "product" −½xᵀy. Embeddings are
taken as they are: bring them to length 1 before, if that is wanted. Without triplets a loss is 0, with gradients of 0.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor

from kith.mining.distances import Distance, paired, pairwise

FEW = 100  # a triplet's own distances cost about as much as so many by a matrix product


def triplet_margin(
    embeddings: Tensor,
    triplets: Sequence[Any],
    margin: float = 1.0,
    distance: Distance = "squared",
    reduction: Literal["mean", "active"] = "mean",
    pool: Tensor | None = None,
) -> Tensor:
    """Mean of max(0, d(a, p) − d(a, n) + margin) over all triplets, or over the active ones, which are above 0.

    Squared distances: Schroff et al., "FaceNet", CVPR 2015. With the triplets of batch_hard: Hermans et al., 2017.
    """
    near, far = triplet_distances(embeddings, triplets, distance, pool)
    values = (near - far + margin).clamp(min=0)
    return values.sum() / (max(1, len(values)) if reduction == "mean" else (values > 0).sum().clamp(min=1))


def soft_margin(
    embeddings: Tensor,
    triplets: Sequence[Any],
    margin: float = 0.0,
    distance: Distance = "euclidean",
    pool: Tensor | None = None,
) -> Tensor:
    """Mean of log(1 + exp(d(a, p) − d(a, n) + margin)) (Hermans et al., 2017, without a margin)."""
    near, far = triplet_distances(embeddings, triplets, distance, pool)
    return softplus(near - far + margin).sum() / max(1, len(near))


def hoffer_ailon(
    embeddings: Tensor,
    triplets: Sequence[Any],
    reduction: Literal["mse", "norm"] = "mse",
    pool: Tensor | None = None,
) -> Tensor:
    """Mean of p², p = exp d(a, p) / (exp d(a, p) + exp d(a, n)), with Euclidean distances (Hoffer & Ailon, 2015).

    norm: of |(p, 1 − p) − (0, 1)|² = 2p², as in the paper; mse: its mean over both entries, as in its program.
    """
    near, far = triplet_distances(embeddings, triplets, "euclidean", pool)
    return (near - far).sigmoid().square().sum() / max(1, len(near)) * (2 if reduction == "norm" else 1)


def batch_all(
    embeddings: Tensor,
    violations: Sequence[Any],
    margin: float = 1.0,
    distance: Distance = "squared",
    reduction: Literal["mean", "active"] = "mean",
) -> Tensor:
    """`triplet_margin` of all triplets, from what kith.mining.violations has counted with this margin and distance."""
    weights, active, candidates = violations
    total = (weights * pairwise(embeddings, distance=distance)).sum() + margin * active
    return total / max(1, candidates if reduction == "mean" else active)


def softplus(values: Tensor) -> Tensor:
    """log(1 + eˣ) to the last digit; torch's own is x above 20."""
    return -F.logsigmoid(-values)


def triplet_distances(
    embeddings: Tensor, triplets: Sequence[Any], distance: Distance, pool: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """(T,) d(a, p) and d(a, n)."""
    anchor, positive, negative = triplets[:3]
    pool = embeddings if pool is None else pool
    if FEW * len(anchor) < len(embeddings) * len(pool):
        rows = embeddings[anchor]
        return paired(rows, pool[positive], distance), paired(rows, pool[negative], distance)
    apart, first = pairwise(embeddings, pool, distance).flatten(), anchor * len(pool)
    return apart.index_select(0, first + positive), apart.index_select(0, first + negative)
