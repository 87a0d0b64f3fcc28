"""Class embeddings against the published program's numbers, their definitions, and similarities that have none."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from kith.class_embedding import class_embedding, word_vector_targets
from kith.errors import KithError
from kith.taxonomy import Taxonomy

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "hierarchy"
golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="no golden data")
SETS = ["cifar100", "cub_flat", "cub_wikispecies", "cub_balanced", "nab"]


def load(name: str) -> tuple[np.lib.npyio.NpzFile, dict, np.ndarray]:
    """Arrays, figures and the target similarity of a set."""
    arrays = np.load(GOLDEN / f"embedding_{name}.npz")
    figures = json.loads((GOLDEN / "embeddings.json").read_text())[name]
    return arrays, figures, 1 - arrays["lcs_height_int"] / arrays["max_height"]


def distances(rows: np.ndarray) -> np.ndarray:
    return cdist(rows, rows)


def random_tree(seed: int, n: int = 40) -> Taxonomy:
    random = np.random.default_rng(seed)
    return Taxonomy.from_edges((int(random.integers(0, i)), i) for i in range(1, n))


@golden
@pytest.mark.parametrize("name", SETS)
def test_published_unit_spheres(name):
    arrays, figures, target = load(name)
    embedding = class_embedding(target)
    np.testing.assert_allclose(embedding @ embedding.T, target, rtol=0, atol=1e-14)
    if "unitsphere" in arrays:
        np.testing.assert_allclose(embedding, arrays["unitsphere"], rtol=0, atol=5e-15)
    assert figures["eig_min"] == pytest.approx(1 / figures["max_height"])
    spheres = class_embedding(target, "spheres")
    assert spheres.shape == tuple(figures["spheres_shape"])
    np.testing.assert_allclose(distances(spheres), 1 - target, rtol=0, atol=1e-14)


@golden
@pytest.mark.parametrize("name", SETS)
def test_published_approximations(name):
    arrays, figures, target = load(name)
    for dim, expected in figures["approx_sim"].items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            embedding = class_embedding(target, "approx_sim", int(dim))
        gram = embedding @ embedding.T
        said = " ".join(str(warning.message) for warning in caught)
        assert ("arbitrary" in said) == (not expected["unique"])
        assert ("vanish" in said) == (expected["rows_norm_below_1e_6"] > 0)
        assert np.count_nonzero(~embedding.any(axis=1)) == expected["rows_norm_below_1e_6"]
        assert np.trace(gram) == pytest.approx(expected["trace"], abs=1e-9)
        if expected["unique"]:
            assert np.abs(gram - target).mean() == pytest.approx(expected["gram_err_mean"], abs=1e-12)
            if "normed_gram_err_mean" in expected:
                unit = class_embedding(target, "approx_sim", int(dim), normalize=True)
                assert np.abs(unit @ unit.T - target).mean() == pytest.approx(
                    expected["normed_gram_err_mean"], abs=1e-12
                )
        if f"approx_sim{dim}_gram" in arrays:
            np.testing.assert_allclose(gram, arrays[f"approx_sim{dim}_gram"], rtol=0, atol=1e-12)
        if f"approx_sim{dim}_gram_triu_f32" in arrays:
            triangle = gram[np.triu_indices(len(gram))]
            np.testing.assert_allclose(triangle, arrays[f"approx_sim{dim}_gram_triu_f32"], rtol=0, atol=1e-7)


@golden
@pytest.mark.parametrize("name", SETS)
def test_published_scaling(name):
    arrays, figures, target = load(name)
    full = class_embedding(target, "mds")
    assert full.shape == (len(target), len(target) - 1)
    np.testing.assert_allclose(distances(full), 1 - target, rtol=0, atol=1e-12)
    np.testing.assert_allclose((full**2).sum(axis=0), arrays["mds_eigvals_desc"][:-1], rtol=0, atol=1e-11)
    for dim, expected in figures["mds"].items():
        found = distances(class_embedding(target, "mds", int(dim)))
        assert np.abs(found - (1 - target)).mean() == pytest.approx(expected["dist_err_mean"], abs=1e-12)
        if f"mds{dim}_dist" in arrays:
            np.testing.assert_allclose(found, arrays[f"mds{dim}_dist"], rtol=0, atol=1e-12)


@golden
def test_published_files_of_nabirds():
    """The pickles of the published program, as far as their content does not depend on rounding."""
    target = load("nab")[2]
    published = json.loads((GOLDEN / "pickles_check.json").read_text())
    for dim in (8, 16, 32):
        for normalize, name in [(True, f"nab.sim{dim}"), (False, f"nab.sim{dim}_unnormed")]:
            with pytest.warns(UserWarning, match="classes vanish"):
                embedding = class_embedding(target, "approx_sim", dim, normalize=normalize)
            zero = np.count_nonzero(~embedding.any(axis=1))
            assert zero == published[name]["zero_rows"]
            assert (embedding**2).sum() == pytest.approx(published[name]["trace"], abs=1e-9)
            # Rows of the published files that vanish are not wholly 0.
            error = np.abs(embedding @ embedding.T - target).mean()
            assert error == pytest.approx(published[name]["gram_vs_target_mean"], abs=1e-9)
    embedding = class_embedding(target)
    assert (embedding**2).sum() == pytest.approx(published["nab.sim"]["trace"])


@golden
def test_published_eigenvalues_of_ilsvrc():
    arrays = np.load(GOLDEN / "embedding_ilsvrc_mintree.npz")
    target = 1 - arrays["lcs_height_int"] / arrays["max_height"]
    embedding = class_embedding(target)
    np.testing.assert_allclose(embedding @ embedding.T, target, rtol=0, atol=1e-14)
    part = class_embedding(target, "approx_sim", 50)
    np.testing.assert_allclose((part**2).sum(axis=0), arrays["eigvals_desc"][:50], rtol=0, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 500), st.booleans())
def test_any_tree_has_every_embedding(seed, inner):
    taxonomy = random_tree(seed)
    target = taxonomy.similarity(taxonomy.nodes[::3] if inner else None)
    embedding = class_embedding(target)
    np.fill_diagonal(target, 1)
    np.testing.assert_allclose(embedding @ embedding.T, target, rtol=0, atol=1e-13)
    assert (np.triu(embedding, 1) == 0).all()
    assert (np.diagonal(embedding) > 0).all()
    for method in ("spheres", "mds"):
        np.testing.assert_allclose(distances(class_embedding(target, method)), 1 - target, rtol=0, atol=1e-7)
    full = class_embedding(target, "approx_sim")
    np.testing.assert_allclose(full @ full.T, target, rtol=0, atol=1e-12)


def test_similarities_are_not_changed_and_results_repeat():
    target = random_tree(1).similarity(range(20))
    before = target.copy()
    for method, dim in [("unitsphere", None), ("approx_sim", 5), ("spheres", None), ("mds", 5), ("onehot", None)]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first, second = class_embedding(target, method, dim), class_embedding(target.tolist(), method, dim)
        assert first.dtype == np.float64
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(target, before)
    np.testing.assert_array_equal(class_embedding(target, "onehot"), np.eye(20))


def test_rows_that_vanish_are_zero_and_named():
    taxonomy = Taxonomy.from_edges([("all", "cats"), ("cats", "lion"), ("cats", "tiger"), ("all", "table")])
    target = taxonomy.similarity()
    with pytest.warns(UserWarning, match="1 classes vanish in 1 dimensions.*'table'"):
        embedding = class_embedding(target, "approx_sim", 1, normalize=True, names=taxonomy.leaves)
    np.testing.assert_allclose(embedding, [[1], [0], [1]], atol=1e-15)


def test_cut_between_equal_eigenvalues_is_said():
    with pytest.warns(UserWarning, match="eigenvalues 3 and 4 are both 0.5"):
        class_embedding(np.kron(np.eye(2), [[1, 0.5], [0.5, 1]]), "approx_sim", 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        class_embedding(np.kron(np.eye(2), [[1, 0.5], [0.5, 1]]), "approx_sim", 2)


# Three classes that are all like a fourth but not like each other.
IMPOSSIBLE = np.eye(4) + np.pad([[0.9] * 3], ((3, 0), (0, 1))) + np.pad([[0.9] * 3], ((3, 0), (0, 1))).T


@pytest.mark.parametrize(
    ("similarity", "method", "dim", "message"),
    [
        (IMPOSSIBLE, "unitsphere", None, r"smallest eigenvalue -0.559.*to a tree \(Taxonomy.to_tree\)"),
        (np.ones((3, 3)), "unitsphere", None, "not positive definite"),
        (np.ones((3, 3)), "spheres", None, "not positive definite"),
        (np.eye(4), "mds", 4, "dim 4 is not between 1 and 3"),
        (np.ones((3, 3)), "mds", 2, "mds has 0 positive eigenvalues"),
        (np.eye(4), "approx_sim", 0, "dim 0 is not between 1 and 4"),
        (np.eye(4), "unitsphere", 3, "unitsphere has 4 dimensions, not 3; take approx_sim"),
        (np.eye(4), "sphere", None, "method 'sphere' is not one of unitsphere"),
        (np.eye(4)[:3], "unitsphere", None, "not the shape"),
        (np.zeros((0, 0)), "unitsphere", None, "not the shape"),
        ([[1, 0.5], [0.4, 1]], "unitsphere", None, "not symmetric and finite at row 0, column 1"),
        ([[1, np.nan], [np.nan, 1]], "unitsphere", None, "not symmetric and finite at row 0"),
    ],
)
@pytest.mark.filterwarnings("ignore:class embedding. eigenvalues")
def test_similarities_without_an_embedding(similarity, method, dim, message):
    with pytest.raises(KithError, match=message):
        class_embedding(similarity, method, dim)


@pytest.mark.parametrize("method", ["unitsphere", "approx_sim", "onehot"])
def test_one_class(method):
    np.testing.assert_allclose(class_embedding([[0.5]], method), [[1]])


def test_word_vectors():
    vectors = {"oak": [3.0, 4.0], "tree": [1.0, 0.0], "fire truck": [0.0, 2.0], "truck": [1.0, 1.0]}
    rows = word_vector_targets(["oak_tree", "Tree", "fire truck"], vectors)
    np.testing.assert_allclose(rows, [[2**-0.5, 2**-0.5], [1, 0], [0, 1]])
    with pytest.raises(KithError, match="no vector for words of 'apple_tree', '--'"):
        word_vector_targets(["oak", "apple_tree", "--"], vectors)
    with pytest.raises(KithError, match="'up_down' add up to zero"):
        word_vector_targets(["up_down"], {"up": [0, 1], "down": [0, -1]})
