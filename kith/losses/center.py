"""Center loss: pictures near the centre of their class (Wen et al., ECCV 2016)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kith.losses.batch import LabelledRows, TrainingStep
from kith.losses.loss import ClassLoss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def center_loss(features: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """Mean of ½|f − c_y|² (Wen et al., ECCV 2016, eq. 2).

    features: (B, d); labels: (B,) class numbers; centers: (C, d), learned or fixed.

    >>> import torch
    >>> float(center_loss(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), torch.zeros(1, 2)))
    2.0
    """
    return (features - centers[labels]).square().sum(dim=1).mean() / 2


@dataclass(frozen=True, kw_only=True)
class CenterOptions(LossOptions):
    """learned: centres move with the pictures; else they are the class embeddings that `targets` names."""

    learned: bool = True


class CenterLoss(ClassLoss, name="center", needs={"class": {}, "targets": {"learned": False}}):
    """Half the squared distance of an embedding and the centre of its class."""

    options: CenterOptions

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__(options, dim, classes)
        self.centers = nn.Parameter(torch.zeros(classes, dim)) if options.learned else None

    def of_classes(self, known: LabelledRows, step: TrainingStep) -> Tensor:
        return center_loss(known.features, known.label, known.targets if self.centers is None else self.centers)
