"""The pairwise sigmoid loss (Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.losses.batch import Batch, TrainingStep
from kith.losses.rows import of_rows
from kith.losses.temperature import ScaledLoss


@of_rows
def siglip(
    image: Tensor, text: Tensor, scale: Tensor | float, bias: Tensor | float, excluded: Tensor | None = None
) -> Tensor:
    """−1/B Σ_ij log σ(z_ij·(scale·x_iᵀy_j + bias)), z = 1 on the diagonal, else −1: Zhai et al., 2023, eq. 1.

    image, text: (B, d) unit rows, row i of one belongs to row i of the other; excluded: (B, B) bool, true where a
    pair is neither positive nor negative.

    >>> import torch
    >>> rows = torch.eye(2)
    >>> round(float(siglip(rows, rows, scale=1.0, bias=0.0)), 4)  # log(1 + exp(-1)) + log 2
    1.0064
    """
    logits = scale * image @ text.T + bias
    signed = -logits
    signed.diagonal().copy_(logits.diagonal())
    losses = -F.logsigmoid(signed)
    if excluded is not None:
        losses = losses.masked_fill(excluded, 0)
    return losses.sum() / len(image)


class SigLIPLoss(ScaledLoss, name="siglip"):
    """Each picture and text of the batch by themselves: do they belong together? Its bias is learned."""

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__(options, dim, classes)
        self.bias = nn.Parameter(torch.tensor(-10.0))

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        return siglip(batch.image, batch.text, self.scale, self.bias, batch.twins)
