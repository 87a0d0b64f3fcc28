"""What losses share that pull items of one class together and push others away: rows, mining, and its statistics."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from kith import mining
from kith.losses.batch import LabelledRows, LossValue, MiningStatistics, TrainingStep
from kith.losses.loss import ClassLoss, LossOptions
from kith.losses.triplet_distances import triplet_distances
from kith.mining.distances import Distance


@dataclass(frozen=True, kw_only=True)
class MinedOptions(LossOptions):
    """For each positive pair (twice where `ordered`) the negatives that `mining` names, see kith.mining. margin: by
    which negatives should be farther; what violates it may be mined. normalize: on rows of length 1. given: the
    triplets of `train.sampler: triplets`, and in validation all."""

    mining: Literal[
        "all", "hardest", "random", "semi_hard", "nearest_semi_hard", "distance_weighted", "batch_hard",
        "batch_easy_hard", "given",
    ] = "semi_hard"  # fmt: skip
    ordered: bool = False
    normalize: bool = True


class MetricLoss(ClassLoss):
    """A loss of embeddings and class numbers alone; with the option `normalize` the embeddings have length 1."""

    def of_classes(self, known: LabelledRows, step: TrainingStep) -> LossValue:
        normalize = getattr(self.options, "normalize", False)
        return self.of_rows(F.normalize(known.features) if normalize else known.features, known.label, step)

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        """rows: (n, d); label: (n,) class numbers, or, of a loss that `takes_sets`, (n, C) of 0 and 1."""
        raise NotImplementedError


class PairLoss(MetricLoss):
    """A loss that looks at labels only to tell which pictures belong together: those of one class, or, of several
    labels each, those that share one (see `kith.mining.alike`)."""

    @classmethod
    def takes_sets(cls, options: Any) -> bool:
        return True


class MinedLoss(PairLoss):
    """A loss of triplets that are mined in the batch."""

    options: MinedOptions

    def mine(
        self,
        rows: Tensor,
        label: Tensor,
        step: TrainingStep,
        margin: float,
        distance: Distance,
        bank: tuple[Tensor, Tensor] | None = None,
    ) -> mining.Triplets:
        strategy = self.options.mining
        if strategy == "given" and self.training:
            return mining.given_triplets(label)
        return mining.mine_triplets(
            rows.detach(),
            label,
            "all" if strategy == "given" else strategy,
            margin=margin,
            distance=distance,
            ordered=self.options.ordered,
            generator=step.random,
            bank=bank,
        )

    @torch.no_grad()
    def statistics(
        self,
        rows: Tensor,
        triplets: mining.Triplets,
        margin: float,
        distance: Distance,
        pool: Tensor | None = None,
    ) -> MiningStatistics:
        if self.options.mining in ("hardest", "random", "semi_hard"):  # they find what is above zero alone
            return MiningStatistics(len(triplets.anchor), triplets.candidates)
        near, far = triplet_distances(rows, triplets, distance, pool)
        return MiningStatistics(int((near - far + margin > 0).sum()), triplets.candidates)
