"""Label embeddings that are learned with the classifier (Sun et al., "Label Embedding Network", 2017)."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.constraints import AboveZero, Share
from kith.losses.batch import LabelledRows, TrainingStep
from kith.losses.loss import ClassLoss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def label_embedding(
    first: Tensor,
    second: Tensor,
    rows: Tensor,
    labels: Tensor,
    temperature: float = 2.0,
    threshold: float = 0.9,
    weight: float = 0.5,
) -> Tensor:
    """Mean over the batch of β·CE(o₁, y) + (1−β)·H(softmax t, o₁) + CE(o₂, y) + w·H(softmax(o₂/τ), t)
    + max(0, softmax(o₂)_y − α), H(p, o) = −Σ p·log softmax(o).

    first, second: (B, C) logits o₁ = W₁z and o₂ = W₂z, the second from features z that get no gradient; rows: (B, C)
    the rows t = T_y of the table of labels; temperature τ, threshold α, weight β. w is 1 / (share of pictures that o₂
    classifies right) for these and 0 for the others. Both distributions p get no gradient.

    >>> import torch
    >>> zeros = torch.zeros(1, 2)
    >>> round(float(label_embedding(zeros, zeros, zeros, torch.tensor([0]))), 4)  # log 2, thrice
    2.0794
    """
    right = (second.argmax(dim=1) == labels).to(second.dtype)
    taught = F.cross_entropy(rows, (second / temperature).softmax(dim=1).detach(), reduction="none")
    confidence = second.softmax(dim=1).gather(1, labels[:, None])[:, 0]
    return (
        weight * F.cross_entropy(first, labels)
        + (1 - weight) * F.cross_entropy(first, rows.softmax(dim=1).detach())
        + F.cross_entropy(second, labels)
        + (right * taught).sum() / (right.sum() + 1e-8)
        + (confidence - threshold).clamp(min=0).mean()
    )


@dataclass(frozen=True, kw_only=True)
class LabelEmbeddingOptions(LossOptions):
    """temperature τ, alpha: the threshold α, beta: the weight β, see kith.losses.label_embedding."""

    temperature: AboveZero = 2.0
    alpha: Share = 0.9
    beta: Share = 0.5


class LabelEmbeddingLoss(ClassLoss, name="label_embedding", needs={"class": {}, "classifier": {}}):
    """Cross-entropies of two outputs, and of a learned table of soft labels."""

    options: LabelEmbeddingOptions

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__(options, dim, classes)
        self.second_output = nn.Linear(dim, classes)
        self.label_table = nn.Parameter(torch.eye(classes))

    @classmethod
    def classifier(cls, options: Any) -> str:
        return "hidden"

    def of_classes(self, known: LabelledRows, step: TrainingStep) -> Tensor:
        second, rows = self.second_output(known.hidden.detach()), self.label_table[known.label]
        shape = (self.options.temperature, self.options.alpha, self.options.beta)
        return label_embedding(known.logits, second, rows, known.label, *shape)
