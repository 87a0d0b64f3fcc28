"""Diversity of several vectors an item: attention adds something else to each (Song & Soleymani, CVPR 2019)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kith.losses.batch import Batch, TrainingStep
from kith.losses.loss import Loss
from kith.losses.rows import of_rows


@of_rows
def diversity(added: Tensor) -> Tensor:
    """Mean over items of the Frobenius norm of the cosines of what is added to an item's vectors, each with the others,
    divided by K² (Song & Soleymani, CVPR 2019, as their program has it).

    added: (B, K, d).

    >>> round(float(diversity(torch.tensor([[[1.0, 0.0], [2.0, 0.0]]]))), 4)  # √2 / 4
    0.3536
    """
    unit = F.normalize(added, dim=-1)
    others = ~torch.eye(added.shape[1], dtype=torch.bool, device=added.device)
    cosines = (unit @ unit.transpose(1, 2))[:, others]
    return torch.linalg.vector_norm(cosines, dim=1).mean() / added.shape[1] ** 2


class DiversityLoss(Loss, name="diversity"):
    """What attention adds to the vectors of an item differs; needs `train.head: attention`. In training alone."""

    of_several = True

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        if batch.added is None:
            return batch.image.sum() * 0
        return sum((diversity(each) for each in batch.added), start=batch.image.new_zeros(()))
