"""Terms of an objective that pull items of one class together: pairs, triplets and N-pairs of a batch."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith import losses, mining
from kith.mining.distances import Distance, pairwise
from kith.training import schedules


class Found(NamedTuple):
    """What mining found in a batch: pairs or triplets above zero, and how many could have been."""

    active: int
    candidates: int


@dataclass
class Moment:
    """Where a training is: draws of this step; epoch, counted from 1, of all epochs."""

    random: torch.Generator | None = None
    epoch: int = 1
    epochs: int = 1


class MetricTerms(nn.Module):
    """terms: name of a term → its parameters, as in params.yaml; those of kith.terms.METRIC_TERMS are computed here.

    Called with a term's name, (n, dim) embeddings before the projection, (n,) class numbers and the moment. Proxies
    of classes and a memory bank are in its state. Raises KithError for an unknown loss of the library.
    """

    library: nn.Module | None
    bank: mining.MemoryBank | None

    def __init__(self, terms: dict[str, dict[str, Any]], dim: int = 0, classes: int = 0):
        super().__init__()
        self.terms = terms
        self.library, self.bank = None, None
        if "metric_learning" in terms:
            options = terms["metric_learning"]
            self.library = losses.library_loss(options["name"], options["options"], dim, classes)
        if "triplet" in terms and terms["triplet"]["bank"]:
            self.bank = mining.MemoryBank(terms["triplet"]["bank"], dim)

    def forward(self, name: str, features: Tensor, label: Tensor, moment: Moment) -> tuple[Tensor, Found | None]:
        options = self.terms[name]
        rows = F.normalize(features) if options.get("normalize") else features
        return getattr(self, f"_{name}")(rows, label, options, moment)

    def _contrastive(self, rows: Tensor, label: Tensor, options: Any, moment: Moment) -> tuple[Tensor, Found]:
        if options["mining"] == "hardest":
            pairs = mining.hardest_pairs(rows.detach(), label)
        elif options["mining"] == "random":
            pairs = mining.balanced_pairs(label, moment.random)
        else:
            pairs = mining.all_pairs(label)
        loss = losses.contrastive_pairs(rows, pairs, options["margin"])
        with torch.no_grad():
            near = pairwise(rows).flatten()[pairs.first * len(rows) + pairs.second] < options["margin"] ** 2
        return loss, Found(int((pairs.same | near).sum()), len(pairs.same))

    def _triplet(self, rows: Tensor, label: Tensor, options: Any, moment: Moment) -> tuple[Tensor, Found]:
        margin, distance, bank = options["margin"], options["distance"], None
        if options["mining"] == "all" and not options["soft"] and self.bank is None:
            counted = mining.violations(rows, label, margin, distance, options["ordered"])
            loss = losses.batch_all(rows, counted, margin, distance, options["reduction"])
            return loss, Found(counted.active, counted.candidates)
        if self.bank is not None and self.training:
            bank = self.bank.rows()
            self.bank.add(rows, label)
        triplets = _mined(rows, label, options, moment, margin, distance, bank)
        pool = rows if bank is None else torch.cat([rows, bank[0]])
        found = _found(rows, triplets, options, margin, distance, pool)
        if options["soft"]:
            return losses.soft_margin(rows, triplets, 0.0, distance, pool), found
        return losses.triplet_margin(rows, triplets, margin, distance, options["reduction"], pool), found

    def _hoffer_ailon(self, rows: Tensor, label: Tensor, options: Any, moment: Moment) -> tuple[Tensor, Found]:
        triplets = _mined(rows, label, options, moment, options["margin"], "euclidean")
        return losses.hoffer_ailon(rows, triplets), _found(rows, triplets, options, options["margin"], "euclidean")

    def _npairs(self, rows: Tensor, label: Tensor, options: Any, moment: Moment) -> tuple[Tensor, None]:
        first, second = mining.class_pairs(label, moment.random)
        pairs = rows[first], rows[second], label[first]
        if options["angle"] is not None:
            return losses.angular_npairs(*pairs, options["angle"]), None
        return losses.npairs(*pairs, options["regularization"]), None

    def _dtsh(self, rows: Tensor, label: Tensor, options: Any, moment: Moment) -> tuple[Tensor, Found]:
        margin = rows.shape[1] / 2 if options["margin"] is None else options["margin"]
        quantization = options["quantization"]
        if options["schedule"] == "margin":
            margin = schedules.doubling(moment.epoch - 1, moment.epochs, margin)
        elif options["schedule"] == "quantization_weight":
            quantization = schedules.doubling(moment.epoch - 1, moment.epochs, quantization)
        triplets = _mined(rows, label, options, moment, margin, "product")
        loss = losses.dtsh(rows, triplets, margin, quantization, options["form"])
        return loss, _found(rows, triplets, options, margin, "product")

    def _metric_learning(self, rows: Tensor, label: Tensor, options: Any, moment: Moment) -> tuple[Tensor, None]:
        assert self.library is not None
        return self.library(rows, label), None


def _mined(
    rows: Tensor,
    label: Tensor,
    options: Any,
    moment: Moment,
    margin: float,
    distance: Distance,
    bank: tuple[Tensor, Tensor] | None = None,
) -> mining.Triplets:
    return mining.mine_triplets(
        rows.detach(),
        label,
        options["mining"],
        margin=margin,
        distance=distance,
        ordered=options["ordered"],
        generator=moment.random,
        bank=bank,
    )


@torch.no_grad()
def _found(
    rows: Tensor,
    triplets: mining.Triplets,
    options: Any,
    margin: float,
    distance: Distance,
    pool: Tensor | None = None,
) -> Found:
    if options["mining"] in ("hardest", "random", "semi_hard"):  # they find what is above zero alone
        return Found(len(triplets.anchor), triplets.candidates)
    near, far = losses.triplet_distances(rows, triplets, distance, pool)
    return Found(int((near - far + margin > 0).sum()), triplets.candidates)
