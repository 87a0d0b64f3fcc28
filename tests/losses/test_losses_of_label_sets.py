"""Losses and mining of pictures with several labels each, against loops over pairs that share a label or none."""

import math

import numpy as np
import pytest
import torch

from kith import mining
from kith.losses import (
    LOSSES,
    Batch,
    LabelledRows,
    TrainingStep,
    binary_cross_entropy,
    centers_of,
    csq,
    dch,
    dhn,
    dpsh,
    dsh,
    hash_centers,
    hashnet,
    of_one_label,
    triplet_margin,
)
from kith.mining.distances import pairwise

SETS = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=torch.uint8)
N = len(SETS)
PAIRS = [(i, j) for i in range(N) for j in range(N) if i != j]
TAKING = [name for name in LOSSES if name not in ("metric_learning",) and "class" in LOSSES[name].needs]
TAKING = [name for name in TAKING if LOSSES[name].takes_sets(LOSSES[name].options_type()())]


def rows(seed: int = 0, bits: int = 4) -> torch.Tensor:
    return torch.randn(N, bits, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def share(i: int, j: int) -> bool:
    return any(a and b for a, b in zip(SETS[i].tolist(), SETS[j].tolist(), strict=True))


def weight(i: int, j: int) -> float:
    sharing = sum(share(*pair) for pair in PAIRS)
    return len(PAIRS) / (sharing if share(i, j) else len(PAIRS) - sharing)


def sign(value: float) -> int:
    return 1 if value >= 0 else -1


def dot(a, b) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def pair_of_dpsh(a, b, same):
    return math.log(1 + math.exp(dot(a, b) / 2)) - same * dot(a, b) / 2


def pair_of_dsh(a, b, same):
    squared = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    return (squared if same else max(8 - squared, 0)) / 2


def pair_of_hashnet(a, b, same):
    theta = 10 / 4 * dot(list(map(math.tanh, a)), list(map(math.tanh, b)))
    return math.log(1 + math.exp(theta)) - same * theta


def pair_of_dch(a, b, same):
    d = 2 * (1 - dot(a, b) / (math.hypot(*a) * math.hypot(*b)))
    return same * math.log(d / 20) + math.log(1 + 20 / d)


@pytest.mark.parametrize(
    ("loss", "pair", "weighted"),
    [
        (lambda z: dpsh(z, SETS, 0.0), pair_of_dpsh, False),
        (lambda z: dhn(z, SETS, 0.0), pair_of_dpsh, False),
        (lambda z: dsh(z, SETS, None, 0.0), pair_of_dsh, False),
        (lambda z: hashnet(z, SETS), pair_of_hashnet, True),
        (lambda z: dch(z, SETS, 20.0, 0.0), pair_of_dch, True),
    ],
    ids=["dpsh", "dhn", "dsh", "hashnet", "dch"],
)
def test_pairs_belong_together_where_they_share_a_label(loss, pair, weighted):
    z, total = rows().tolist(), 0.0
    for i, j in PAIRS:
        total += (weight(i, j) if weighted else 1) * pair(z[i], z[j], share(i, j))
    assert float(loss(rows())) == pytest.approx(total / len(PAIRS))


def test_the_centre_of_several_labels_has_the_bits_of_most():
    centers = hash_centers(4, 8)
    found = centers_of(SETS, torch.from_numpy(centers)).numpy()
    even = set()
    for row, own in zip(found, SETS.numpy().astype(bool), strict=True):
        votes = centers[own].sum(axis=0)
        np.testing.assert_array_equal(row[votes != 0], np.sign(votes[votes != 0]))
        even |= set(zip(np.flatnonzero(votes == 0), row[votes == 0], strict=True))
    assert len(even) == len({bit for bit, _ in even}) > 0  # one drawn code settles all that are even
    assert set(np.unique(found)) == {-1.0, 1.0}
    total, z = 0.0, rows(bits=8)
    for row, bits in zip(z.tolist(), found, strict=True):
        for value, bit in zip(row, bits, strict=True):
            chance = (math.tanh(value) + 1) / 2
            total -= math.log(chance if bit > 0 else 1 - chance)
    assert float(csq(z, SETS, torch.from_numpy(centers), 0.0)) == pytest.approx(total / z.numel())


def test_the_classifier_of_labels_is_its_definition():
    z, total = rows().tolist(), 0.0
    for row, own in zip(z, SETS.tolist(), strict=True):
        for value, has in zip(row, own, strict=True):
            chance = 1 / (1 + math.exp(-value))
            total -= math.log(chance if has else 1 - chance)
    assert float(binary_cross_entropy(rows(), SETS)) == pytest.approx(total / 20)
    labels = torch.tensor([0, 1, 2, 3, 0])
    hot = torch.nn.functional.one_hot(labels)
    assert float(binary_cross_entropy(rows(), labels)) == float(binary_cross_entropy(rows(), hot))


@pytest.mark.parametrize("name", TAKING)
def test_sets_of_one_label_are_single_labels(name):
    labels = torch.tensor([0, 1, 0, 2, 1, 2, 0, 3])
    z = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
    found = []
    for given in (labels, torch.nn.functional.one_hot(labels).to(torch.uint8)):
        torch.manual_seed(0)
        loss = LOSSES[name](LOSSES[name].options_type()(), 4, 4)
        outputs = z.clone().requires_grad_()
        logits = outputs @ torch.linspace(-1, 1, 16).reshape(4, 4)
        batch = Batch(outputs, None, labels, [], labels < 0, classes=LabelledRows(outputs, given, outputs, logits))
        value = loss(batch, TrainingStep(torch.Generator().manual_seed(0)))
        value = value[0] if isinstance(value, tuple) else value
        value.backward()
        found.append((float(value.detach()), outputs.grad))
    # Drawn negatives of pairs and of triplets are others, as they are numbered otherwise.
    if name not in ("contrastive",):
        assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
        torch.testing.assert_close(found[0][1], found[1][1])
    assert all(gradient.isfinite().all() and gradient.any() for _, gradient in found)


def test_losses_say_whether_they_take_several_labels():
    assert of_one_label({name: {} for name in TAKING} | {"info_nce": {}}) == []
    assert of_one_label({"cross_entropy": {}, "npairs": {}, "center": {}, "dpsh": {}}) == [
        "cross_entropy",
        "npairs",
        "center",
    ]
    assert of_one_label({"triplet": {"bank": 8}, "metric_learning": {"name": "SupCon"}}) == [
        "triplet",
        "metric_learning",
    ]


@pytest.mark.parametrize("ordered", [False, True], ids=["once", "ordered"])
@pytest.mark.parametrize("strategy", ["all", "hardest", "semi_hard", "batch_hard", "batch_easy_hard"])
def test_triplets_share_a_label_or_none(strategy, ordered):
    random = np.random.default_rng(5)
    sets = torch.from_numpy((random.random((14, 5)) < 0.3).astype(np.uint8))
    sets[sets.sum(dim=1) == 0, 0] = 1
    z, margin = torch.from_numpy(random.normal(size=(14, 3))), 0.7
    apart = pairwise(z)
    together = [[bool((sets[i] & sets[j]).any()) for j in range(14)] for i in range(14)]
    wanted = set()
    for a in range(14):
        near = [p for p in range(14) if p != a and together[a][p]]
        far = [n for n in range(14) if not together[a][n] and n != a]
        if strategy.startswith("batch"):
            chosen = (max if strategy == "batch_hard" else min)(near, key=lambda p: apart[a, p]) if near else None
            if near and far:
                wanted.add((a, chosen, min(far, key=lambda n: apart[a, n])))
            continue
        for p in near if ordered else [p for p in near if p > a]:
            violated = {n: float(apart[a, p] - apart[a, n]) + margin for n in far}
            if strategy == "all":
                wanted |= {(a, p, n) for n in far}
            elif strategy == "hardest" and violated and max(violated.values()) > 0:
                wanted.add((a, p, max(violated, key=violated.__getitem__)))
            elif strategy == "semi_hard":
                wanted |= {(a, p, n) for n, value in violated.items() if 0 < value < margin}
    for block in (4, 512):
        options = {"margin": margin, "ordered": ordered, "generator": torch.Generator().manual_seed(0), "block": block}
        triplets = mining.mine_triplets(z, sets, strategy, **options)
        found = list(zip(*(each.tolist() for each in triplets[:3]), strict=True))
        assert len(found) == len(set(found)) > 3
        if strategy == "semi_hard":  # one of those that may be drawn, for each pair that has any
            assert set(found) <= wanted
            assert {(a, p) for a, p, _ in found} == {(a, p) for a, p, _ in wanted}
        else:
            assert set(found) == wanted
        counted = mining.violations(z, sets, margin, ordered=ordered, block=block)
    every = mining.mine_triplets(z, sets, "all", ordered=ordered)
    total = triplet_margin(z, every, margin) * len(every.anchor)
    weighed = (counted.weights * apart).sum() + margin * counted.active
    assert float(weighed) == pytest.approx(float(total))
    assert counted.candidates == every.candidates == len(every.anchor)


@pytest.mark.parametrize("kind", ["all", "balanced", "hardest"])
def test_pairs_of_sets(kind):
    apart = pairwise(rows())
    draw = {
        "all": lambda: mining.all_pairs(SETS),
        "balanced": lambda: mining.balanced_pairs(SETS, torch.Generator().manual_seed(0)),
        "hardest": lambda: mining.hardest_pairs(rows(), SETS, block=2),
    }
    first, second, same = (each.tolist() for each in draw[kind]())
    assert same == [share(i, j) for i, j in zip(first, second, strict=True)]
    assert all(i < j for i, j in zip(first, second, strict=True))
    ordered = [(i, j) for i, j in PAIRS if i < j]
    near, far = ([pair for pair in ordered if share(*pair) == kept] for kept in (True, False))
    found = [set(), set()]
    for i, j, together in zip(first, second, same, strict=True):
        found[together].add((i, j))
    assert found[True] == set(near)
    if kind == "all":
        assert found[False] == set(far)
    else:
        assert len(found[False]) == min(len(near), len(far)) < len(far)
        assert found[False] <= set(far)
    if kind == "hardest":
        assert found[False] == set(sorted(far, key=lambda pair: float(apart[pair]))[: len(near)])
