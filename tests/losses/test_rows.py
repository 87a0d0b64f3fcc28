"""What holds for every loss of rows: half precision is computed in float32, and no rows are worth nothing."""

import pytest
import torch

from kith import losses, mining

HALVES = [torch.float16, torch.bfloat16]
NEAR = torch.tensor([[1.0, 0.5, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0.5], [0, 0, 0.5, 1]])  # of four classes


def whole_losses():
    """Each function of rows, on rows of the shape (n, 4), one of n = 0 as well."""

    def given(rows):
        n = len(rows)
        labels, classes = torch.arange(n) % 3, torch.eye(3, 4, dtype=rows.dtype)
        triplets = [torch.arange(n), torch.arange(n).roll(1), torch.arange(n).roll(2)]
        pairs = [triplets[0], triplets[1], labels == labels.roll(1)]
        return labels, classes, triplets, pairs

    return {
        "info_nce": lambda r: losses.info_nce(r, r.roll(1, 0), 4.0),
        "siglip": lambda r: losses.siglip(r, r.roll(1, 0), 4.0, -1.0),
        "pairwise_hinge": lambda r: losses.pairwise_hinge(r, r.roll(1, 0), negatives="hardest"),
        "pairwise_hinge_sum": lambda r: losses.pairwise_hinge(r, r.roll(1, 0), distance="angle"),
        "squared_distance": lambda r: losses.squared_distance(r, r.roll(1, 0)),
        "angular": lambda r: losses.angular(r, r.roll(1, 0), r.roll(2, 0)),
        "cross_entropy": lambda r: losses.cross_entropy(r, given(r)[0], 0.1),
        "inv_corr": lambda r: losses.inv_corr(r, r.roll(1, 0)),
        "unnorm_corr": lambda r: losses.unnorm_corr(r, r.roll(1, 0)),
        "softmax_corr": lambda r: losses.softmax_corr(r, r.roll(1, 0)),
        "mse": lambda r: losses.mse(r, r.roll(1, 0)),
        "devise": lambda r: losses.devise(r, given(r)[0], given(r)[1]),
        "center": lambda r: losses.center_loss(r, given(r)[0], given(r)[1]),
        "contrastive": lambda r: losses.contrastive(r, r.roll(1, 0), given(r)[3][2]),
        "contrastive_pairs": lambda r: losses.contrastive_pairs(r, given(r)[3]),
        "contrastive_all": lambda r: losses.contrastive_all(r, given(r)[0])[0],
        "triplet": lambda r: losses.triplet_margin(r, given(r)[2]),
        "soft_margin": lambda r: losses.soft_margin(r, given(r)[2]),
        "batch_all": lambda r: losses.batch_all(r, mining.violations(r, given(r)[0])),
        "hoffer_ailon": lambda r: losses.hoffer_ailon(r, given(r)[2]),
        "npairs": lambda r: losses.npairs(r, r.roll(1, 0), given(r)[0]),
        "angular_npairs": lambda r: losses.angular_npairs(r, r.roll(1, 0), given(r)[0]),
        "dtsh": lambda r: losses.dtsh(r, given(r)[2]),
        "circle": lambda r: losses.circle(r, r.roll(1, 0)),
        "dpsh": lambda r: losses.dpsh(r, given(r)[0]),
        "dsh": lambda r: losses.dsh(r, given(r)[0]),
        "dhn": lambda r: losses.dhn(r, given(r)[0]),
        "hashnet": lambda r: losses.hashnet(r, given(r)[0]),
        "dch": lambda r: losses.dch(r, given(r)[0]),
        "csq": lambda r: losses.csq(r, given(r)[0], torch.from_numpy(losses.hash_centers(3, 4))),
        "soft_labels": lambda r: losses.soft_labels(r, given(r)[0], NEAR),
        "hierarchical_cross_entropy": lambda r: losses.hierarchical_cross_entropy(r, given(r)[0], NEAR),
        "greedy_hash": lambda r: losses.greedy_hash(r, given(r)[0], given(r)[1]),
    }


@pytest.mark.parametrize("name", whole_losses())
def test_a_batch_without_rows_is_worth_nothing_and_has_a_gradient(name):
    rows = torch.zeros(0, 4, requires_grad=True)
    value = whole_losses()[name](rows)
    value.backward()
    assert float(value) == 0
    assert rows.grad.shape == (0, 4)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("name", whole_losses())
def test_half_precision_is_computed_in_float32(name, half):
    """Sums and squares of rows of length 30 leave the range of float16."""
    rows = (30 * torch.nn.functional.normalize(torch.randn(40, 4, generator=torch.Generator().manual_seed(0)))).to(half)
    if name in ("inv_corr", "softmax_corr", "circle", "angular", "angular_npairs", "npairs", "info_nce", "siglip"):
        rows = rows / 30
    rows.requires_grad_()
    value = whole_losses()[name](rows)
    value.backward()
    exact = whole_losses()[name](rows.detach().double())
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(exact), rel=1e-4)
    assert rows.grad.isfinite().all()


@pytest.mark.parametrize("name", whole_losses())
def test_autocast_changes_nothing(name):
    """It would round products to 8 bits, and make tables of distances of a type that NumPy does not have."""
    given = torch.nn.functional.normalize(torch.randn(40, 4, generator=torch.Generator().manual_seed(0)))
    found = []
    for enabled in (False, True):
        rows = given.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            value = whole_losses()[name](rows)
        value.backward()
        found.append((value, rows.grad))
    for plain, cast in zip(*found, strict=True):
        torch.testing.assert_close(plain, cast, rtol=0, atol=0)
