"""N-pairs losses: each anchor against the positives of all other classes."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from kith import mining
from kith.constraints import Acute, NonNegative
from kith.losses.angular import angular
from kith.losses.batch import TrainingStep
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import MetricLoss
from kith.losses.partners import PartnersCrossEntropy
from kith.losses.rows import of_rows


@of_rows
def npairs(anchor: Tensor, positive: Tensor, labels: Tensor | None = None, regularization: float = 0.0) -> Tensor:
    """Mean of log(1 + Σ_j exp(a_iᵀp_j − a_iᵀp_i)) over j of other classes (Sohn, NIPS 2016, eq. 7).

    anchor, positive: (B, d), one or several pairs a class; labels: (B,), or None where there is one pair a class.
    regularization: weight of the mean of ½(|a|² + |p|²). 0 without pairs. Raises ValueError unless both are of
    one shape.

    >>> import torch
    >>> rows = torch.eye(2)
    >>> round(float(npairs(rows, rows)), 4)  # log(1 + exp(-1))
    0.3133
    """
    if anchor.shape != positive.shape:
        raise ValueError(f"anchors of the shape {tuple(anchor.shape)}, but positives of {tuple(positive.shape)}")
    rivals = None if labels is None else (labels[:, None] == labels).fill_diagonal_(False)
    loss: Tensor = PartnersCrossEntropy.apply(anchor, positive, rivals)
    if not regularization:
        return loss
    return loss + regularization * (anchor.square() + positive.square()).sum() / (2 * len(anchor))


@of_rows
def angular_npairs(anchor: Tensor, positive: Tensor, labels: Tensor, angle: float = 45.0) -> Tensor:
    """The angular loss of unit rows with the positives of other classes as negatives (Wang et al., ICCV 2017).

    Shapes as of `npairs`; angle in degrees.

    >>> import torch
    >>> rows = torch.eye(2)
    >>> round(float(angular_npairs(rows, rows, torch.tensor([0, 1]))), 4)  # log(1 + exp(-4))
    0.0181
    """
    if not len(anchor):
        return anchor.sum()
    return angular(F.normalize(anchor), F.normalize(positive), F.normalize(positive), labels[:, None] != labels, angle)


@dataclass(frozen=True, kw_only=True)
class NPairsOptions(LossOptions):
    """Two pictures of each class; angle: of the angular loss in degrees, in place of the N-pairs loss; regularization:
    weight of the squared lengths."""

    angle: Acute | None = None
    regularization: NonNegative = 0.0
    normalize: bool = False


class NPairsLoss(MetricLoss, name="npairs"):
    """Cross-entropy of finding a picture's partner among the partners of all other classes."""

    options: NPairsOptions

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> Tensor:
        first, second = mining.class_pairs(label, step.random)
        anchor, positive = rows.index_select(0, first), rows.index_select(0, second)
        if self.options.angle is not None:
            return angular_npairs(anchor, positive, label[first], self.options.angle)
        return npairs(anchor, positive, regularization=self.options.regularization)
