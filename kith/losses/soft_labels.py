"""Soft labels: a wrong class is the less wrong the nearer it stands in the taxonomy (Bertinetto et al., CVPR 2020)."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from kith.constraints import AboveZero
from kith.losses.batch import LabelledRows, TrainingStep
from kith.losses.loss import ClassLoss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def soft_labels(logits: Tensor, labels: Tensor, similarity: Tensor, beta: float = 10.0) -> Tensor:
    """Mean cross-entropy of the logits and softmax(−β·d(y, ·)), d being 1 − the similarity of two classes.

    Bertinetto et al., "Making Better Mistakes", CVPR 2020, eq. 6. A β without bounds is plain cross-entropy; one of 0
    makes all classes alike.

    logits: (B, C); labels: (B,) class numbers; similarity: (C, C), for example LCSH.

    >>> import torch
    >>> round(float(soft_labels(torch.zeros(1, 2), torch.tensor([0]), torch.eye(2))), 4)  # log 2
    0.6931
    """
    return F.cross_entropy(logits, (beta * similarity[labels].to(logits.dtype)).softmax(dim=1))


@dataclass(frozen=True, kw_only=True)
class SoftLabelOptions(LossOptions):
    """beta: how fast a class loses weight with its distance in the taxonomy, which is 1 at most."""

    beta: AboveZero = 10.0


class SoftLabelLoss(ClassLoss, name="soft_labels", needs={"class": {}, "classifier": {}}):
    """Cross-entropy of a classifier whose target gives weight to classes that are near in the taxonomy."""

    options: SoftLabelOptions

    def of_classes(self, known: LabelledRows, step: TrainingStep) -> Tensor:
        return soft_labels(known.logits, known.label, known.similarity, self.options.beta)
