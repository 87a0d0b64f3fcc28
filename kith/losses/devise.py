"""DeViSE: pictures near the word vector of their class (Frome et al., NeurIPS 2013)."""

from dataclasses import dataclass

from torch import Tensor

from kith.constraints import NonNegative
from kith.losses.batch import LabelledRows, TrainingStep
from kith.losses.loss import ClassLoss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def devise(features: Tensor, labels: Tensor, classes: Tensor, margin: float = 0.1) -> Tensor:
    """Mean of Σ_j max(0, m − ⟨f, φ_y⟩ + ⟨f, φ_j⟩) over j ≠ y (Frome et al., "DeViSE", NeurIPS 2013).

    features: (B, d); labels: (B,) rows of classes; classes: (C, d) unit rows φ.

    >>> import torch
    >>> round(float(devise(torch.tensor([[1.0, 0.0]]), torch.tensor([1]), torch.eye(2))), 4)  # 1 nearer to the other
    1.1
    """
    near = features @ classes.T
    own = near.gather(1, labels[:, None])
    # The class itself adds exactly the margin to the sum.
    return (margin - own + near).clamp(min=0).sum(dim=1).mean() - margin


@dataclass(frozen=True, kw_only=True)
class DeviseOptions(LossOptions):
    """margin: how much nearer, as a difference of dot products, the own class has to be."""

    margin: NonNegative = 0.1


class DeviseLoss(ClassLoss, name="devise", needs={"class": {}, "targets": {}}):
    """An embedding is nearer to that of its class than to any other class's, by a margin."""

    options: DeviseOptions

    def of_classes(self, known: LabelledRows, step: TrainingStep) -> Tensor:
        return devise(known.features, known.label, known.targets, self.options.margin)
