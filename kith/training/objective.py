"""The objective of a method: published losses, summed with weights."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kith.losses import LOSSES, Batch, Loss, MiningStatistics, Needs, TrainingStep
from kith.losses.nested import check_terms, check_widths, prefix


class Objective(nn.Module):
    """terms: name of a loss → its options, as `methods.<name>.losses` in params.yaml; defaults may be left out.

    Called with a Batch, it returns the weighted sum and the value of each loss; of mined ones also `active`, the
    share of pairs or triplets that are above zero among those that could have been found, and `mined`, their number
    in the batch. What losses learn is its parameters; for these it is told the width of the embeddings before the
    projection and the number of classes. Losses that need neighbours, or labels, see only the items that have one,
    and are 0 where there is none. Without terms, of a model that is not trained, the sum is 0. `step` is set by the
    training loop.

    matryoshka: widths below `dim`, rising; each loss is then the mean of its values on the whole embeddings and on
    their first numbers, as many as each width says (Kusupati et al., "Matryoshka Representation Learning", NeurIPS
    2022, equation 1 with equal weights). Raises KithError for widths and losses that do not fit.
    """

    def __init__(
        self, terms: dict[str, dict[str, Any]], dim: int = 0, classes: int = 0, matryoshka: Sequence[int] | None = None
    ):
        super().__init__()
        self.widths = tuple(matryoshka or ())
        if matryoshka is not None:
            check_widths(self.widths, dim)
            check_terms(terms)
        self.needs = Needs.of(terms)
        self.step = TrainingStep()
        self.losses = nn.ModuleDict()
        for name, options in terms.items():
            loss = LOSSES[name]
            self.losses[name] = loss(loss.options_type()(**options), dim, classes)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        mined: list[MiningStatistics] = []
        values: dict[str, Tensor] = {}
        weighted = []
        batches = [batch, *(prefix(batch, width) for width in self.widths)]
        for name, loss in self.losses.items():
            assert isinstance(loss, Loss)
            parts = []
            for each in batches:
                value = loss(each, self.step)
                if isinstance(value, tuple):
                    value, statistics = value
                    mined.append(statistics)
                parts.append(value)
            values[name] = parts[0] if len(parts) == 1 else torch.stack(parts).mean()
            weighted.append(loss.options.weight * values[name])
        if not weighted:
            return batch.image.new_zeros(()), {}
        total = torch.stack(weighted).sum()
        return total, values | _shares(mined, total)


def _shares(mined: list[MiningStatistics], like: Tensor) -> dict[str, Tensor]:
    if not mined:
        return {}
    active, candidates = (sum(counts) for counts in zip(*mined, strict=True))
    return {"active": like.new_tensor(active / max(1, candidates)), "mined": like.new_tensor(float(active))}
