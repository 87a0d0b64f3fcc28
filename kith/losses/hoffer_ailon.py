"""The triplet network (Hoffer & Ailon, 2015)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from kith.constraints import AboveZero
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.metric_loss import MinedLoss, MinedOptions
from kith.losses.rows import of_rows
from kith.losses.triplet_distances import triplet_distances


@of_rows
def hoffer_ailon(
    embeddings: Tensor,
    triplets: Sequence[Any],
    reduction: Literal["mse", "norm"] = "mse",
    pool: Tensor | None = None,
) -> Tensor:
    """Mean of p², p = exp d(a, p) / (exp d(a, p) + exp d(a, n)), with Euclidean distances (Hoffer & Ailon, 2015).

    norm: of |(p, 1 − p) − (0, 1)|² = 2p², as in the paper; mse: its mean over both entries, as in its program.

    >>> import torch
    >>> rows = torch.tensor([[0.0], [1.0], [1.0]])
    >>> triplets = torch.tensor([0]), torch.tensor([1]), torch.tensor([2])
    >>> float(hoffer_ailon(rows, triplets))  # equally far
    0.25
    """
    near, far = triplet_distances(embeddings, triplets, "euclidean", pool)
    return (near - far).sigmoid().square().sum() / max(1, len(near)) * (2 if reduction == "norm" else 1)


@dataclass(frozen=True, kw_only=True)
class HofferAilonOptions(MinedOptions):
    """As of the loss `triplet`, on Euclidean distances; margin: what violates it may be mined."""

    margin: AboveZero = 0.2
    mining: Literal["all", "hardest", "random", "semi_hard", "batch_hard", "batch_easy_hard", "given"] = "all"


class HofferAilonLoss(MinedLoss, name="hoffer_ailon"):
    """Squared softmax share of the distance to the positive, of both distances of a triplet."""

    options: HofferAilonOptions

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        triplets = self.mine(rows, label, step, self.options.margin, "euclidean")
        return hoffer_ailon(rows, triplets), self.statistics(rows, triplets, self.options.margin, "euclidean")
