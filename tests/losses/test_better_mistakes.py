"""Losses that know the taxonomy of classes (Bertinetto et al., CVPR 2020), against a walk up a tree."""

import math

import numpy as np
import pytest
import torch

from kith.losses import cross_entropy, hierarchical_cross_entropy, soft_labels

# A tree of height 3; f stands right below the root.
PARENT = {"a": "ab", "b": "ab", "ab": "abc", "c": "abc", "abc": "root", "d": "de", "e": "de", "de": "root", "f": "root"}
CLASSES = ["a", "b", "c", "d", "e", "f"]
LABELS = torch.tensor([0, 2, 4, 5, 1])


def up(node: str) -> list[str]:
    return [node, *up(PARENT[node])] if node in PARENT else [node]


def height(node: str) -> int:
    return max((1 + height(child) for child, parent in PARENT.items() if parent == node), default=0)


def lcsh() -> np.ndarray:
    def common(a: str, b: str) -> str:
        return next(node for node in up(a) if node in up(b))

    return np.array([[1 - height(common(a, b)) / 3 for b in CLASSES] for a in CLASSES])


def logits() -> torch.Tensor:
    return torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("alpha", [0.0, 1.0, 5.0])
def test_hierarchical_cross_entropy_walks_up_the_tree(alpha):
    total = 0.0
    for row, label in zip(logits().softmax(dim=1).tolist(), LABELS.tolist(), strict=True):

        def share(node: str, row=row) -> float:
            return sum(p for p, leaf in zip(row, CLASSES, strict=True) if node in up(leaf))

        for node in up(CLASSES[label])[:-1]:
            told = share(node) / share(PARENT[node])
            total -= math.exp(-alpha * height(node) / 3) * math.log(told) / len(LABELS)
    found = hierarchical_cross_entropy(logits(), LABELS, torch.from_numpy(lcsh()), alpha)
    assert float(found) == pytest.approx(total)


def test_without_discount_it_is_cross_entropy():
    found = hierarchical_cross_entropy(logits(), LABELS, torch.from_numpy(lcsh()), 0.0)
    assert float(found) == pytest.approx(float(cross_entropy(logits(), LABELS)))


def test_without_a_taxonomy_it_is_cross_entropy():
    found = hierarchical_cross_entropy(logits(), LABELS, torch.eye(6), 7.0)
    assert float(found) == pytest.approx(float(cross_entropy(logits(), LABELS)))


@pytest.mark.parametrize("beta", [4.0, 30.0])
def test_soft_labels_are_their_definition(beta):
    total, near = 0.0, lcsh()
    for row, label in zip(logits().log_softmax(dim=1).tolist(), LABELS.tolist(), strict=True):
        weights = [math.exp(-beta * (1 - near[label, other])) for other in range(6)]
        total -= sum(w * p for w, p in zip(weights, row, strict=True)) / sum(weights) / len(LABELS)
    assert float(soft_labels(logits(), LABELS, torch.from_numpy(near), beta)) == pytest.approx(total)


def test_very_sharp_soft_labels_are_cross_entropy():
    found = soft_labels(logits(), LABELS, torch.from_numpy(lcsh()), 1e4)
    assert float(found) == pytest.approx(float(cross_entropy(logits(), LABELS)))


@pytest.mark.parametrize("loss", [soft_labels, hierarchical_cross_entropy])
def test_gradients(loss):
    given = logits().requires_grad_()
    near = torch.from_numpy(lcsh())
    assert torch.autograd.gradcheck(lambda z: loss(z, LABELS, near, 3.0), given)
    extreme = (100 * logits()).requires_grad_()
    loss(extreme, LABELS, near, 3.0).backward()
    assert extreme.grad.isfinite().all()
