"""The CCA layer and the learned layer against the published program's numbers, and where that one fails."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from kith.cca import CCA, CCALayer, LearnedLayer
from kith.errors import KithError
from kith.losses import pairwise_hinge, squared_distance, trace_norm

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "cca"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="no golden data")


def views(m: int = 40, d: int = 6, seed: int = 0, dtype=torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    z, a, b = (torch.randn(m, d, generator=random, dtype=torch.float64) for _ in range(3))
    return (z + 0.5 * a + 1).to(dtype), (z + 0.5 * b).to(dtype)


def hinge(z1, z2, gamma, symmetric):
    return pairwise_hinge(z1, z2, gamma, reduction="mean", symmetric=symmetric)


def gradients(layer, h1, h2, loss):
    h1, h2 = (h.clone().requires_grad_() for h in (h1, h2))
    value = loss(*layer(h1, h2))
    return value.item(), *torch.autograd.grad(value, (h1, h2))


@needs_golden
@pytest.mark.parametrize("case", "abd")
def test_published_layer(case):
    golden = {key: torch.from_numpy(value) for key, value in np.load(GOLDEN / f"cca_layer_case_{case}.npz").items()}
    h1, h2 = golden["H1"][0], golden["H2"][0]
    gamma = float(golden["gamma"])
    layer = CCALayer(h1.shape[1])
    objectives = {
        "tno": lambda z1, z2: trace_norm(layer.correlations),
        "hinge": lambda z1, z2: hinge(z1, z2, gamma, False),
        "hinge_sym": lambda z1, z2: hinge(z1, z2, gamma, True),
        "mix": lambda z1, z2: 0.5 * hinge(z1, z2, gamma, False) + 0.5 * trace_norm(layer.correlations),
    }
    for name, loss in objectives.items():
        value, *found = gradients(layer, h1, h2, loss)
        if name != "mix":
            assert value == pytest.approx(float(golden[f"t0_loss_{name}"]), abs=1e-12)
        for view, gradient in zip(("H1", "H2"), found, strict=True):
            torch.testing.assert_close(gradient, golden[f"t0_grad_{name}_{view}"], rtol=1e-9, atol=1e-12)
    z1, z2 = layer(h1, h2)
    # The published order is ascending, and the sign of a direction is free.
    u, v = golden["t0_U"].flip(1), golden["t0_V"].flip(1)
    signs = (layer.u * u).sum(dim=0).sign()
    for ours, theirs in ((layer.u, u), (layer.v, v)):
        torch.testing.assert_close(ours * signs, theirs, rtol=1e-9, atol=1e-9)
    for ours, theirs in ((z1, golden["t0_Z1"]), (z2, golden["t0_Z2"])):
        torch.testing.assert_close(ours * signs, theirs.flip(1), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(layer.correlations.detach(), golden["t0_corr"].flip(0), rtol=1e-10, atol=1e-12)
    for ours, theirs in {"mean1": "mean1", "mean2": "mean2", "s11": "S11", "s22": "S22", "s12": "S12"}.items():
        torch.testing.assert_close(getattr(layer, ours), golden[f"t0_{theirs}"], rtol=1e-12, atol=1e-13)
    z1, z2 = layer.eval()(golden["H1_eval"], golden["H2_eval"])
    for ours, name in ((z1, "eval_out1"), (z2, "eval_out2")):
        theirs = torch.nn.functional.normalize(golden[name].flip(1))
        torch.testing.assert_close(ours * signs, theirs, rtol=1e-9, atol=1e-10)


@needs_golden
@pytest.mark.parametrize("case", ["equal_rho", "dead_units"])
def test_equal_correlations_and_dead_units(case):
    golden = np.load(GOLDEN / "degenerate.npz")
    h1, h2 = (torch.from_numpy(golden[f"{case}_{view}"]) for view in ("H1", "H2"))
    layer = CCALayer(16)
    value, *found = gradients(layer, h1, h2, lambda z1, z2: hinge(z1, z2, 0.5, True))
    assert value == pytest.approx(float(golden[f"{case}_loss_hinge_sym"]), abs=1e-11)
    assert trace_norm(layer.correlations).item() == pytest.approx(float(golden[f"{case}_loss_tno"]), abs=1e-10)
    for view, gradient in zip(("H1", "H2"), found, strict=True):
        expected = torch.from_numpy(golden[f"{case}_grad_{view}"])
        torch.testing.assert_close(gradient, expected, rtol=1e-7, atol=1e-10)


@needs_golden
def test_published_learned_layer():
    golden = {key: torch.from_numpy(value) for key, value in np.load(GOLDEN / "learned_layer.npz").items()}
    layer = LearnedLayer(8).double()
    with torch.no_grad():
        layer.u.copy_(golden["U"])
        layer.v.copy_(golden["V"])
    h1, h2 = (golden[name].clone().requires_grad_() for name in ("H1", "H2"))
    z1, z2 = layer(h1, h2)
    loss = hinge(z1, z2, float(golden["gamma"]), True)
    loss.backward()
    assert loss.item() == pytest.approx(float(golden["loss_hinge_sym"]), abs=1e-13)
    torch.testing.assert_close(z1, golden["Z1"], rtol=1e-12, atol=1e-13)
    found = {"grad_H1": h1.grad, "grad_H2": h2.grad, "grad_U": layer.u.grad, "grad_V": layer.v.grad}
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, golden[name], rtol=1e-10, atol=1e-13)
    z1, z2 = layer.eval()(golden["H1_eval"], golden["H2_eval"])
    torch.testing.assert_close(z1, golden["eval_Z1"], rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(z2, golden["eval_Z2"], rtol=1e-12, atol=1e-13)


def with_correlations(values: list[float], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Views whose canonical correlations, without ridges, are these."""
    random = torch.Generator().manual_seed(seed)
    d, rho = len(values), torch.tensor(values, dtype=torch.float64)
    rows = torch.randn(10, 2 * d, generator=random, dtype=torch.float64)
    white = torch.linalg.qr(rows - rows.mean(dim=0))[0]
    mixes = torch.randn(2, d, d, generator=random, dtype=torch.float64)
    h1, h2 = white[:, :d], rho * white[:, :d] + (1 - rho.square()).sqrt() * white[:, d:]
    return (10**0.5 * h1 @ mixes[0]).requires_grad_(), (10**0.5 * h2 @ mixes[1]).requires_grad_()


@pytest.mark.parametrize(
    ("values", "keep"),
    [
        ([0.9, 0.7, 0.5, 0.2], 4),
        ([0.6, 0.6, 0.6, 0.6], 4),
        ([0.8, 0.8, 0.3, 0.3], 4),
        ([0.9, 0.7, 0.5, 0.2], 2),
        ([0.8, 0.8, 0.3, 0.3], 2),
    ],
)
def test_gradient_of_what_does_not_change_when_both_views_turn(values, keep):
    h1, h2 = with_correlations(values)

    def invariants(h1, h2):
        layer = CCALayer(4, 0.0, 0.0, 0.0, keep=keep)
        projection = layer.project(h1, h2)
        z1, z2 = projection.first(h1), projection.second(h2)
        u, v, sigma = projection.u, projection.v, layer.correlations
        return (z1 @ z2.T)[:4], (u @ v.T)[0], (u @ u.T)[1], (v @ v.T)[2], sigma.square().sum(), sigma.sqrt().sum()

    whole = CCALayer(4, 0.0, 0.0, 0.0)
    whole(h1, h2)
    torch.testing.assert_close(whole.correlations.detach(), torch.tensor(values, dtype=torch.float64))
    assert gradcheck(invariants, (h1, h2), atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.4},
        {"alpha": 0.4, "debias": True, "keep": 3},
        {"relative": True, "r1": 0.2, "r2": 0.3},
        {"relative": True, "r1": 0.2, "r2": 0.3, "alpha": 0.4, "keep": 3},
    ],
    ids=["running", "debiased", "relative", "both"],
)
def test_gradients_with_running_statistics_and_relative_ridges(options):
    """After an earlier batch; rows of no pair, as neighbours are, are projected too."""
    h1, h2 = (h.requires_grad_() for h in views(10, 4))
    others = [h.requires_grad_() for h in views(3, 4, seed=1)]

    def losses(h1, h2, a, b):
        layer = CCALayer(4, **options)
        layer(*views(10, 4, seed=2))
        projection = layer.project(h1, h2)
        z1, z2, a, b = projection.first(h1), projection.second(h2), projection.first(a), projection.second(b)
        return (z1 @ z2.T)[:3], a @ b.T, projection.correlations

    assert gradcheck(losses, (h1, h2, *others), atol=1e-6)


@pytest.mark.parametrize("keep", [3, 6])
def test_gradients_of_the_layer_by_finite_differences(keep):
    h1, h2 = (h.requires_grad_() for h in views(12))

    def losses(h1, h2):
        layer = CCALayer(6, keep=keep)
        z1, z2 = layer(h1, h2)
        return z1 @ z2.T, layer.correlations, squared_distance(z1, z2)

    assert gradcheck(losses, (h1, h2), atol=1e-6)


@pytest.mark.parametrize(
    "make", [lambda h: h * 0, lambda h: torch.cat([h[:, :3], h[:, :3]], 1), lambda h: h[:1] + h * 0]
)
def test_gradients_stay_finite_for_views_that_say_little(make):
    h1, h2 = views()
    layer = CCALayer(6)
    _, *found = gradients(layer, make(h1), h2, lambda z1, z2: hinge(z1, z2, 0.5, True) - layer.correlations.mean())
    assert all(torch.isfinite(gradient).all() for gradient in found)


@pytest.mark.parametrize("keep", [2, 4])
def test_gradients_stay_finite_for_views_without_any_correlation(keep):
    """Columns of a Hadamard matrix: T is exactly 0, and every pair of directions is a canonical one."""
    plus = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    hadamard = torch.kron(torch.kron(plus, plus), torch.kron(plus, plus))
    layer = CCALayer(4, keep=keep)
    _, *found = gradients(layer, hadamard[:, 1:5], hadamard[:, 5:9], lambda z1, z2: hinge(z1, z2, 0.5, True))
    assert layer.correlations.max().item() == pytest.approx(1e-3**0.5)
    # An optimiser squares them in float32.
    assert all(torch.isfinite(gradient.float().square()).all() for gradient in found)


def test_gradients_with_dropped_directions_are_those_of_a_plain_svd():
    """Where all correlations differ, the derivatives of the singular vectors themselves are good enough."""
    h1, h2 = views(60)

    def plain(h1, h2):
        h1, h2 = h1 - h1.mean(dim=0), h2 - h2.mean(dim=0)
        ridge = 1e-3 * torch.eye(6, dtype=torch.float64)
        left, right = (torch.linalg.cholesky(h.T @ h / 59 + ridge) for h in (h1, h2))
        whitened1, whitened2 = torch.linalg.solve(left, h1.T), torch.linalg.solve(right, h2.T)
        p, _, rt = torch.linalg.svd(whitened1 @ whitened2.T / 59)
        return tuple(torch.nn.functional.normalize(z) for z in (whitened1.T @ p[:, :3], whitened2.T @ rt[:3].T))

    def loss(z1, z2):
        return hinge(z1, z2, 0.5, True)

    value, *found = gradients(CCALayer(6, keep=3), h1, h2, loss)
    expected_value, *expected = gradients(plain, h1, h2, loss)
    assert value == pytest.approx(expected_value, rel=1e-12)
    for gradient, other in zip(found, expected, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-8, atol=1e-12)


def test_float32_views_have_nearly_float64_gradients():
    h1, h2 = views(200, 32)
    exact, single = (
        gradients(CCALayer(32), h1.to(kind), h2.to(kind), lambda z1, z2: hinge(z1, z2, 0.5, True))
        for kind in (torch.float64, torch.float32)
    )
    assert single[1].dtype == torch.float32
    for a, b in zip(exact[1:], single[1:], strict=True):
        assert (a - b).norm() < 1e-4 * a.norm()


def test_running_statistics():
    batches = [views(seed=seed) for seed in range(3)]
    layer, corrected = CCALayer(6, alpha=0.3), CCALayer(6, alpha=0.3, debias=True)
    mean, s11 = torch.zeros(6, dtype=torch.float64), torch.zeros(6, 6, dtype=torch.float64)
    for h1, h2 in batches:
        layer(h1, h2)
        corrected(h1, h2)
        mean = 0.7 * mean + 0.3 * h1.mean(dim=0)
        s11 = 0.7 * s11 + 0.3 * ((h1 - mean).T @ (h1 - mean) / 39 + 1e-3 * torch.eye(6))
    torch.testing.assert_close(layer.mean1, mean)
    torch.testing.assert_close(layer.s11, s11)
    # Debiased, the weights .3 · .7² , .3 · .7, .3 are divided by their sum.
    torch.testing.assert_close(corrected.mean1, mean / (1 - 0.7**3))


def test_debiased_statistics_start_with_the_first_batch():
    h1, h2 = views()
    once, whole = CCALayer(6, alpha=0.1, debias=True), CCALayer(6)
    for a, b in zip(once(h1, h2), whole(h1, h2), strict=True):
        torch.testing.assert_close(a, b)


def test_refit_stores_the_linear_cca_of_all_rows():
    h1, h2 = views(400)
    layer = CCALayer(6, power=1.0)
    layer(h1[:40], h2[:40])
    layer.refit((h1[i : i + 100], h2[i : i + 100]) for i in range(0, 400, 100))
    expected = CCA(power=1.0, relative=False).fit(h1, h2)
    z1, _ = layer.eval()(h1, h2)
    torch.testing.assert_close(z1, torch.nn.functional.normalize(expected.transform_first(h1)))
    torch.testing.assert_close(layer.correlations, expected.correlations)


def test_a_refit_on_too_few_rows_is_refused():
    layer, rows = CCALayer(6), torch.randn(6, 6, dtype=torch.float64)
    with pytest.raises(KithError, match="6 rows are too few for a CCA layer of dimension 6"):
        layer.refit([(rows, rows.roll(1, 0))])
    assert torch.equal(layer.stored_correlations, CCALayer(6).stored_correlations)


def test_refit_of_the_learned_layer_stores_the_means_of_all_rows():
    h1, h2 = views(100)
    layer = LearnedLayer(6, alpha=0.5).double()
    layer(h1[:40], h2[:40])
    torch.testing.assert_close(layer.mean1, 0.5 * h1[:40].mean(dim=0))
    layer.refit((h1[i : i + 30], h2[i : i + 30]) for i in range(0, 100, 30))
    torch.testing.assert_close(layer.mean1, h1.mean(dim=0))
    torch.testing.assert_close(layer.mean2, h2.mean(dim=0))


def test_correlations_are_at_most_1():
    h1, _ = views()
    layer = CCALayer(6, rT=0.1)
    layer(h1, h1)
    assert (layer.correlations == 1).all()


def test_evaluation_looks_at_no_batch():
    h1, h2 = views()
    layer = CCALayer(6)
    layer(h1, h2)
    layer.eval()
    whole, one = layer(h1, h2)[0], layer(h1[3:4], h2[3:4])[0]
    torch.testing.assert_close(whole[3:4], one)
    torch.testing.assert_close(whole.norm(dim=1), torch.ones(40, dtype=torch.float64))


@pytest.mark.parametrize("kind", [lambda: CCALayer(6), lambda: LearnedLayer(6)])
def test_a_layer_in_training_is_copied_and_stored(kind):
    layer = kind()
    layer(*views(dtype=torch.float32))
    again = kind()
    again.load_state_dict(layer.state_dict())
    for copied in (copy.deepcopy(layer), again):
        for a, b in zip(copied.eval()(*views(seed=1)), layer.eval()(*views(seed=1)), strict=True):
            torch.testing.assert_close(a, b)
        layer.train()


def test_a_batch_that_is_too_small_is_refused():
    h1, h2 = views(6)
    with pytest.raises(KithError, match="a batch of 6 is too small for a CCA layer of dimension 6"):
        CCALayer(6)(h1, h2)


def test_views_that_are_not_finite_are_refused():
    h1, h2 = views()
    h1[3, 2] = float("nan")
    with pytest.raises(FloatingPointError, match="not finite"):
        CCALayer(6)(h1, h2)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([3, 6]), st.booleans())
def test_cosines_do_not_depend_on_the_coordinates_of_a_view(seed, keep, turned):
    """Without ridges any invertible change of a view's coordinates leaves them; with ridges a rotation does."""
    h1, h2 = views(seed=seed)
    random = torch.Generator().manual_seed(seed)
    q, r = (torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=random))[0] for _ in range(2))
    change = q if turned else q * torch.arange(1.0, 7, dtype=torch.float64) @ r
    shift = 10 * torch.randn(6, dtype=torch.float64, generator=random)
    ridge = 1e-3 if turned else 0.0
    z1, z2 = CCALayer(6, ridge, ridge, keep=keep)(h1, h2)
    a1, a2 = CCALayer(6, ridge, ridge, keep=keep)(h1 @ change + shift, h2)
    torch.testing.assert_close(z1 @ z2.T, a1 @ a2.T, rtol=0, atol=1e-7)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_the_order_of_pairs_and_of_views_does_not_matter(seed):
    h1, h2 = views(seed=seed)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
    z1, z2 = CCALayer(6)(h1, h2)
    a1, a2 = CCALayer(6)(h1[order], h2[order])
    torch.testing.assert_close(a1 @ a2.T, (z1 @ z2.T)[order][:, order])
    b2, b1 = CCALayer(6)(h2, h1)
    torch.testing.assert_close(b1 @ b2.T, z1 @ z2.T)


@pytest.mark.parametrize("keep", [0, 5, -1])
def test_only_as_many_directions_as_there_are_can_be_kept(keep):
    with pytest.raises(KithError, match=f"keep {keep}: a CCA layer of dimension 4 keeps 1 to 4"):
        CCALayer(4, keep=keep)


def test_relative_ridges_do_not_depend_on_units():
    h1, h2 = (torch.randn(40, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i in (1, 2))
    h2 = h2 + h1
    for factor in (1e-3, 1e3):
        layers = [CCALayer(6, 0.1, 0.1, relative=True), CCALayer(6, 0.1, 0.1, relative=True)]
        (z1, z2), (a1, a2) = layers[0](h1, h2), layers[1](factor * h1, h2)
        torch.testing.assert_close((a1 * a2).sum(dim=1), (z1 * z2).sum(dim=1))
        layers[0].refit([(h1, h2)])
        layers[1].refit([(factor * h1, h2)])
        torch.testing.assert_close(layers[1].correlations, layers[0].correlations)
    absolute = CCALayer(6, 0.1, 0.1)
    absolute(1e-3 * h1, h2)
    assert absolute.correlations[0] < 0.1 < layers[0].correlations[0]


def test_a_view_that_says_nothing_has_relative_ridges_too():
    layer = CCALayer(3, relative=True)
    z1, z2 = layer(torch.ones(8, 3, requires_grad=True), torch.randn(8, 3))
    (z1 * z2).sum().backward()
    assert torch.isfinite(layer.correlations).all()
