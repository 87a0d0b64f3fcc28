"""Contrastive losses over all pairs of a batch."""

import torch.nn.functional as F
from torch import Tensor


def info_nce(image: Tensor, text: Tensor, scale: Tensor | float, excluded: Tensor | None = None) -> Tensor:
    """Symmetric cross-entropy over scaled cosines: Radford et al., 2021 (CLIP), figure 3.

    image, text: (B, d) unit rows, row i of one belongs to row i of the other; scale: 1/temperature;
    excluded: (B, B) bool, true where a pair is neither positive nor negative (the same thing twice).
    """
    logits = scale * image @ text.T
    if excluded is not None:
        logits = logits.masked_fill(excluded, float("-inf"))
    right = logits.diagonal()
    return ((logits.logsumexp(dim=1) - right).mean() + (logits.logsumexp(dim=0) - right).mean()) / 2


def siglip(
    image: Tensor, text: Tensor, scale: Tensor | float, bias: Tensor | float, excluded: Tensor | None = None
) -> Tensor:
    """−1/B Σ_ij log σ(z_ij·(scale·x_iᵀy_j + bias)), z = 1 on the diagonal, else −1: Zhai et al., 2023, eq. 1."""
    logits = scale * image @ text.T + bias
    signed = -logits
    signed.diagonal().copy_(logits.diagonal())
    losses = -F.logsigmoid(signed)
    if excluded is not None:
        losses = losses.masked_fill(excluded, 0)
    return losses.sum() / len(image)
