"""The angular N-pairs loss: Wang et al., ICCV 2017, as used by Thomas & Kovashka, ECCV 2020."""

import math
from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True, kw_only=True)
class TextNegativesOptions(AngularOptions):
    """negatives: the texts of the batch's other items, or as many `random` ones of the training split, as in the
    authors' program: an item's own may be among them. In validation always the former."""

    negatives: Literal["random"] | None = None


class AngularLoss(Loss):
    """An angular loss whose negatives are the batch's other items, or random texts."""

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
        repeats = len(anchor) if self.options.as_published else 1
        if negatives is batch.random_texts or (self.options.as_published and own_counts):
            mask = mask.new_ones(len(anchor), len(negatives))
        if anchors is not None:
            if not anchors.any():
                return anchor.sum() * 0  # with a gradient, for there may be no other loss
            anchor, positive, mask = anchor[anchors], positive[anchors], mask[anchors]
        return angular(anchor, positive, negatives, mask, self.options.angle, repeats)

    def text_negatives(self, batch: Batch) -> Tensor:
        """Of the terms whose negatives are texts."""
        random = getattr(self.options, "negatives", None) == "random"
        return batch.random_texts if random and batch.random_texts is not None else batch.text


class AngularCrossLoss(AngularLoss, name="angular_cross", needs={"text": {}, "random texts": {"negatives": "random"}}):
    """Angular N-pairs: pictures are anchors, their texts positives, other texts negatives."""

    options: TextNegativesOptions

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        return self.of_rows(batch, batch.image, batch.text, self.text_negatives(batch))


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


class AngularTextLoss(
    AngularLoss,
    name="angular_text",
    needs={"text": {}, "neighbours": {}, "random texts": {"negatives": "random"}},
):
    """Angular N-pairs within texts: the positive is the text of a neighbour in the semantic space."""

    options: TextNegativesOptions

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        others = self.text_negatives(batch)
        values = [self.of_rows(batch, batch.text, text, others, batch.has_neighbor) for _, text in batch.neighbors]
        return torch.stack(values).mean() if values else batch.text.new_zeros(())
