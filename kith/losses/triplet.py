"""Losses of triplets (anchor, positive, negative) of a batch.

embeddings: (B, d); triplets: three (T,) tensors of rows, as from kith.mining, the first of `embeddings`, the others of
`pool`, by default the same. distance: "squared" |x − y|², "euclidean" |x − y|, or "product" −½xᵀy. Embeddings are
taken as they are: bring them to length 1 before, if that is wanted. Without triplets a loss is 0, with gradients of 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from kith import mining
from kith.constraints import AboveZero, Count
from kith.losses.batch import LossValue, MiningStatistics, TrainingStep
from kith.losses.metric_loss import MinedLoss, MinedOptions
from kith.losses.rows import of_rows
from kith.losses.triplet_distances import softplus, triplet_distances
from kith.mining.distances import Distance, pairwise


@of_rows
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

    >>> import torch
    >>> rows = torch.tensor([[0.0], [1.0], [1.5]])
    >>> triplets = torch.tensor([0]), torch.tensor([1]), torch.tensor([2])
    >>> float(triplet_margin(rows, triplets, margin=2.0))  # 1 − 2.25 + 2
    0.75
    """
    near, far = triplet_distances(embeddings, triplets, distance, pool)
    values = (near - far + margin).clamp(min=0)
    return values.sum() / (max(1, len(values)) if reduction == "mean" else (values > 0).sum().clamp(min=1))


@of_rows
def soft_margin(
    embeddings: Tensor,
    triplets: Sequence[Any],
    margin: float = 0.0,
    distance: Distance = "euclidean",
    pool: Tensor | None = None,
) -> Tensor:
    """Mean of log(1 + exp(d(a, p) − d(a, n) + margin)) (Hermans et al., 2017, without a margin).

    >>> import torch
    >>> rows = torch.tensor([[0.0], [1.0], [1.5]])
    >>> triplets = torch.tensor([0]), torch.tensor([1]), torch.tensor([2])
    >>> round(float(soft_margin(rows, triplets)), 4)  # log(1 + exp(1 − 1.5))
    0.4741
    """
    near, far = triplet_distances(embeddings, triplets, distance, pool)
    return softplus(near - far + margin).sum() / max(1, len(near))


@of_rows
def batch_all(
    embeddings: Tensor,
    violations: Sequence[Any],
    margin: float = 1.0,
    distance: Distance = "squared",
    reduction: Literal["mean", "active"] = "mean",
) -> Tensor:
    """`triplet_margin` of all triplets, from what kith.mining.violations has counted with this margin and distance.

    >>> import torch
    >>> from kith.mining import violations
    >>> rows, labels = torch.tensor([[0.0], [1.0], [1.5]]), torch.tensor([0, 0, 1])
    >>> float(batch_all(rows, violations(rows, labels, margin=2.0), margin=2.0))
    0.75
    """
    weights, active, candidates = violations
    total = (weights * pairwise(embeddings, distance=distance)).sum() + margin * active
    return total / max(1, candidates if reduction == "mean" else active)


@dataclass(frozen=True, kw_only=True)
class TripletOptions(MinedOptions):
    """soft: log(1 + exp) in place of the margin; reduction: over all triplets found, or those above 0; bank: this many
    embeddings of earlier batches are positives and negatives too."""

    margin: AboveZero = 0.2
    distance: Literal["squared", "euclidean"] = "squared"
    soft: bool = False
    reduction: Literal["mean", "active"] = "mean"
    bank: Count = 0


class TripletLoss(MinedLoss, name="triplet"):
    """A picture of the same class is nearer than one of another, by a margin."""

    options: TripletOptions

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__(options, dim, classes)
        self.bank = mining.MemoryBank(options.bank, dim) if options.bank else None

    @classmethod
    def takes_sets(cls, options: Any) -> bool:
        return options.bank == 0  # which holds class numbers

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        options, bank = self.options, None
        margin, distance = options.margin, options.distance
        if options.mining == "all" and not options.soft and self.bank is None:
            counted = mining.violations(rows, label, margin, distance, options.ordered)
            loss = batch_all(rows, counted, margin, distance, options.reduction)
            return loss, MiningStatistics(counted.active, counted.candidates)
        if self.bank is not None and self.training:
            bank = self.bank.rows()
            self.bank.add(rows, label)
        triplets = self.mine(rows, label, step, margin, distance, bank)
        pool = rows if bank is None else torch.cat([rows, bank[0]])
        statistics = self.statistics(rows, triplets, margin, distance, pool)
        if options.soft:
            return soft_margin(rows, triplets, 0.0, distance, pool), statistics
        return triplet_margin(rows, triplets, margin, distance, options.reduction, pool), statistics
