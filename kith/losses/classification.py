"""Losses of classifiers."""

import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of (B, C) logits, the true class having the weight 1 − ε, each other one ε/(C − 1).

    torch's own label smoothing of ε·C/(C − 1). Raises ValueError for ε < 0 or > 1 − 1/C, where the true class would
    weigh least.
    """
    classes = logits.shape[1]
    if not 0 <= smoothing * classes <= classes - 1:
        raise ValueError(f"label smoothing of {smoothing} with {classes} classes; it goes from 0 to 1 − 1/classes")
    if smoothing == 0:
        return F.cross_entropy(logits, labels)
    return F.cross_entropy(logits, labels, label_smoothing=min(1.0, smoothing * classes / (classes - 1)))


def center_loss(features: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """Mean of ½|f − c_y|² over (B, d) features; (C, d) centers, learned or fixed (Wen et al., ECCV 2016, eq. 2)."""
    return (features - centers[labels]).square().sum(dim=1).mean() / 2
