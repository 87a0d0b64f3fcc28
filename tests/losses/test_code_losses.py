"""Losses of binary codes against their formulas in loops, and what they make of a batch."""

import math

import numpy as np
import pytest
import torch

from kith.losses import (
    LOSSES,
    TrainingStep,
    csq,
    dch,
    dfh,
    dhn,
    discrete_codes,
    dpsh,
    dsdh,
    dsh,
    greedy_hash,
    hash_centers,
    hashnet,
)
from kith.losses.batch import Batch, LabelledRows

LABELS = torch.tensor([0, 1, 0, 2, 1])


def rows(seed: int = 0, bits: int = 4) -> torch.Tensor:
    return torch.randn(5, bits, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def pairs() -> list[tuple[int, int]]:
    return [(i, j) for i in range(5) for j in range(5) if i != j]


def weight(i: int, j: int) -> float:
    """Pairs of one class weigh together as much as pairs of two."""
    alike = sum(bool(LABELS[a] == LABELS[b]) for a, b in pairs())
    return len(pairs()) / (alike if LABELS[i] == LABELS[j] else len(pairs()) - alike)


def sign(value: float) -> int:
    return 1 if value >= 0 else -1


def test_dpsh_is_its_definition():
    z, total = rows().tolist(), 0.0
    for i, j in pairs():
        theta = sum(a * b for a, b in zip(z[i], z[j], strict=True)) / 2
        total += math.log(1 + math.exp(theta)) - float(LABELS[i] == LABELS[j]) * theta
    errors = [(value - sign(value)) ** 2 for row in z for value in row]
    expected = total / len(pairs()) + 0.3 * sum(errors) / len(errors)
    assert float(dpsh(rows(), LABELS, 0.3)) == pytest.approx(expected)


@pytest.mark.parametrize("margin", [None, 3.0])
def test_dsh_is_its_definition(margin):
    z, total = rows().tolist(), 0.0
    for i, j in pairs():
        squared = sum((a - b) ** 2 for a, b in zip(z[i], z[j], strict=True))
        total += (squared if LABELS[i] == LABELS[j] else max((margin or 8) - squared, 0)) / 2
        total += 0.3 * sum(abs(abs(value) - 1) for value in [*z[i], *z[j]])
    assert float(dsh(rows(), LABELS, margin, 0.3)) == pytest.approx(total / len(pairs()))


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_dhn_is_its_definition(alpha):
    z, total = rows().tolist(), 0.0
    for i, j in pairs():
        theta = sum(a * b for a, b in zip(z[i], z[j], strict=True)) * alpha
        total += math.log(1 + math.exp(theta)) - float(LABELS[i] == LABELS[j]) * theta
    errors = [math.log(math.cosh(abs(value) - 1)) for row in z for value in row]
    expected = total / len(pairs()) + 0.3 * sum(errors) / len(errors)
    assert float(dhn(rows(), LABELS, 0.3, alpha)) == pytest.approx(expected)


@pytest.mark.parametrize(("beta", "alpha"), [(1.0, None), (3.0, 0.5)])
def test_hashnet_is_its_definition(beta, alpha):
    h, total = [[math.tanh(beta * value) for value in row] for row in rows().tolist()], 0.0
    for i, j in pairs():
        theta = (10 / 4 if alpha is None else alpha) * sum(a * b for a, b in zip(h[i], h[j], strict=True))
        total += weight(i, j) * (math.log(1 + math.exp(theta)) - float(LABELS[i] == LABELS[j]) * theta)
    assert float(hashnet(rows(), LABELS, beta, alpha)) == pytest.approx(total / len(pairs()))


def test_dch_is_its_definition():
    z, total, gamma = rows().tolist(), 0.0, 3.0

    def apart(a, b):
        return 2 * (1 - sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b)))

    for i, j in pairs():
        d, alike = apart(z[i], z[j]), float(LABELS[i] == LABELS[j])
        total += weight(i, j) * (alike * math.log(d / gamma) + math.log(1 + gamma / d))
    errors = [math.log(1 + apart([abs(value) for value in row], [1.0] * 4) / gamma) for row in z]
    expected = total / len(pairs()) + 0.2 * sum(errors) / 5
    assert float(dch(rows(), LABELS, gamma, 0.2)) == pytest.approx(expected)


def of_codes(code, u, label, w, eta, mu) -> float:
    """What the codes of DSDH are to lower, of one row."""
    fit = sum((float(c == label) - sum(b * w[k][c] for k, b in enumerate(code))) ** 2 for c in range(len(w[0])))
    return mu * fit + eta * sum((b - x) ** 2 for b, x in zip(code, u, strict=True))


def test_no_bit_of_the_codes_of_dsdh_is_better_turned():
    z, w = rows(0, 3), rows(1, 3)[:3].T
    found = discrete_codes(z, LABELS, w, 0.3, 2.0, rounds=5).tolist()
    for code, u, label in zip(found, z.tolist(), LABELS.tolist(), strict=True):
        assert set(code) <= {-1.0, 1.0}
        for bit in range(3):
            turned = [-b if k == bit else b for k, b in enumerate(code)]
            assert of_codes(code, u, label, w.tolist(), 0.3, 2.0) <= of_codes(turned, u, label, w.tolist(), 0.3, 2.0)


def test_dsdh_is_its_definition():
    z, w, total = rows().tolist(), rows(1)[:3].T, 0.0
    codes = discrete_codes(rows(), LABELS, w, 0.3, 2.0).tolist()
    for i, j in pairs():
        theta = sum(a * b for a, b in zip(z[i], z[j], strict=True)) / 2
        total += (math.log(1 + math.exp(theta)) - float(LABELS[i] == LABELS[j]) * theta) / len(pairs())
    for code, u, label in zip(codes, z, LABELS.tolist(), strict=True):
        total += 0.3 * sum((b - x) ** 2 for b, x in zip(code, u, strict=True)) / 20
        total += of_codes(code, u, label, w.tolist(), 0.0, 2.0) / 15
    total += 0.4 * sum(value**2 for row in w.tolist() for value in row) / 12
    assert float(dsdh(rows(), LABELS, w, 0.3, 2.0, 0.4)) == pytest.approx(total)


def test_dfh_is_its_definition():
    z, v, total = rows().tolist(), rows(1)[:3].tolist(), 0.0
    for i, j in pairs():
        theta = sum(a * b for a, b in zip(z[i], z[j], strict=True)) / 2
        total += math.log(1 + math.exp(1.5 - theta if LABELS[i] == LABELS[j] else 1.5 + theta)) / len(pairs())
    for row, label in zip(z, LABELS.tolist(), strict=True):
        for value, center in zip(row, v[label], strict=True):
            code = sign(value + 0.7 * sign(center))
            total += (0.3 * (code - value) ** 2 + (code - center) ** 2) / 20
    for a, first in enumerate(v):
        for b, second in enumerate(v):
            product = sum(x * y for x, y in zip(first, second, strict=True))
            total += (product - (4 if a == b else -4)) ** 2 / 9
        total += sum((value - sign(value)) ** 2 for value in first) / 12
    assert float(dfh(rows(), LABELS, rows(1)[:3], 1.5, 0.3, 0.7)) == pytest.approx(total)


def test_dch_of_equal_outputs_of_two_classes_is_finite():
    equal = torch.ones(2, 4, requires_grad=True)
    dch(equal, torch.tensor([0, 1])).backward()
    assert equal.grad.isfinite().all()


def test_csq_is_its_definition():
    z, total, errors = rows().tolist(), 0.0, 0.0
    centers = hash_centers(3, 4)
    for row, label in zip(z, LABELS.tolist(), strict=True):
        for value, bit in zip(row, centers[label], strict=True):
            share = (math.tanh(value) + 1) / 2
            total -= math.log(share if bit > 0 else 1 - share) / 20
            errors += math.log(math.cosh(abs(math.tanh(value)) - 1)) / 20
    found = csq(rows(), LABELS, torch.from_numpy(centers), 0.7)
    assert float(found) == pytest.approx(total + 0.7 * errors)


def test_greedy_hash_is_its_definition():
    z, total, errors = rows().tolist(), 0.0, 0.0
    weights = rows(1)[:3]
    for row, label in zip(z, LABELS.tolist(), strict=True):
        scores = [sum(w * sign(value) for w, value in zip(each, row, strict=True)) for each in weights.tolist()]
        total += (math.log(sum(map(math.exp, scores))) - scores[label]) / 5
        errors += sum(abs(value - sign(value)) ** 3 for value in row) / 20
    assert float(greedy_hash(rows(), LABELS, weights, 0.4)) == pytest.approx(total + 0.4 * errors)


def test_the_gradient_of_greedy_hash_passes_the_sign():
    z, weights = rows().requires_grad_(), rows(1)[:3]
    greedy_hash(z, LABELS, weights, 0.0).backward()
    codes = torch.where(z >= 0, 1.0, -1.0).double().requires_grad_()
    torch.nn.functional.cross_entropy(codes @ weights.T, LABELS).backward()
    assert torch.allclose(z.grad, codes.grad)


@pytest.mark.parametrize(("classes", "bits"), [(1, 1), (4, 2), (8, 4), (64, 32), (10, 12), (200, 48), (65, 32)])
def test_centres_differ_by_half_their_bits_or_are_drawn_once_and_for_all(classes, bits):
    centers = hash_centers(classes, bits)
    assert centers.shape == (classes, bits)
    assert set(np.unique(centers)) <= {-1.0, 1.0}
    apart = (bits - centers @ centers.T) / 2 + bits * np.eye(classes)
    hadamard = bits & (bits - 1) == 0 and classes <= 2 * bits
    assert apart.min() >= (bits / 2 if hadamard else 1)
    assert hadamard or np.all(centers.sum(axis=1) == bits % 2)
    assert np.array_equal(centers, hash_centers(classes, bits))


def test_too_few_bits_are_refused():
    with pytest.raises(ValueError, match=r"3 bits give 3 balanced codes, too few for 7 classes; raise train\.dim"):
        hash_centers(7, 3)


@pytest.mark.parametrize("name", ["dpsh", "dsh", "dhn", "hashnet", "dch", "csq", "greedy_hash", "dsdh", "dfh"])
def test_following_the_gradient_brings_classes_together(name):
    """Codes of one class end nearer than codes of two."""
    torch.manual_seed(0)
    z = torch.nn.Parameter(rows(2, 8).float())
    loss = LOSSES[name](LOSSES[name].options_type()(), 8, 3)
    optimizer = torch.optim.Adam([z, *loss.parameters()], lr=0.1)
    for epoch in range(1, 101):
        batch = Batch(z, None, LABELS, [], LABELS < 0, classes=LabelledRows(z, LABELS))
        value = loss(batch, TrainingStep(epoch=epoch, epochs=100))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    codes = torch.where(z >= 0, 1.0, -1.0).detach()
    apart = (8 - codes @ codes.T) / 2
    alike = LABELS[:, None] == LABELS[None, :]
    assert apart[alike].mean() < 2 < 3 < apart[~alike].mean()


def test_outputs_of_hashnet_harden():
    loss = LOSSES["hashnet"](LOSSES["hashnet"].options_type()(growth=8.0), 4, 3)
    for epoch, beta in ((1, 1.0), (51, math.sqrt(5.0))):
        found = loss.of_rows(rows(), LABELS, TrainingStep(epoch=epoch, epochs=100))
        assert float(found) == pytest.approx(float(hashnet(rows(), LABELS, beta)))
