"""Losses on class embeddings φ: the features f of a picture should be near, or correlate with, those of its class.

features: (B, d); targets: (B, d), the rows φ_y of the classes. Barz & Denzler, "Hierarchy-based Image Embeddings for
Semantic Image Retrieval", WACV 2019, and "Deep Learning on Small Datasets without Pre-Training using Cosine Loss",
WACV 2020: with one-hot targets `inv_corr` is the cosine loss.
"""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from kith.losses.batch import LabelledRows, TrainingStep
from kith.losses.loss import ClassLoss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def inv_corr(features: Tensor, targets: Tensor) -> Tensor:
    """Mean of 1 − ⟨φ_y, f/√max(|f|², 1e-12)⟩.

    features: (B, d); targets: (B, d), the rows φ_y.

    >>> import torch
    >>> float(inv_corr(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]])))
    1.0
    """
    return unnorm_corr(F.normalize(features, eps=1e-6), targets)


@of_rows
def unnorm_corr(features: Tensor, targets: Tensor) -> Tensor:
    """Mean of 1 − ⟨φ_y, f⟩.

    features: (B, d); targets: (B, d), the rows φ_y.

    >>> import torch
    >>> float(unnorm_corr(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0]])))
    -2.0
    """
    return 1 - (features * targets).sum(dim=1).mean()


@of_rows
def softmax_corr(features: Tensor, targets: Tensor) -> Tensor:
    """Mean of 1 − ⟨φ_y, softmax(f)⟩.

    features: (B, d); targets: (B, d), the rows φ_y.

    >>> import torch
    >>> float(softmax_corr(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])))
    0.5
    """
    return unnorm_corr(features.softmax(dim=1), targets)


@of_rows
def mse(features: Tensor, targets: Tensor) -> Tensor:
    """Mean of |f − φ_y|², the sum over the dimensions.

    features: (B, d); targets: (B, d), the rows φ_y.

    >>> import torch
    >>> float(mse(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]])))
    10.0
    """
    return (features - targets).square().sum(dim=1).mean()


SIMILARITIES = {"inv_corr": inv_corr, "unnorm_corr": unnorm_corr, "softmax_corr": softmax_corr, "mse": mse}


@dataclass(frozen=True, kw_only=True)
class TowardsClassOptions(LossOptions):
    """Of an embedding and its class's: 1 − cosine, 1 − dot product, of the softmax, or the squared distance."""

    similarity: Literal["inv_corr", "unnorm_corr", "softmax_corr", "mse"] = "inv_corr"


class TowardsClassLoss(ClassLoss, name="class_embedding", needs={"class": {}, "targets": {}}):
    """Distance of an embedding and the embedding of its class."""

    options: TowardsClassOptions

    def of_classes(self, known: LabelledRows, step: TrainingStep) -> Tensor:
        return SIMILARITIES[self.options.similarity](known.features, known.targets[known.label])
