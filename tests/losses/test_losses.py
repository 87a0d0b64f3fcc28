"""Each loss against its definition written with loops, and its gradient against finite differences."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kith.losses import Batch, angular, info_nce, pairwise_hinge, siglip, squared_distance
from kith.training.objective import Objective

B, D = 5, 4
GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "cca" / "objectives.npz"


def rows(seed: int, count: int = B) -> torch.Tensor:
    return F.normalize(torch.randn(count, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))


@pytest.fixture
def pair():
    return rows(0), rows(1)


@pytest.mark.parametrize("angle", [30.0, 45.0, 55.0])
def test_angular_is_its_formula(pair, angle):
    anchor, positive = pair
    negatives, mask = rows(2, 7), torch.rand(B, 7, generator=torch.Generator().manual_seed(0)) < 0.6
    t = math.tan(math.radians(angle)) ** 2
    expected = 0.0
    for i in range(B):
        f = [
            4 * t * (anchor[i] + positive[i]) @ negatives[j] - 2 * (1 + t) * anchor[i] @ positive[i]
            for j in range(7)
            if mask[i, j]
        ]
        expected += math.log(1 + sum(math.exp(x) for x in f)) / B
    assert angular(anchor, positive, negatives, mask, angle).item() == pytest.approx(expected, rel=1e-12)


def test_angular_as_published_is_the_repeated_form(pair):
    """The published program repeats anchors and negatives to B² rows and sums over all of them."""
    anchor, positive = pair
    negatives = rows(3)
    repeated = negatives.repeat(B, 1)
    a, p = anchor.repeat_interleave(B, 0), positive.repeat_interleave(B, 0)
    exponents = 4 * (a + p) @ repeated.T - 4 * (a * p).sum(1, keepdim=True)
    direct = torch.log(1 + exponents.exp().sum(1)).mean()
    assert angular(anchor, positive, negatives, repeats=B).item() == pytest.approx(direct.item(), rel=1e-12)


def test_angular_does_not_overflow():
    anchor = torch.tensor([[1.0, 0.0]])
    value = angular(anchor, -anchor, torch.tensor([[0.0, 1.0]]), angle=85.0)
    assert torch.isfinite(value)


def test_info_nce_is_the_mean_of_two_cross_entropies(pair):
    image, text = pair
    logits = 10 * image @ text.T
    target = torch.arange(B)
    expected = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    assert info_nce(image, text, 10.0).item() == pytest.approx(expected.item(), rel=1e-12)


def test_siglip_is_its_formula(pair):
    image, text = pair
    expected = 0.0
    for i in range(B):
        for j in range(B):
            z = 1 if i == j else -1
            expected += math.log(1 + math.exp(-z * (7.0 * float(image[i] @ text[j]) - 3.0))) / B
    assert siglip(image, text, 7.0, -3.0).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("negatives", ["all", "hardest"])
def test_pairwise_hinge_is_its_formula(pair, negatives):
    image, text = pair
    s = image @ text.T
    total = 0.0
    for i in range(B):
        over_texts = [max(0.0, 0.2 - float(s[i, i]) + float(s[i, j])) for j in range(B) if j != i]
        over_images = [max(0.0, 0.2 - float(s[i, i]) + float(s[j, i])) for j in range(B) if j != i]
        pick = sum if negatives == "all" else max
        total += (pick(over_texts) + pick(over_images)) / B
    assert pairwise_hinge(image, text, 0.2, negatives).item() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("distance", ["cosine", "angle"])
def test_pairwise_hinge_with_its_options_is_its_formula(pair, reduction, symmetric, distance):
    image, text = pair
    excluded = torch.zeros(B, B, dtype=torch.bool)
    excluded[0, 1] = excluded[3, 2] = True
    d = (1 - image @ text.T) if distance == "cosine" else torch.arccos(image @ text.T)
    total = 0.0
    for distances, out in ((d, excluded), (d.T, excluded.T))[: 1 + symmetric]:
        counted = [(i, j) for i in range(B) for j in range(B) if i != j and not out[i, j]]
        violations = [max(0.0, 0.4 + float(distances[i, i]) - float(distances[i, j])) for i, j in counted]
        total += sum(violations) / (B if reduction == "sum" else len(counted))
    found = pairwise_hinge(
        image, text, 0.4, excluded=excluded, reduction=reduction, symmetric=symmetric, distance=distance
    )
    assert found.item() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(
    "loss",
    [
        lambda a, b: angular(a, b, rows(3)),
        lambda a, b: info_nce(a, b, 5.0),
        lambda a, b: siglip(a, b, 5.0, -1.0),
        lambda a, b: pairwise_hinge(a, b, 0.3),
        lambda a, b: pairwise_hinge(a, b, 0.3, reduction="mean", symmetric=False, distance="angle"),
        squared_distance,
    ],
)
def test_gradients(pair, loss):
    inputs = tuple(x.clone().requires_grad_() for x in pair)
    assert torch.autograd.gradcheck(loss, inputs)


def test_excluded_pairs_do_not_matter(pair):
    image, text = pair
    excluded = torch.zeros(B, B, dtype=torch.bool)
    excluded[0, 1] = excluded[1, 0] = True
    moved_image, moved_text = image.clone(), text.clone()

    def values(x, y):
        similarity = x @ y.T
        kept = similarity.masked_fill(excluded, -1)
        return (
            info_nce(x, y, 5.0, excluded),
            pairwise_hinge(x, y, 0.5, excluded=excluded),
            siglip(x, y, 5.0, 0.0, excluded),
            kept,
        )

    first = values(moved_image, moved_text)
    # The same similarities but for the excluded pairs must give the same losses.
    basis = torch.eye(B, dtype=torch.float64)
    changed = image @ text.T
    changed[0, 1] += 0.4
    changed[1, 0] -= 0.4
    second = values(basis, changed.T)
    for a, b in zip(first[:3], second[:3], strict=True):
        assert a.item() == pytest.approx(b.item(), rel=1e-10)


def batch(groups=None, has_neighbor=None) -> Batch:
    return Batch(
        rows(0),
        rows(1),
        torch.arange(B) if groups is None else torch.tensor(groups),
        [(rows(4), rows(5))],
        torch.ones(B, dtype=torch.bool) if has_neighbor is None else torch.tensor(has_neighbor),
    )


TERM = {"weight": 1.0, "angle": 45.0, "as_published": False}


def test_objective_weights_its_terms():
    terms = {"angular_cross": TERM | {"weight": 2.0}, "angular_image": TERM | {"weight": 0.5}}
    total, values = Objective(terms)(batch())
    assert total.item() == pytest.approx(2 * values["angular_cross"].item() + 0.5 * values["angular_image"].item())
    off_diagonal = ~torch.eye(B, dtype=torch.bool)
    assert values["angular_image"].item() == pytest.approx(angular(rows(0), rows(4), rows(0), off_diagonal).item())
    assert values["angular_cross"].item() == pytest.approx(angular(rows(0), rows(1), rows(1), off_diagonal).item())


def test_neighborhood_terms_see_only_items_with_neighbors():
    objective = Objective({"angular_text": TERM})
    some = [True, False, True, False, False]
    value = objective(batch(has_neighbor=some))[0]
    keep = torch.tensor(some)
    mask = ~torch.eye(B, dtype=torch.bool)
    expected = angular(rows(1)[keep], rows(5)[keep], rows(1), mask[keep])
    assert value.item() == pytest.approx(expected.item())
    assert objective(batch(has_neighbor=[False] * B))[0].item() == 0


def test_items_of_one_group_are_no_negatives():
    objective = Objective({"angular_cross": TERM})
    together = objective(batch(groups=[0, 0, 1, 2, 3]))[0]
    mask = ~torch.eye(B, dtype=torch.bool)
    mask[0, 1] = mask[1, 0] = False
    assert together.item() == pytest.approx(angular(rows(0), rows(1), rows(1), mask).item())


def test_as_published_has_its_floor():
    """With the anchor's own picture among the negatives the loss cannot fall below log(1 + B·e⁴)."""
    x = rows(0)
    same = Batch(x, x, torch.arange(B), [(x, x)], torch.ones(B, dtype=torch.bool))
    value = Objective({"angular_image": TERM | {"as_published": True}})(same)[0]
    assert value.item() >= math.log(1 + B * math.exp(4))


def test_hardest_negatives_wait_for_the_end_of_the_warm_up():
    options = {"weight": 1.0, "margin": 0.2, "negatives": "hardest", "warmup_epochs": 2}
    options |= {"reduction": "sum", "symmetric": True, "distance": "cosine"}
    objective = Objective({"pairwise_hinge": options})
    values = {}
    for epoch in (1, 2, 3):
        objective.step.epoch = epoch
        values[epoch] = objective(batch())[0].item()
    everything, hardest = (pairwise_hinge(rows(0), rows(1), 0.2, kind).item() for kind in ("all", "hardest"))
    assert list(values.values()) == pytest.approx([everything, everything, hardest])


def test_temperature_is_learned_and_bounded():
    objective = Objective({"info_nce": {"weight": 1.0, "temperature": 0.07, "learn_temperature": True}})
    assert objective.losses["info_nce"].log_scale.exp().item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        objective.losses["info_nce"].log_scale.fill_(9.0)
    assert objective.losses["info_nce"].scale.item() == pytest.approx(100)


@pytest.mark.skipif(not GOLDEN.exists(), reason="no golden data")
@pytest.mark.parametrize("gamma", ["0", "0.5", "0.7"])
@pytest.mark.parametrize(
    ("name", "options", "factor"),
    [
        ("cos", {"reduction": "mean", "symmetric": False}, 1),
        ("cos_sym", {"reduction": "mean"}, 1),
        ("sum_kiros", {"reduction": "sum"}, 40),  # the published sum is not divided by the number of queries
        ("arccos", {"reduction": "mean", "symmetric": False, "distance": "angle"}, 1),
    ],
)
def test_published_ranking_objectives(gamma, name, options, factor):
    golden = np.load(GOLDEN)
    z1, z2 = (torch.from_numpy(golden[key]).requires_grad_() for key in ("Z1", "Z2"))
    loss = factor * pairwise_hinge(z1, z2, float(gamma), **options)
    loss.backward()
    assert loss.item() == pytest.approx(float(golden[f"g{gamma}_{name}"]), rel=1e-12)
    for view, gradient in (("gZ1", z1.grad), ("gZ2", z2.grad)):
        np.testing.assert_allclose(gradient, golden[f"g{gamma}_{name}_{view}"], rtol=1e-9, atol=1e-13)


@pytest.mark.skipif(not GOLDEN.exists(), reason="no golden data")
def test_published_squared_distance():
    golden = np.load(GOLDEN)
    z1, z2 = (torch.from_numpy(golden[key]) for key in ("Z1", "Z2"))
    assert squared_distance(z1, z2).item() == pytest.approx(float(golden["cos2"]), rel=1e-13)


def test_angles_have_finite_gradients_where_vectors_are_the_same():
    same = F.normalize(torch.ones(4, 3, dtype=torch.float64)).requires_grad_()
    pairwise_hinge(same, same.detach(), 0.5, distance="angle").backward()
    assert torch.isfinite(same.grad).all()
