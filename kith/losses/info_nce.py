"""InfoNCE: which text of the batch belongs to a picture, and the other way round (Radford et al., 2021)."""

from torch import Tensor

from kith.losses.batch import Batch, TrainingStep
from kith.losses.rows import of_rows
from kith.losses.temperature import ScaledLoss


@of_rows
def info_nce(image: Tensor, text: Tensor, scale: Tensor | float, excluded: Tensor | None = None) -> Tensor:
    """Symmetric cross-entropy over scaled cosines: Radford et al., 2021 (CLIP), figure 3.

    image, text: (B, d) unit rows, row i of one belongs to row i of the other; scale: 1/temperature;
    excluded: (B, B) bool, true where a pair is neither positive nor negative (the same thing twice).

    >>> import torch
    >>> rows = torch.eye(2)
    >>> round(float(info_nce(rows, rows, scale=1.0)), 4)  # log(1 + exp(-1))
    0.3133
    """
    logits = scale * image @ text.T
    if excluded is not None:
        logits = logits.masked_fill(excluded, float("-inf"))
    right = logits.diagonal()
    return ((logits.logsumexp(dim=1) - right).mean() + (logits.logsumexp(dim=0) - right).mean()) / 2


class InfoNCELoss(ScaledLoss, name="info_nce"):
    """Cross-entropy of finding the text of a picture in the batch, and the picture of a text."""

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        return info_nce(batch.image, batch.text, self.scale, batch.twins)
