"""The angular N-pairs loss: Wang et al., ICCV 2017, as used by Thomas & Kovashka, ECCV 2020."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kith.constraints import Acute
from kith.losses.batch import Batch, TrainingStep
from kith.losses.loss import Loss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def angular(
    anchor: Tensor,
    positive: Tensor,
    negatives: Tensor,
    mask: Tensor | None = None,
    angle: float = 45.0,
    repeats: int = 1,
) -> Tensor:
    """mean_i log(1 + repeats · Σ_{n∈N_i} exp(4t·(a_i + p_i)ᵀn − 2(1 + t)·a_iᵀp_i)), t = tan²(angle).

    anchor, positive: (B, d) unit rows; negatives: (N, d); mask: (B, N) bool, true where a row of `negatives`
    is a negative of the anchor (default: all are). angle in degrees; the published program uses 45, t = 1.
    repeats: the published program repeats anchors and negatives to B² rows, which counts every negative B
    times; repeats=B gives its value without its memory.

    >>> anchor, negative = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> round(float(angular(anchor, anchor, negative)), 4)  # log(1 + exp(-4))
    0.0181
    """
    t = math.tan(math.radians(angle)) ** 2
    pull = 2 * (1 + t) * (anchor * positive).sum(dim=1, keepdim=True)
    exponents = 4 * t * (anchor + positive) @ negatives.T - pull + math.log(repeats)
    if mask is not None:
        exponents = exponents.masked_fill(~mask, -math.inf)
    # The 1 inside the logarithm is one more exponent, 0.
    return torch.logsumexp(torch.cat([torch.zeros_like(pull), exponents], dim=1), dim=1).mean()


@dataclass(frozen=True, kw_only=True)
class AngularOptions(LossOptions):
    """angle: in degrees; as_published: negatives count as in the authors' program."""

    angle: Acute = 45.0
    as_published: bool = False


class AngularLoss(Loss):
    """An angular loss whose negatives are the batch's other items."""

    options: AngularOptions

    def of_rows(
        self,
        batch: Batch,
        anchor: Tensor,
        positive: Tensor,
        negatives: Tensor,
        anchors: Tensor | None = None,
        own_counts: bool = False,
    ) -> Tensor:
        """anchor, positive, negatives: (B, d); anchors: (B,) bool, the rows that count.

        As published, negatives count B times, and in the terms whose negatives are the batch's own pictures
        (`own_counts`) the anchor's picture is among them.
        """
        mask = batch.group[:, None] != batch.group[None, :]
        repeats = 1
        if self.options.as_published:
            repeats = len(anchor)
            mask = torch.ones_like(mask) if own_counts else mask
        if anchors is not None:
            if not anchors.any():
                return anchor.sum() * 0  # with a gradient, for there may be no other loss
            anchor, positive, mask = anchor[anchors], positive[anchors], mask[anchors]
        return angular(anchor, positive, negatives, mask, self.options.angle, repeats)


class AngularCrossLoss(AngularLoss, name="angular_cross"):
    """Angular N-pairs: pictures are anchors, their texts positives, other texts negatives."""

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        return self.of_rows(batch, batch.image, batch.text, batch.text)


class AngularSymmetricLoss(AngularLoss, name="angular_symmetric"):
    """Angular N-pairs: texts are anchors, their pictures positives, other pictures negatives."""

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        return self.of_rows(batch, batch.text, batch.image, batch.image, own_counts=True)


class AngularImageLoss(AngularLoss, name="angular_image", needs={"text": {}, "neighbours": {}}):
    """Angular N-pairs within pictures: the positive is the picture of a neighbour in the semantic space."""

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        values = [
            self.of_rows(batch, batch.image, image, batch.image, batch.has_neighbor, own_counts=True)
            for image, _ in batch.neighbors
        ]
        return torch.stack(values).mean() if values else batch.image.new_zeros(())


class AngularTextLoss(AngularLoss, name="angular_text", needs={"text": {}, "neighbours": {}}):
    """Angular N-pairs within texts: the positive is the text of a neighbour in the semantic space."""

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        values = [self.of_rows(batch, batch.text, text, batch.text, batch.has_neighbor) for _, text in batch.neighbors]
        return torch.stack(values).mean() if values else batch.text.new_zeros(())
