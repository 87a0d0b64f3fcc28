"""Linear CCA against the published program's numbers, against scikit-learn's definition, and streamed."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.cca import CCA
from kith.cca import linear as module
from kith.cca.covariance import Moments
from kith.errors import KithError

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "cca"


def views(rows: int = 300, p: int = 6, q: int = 9, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    z = random.normal(size=(rows, 4))
    x = z @ random.normal(size=(4, p)) + random.normal(size=(rows, p)) + random.normal(size=p)
    y = z @ random.normal(size=(4, q)) + random.normal(size=(rows, q)) + random.normal(size=q)
    return x, y


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="no golden data")
@pytest.mark.parametrize("noise", ["0p5", "1p0"])
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_published_linear_cca(noise, ridge):
    golden = np.load(GOLDEN / f"linear_cca_noise{noise}.npz")
    cca = CCA(ridge, ridge, relative=False).fit(golden["X_train"], golden["Y_train"])
    first, second = cca.transform(golden["X_test"], golden["Y_test"])
    columns = [np.corrcoef(a, b)[0, 1] for a, b in zip(first.T, second.T, strict=True)]
    found = {"coeffs": cca.correlations, "U": cca.u, "V": cca.v, "mean1": cca.mean1, "mean2": cca.mean2}
    found |= {"test1": first, "test2": second, "test_corr": columns}
    for name, values in found.items():
        expected = golden[f"{'r0' if ridge == 0 else 'r1e-3'}_{name}"]
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-10, err_msg=name)


def test_projected_training_columns_are_white_and_correlate_as_said():
    x, y = views()
    cca = CCA(0, 0).fit(x, y)
    first, second = cca.transform(x, y)
    assert first.shape == second.shape == (300, 6)
    joint = np.cov(first.T, second.T)
    np.testing.assert_allclose(joint[:6, :6], np.eye(6), atol=1e-10)
    np.testing.assert_allclose(joint[6:, 6:], np.eye(6), atol=1e-10)
    np.testing.assert_allclose(joint[:6, 6:], np.diag(cca.correlations), atol=1e-10)
    assert (np.diff(cca.correlations) <= 0).all()


@settings(max_examples=20)
@given(st.integers(0, 1000), st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_blocks_of_any_size_add_up(seed, sizes):
    x, y = (torch.from_numpy(view + 1e4) for view in views(sum(sizes) + 1, seed=seed))
    edges = np.cumsum([0, 1, *sizes])
    blocks = [Moments.of(x[a:b], y[a:b]) for a, b in itertools.pairwise(edges)]
    total = blocks[0]
    for block in blocks[1:]:
        total = total + block
    expected = np.cov(x.numpy().T, y.numpy().T)
    s11, s22, s12 = total.covariances()
    np.testing.assert_allclose(s11, expected[:6, :6], atol=1e-8)
    np.testing.assert_allclose(s22, expected[6:, 6:], atol=1e-8)
    np.testing.assert_allclose(s12, expected[:6, 6:], atol=1e-8)


def test_memory_mapped_views_are_read_in_blocks(tmp_path, monkeypatch):
    x, y = views(1000)
    for name, view in (("x", x), ("y", y)):
        np.save(tmp_path / f"{name}.npy", view)
    seen = []
    of = Moments.of
    monkeypatch.setattr(module, "BLOCK", 900)
    monkeypatch.setattr(Moments, "of", classmethod(lambda cls, a, b, start: seen.append(len(a)) or of(a, b)))
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy"]
    cca = CCA().fit(*mapped)
    assert max(seen) == 100
    assert sum(seen) == 1000
    monkeypatch.undo()
    np.testing.assert_allclose(cca.u, CCA().fit(x, y).u, atol=1e-10)


def test_tensors_in_tensors_out():
    x, y = views()
    arrays, tensors = CCA().fit(x, y), CCA().fit(torch.from_numpy(x).float(), torch.from_numpy(y).float())
    assert isinstance(arrays.u, np.ndarray)
    assert isinstance(tensors.u, torch.Tensor)
    assert tensors.u.dtype == torch.float64
    np.testing.assert_allclose(tensors.correlations, arrays.correlations, atol=1e-6)
    assert isinstance(tensors.transform(torch.from_numpy(x), torch.from_numpy(y))[0], torch.Tensor)


def test_ridges_lower_correlations_and_the_cross_ridge_lifts_them():
    x, y = views()
    plain = CCA(0, 0).fit(x, y).correlations
    assert (CCA(0.5, 0.5).fit(x, y).correlations < plain).all()
    np.testing.assert_allclose(CCA(0, 0, 1e-2).fit(x, y).correlations, np.sqrt(plain**2 + 1e-2))
    assert CCA(0, 0, 0.5).fit(x, y).correlations.max() == 1


@pytest.mark.parametrize("options", [{}, {"r1": 0.2, "r2": 0.1}, {"r1": None, "r2": None, "shrink": True}])
def test_ridges_do_not_depend_on_units(options):
    x, y = views()
    cca = CCA(**options).fit(x, y)
    for a, b in ((1e-3, 1), (10, 1e3)):
        scaled = CCA(**options).fit(a * x, b * y)
        np.testing.assert_allclose(scaled.correlations, cca.correlations)
        np.testing.assert_allclose(scaled.u, cca.u / a, rtol=1e-6)
    absolute = CCA(0.2, 0.1, relative=False).fit(1e-3 * x, y).correlations
    assert absolute[0] < 0.05


def test_shrinking_as_far_as_the_rows_ask_for_helps_where_they_are_few():
    random = np.random.default_rng(0)
    z = random.normal(size=(2060, 1))
    x, y = (z @ random.normal(size=(1, 40)) + 4 * random.normal(size=(2060, 40)) for _ in range(2))

    def held_out(cca: CCA) -> float:
        first, second = cca.fit(x[:60], y[:60]).transform(x[60:], y[60:])
        return np.corrcoef(first[:, 0], second[:, 0])[0, 1]

    assert held_out(CCA(None, None, shrink=True)) > held_out(CCA()) + 0.2


@pytest.mark.parametrize("wrong", [{"r1": None}, {"r1": -0.1}, {"r2": 1.5, "shrink": True}, {"r2": float("nan")}])
def test_ridges_that_are_none_are_refused(wrong):
    with pytest.raises(KithError, match="a ridge is 0 or more"):
        CCA(**wrong)


def test_shrinking_is_a_ridge_relative_to_the_covariance():
    x, y = views()
    shrunk, added = CCA(0.2, 0.1, shrink=True).fit(x, y), CCA(0.25, 1 / 9).fit(x, y)
    np.testing.assert_allclose(shrunk.correlations, added.correlations)
    np.testing.assert_allclose(shrunk.u, added.u / 0.8**0.5)
    np.testing.assert_allclose(shrunk.v, added.v / 0.9**0.5)


def test_dimensions_and_weights_of_directions():
    x, y = views()
    whole, weighted = CCA().fit(x, y), CCA(dim=3, power=2.0).fit(x, y)
    assert weighted.correlations.shape == (3,)
    np.testing.assert_allclose(weighted.u, whole.u[:, :3] * whole.correlations[:3] ** 2)
    np.testing.assert_allclose(weighted.v, whole.v[:, :3] * whole.correlations[:3] ** 2)


def test_bad_views_are_refused():
    x, y = views()
    with pytest.raises(KithError, match="not 300 and 299"):
        CCA().fit(x, y[:-1])
    broken = x.copy()
    broken[7, 2] = np.nan
    with pytest.raises(KithError, match=r"the first view: row 7 is not finite \(1 such"):
        CCA().fit(broken, y)
    with pytest.raises(KithError, match=r"the second view: row 107 is not finite"):
        CCA().fit_batches([(x[:100], x[:100]), (x[100:200], broken[:100])])
    with pytest.raises(KithError, match=r"the same numbers of columns, not \(6, 9\) and \(5, 9\)"):
        CCA().fit_batches([(x, y), (x[:, :5], y)])
    for column in (x[:, 0], x[:, 0] + x[:, 1], -3 * x[:, 1]):
        with pytest.raises(KithError, match=r"the first view has a singular covariance.*raise r1"):
            CCA(0, 0).fit(np.column_stack([x, column]), x)
    for dim in (0, -1):
        with pytest.raises(KithError, match=f"dim: {dim} directions; keep at least 1"):
            CCA(dim=dim)
    with pytest.raises(KithError, match=r"the second view has a singular covariance.*raise r2"):
        CCA(0, 0).fit(x, np.column_stack([y, np.zeros(300)]))
    with pytest.raises(KithError, match="at least 2 rows"):
        CCA().fit(x[:1], y[:1])
    with pytest.raises(KithError, match="nothing to fit"):
        CCA().fit(x[:0], y[:0])
