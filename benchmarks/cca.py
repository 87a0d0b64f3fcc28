"""The CCA layer and linear CCA, against the usual ways."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.cca import CCA, CCALayer
from kith.losses import squared_distance

TITLE = "CCA"
ABOUT = """Linear CCA of n pairs that come in blocks; the answer is the correlations. "stacked": both views whole,
the inverse roots of their covariances, one SVD; scikit-learn finds one component after another. The limit: the
product of both views with themselves. The layer: n is the dimension, float32 views of a batch, a loss of the pairs'
cosines, and the gradient, which is the answer; "two eigh" is the published way, in float64. Its limit is what no way
can do without: of the batch three products for the covariances, two to project it and two to come back to the
directions, in float64, for in float32 the gradient has no right digit where a unit is dead; six in float32 for the
gradient of the rows; the singular vectors of one d × d matrix; lengths, and the loss. Ours also whitens, turns the
gradient, keeps running statistics, the projection and the correlations, and refuses what is not finite, of which
"two eigh" has but the first two: some eighty calls of torch, which at small d cost more than their numbers."""
SHAPES = {32: 100, 64: 512, 128: 1000}  # batch by dimension
BLOCK = 10_000  # rows of a block of the linear CCA
RIDGE = 1e-3
Layer = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def inverse_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.rsqrt() @ vectors.T


def by_two_eigh(first: Tensor, second: Tensor, ridge: float = RIDGE) -> tuple[Tensor, Tensor]:
    """As published: inverse square roots, then the eigenvectors of T Tᵀ and of Tᵀ T, with signs that agree."""
    first, second = first.double() - first.double().mean(dim=0), second.double() - second.double().mean(dim=0)
    divisor, identity = len(first) - 1, torch.eye(first.shape[1], dtype=first.dtype)
    root1, root2 = (inverse_root(view.T @ view / divisor + ridge * identity) for view in (first, second))
    t = root1 @ (first.T @ second / divisor) @ root2
    u = root1 @ torch.linalg.eigh(t @ t.T + ridge * identity)[1]
    v = root2 @ torch.linalg.eigh(t.T @ t + ridge * identity)[1]
    first, second = first @ u, second @ v
    signs = (first * second).sum(dim=0).sign().detach()
    return F.normalize(first * signs), F.normalize(second)


def views(dim: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    shared, a, b = (torch.randn(SHAPES[dim], dim, generator=random) for _ in range(3))
    return [shared + a, shared + b]


def layer(dim: int, published: bool) -> Callable[[], Any]:
    given = views(dim)
    apply: Layer = by_two_eigh if published else CCALayer(dim)

    def work() -> list[Tensor]:
        first, second = (view.clone().requires_grad_() for view in given)
        squared_distance(*apply(first, second)).backward()
        assert first.grad is not None
        assert second.grad is not None
        return [first.grad, second.grad]

    return work


def least(dim: int) -> Callable[[], Any]:
    """What any way computes of views whose means are 0, and no more."""
    given = views(dim)
    between = (given[0].T @ given[1]).double() / len(given[0])
    into, back = between.contiguous(), between.float()

    def work() -> None:
        x, y = (view.double() for view in given)
        (x.T @ x, y.T @ y, x.T @ y)
        torch.linalg.svd(between)
        turned = [view @ into for view in (x, y)]
        lengths = [view.norm(dim=1, keepdim=True) for view in turned]
        rows = [(view / length).float().requires_grad_() for view, length in zip(turned, lengths, strict=True)]
        squared_distance(*rows).backward()
        for view, row, length in zip(turned, rows, lengths, strict=True):
            assert row.grad is not None
            gradient = row.grad.double() / length
            view.T @ gradient
            single = gradient.float()
            (view.float() @ back).addmm_(single, back).addmm_(single, back)

    return work


def same_gradient(ours: Any, theirs: Any) -> None:
    for own, other in zip(ours, theirs, strict=True):
        assert np.linalg.norm(own - other) < 2e-3 * np.linalg.norm(other), " The gradients are apart."


def blocks(rows: int, dim: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Two views of float32 rows, whose correlations all differ; blocks differ by a factor, so that they cost next to
    nothing to make."""
    size = min(rows, BLOCK)
    x, y = first_block(size, dim)
    for start in range(0, rows, size):
        factor = np.float32(1 + start / rows)
        yield factor * x, factor * y


@cache
def first_block(size: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    shared, a, b = (random.standard_normal((size, dim), dtype=np.float32) for _ in range(3))
    noise = np.linspace(0.1, 1.5, dim, dtype=np.float32)
    return shared + noise * a, shared + noise * b


def streamed(rows: int, dim: int) -> Callable[[], Any]:
    return lambda: CCA(RIDGE, RIDGE, relative=False).fit_batches(blocks(rows, dim)).correlations


def stacked(rows: int, dim: int) -> Callable[[], Any]:
    def work() -> np.ndarray:
        x, y = (np.concatenate(view).astype(np.float64) for view in zip(*blocks(rows, dim), strict=True))
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        roots = []
        for view in (x, y):
            values, vectors = np.linalg.eigh(view.T @ view / (rows - 1) + RIDGE * np.eye(dim))
            roots.append(vectors / np.sqrt(values) @ vectors.T)
        return np.linalg.svd(roots[0] @ (x.T @ y / (rows - 1)) @ roots[1])[1]

    return work


def scikit_learn(rows: int, dim: int) -> Callable[[], Any]:
    from sklearn.cross_decomposition import CCA as Library

    def work() -> np.ndarray:
        x, y = (np.concatenate(view).astype(np.float64) for view in zip(*blocks(rows, dim), strict=True))
        found = Library(n_components=dim, scale=False, max_iter=10_000, tol=1e-10).fit(x, y)
        u, v = found.transform(x, y)
        return np.sort([np.corrcoef(a, b)[0, 1] for a, b in zip(u.T, v.T, strict=True)])[::-1]

    return work


def covariances(rows: int, dim: int) -> Callable[[], Any]:
    def work() -> None:
        for x, y in blocks(rows, dim):
            both = np.hstack([x, y]).astype(np.float64)
            both.T @ both

    return work


def cases(quick: bool, *, dim: int = 128, rows: tuple[int, ...] = (10_000, 100_000, 1_000_000)) -> Iterator[Case]:
    for count in rows[:1] if quick else rows:
        yield Case(
            f"linear, {dim} numbers a view",
            count,
            Way(streamed, (count, dim)),
            {"stacked": Way(stacked, (count, dim))} if count < 1_000_000 else {},
            limit=("the covariances", Way(covariances, (count, dim))),
            tolerance=1e-6,
        )
    # A ridge moves the correlations by less than this.
    for count in (1000,) if quick else (1000, 10_000):
        yield Case(
            "linear, 16 numbers a view",
            count,
            Way(streamed, (count, 16)),
            {"scikit-learn": Way(scikit_learn, (count, 16))},
            limit=("the covariances", Way(covariances, (count, 16))),
            tolerance=3e-3,
        )
    for size in list(SHAPES)[:2] if quick else SHAPES:
        yield Case(
            "layer, a step",
            size,
            Way(layer, (size, False)),
            {"two eigh": Way(layer, (size, True))},
            limit=("products, one SVD, the loss", Way(least, (size,))),
            same=same_gradient,
            done=SHAPES[size],
        )
