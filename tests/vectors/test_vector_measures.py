"""Sets of vectors are measured as by a direct evaluation, and as the published programs measure them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.errors import KithError
from kith.taxonomy import Taxonomy
from kith.vectors import measures
from kith.vectors.sets import VectorSet
from tests.made_vectors import EDGES, IDS, LABELS, made

TAXONOMY = Taxonomy.from_edges([tuple(line.split()) for line in EDGES.splitlines()])
# LCSH: of cat and dog 1 − 1/2; of a car and an animal 0.
NEAR = {("cat", "dog"): 0.5, ("dog", "cat"): 0.5}


def directly(vectors: np.ndarray, labels: list[str], k: int) -> dict[str, float]:
    """Means over queries, by sorting; no two distances may be the same."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found: dict[str, list[float]] = {"HP": [], "map": [], "R": [], "r_precision": []}
    for query, row in enumerate(unit @ unit.T):
        order = [each for each in np.argsort(-row) if each != query]
        gains = [1.0 if labels[o] == labels[query] else NEAR.get((labels[query], labels[o]), 0.0) for o in order]
        right = np.array([labels[o] == labels[query] for o in order])
        ranks = np.flatnonzero(right) + 1
        found["HP"].append(sum(gains[:k]) / sum(sorted(gains)[::-1][:k]))
        found["map"].append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
        found["R"].append(100.0 * right[:k].any())
        found["r_precision"].append(right[: right.sum()].mean())
    return {name: float(np.mean(values)) for name, values in found.items()}


@pytest.mark.parametrize("k", [1, 4])
def test_classes_as_measured_directly(k):
    expected = directly(made(), LABELS.tolist(), k)
    found = measures.by_class(VectorSet("v", made(), False), LABELS, TAXONOMY, ks=[k])
    assert (found.queries, found.candidates) == (30, 29)
    for name, key in (
        (f"image_to_image/HP@{k}", "HP"),
        ("image_to_image/map", "map"),
        (f"metric_learning/R@{k}", "R"),
        ("metric_learning/r_precision", "r_precision"),
    ):
        assert found.values[name] == pytest.approx(expected[key], abs=1e-9)
    assert found.curve[k - 1] == pytest.approx(expected["HP"], abs=1e-9)
    without = measures.by_class(VectorSet("v", made(), False), LABELS, ks=[k])
    assert without.curve is None
    assert without.values == {name: value for name, value in found.values.items() if "HP" not in name}


def test_unknown_labels_are_left_out():
    labels = np.where(np.arange(30) % 5 == 0, "", LABELS)
    kept = labels != ""
    found = measures.by_class(VectorSet("v", made(), False), labels, TAXONOMY)
    alone = measures.by_class(VectorSet("v", made()[kept], False), labels[kept], TAXONOMY)
    assert found.values == alone.values
    with pytest.raises(KithError, match="v: no two vectors have the same label"):
        measures.by_class(VectorSet("v", made()[:2], False), np.array(["cat", "dog"]))


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 40), st.integers(0, 1000))
def test_codes_at_the_same_hamming_distance_tie_in_every_metric(bits, seed):
    """mAP by cosines of codes and by their Hamming distances are one number."""
    codes = np.random.default_rng(seed).choice([-1, 1], (12, bits)).astype(np.int8)
    found = measures.by_class(VectorSet("c", codes, True), np.repeat(["a", "b"], 6)).values
    assert found["image_to_image/map"] == pytest.approx(found["hamming/map"], abs=1e-12)
    assert found["metric_learning/R@1"] == pytest.approx(100 * found["hamming/precision@1"], abs=1e-9)
    database = measures.by_class_in(
        *(VectorSet("q", codes[:6], True), np.repeat(["a", "b"], 3)),
        *(VectorSet("d", codes[6:], True), np.repeat(["b", "a"], 3)),
    ).values
    assert database["database/map"] == pytest.approx(database["hamming/map"], abs=1e-12)


def test_pairs_as_measured_directly():
    texts, pictures = made(1), made()
    order = np.random.default_rng(0).permutation(30)
    queries = VectorSet("t", texts, False, ids=np.array(IDS))
    candidates = VectorSet("p", pictures[order], False, ids=np.array(IDS)[order])
    found = measures.by_pairs(queries, candidates, ks=[5])
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (texts, pictures)]
    near = units[0] @ units[1].T
    ranks = 1 + (near > np.diagonal(near)[:, None]).sum(axis=1)
    expected = [100 * np.mean(ranks <= 5), np.median(ranks), np.mean(1 / ranks)]
    names = ("R@5", "median_rank", "mrr")
    assert [found.values[f"text_to_image/{name}"] for name in names] == pytest.approx(expected, abs=1e-5)
    assert found.curve == pytest.approx([100 * np.mean(ranks <= k) for k in range(1, 31)])


def test_groups_decide_where_both_have_them():
    """Two texts of one thing are both right for it, whatever their ids."""
    texts = VectorSet("t", np.eye(3), False, ids=np.array(["a", "b", "c"]), groups=np.array(["1", "1", "2"]))
    found = measures.by_pairs(texts, texts[np.array([1, 0, 2])], ks=[1]).values
    assert found["text_to_image/R@1"] == 100
    assert found["text_to_image/map"] < 1  # the second right one ties with the wrong one


def test_sets_that_do_not_belong_together_are_refused():
    def named(name, ids, d=2, coded=False):
        array = np.ones((len(ids), d), dtype=np.int8 if coded else float)
        return VectorSet(name, array, coded, ids=np.array(list(ids)))

    for queries, candidates, said in (
        (named("q", "ab"), named("c", "ac"), r"q: row 1 \(id 'b'\): no row of c has its id 'b' \(1 such rows\)"),
        (named("q", "ab"), VectorSet("c", np.eye(2), False), "c: has no ids, by which queries and candidates belong"),
        (named("q", "a", 3), named("c", "a"), "q has vectors of 3 numbers, c of 2: not one space"),
        (named("q", "a", coded=True), named("c", "a"), "q has binary codes, c has none; say --binary"),
    ):
        with pytest.raises(KithError, match=said):
            measures.by_pairs(queries, candidates)
    with pytest.raises(KithError, match="q and c are not of the same items: 'b', 'c' in one alone"):
        measures.same_items([named("q", "ab"), named("c", "ca")])
    with pytest.raises(KithError, match="q has 2 vectors, c 3: sets of different items cannot be compared"):
        measures.same_items([named("q", "ab"), VectorSet("c", np.eye(3), False)])
    with pytest.raises(KithError, match="q: no label of it is among those of c"):
        measures.by_class_in(named("q", "x"), np.array(["x"]), named("c", "a"), np.array(["y"]))


def test_a_query_keeps_the_other_candidates_of_its_group():
    def words(*each: str) -> np.ndarray:
        return np.array(each)

    texts = VectorSet("t.npz", np.eye(3), False, ids=words("x", "y", "z"), groups=words("1", "1", "2"))
    known = {"ids": words("x"), "left_out": ("y", "z")}
    pictures = VectorSet("p.npz", np.eye(1, 3), False, groups=words("1"), **known)
    assert measures.with_partners(texts, pictures).ids.tolist() == ["x", "y"]
    alone = VectorSet("p.npz", np.eye(1, 3), False, **known)
    assert measures.with_partners(texts, alone).ids.tolist() == ["x"]
