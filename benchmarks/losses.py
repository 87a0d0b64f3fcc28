"""Losses of a batch, forward and backward."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.measuring import Way
from benchmarks.table import Case, agree_in_size
from kith import losses

TITLE = "Losses"
ABOUT = """A batch of n unit rows of 256 numbers: the loss and its gradient, which are the answer. "as published"
repeats anchors and negatives to n² rows, as the program of Thomas & Kovashka (ECCV 2020) does. The limit: the
product of both halves of the rows, and its gradient; of "contrastive", by hand and without autograd, the distance of
every pair, once, and which are nearer than the margin: one product, of the half above the diagonal in blocks, and some
four times over its numbers. What is nearer, or of one class, is little here, so that no second product is made for the
gradient; where most is near, it is. Triplets: the table mining."""
DIM = 256


def rows(size: int, count: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [F.normalize(torch.randn(size, DIM, generator=random)) for _ in range(count)]


def with_gradient(loss: Callable[..., Tensor], given: list[Tensor]) -> Callable[[], Any]:
    def work() -> list[Tensor]:
        inputs = [each.clone().requires_grad_() for each in given]
        value = loss(*inputs)
        value.backward()
        return [value, *(each.grad for each in inputs if each.grad is not None)]

    return work


def repeated(anchor: Tensor, positive: Tensor, negatives: Tensor) -> Tensor:
    """Anchors and negatives repeated to B² rows."""
    size = len(anchor)
    every, all_negatives = anchor.repeat_interleave(size, 0), negatives.repeat(size, 1)
    others = positive.repeat_interleave(size, 0)
    exponents = 4 * (every + others) @ all_negatives.T - 4 * (every * others).sum(1, keepdim=True)
    return torch.log(1 + exponents.exp().sum(1)).mean()


def angular(size: int, published: bool) -> Callable[[], Any]:
    loss = repeated if published else lambda a, p, n: losses.angular(a, p, n, repeats=size)
    return with_gradient(loss, rows(size, 3))


def contrastive(size: int, theirs: bool) -> Callable[[], Any]:
    labels = torch.arange(size) // 4
    if theirs:
        from pytorch_metric_learning import distances
        from pytorch_metric_learning import losses as library

        apart = distances.LpDistance(normalize_embeddings=False)
        loss = library.ContrastiveLoss(pos_margin=0, neg_margin=1, distance=apart, reducer=squares(size * (size - 1)))
        return with_gradient(lambda x: loss(x, labels), rows(size, 1))
    return with_gradient(lambda x: losses.contrastive_all(x, labels)[0], rows(size, 1))


def squares(pairs: int) -> Any:
    """The sum of squares over all pairs, by their number, as `contrastive_all` has it; the library's own is the mean
    of d, and of max(0, m − d), each for itself."""
    from pytorch_metric_learning.reducers import BaseReducer

    class Squares(BaseReducer):
        def forward(self, loss_dict: Any, embeddings: Tensor, labels: Tensor) -> Tensor:
            return sum(each["losses"].square().sum() for each in loss_dict.values()) / pairs

    return Squares()


def npairs(size: int, theirs: bool) -> Callable[[], Any]:
    half = size // 2
    labels = torch.arange(half)
    if theirs:
        from pytorch_metric_learning import distances
        from pytorch_metric_learning import losses as library

        loss = library.NPairsLoss(distance=distances.DotProductSimilarity(normalize_embeddings=False))
        return with_gradient(lambda a, p: loss(torch.cat([a, p]), labels.repeat(2)), rows(half, 2))
    return with_gradient(lambda a, p: losses.npairs(a, p), rows(half, 2))


def info_nce(size: int, theirs: bool) -> Callable[[], Any]:
    half = size // 2
    if theirs:
        from pytorch_metric_learning import distances
        from pytorch_metric_learning import losses as library

        loss = library.NTXentLoss(0.05, distance=distances.DotProductSimilarity(normalize_embeddings=False))
        labels, others = torch.arange(half), torch.arange(half)  # one tensor would leave out the diagonal

        def both(image: Tensor, text: Tensor) -> Tensor:
            return (
                loss(image, labels, ref_emb=text, ref_labels=others)
                + loss(text, labels, ref_emb=image, ref_labels=others)
            ) / 2

        return with_gradient(both, rows(half, 2))
    return with_gradient(lambda image, text: losses.info_nce(image, text, 20.0), rows(half, 2))


def distances(size: int) -> Callable[[], Any]:
    """By hand: the squared distance of every pair, once, and what is nearer than 1."""
    given = rows(size, 1)[0]

    def work() -> None:
        lengths = given.square().sum(dim=1)
        for start in range(0, size, 256):
            part, later = given[start : start + 256], given[start:]
            apart = (lengths[start : start + 256, None] + lengths[start:]).sub_(part @ later.T, alpha=2)
            np.flatnonzero(apart.numpy() < 1)

    return work


def product(size: int) -> Callable[[], Any]:
    return with_gradient(lambda x: (x @ x.T).sum(), rows(size, 1))


def cases(quick: bool, *, batches: tuple[int, ...] = (128, 512, 1024)) -> Iterator[Case]:
    for size in (16, 32) if quick else (16, 32, 64):
        yield Case(
            "angular N-pairs",
            size,
            Way(angular, (size, False)),
            {"as published": Way(angular, (size, True))},
            same=agree_in_size,
        )
    for size in batches[:1] if quick else batches:
        for name, make in (("contrastive", contrastive), ("N-pairs", npairs), ("InfoNCE", info_nce)):
            yield Case(
                name,
                size,
                Way(make, (size, False)),
                {"pytorch-metric-learning": Way(make, (size, True))},
                limit=("distances", Way(distances, (size,)))
                if name == "contrastive"
                else ("a product", Way(product, (size // 2,))),
                same=agree_in_size,
            )
