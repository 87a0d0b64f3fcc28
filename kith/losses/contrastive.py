"""Contrastive losses of pairs, by Euclidean distance (Hadsell et al., CVPR 2006)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from kith import mining
from kith.constraints import AboveZero
from kith.losses.batch import LossValue, MiningStatistics, TrainingStep
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import PairLoss
from kith.losses.rows import of_rows
from kith.mining.distances import SumOverPairs, pairwise


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
    first, second, same = pairs
    count = max(1, len(first))

    def mean(squared: Tensor) -> tuple[Tensor, Tensor]:
        distance = squared.sqrt()
        lack = (margin - distance).clamp_(min=0)
        # By d² the derivative of (m − d)² is −(m − d) / d; rows that are equal have none.
        slopes = (lack / distance).neg_().masked_fill_(same | (squared == 0), 0).add_(same)
        return squared.where(same, lack.square_()).sum() / count, slopes.div_(count)

    total: Tensor = SumOverPairs.apply(embeddings, first, second, mean)
    return total


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
        if options.mining == "given" and self.training:
            pairs = mining.given_pairs(label)
        elif options.mining == "hardest":
            pairs = mining.hardest_pairs(rows.detach(), label)
        elif options.mining in ("random", "given"):
            pairs = mining.balanced_pairs(label, step.random)
        else:
            pairs = mining.all_pairs(label)
        if options.mining == "given":
            loss = contrastive(rows[pairs.first], rows[pairs.second], pairs.same, options.margin)
        else:
            loss = contrastive_pairs(rows, pairs, options.margin)
        with torch.no_grad():
            near = pairwise(rows).flatten()[pairs.first * len(rows) + pairs.second] < options.margin**2
        return loss, MiningStatistics(int((pairs.same | near).sum()), len(pairs.same))
