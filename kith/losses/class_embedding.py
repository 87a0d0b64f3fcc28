"""Losses on class embeddings φ: the features f of a picture should be near, or correlate with, those of its class.

features: (B, d); targets: (B, d), the rows φ_y of the classes. Barz & Denzler, "Hierarchy-based Image Embeddings for
Semantic Image Retrieval", WACV 2019, and "Deep Learning on Small Datasets without Pre-Training using Cosine Loss",
WACV 2020: with one-hot targets `inv_corr` is the cosine loss.
"""

import torch.nn.functional as F
from torch import Tensor


def inv_corr(features: Tensor, targets: Tensor) -> Tensor:
    """Mean of 1 − ⟨φ_y, f/√max(|f|², 1e-12)⟩."""
    return unnorm_corr(F.normalize(features, eps=1e-6), targets)


def unnorm_corr(features: Tensor, targets: Tensor) -> Tensor:
    """Mean of 1 − ⟨φ_y, f⟩."""
    return 1 - (features * targets).sum(dim=1).mean()


def softmax_corr(features: Tensor, targets: Tensor) -> Tensor:
    """Mean of 1 − ⟨φ_y, softmax(f)⟩."""
    return unnorm_corr(features.softmax(dim=1), targets)


def mse(features: Tensor, targets: Tensor) -> Tensor:
    """Mean of |f − φ_y|², the sum over the dimensions."""
    return (features - targets).square().sum(dim=1).mean()


def devise(features: Tensor, labels: Tensor, classes: Tensor, margin: float = 0.1) -> Tensor:
    """Mean of Σ_j max(0, m − ⟨f, φ_y⟩ + ⟨f, φ_j⟩) over j ≠ y (Frome et al., "DeViSE", NeurIPS 2013).

    labels: (B,) rows of classes; classes: (C, d) unit rows φ.
    """
    near = features @ classes.T
    own = near.gather(1, labels[:, None])
    # The class itself adds exactly the margin to the sum.
    return (margin - own + near).clamp(min=0).sum(dim=1).mean() - margin
