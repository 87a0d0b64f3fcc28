"""Cross-entropy of a classifier, with smoothed labels where wanted."""

from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor

from kith.constraints import NotAll
from kith.losses.batch import LabelledRows, TrainingStep
from kith.losses.loss import ClassLoss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of (B, C) logits, the true class having the weight 1 − ε, each other one ε/(C − 1).

    torch's own label smoothing of ε·C/(C − 1). Raises ValueError for ε < 0 or > 1 − 1/C, where the true class would
    weigh least.

    >>> import torch
    >>> round(float(cross_entropy(torch.zeros(3, 2), torch.tensor([0, 1, 1]), smoothing=0.1)), 4)  # log 2
    0.6931
    """
    classes = logits.shape[1]
    if not 0 <= smoothing * classes <= classes - 1:
        raise ValueError(f"label smoothing of {smoothing} with {classes} classes; it goes from 0 to 1 − 1/classes")
    if smoothing == 0:
        return F.cross_entropy(logits, labels)
    return F.cross_entropy(logits, labels, label_smoothing=min(1.0, smoothing * classes / (classes - 1)))


@dataclass(frozen=True, kw_only=True)
class CrossEntropyOptions(LossOptions):
    """smoothing: share of the other classes in the target; head: how scores are made, see kith.models.classifier;
    tower: the hidden one, on what the image tower gives, beside the embedding."""

    smoothing: NotAll = 0.0
    head: Literal["linear", "hidden", "normalized", "tower"] = "linear"


class CrossEntropyLoss(ClassLoss, name="cross_entropy", needs={"class": {}, "classifier": {}}):
    """Cross-entropy of a classifier on top of the embedding."""

    options: CrossEntropyOptions

    @classmethod
    def classifier(cls, options: Any) -> str:
        return options.head

    def of_classes(self, known: LabelledRows, step: TrainingStep) -> Tensor:
        return cross_entropy(known.logits, known.label, self.options.smoothing)
