"""Mining, triplet loss, forward and backward, against pytorch-metric-learning."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.measuring import Way
from benchmarks.table import Case, agree_in_size
from kith import losses, mining

TITLE = "Mining"
ABOUT = """A batch of n unit rows of 128 numbers, margin 0.2, squared distances: triplets are mined, then the loss
and its gradient. pytorch-metric-learning has no hardest and no random negative of each pair; of its semi-hard
triplets, which are all of them, ours draws one a pair: there answers differ, and the ratio is of what either needs
for a step. With "all" the loss and the gradient agree, with "batch_hard" but for rows that are equally hard up to
rounding. The limit: one product of the rows with themselves, and its gradient, which is two more; that of a triplet for
each anchor needs none of them."""
MARGIN, DIM = 0.2, 128
WAYS = ("semi_hard", "batch_hard", "hardest", "random", "all")


def ours(strategy: str) -> Callable[[Tensor, Tensor], Tensor]:
    def step(rows: Tensor, labels: Tensor) -> Tensor:
        if strategy == "all":
            return losses.batch_all(
                rows, mining.violations(rows, labels, MARGIN, ordered=True), MARGIN, reduction="active"
            )
        random = torch.Generator().manual_seed(0)
        found = mining.mine_triplets(rows.detach(), labels, strategy, margin=MARGIN, generator=random)
        return losses.triplet_margin(rows, found, MARGIN, reduction="active")

    return step


def theirs(strategy: str) -> Callable[[Tensor, Tensor], Tensor]:
    from pytorch_metric_learning import distances, miners
    from pytorch_metric_learning import losses as library

    squared = distances.LpDistance(normalize_embeddings=False, power=2)
    loss = library.TripletMarginLoss(margin=MARGIN, distance=squared)
    if strategy == "all":
        return loss
    miner = (
        miners.BatchHardMiner(distance=squared)
        if strategy == "batch_hard"
        else miners.TripletMarginMiner(margin=MARGIN, type_of_triplets="semihard", distance=squared)
    )
    return lambda rows, labels: loss(rows, labels, miner(rows, labels))


def step(library: bool, strategy: str, size: int, per_class: int) -> Callable[[], Any]:
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(size) // per_class
    # About as near as classes are that have begun to come apart.
    centres = torch.randn(int(labels.max()) + 1, DIM, generator=random)
    rows = F.normalize(centres[labels] + 1.5 * torch.randn(size, DIM, generator=random))
    loss = theirs(strategy) if library else ours(strategy)

    def work() -> list[Tensor]:
        given = rows.clone().requires_grad_()
        value = loss(given, labels)
        value.backward()
        assert given.grad is not None
        return [value, given.grad]

    return work


def product(size: int) -> Callable[[], Any]:
    rows = F.normalize(torch.randn(size, DIM, generator=torch.Generator().manual_seed(0)))

    def work() -> None:
        given = rows.clone().requires_grad_()
        (given @ given.T).sum().backward()

    return work


def alike(own: Any, other: Any) -> None:
    """Of semi-hard triplets either has its own, and a pair with many of them counts once or as often: the losses are
    alike, no more."""
    assert abs(own[0] - other[0]) < 0.5 * other[0], f" {own[0]} and {other[0]}"


def same_but_for_rounding(own: Any, other: Any) -> None:
    """Of thousands of rows a few are equally hard up to rounding, and either way may take another of them."""
    assert np.isclose(own[0], other[0], rtol=1e-4), f" {own[0]} and {other[0]}"
    apart = np.linalg.norm(own[1] - other[1], axis=1) > 1e-4 * np.linalg.norm(other[1], axis=1).max()
    assert apart.mean() < 2e-3, f" {apart.sum()} rows of the gradient differ"


SAME = {"semi_hard": alike, "batch_hard": same_but_for_rounding}


def cases(
    quick: bool,
    *,
    batches: tuple[int, ...] = (128, 512, 1024, 4096),
    per_class: tuple[int, ...] = (8, 102),
    strategies: tuple[str, ...] = WAYS,
) -> Iterator[Case]:
    for size in batches[:1] if quick else batches:
        for each in per_class:
            for strategy in strategies if 2 * each <= size else ():
                both = strategy not in ("hardest", "random")
                yield Case(
                    f"{strategy}, {each} a class",
                    size,
                    Way(step, (False, strategy, size, each)),
                    {"pytorch-metric-learning": Way(step, (True, strategy, size, each))} if both else {},
                    limit=("a product", Way(product, (size,))),
                    same=SAME.get(strategy, agree_in_size),
                )
