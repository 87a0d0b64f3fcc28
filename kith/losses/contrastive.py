"""Contrastive losses of pairs, by Euclidean distance (Hadsell et al., CVPR 2006)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from kith import mining
from kith.constraints import AboveZero
from kith.losses.batch import LossValue, MiningStatistics, TrainingStep
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import PairLoss
from kith.losses.rows import of_rows
from kith.mining import passes
from kith.mining.given import check_labels, in_full, uncast
from kith.mining.pair_sums import Hinge, MeanOverAllPairs, MeanOverPairs


@of_rows
def contrastive(first: Tensor, second: Tensor, same: Tensor, margin: float = 1.0) -> Tensor:
    """Mean of ½ [s·d² + (1 − s)·max(0, m − √(d² + 1e-9))²] over given pairs.

    first, second: (n, d); same: (n,) s, true or 1 where the rows of a pair belong together.

    >>> import torch
    >>> near, far = torch.zeros(1, 2), torch.ones(1, 2)
    >>> float(contrastive(near, far, torch.tensor([True])))
    1.0
    """
    squared = (first - second).square().sum(dim=1)
    apart = (margin - (squared + 1e-9).sqrt()).clamp(min=0).square()
    same = same.to(squared.dtype)
    return _mean(same * squared + (1 - same) * apart) / 2


@of_rows
def contrastive_pairs(embeddings: Tensor, pairs: Sequence[Tensor], margin: float = 1.0) -> Tensor:
    """Mean of d², of those that belong together, and max(0, m − d)², of the others, over pairs of a batch.

    embeddings: (B, d); pairs: (n,) rows, (n,) rows, (n,) bool, as from kith.mining. 0 without pairs.

    >>> import torch
    >>> from kith.mining import all_pairs
    >>> float(contrastive_pairs(torch.tensor([[0.0], [2.0]]), all_pairs(torch.tensor([0, 0]))))
    4.0
    """
    return _of_pairs(embeddings, pairs, margin)[0]


def contrastive_all(embeddings: Tensor, labels: Tensor, margin: float = 1.0) -> tuple[Tensor, MiningStatistics]:
    """`contrastive_pairs` of all pairs of a batch, which are not listed; and how many pairs are of one class or nearer
    than the margin, of how many.

    embeddings: (B, d); labels: (B,) integers, or (B, C) sets (see `kith.mining.alike`). 0 without pairs. Raises
    ValueError unless each row has its label.

    >>> import torch
    >>> value, found = contrastive_all(torch.tensor([[0.0], [2.0], [9.0]]), torch.tensor([0, 0, 1]), margin=8.0)
    >>> float(value), found  # (2² + 0 + (8 − 7)²) / 3
    (1.6666666269302368, MiningStatistics(active=2, candidates=3))
    """
    check_labels(embeddings, labels)
    with uncast(embeddings):
        loss, active = MeanOverAllPairs.apply(in_full(embeddings), labels, margin**2, _hinge(margin))
    return loss, MiningStatistics(int(active), len(labels) * (len(labels) - 1) // 2)


def _of_pairs(embeddings: Tensor, pairs: Sequence[Tensor], margin: float) -> tuple[Tensor, Tensor]:
    with uncast(embeddings):
        loss, active = MeanOverPairs.apply(in_full(embeddings), tuple(pairs), margin**2, _hinge(margin))
    return loss, active


def _hinge(margin: float) -> Hinge:
    """Of squared distances, and whether they are of rows that belong together, the values and their derivatives."""

    def values_and_slopes(squared: Tensor, same: Tensor) -> tuple[Tensor, Tensor]:
        distance = squared.sqrt()
        lack = (distance - margin).clamp_(max=0)
        # By d² the derivative of (m − d)² is −(m − d) / d; rows that are equal have none.
        slopes = lack / F.threshold(distance, 0, math.inf)
        return passes.put(lack.square_(), same, squared), passes.put(slopes, same, 1.0)

    return values_and_slopes


def _mean(values: Tensor) -> Tensor:
    return values.sum() / max(1, len(values))


@dataclass(frozen=True, kw_only=True)
class ContrastiveOptions(LossOptions):
    """Hadsell et al. (2006) on unit rows: all pairs of a batch, or all positives with as many negatives, drawn or the
    hardest. given: the pairs of `train.sampler: pairs`, and in validation as many of both, drawn."""

    margin: AboveZero = 1.0
    mining: Literal["all", "random", "hardest", "given"] = "random"
    normalize: bool = True


class ContrastiveLoss(PairLoss, name="contrastive"):
    """Squared distance of two pictures of a class; of two classes, what lacks to the margin, squared."""

    options: ContrastiveOptions

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        options = self.options
        if options.mining == "all":
            return contrastive_all(rows, label, options.margin)
        if options.mining == "given" and self.training:
            pairs = mining.given_pairs(label)
        elif options.mining == "hardest":
            pairs = mining.hardest_pairs(rows.detach(), label)
        else:
            pairs = mining.balanced_pairs(label, step.random)
        loss, active = _of_pairs(rows, pairs, options.margin)
        if options.mining == "given":
            loss = contrastive(rows[pairs.first], rows[pairs.second], pairs.same, options.margin)
        return loss, MiningStatistics(int(active), len(pairs.same))
