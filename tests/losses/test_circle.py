"""Circle loss against its definition in loops."""

import math

import pytest
import torch
import torch.nn.functional as F

from kith.losses import LOSSES, circle


def rows(seed: int, count: int = 5) -> torch.Tensor:
    return F.normalize(torch.randn(count, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))


def naive(image, text, margin, gamma, excluded) -> float:
    near, total, size = (image @ text.T).tolist(), 0.0, len(image)
    for i in range(size):
        own = near[i][i]
        pull = math.exp(-gamma * max(0, 1 + margin - own) * (own - (1 - margin)))
        for asked in (lambda j, i=i: (i, j), lambda j, i=i: (j, i)):
            push = 0.0
            for j in range(size):
                a, b = asked(j)
                if j != i and not excluded[a][b]:
                    push += math.exp(gamma * max(0, near[a][b] + margin) * (near[a][b] - margin))
            total += math.log(1 + push * pull) / (2 * size)
    return total


@pytest.mark.parametrize(("margin", "gamma"), [(0.25, 4.0), (0.0, 1.0), (0.4, 8.0)])
def test_is_the_definition(margin, gamma):
    excluded = torch.zeros(5, 5, dtype=torch.bool)
    excluded[1, 3] = excluded[3, 1] = True
    found = circle(rows(0), rows(1), margin, gamma, excluded)
    assert float(found) == pytest.approx(naive(rows(0), rows(1), margin, gamma, excluded.tolist()), rel=1e-5)


def test_the_weights_get_no_gradient():
    """The gradient is that of the loss with its weights held fast."""
    image, text = rows(2, 3).requires_grad_(), rows(3, 3)
    circle(image, text, 0.25, 2.0).backward()
    other = image.detach().clone().requires_grad_()
    near, fixed = other @ text.T, (other @ text.T).detach()
    own, total = ~torch.eye(3, dtype=torch.bool), 0.0
    positive = -2.0 * (1.25 - fixed.diagonal()).clamp(min=0) * (near.diagonal() - 0.75)
    push = (2.0 * (fixed + 0.25).clamp(min=0) * (near - 0.25)).exp() * own
    for sums in (push.sum(dim=1), push.sum(dim=0)):
        total = total + (1 + sums * positive.exp()).log().mean() / 2
    total.backward()
    assert torch.allclose(image.grad, other.grad, rtol=1e-4)


def test_extremes_are_finite_and_a_batch_without_negatives_is_0():
    image = torch.eye(2).requires_grad_()
    loss = circle(image, torch.eye(2).flip(0), gamma=512.0)
    loss.backward()
    assert loss > 100
    assert torch.isfinite(image.grad).all()
    assert circle(torch.eye(1), torch.eye(1)) == 0
    assert circle(torch.eye(2), torch.eye(2), excluded=torch.ones(2, 2, dtype=torch.bool)) == 0


def test_it_declares_itself():
    options = LOSSES["circle"].options_type()()
    assert (options.weight, options.margin, options.gamma) == (1.0, 0.25, 64.0)
    assert set(LOSSES["circle"].needs) == {"text"}
