"""Pairwise ranking hinge losses (Kiros et al., 2014; Faghri et al., 2018; Dorfer et al., 2018)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from kith.constraints import Count, NonNegative
from kith.losses.batch import Batch, TrainingStep
from kith.losses.loss import Loss, LossOptions
from kith.losses.rows import of_rows
from kith.losses.several import similarities

Negatives = Literal["all", "hardest"]


@of_rows
def pairwise_hinge(
    image: Tensor,
    text: Tensor,
    margin: float = 0.2,
    negatives: Negatives = "all",
    excluded: Tensor | None = None,
    *,
    reduction: Literal["sum", "mean"] = "sum",
    symmetric: bool = True,
    distance: Literal["cosine", "angle"] = "cosine",
) -> Tensor:
    """Mean over queries of [margin + d_ii − d_ij]₊, over j ≠ i; texts as queries are added where `symmetric`.

    image, text: (B, d) unit rows, or (B, K, d), see `similarities`; d: 1 − cosine, or the angle. negatives: "all" takes
    every j ≠ i, summed (Kiros et al., 2014) or averaged over all pairs (Dorfer et al., IJMIR 2018); "hardest" the
    nearest alone (Faghri et al., "VSE++", BMVC 2018, eq. 6). excluded: (B, B) bool, true where a pair is neither
    positive nor negative.

    >>> rows = torch.eye(2)
    >>> float(pairwise_hinge(rows, rows, margin=1.5))  # each wrong one is 1 farther: 0.5 too little, both ways
    1.0
    """
    near = similarities(image, text)
    if distance == "angle":
        # The derivative of arccos is infinite at ±1.
        near = -torch.arccos(near.clamp(-1 + 1e-7, 1 - 1e-7))
    barred = torch.eye(len(image), dtype=torch.bool, device=image.device)
    if excluded is not None:
        barred = barred | excluded
    total = near.new_zeros(())
    for scores, out in ((near, barred), (near.T, barred.T))[: 1 + symmetric]:
        violations = (margin - scores.diagonal()[:, None] + scores).clamp(min=0).masked_fill(out, 0)
        if negatives == "hardest":
            total = total + violations.amax(dim=1).mean()
        elif reduction == "sum":
            total = total + violations.sum(dim=1).mean()
        else:
            total = total + violations.sum() / (~out).sum().clamp(min=1)
    return total


@dataclass(frozen=True, kw_only=True)
class PairwiseHingeOptions(LossOptions):
    """In the first `warmup_epochs` all negatives count (Chen et al., "VSE∞", CVPR 2021).

    reduction: negatives of a query summed (Kiros et al., 2014) or averaged (Dorfer et al., 2018); symmetric:
    texts are queries too; distance: 1 − cosine, or the angle.
    """

    margin: NonNegative = 0.2
    negatives: Negatives = "all"
    warmup_epochs: Count = 0
    reduction: Literal["sum", "mean"] = "sum"
    symmetric: bool = True
    distance: Literal["cosine", "angle"] = "cosine"


class PairwiseHingeLoss(Loss, name="pairwise_hinge"):
    """A picture's own text is nearer than any other by a margin, and the other way round."""

    options: PairwiseHingeOptions
    of_several = True

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        options = self.options
        # From random weights the hardest negatives alone pull everything into one point.
        negatives: Negatives = "all" if step.epoch <= options.warmup_epochs else options.negatives
        return pairwise_hinge(
            batch.image,
            batch.text,
            options.margin,
            negatives,
            batch.twins,
            reduction=options.reduction,
            symmetric=options.symmetric,
            distance=options.distance,
        )
