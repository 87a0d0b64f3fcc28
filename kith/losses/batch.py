"""What a loss is computed from: the embeddings of a batch, and where the training is."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor


@dataclass
class LabelledRows:
    """The pictures of a batch whose class is known.

    features: (n, d) embeddings before the projection; label: (n,) class numbers, or (n, C) of 0 and 1 where pictures
    have several; hidden, logits: (n, d) and (n, C)
    of the model's classifier, if it has one; targets: (C, d) class embeddings, if it has any; similarity: (C, C) of
    the classes in their taxonomy, where it is known.
    """

    features: Tensor
    label: Tensor
    hidden: Any = None
    logits: Any = None
    targets: Any = None
    similarity: Any = None


@dataclass
class Batch:
    """Embeddings of a batch. image, text: (B, d) unit rows, or (B, K, d) of K vectors an item; text is None without a
    text side; group: (B,) integers.

    neighbors: for each neighbour drawn, (image (B, d), text (B, d)); has_neighbor: (B,) bool;
    correlations: (d,) canonical correlations of the batch, where the model has a CCA layer;
    classes: for losses that look at classes; random_texts: (R, d) texts of random training items, for those that
    look at these; added: in training, of a model whose heads are attention, what that has added to the vectors of
    pictures and of texts, (B, K, d) each.
    """

    image: Tensor
    text: Any
    group: Tensor
    neighbors: list[tuple[Tensor, Tensor]]
    has_neighbor: Tensor
    correlations: Tensor | None = None
    classes: LabelledRows | None = None
    random_texts: Tensor | None = None
    added: tuple[Tensor, Tensor] | None = None

    @property
    def twins(self) -> Tensor:
        """(B, B) bool, true where two different rows are the same thing: neither a pair nor negatives."""
        same = self.group[:, None] == self.group[None, :]
        return same.fill_diagonal_(False)


@dataclass
class TrainingStep:
    """Where a training is: draws of this step; epoch, counted from 1, of all epochs."""

    random: torch.Generator | None = None
    epoch: int = 1
    epochs: int = 1


class MiningStatistics(NamedTuple):
    """What mining has found in a batch: pairs or triplets above zero, and how many could have been."""

    active: int
    candidates: int


LossValue = Tensor | tuple[Tensor, MiningStatistics]
