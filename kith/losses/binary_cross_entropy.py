"""A classifier of pictures with several labels: for each label, whether the picture has it."""

from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor

from kith.losses.batch import LabelledRows, TrainingStep
from kith.losses.loss import ClassLoss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over rows and classes of −y·log σ(z) − (1 − y)·log(1 − σ(z)), y being 1 for a label that the row has.

    logits: (B, C) z; labels: (B, C) of 0 and 1, or (B,) class numbers, of which each row then has one.

    >>> import torch
    >>> round(float(binary_cross_entropy(torch.zeros(1, 3), torch.tensor([[1, 1, 0]]))), 4)  # log 2
    0.6931
    """
    wanted = F.one_hot(labels, logits.shape[1]) if labels.ndim == 1 else labels
    return F.binary_cross_entropy_with_logits(logits, wanted.to(logits.dtype))


@dataclass(frozen=True, kw_only=True)
class BinaryCrossEntropyOptions(LossOptions):
    """head: how scores are made, see kith.models.classifier; tower: the hidden one, on what the image tower gives,
    beside the embedding."""

    head: Literal["linear", "hidden", "normalized", "tower"] = "linear"


class BinaryCrossEntropyLoss(ClassLoss, name="binary_cross_entropy", needs={"class": {}, "classifier": {}}):
    """Cross-entropy of a classifier that tells for each label whether a picture has it; a picture may have several."""

    options: BinaryCrossEntropyOptions

    @classmethod
    def classifier(cls, options: Any) -> str:
        return options.head

    @classmethod
    def takes_sets(cls, options: Any) -> bool:
        return True

    def of_classes(self, known: LabelledRows, step: TrainingStep) -> Tensor:
        return binary_cross_entropy(known.logits, known.label)
