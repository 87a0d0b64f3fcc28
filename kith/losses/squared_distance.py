"""The squared cosine distance of pairs, which looks at no negatives (Dorfer et al., IJMIR 2018)."""

from torch import Tensor

from kith.losses.batch import Batch, TrainingStep
from kith.losses.loss import Loss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def squared_distance(image: Tensor, text: Tensor) -> Tensor:
    """Mean (1 − cos)² of pairs: image, text (B, d) unit rows (Dorfer et al., IJMIR 2018).

    >>> import torch
    >>> float(squared_distance(torch.eye(2), torch.eye(2).flip(0)))
    1.0
    """
    return (1 - (image * text).sum(dim=1)).square().mean()


class SquaredDistanceLoss(Loss, name="squared_distance"):
    """Squared cosine distance of a picture and its text; looks at no negatives."""

    options: LossOptions

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        return squared_distance(batch.image, batch.text)
