"""Hierarchical retrieval against its definition written with loops, and against the published program's numbers."""

import hashlib
import importlib.util
import itertools
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import kith.similarity
from kith.errors import KithError
from kith.evaluation.chance import hierarchical_chance
from kith.metrics import hierarchical, ordering
from kith.metrics.hierarchical import hierarchical_metrics, hierarchical_retrieval
from kith.metrics.ordering import nearest_first

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "hierarchy"
golden = pytest.mark.skipif(not GOLDEN.exists(), reason="no golden data")
NAMES = {"LCS_HEIGHT": "lcsh", "WUP": "wup"}


def naive(own: int, found: list[int], table: np.ndarray, ks, clip: int) -> dict[str, float]:
    """The figures of a query of class `own` that found items of the classes `found`, by their definitions."""
    gains = [table[own, c] for c in found]
    ideal = sorted(gains, reverse=True)
    worth = [sum(gains[: i + 1]) / sum(ideal[: i + 1]) if sum(ideal[: i + 1]) else 0.0 for i in range(len(found))]
    right = [i for i, c in enumerate(found) if c == own]
    precision = [(j + 1) / (i + 1) for j, i in enumerate(right)]
    figures = {f"HP@{k}": worth[k - 1] for k in ks}
    for name, length, step in ((f"AHP@{clip}", min(clip, len(worth)), 1 / clip), ("AHP", len(worth), 1 / len(worth))):
        figures[name] = sum((worth[i] + worth[i + 1]) / 2 * step for i in range(length - 1))
    return figures | {"AP": sum(precision) / len(precision) if right else 0.0}


def naive_retrieval(features: np.ndarray, labels: np.ndarray, table: np.ndarray, ks, clip: int):
    rows = []
    for i in range(len(labels)):
        others = [j for j in range(len(labels)) if j != i]
        order = sorted(others, key=lambda j, i=i: (((features[i] - features[j]) ** 2).sum(), j))
        rows.append(naive(labels[i], labels[order].tolist(), table, ks, clip))
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def problem(n: int = 60, n_classes: int = 7, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % n_classes)
    table = rng.random((n_classes, n_classes))
    table = (table + table.T) / 2
    np.fill_diagonal(table, 1)
    return rng.standard_normal((n_classes, 5))[labels] + rng.standard_normal((n, 5)), labels, table


def equal(found: dict, expected: dict, atol: float = 1e-12) -> None:
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=0, atol=atol, err_msg=key)


@st.composite
def small(draw):
    n, n_classes = draw(st.integers(3, 16)), draw(st.integers(1, 4))
    features = draw(arrays(np.int64, (n, 2), elements=st.integers(-2, 2)))  # many equal distances
    labels = draw(arrays(np.int64, n, elements=st.integers(0, n_classes - 1)))
    table = draw(arrays(np.float64, (n_classes, n_classes), elements=st.sampled_from([0, 0.25, 0.5, 1])))
    return features, labels, table, draw(st.integers(1, n - 1)), draw(st.integers(1, 20))


@given(small())
@pytest.mark.filterwarnings("ignore:.*their AP is 0")
def test_every_figure_is_its_definition(case):
    features, labels, table, k, clip = case
    found = hierarchical_retrieval(features, labels, table, (1, k), clip, ties="index")
    equal(found, naive_retrieval(features, labels, table, (1, k), clip))
    part = hierarchical_retrieval(features, labels, table, (1, k), clip, full=False, ties="index")
    equal(part, {key: values for key, values in found.items() if key not in ("AHP", "AP")}, atol=0)


@settings(deadline=None, max_examples=40)
@given(small())
@pytest.mark.filterwarnings("ignore:.*their AP is 0")
def test_of_equals_every_order_is_as_likely(case):
    features, labels, table, k, clip = case
    features, labels = features[:5], labels[:5]
    k = min(k, len(labels) - 1)
    orders = [list(order) for order in itertools.permutations(range(len(labels)))]
    drawn: dict[str, list[np.ndarray]] = {}
    for order in orders:
        for key, values in naive_retrieval(features[order], labels[order], table, (1, k), clip).items():
            drawn.setdefault(key, []).append(values[np.argsort(order)])
    found = hierarchical_retrieval(features, labels, table, (1, k), clip)
    equal(found, {key: np.mean(values, axis=0) for key, values in drawn.items()})
    part = hierarchical_retrieval(features, labels, table, (1, k), clip, full=False)
    equal(part, {key: values for key, values in found.items() if key not in ("AHP", "AP")}, atol=1e-15)


def test_a_collapsed_model_is_measured_as_chance_is():
    labels, table = np.repeat(np.arange(10), 20), np.eye(10)
    found = hierarchical_retrieval(np.ones((200, 3)), labels, table, (1, 10), 50, curve=True)
    level = hierarchical_chance(labels, table, (1, 10), 50)
    assert {key: found[key].mean() for key in level} == pytest.approx(level)
    drawn = [hierarchical_retrieval(np.random.default_rng(i).random((200, 9)), labels, table)["AP"] for i in range(9)]
    assert found["AP"].mean() == pytest.approx(np.mean(drawn), abs=0.005)
    assert found["recall_precision"].max() < 0.12  # 19 of 199 are right
    assert hierarchical_retrieval(np.ones((200, 3)), labels, table, ties="index")["AP"].mean() > 0.14


def test_the_cosine_is_the_distance_of_unit_rows_whatever_their_length():
    features, labels, table = problem()
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    longer = features * np.linspace(0.1, 100, len(features))[:, None]
    found = hierarchical_retrieval(longer, labels, table, (1, 10), 20, normalize=True)
    equal(found, naive_retrieval(unit, labels, table, (1, 10), 20))
    assert not np.array_equal(found["AHP"], hierarchical_retrieval(longer, labels, table, (1, 10), 20)["AHP"])


def test_a_zero_row_is_at_right_angles_to_everything():
    features = np.array([[0.0, 0], [1, 0.1], [1, 0], [-1, 0]])
    ((_, order),) = nearest_first(features, np.arange(4), 3, normalize=True)
    assert order.tolist() == [[1, 2, 3], [2, 0, 3], [1, 0, 3], [0, 1, 2]]


def test_several_similarities_share_the_order():
    features, labels, table = problem()
    tables = {"one": table, "two": table**2}
    both = hierarchical_retrieval(features, labels, tables, (1, 10), 20, curve=True)
    for name in tables:
        alone = hierarchical_retrieval(features, labels, tables[name], (1, 10), 20, curve=True)
        equal({key: both[key if key in both else f"{key}_{name}"] for key in alone}, alone, atol=0)
    assert len(both) == 2 * 5 + 2  # AP and the recall-precision curve are there once


def test_blocks_do_not_change_a_figure(monkeypatch):
    features, labels, table = problem()
    whole = hierarchical_retrieval(features, labels, table, (1, 10), 20, curve=True)
    monkeypatch.setattr(kith.similarity, "BLOCK", 7 * len(labels))
    monkeypatch.setattr(ordering, "CACHED", 3 * len(labels))
    blocks = hierarchical_retrieval(features, labels, table, (1, 10), 20, curve=True)
    equal(blocks, whole, atol=1e-15)


@pytest.mark.parametrize(("rounded", "normalize"), [(False, False), (False, True), (True, False)])
def test_a_few_of_many_are_the_first_of_whole_lists(monkeypatch, rounded, normalize):
    features, labels, table = problem(400)
    features = np.round(features) if rounded else features
    asked = []
    monkeypatch.setattr(hierarchical, "ranked_lists", lambda *given: asked.append(1) or ordering.ranked_lists(*given))
    few = hierarchical_retrieval(features, labels, table, (1, 10), 12, normalize, full=False, curve=True)
    assert not asked
    whole = hierarchical_retrieval(features, labels, table, (1, 10), 12, normalize, curve=True)
    assert asked
    equal(few, {key: whole[key] for key in few}, atol=3e-15)  # a mean curve adds up blocks of other sizes


def test_tensors_give_what_arrays_give():
    features, labels, table = problem()
    tensors = (torch.from_numpy(x) for x in (features, labels, table))
    expected = hierarchical_retrieval(features, labels, table, (1, 10))
    equal(hierarchical_retrieval(*tensors, ks=(1, 10)), expected, atol=0)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("device", ["fake", "cuda"])
def test_the_path_of_a_gpu_gives_the_same(monkeypatch, full, device):
    features, labels, table = problem()
    features[7] = features[3]
    expected = hierarchical_retrieval(features, labels, table, (1, 10), 20, full=full, curve=True)
    if device == "fake":
        for module in (ordering, hierarchical):
            monkeypatch.setattr(module, "gpu_of", lambda values: torch.device("cpu"))
        monkeypatch.setattr(ordering, "ON_GPU", 7 * len(labels))
        given_features = torch.from_numpy(features)
    elif torch.cuda.is_available():
        given_features = torch.from_numpy(features).cuda()
    else:
        pytest.skip("no GPU")
    found = hierarchical_retrieval(given_features, labels, table, (1, 10), 20, full=full, curve=True)
    assert all(isinstance(values, np.ndarray) for values in found.values())
    equal(found, expected)


def test_curves_are_the_means_at_every_k_and_every_recall():
    features, labels, table = problem(n=31)
    found = hierarchical_retrieval(features, labels, table, range(1, 13), 12, curve=True)
    assert found["curve"] == pytest.approx([found[f"HP@{k}"].mean() for k in range(1, 13)], abs=1e-14)
    expected = np.zeros(101)
    for rows, order in nearest_first(features, np.arange(31), 30):
        for query, ranked in zip(rows, order, strict=True):
            hits = labels[ranked] == labels[query]
            recall, precision = np.cumsum(hits) / hits.sum(), np.cumsum(hits) / np.arange(1, 31)
            expected += [max(precision[recall >= level / 100 - 1e-9]) / 31 for level in range(101)]
    assert found["recall_precision"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100, 4998, 4999])
def test_distances_that_differ_in_their_last_bits_are_told_apart(limit):
    """Sorting packs distance and column into 64 bits; here the bits that find no room decide."""
    steps = np.random.default_rng(0).permutation(5000)
    features = 1 + steps[:, None] * 2.0**-48
    features[17] = 0
    ((_, order),) = nearest_first(features, np.array([17]), limit)
    exact = features[:, 0] ** 2
    exact[17] = np.inf
    assert len(np.unique(exact)) > 4900
    assert order[0].tolist() == np.argsort(exact, kind="stable")[:limit].tolist()


def test_what_rounding_puts_below_zero_is_at_zero():
    assert ordering._order(np.array([[3.0, -2, 0.5, -1]]), np.array([0]), 3)[0].tolist() == [[1, 3, 2]]


@pytest.mark.parametrize("limit", [3, 10, 39])
def test_equal_rows_come_by_index(limit):
    rng = np.random.default_rng(1)
    features = np.tile(rng.standard_normal((8, 30)), (5, 1))
    ((_, order),) = nearest_first(features, np.arange(40), limit)
    for query, found in enumerate(order):
        distance = np.linalg.norm(features[:8] - features[query], axis=1)[np.arange(40) % 8]
        expected = sorted(set(range(40)) - {query}, key=lambda j, d=distance: (d[j], j))
        assert found.tolist() == expected[:limit]


def test_a_perfect_order_falls_short_of_one_by_half_an_interval_at_each_end():
    labels = np.repeat(np.arange(3), 100)
    found = hierarchical_retrieval(labels[:, None] * 1.0, labels, 1 - np.abs(np.subtract.outer(*[range(3)] * 2)) / 2)
    assert found["AHP@250"] == pytest.approx(0.996)
    assert found["AHP"] == pytest.approx(298 / 299)
    assert found["HP@100"] == pytest.approx(1)


def test_a_class_of_one_has_an_average_precision_of_zero_and_no_nan():
    features, labels, table = np.arange(5.0)[:, None], np.array([0, 0, 1, 0, 0]), np.eye(2)
    with pytest.warns(UserWarning, match="1 of 5 queries find no item of their class") as caught:
        found = hierarchical_retrieval(features, labels, table, (1, 4), 3)
    assert caught[0].filename == __file__
    assert found["AP"][0] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert found["AP"][2] == found["HP@1"][2] == found["AHP"][2] == 0
    assert all(np.isfinite(values).all() for values in found.values())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hierarchical_retrieval(features, labels, table, (1, 4), 3, full=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ks": (1, 60)}, "ks: 60 is not between 1 and the 59 items"),
        ({"ks": (0,)}, "ks: 0 is not"),
        ({"clip": 0}, "clip: 0"),
        ({"labels": np.full(60, 7)}, "labels: row 0 is 7, not among the 7 classes"),
        ({"labels": np.full(60, -1)}, "labels: row 0 is -1"),
        ({"labels": np.zeros(60)}, r"labels: expected \(n,\) integers, not float64"),
        ({"labels": np.zeros(59, dtype=int)}, r"59 labels, but features of the shape \(60, 5\)"),
        ({"features": np.full((60, 5), np.nan)}, "features: row 0 is not finite"),
        ({"features": np.full((60, 5), 1e200)}, "features: row 0 is not finite, or too large"),
        ({"features": np.full((60, 5), np.inf), "normalize": True}, "features: row 0 is not finite"),
        ({"similarity": np.eye(7)[:6]}, r"similarity: expected \(n_classes, n_classes\)"),
        ({"similarity": {"a": np.eye(7), "b": np.eye(8)}}, "similarity b: expected"),
        ({"similarity": {"a": -np.eye(7)}}, "similarity a: row 0, column 0"),
        ({"similarity": {}}, "similarity: there is no matrix"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    features, labels, table = problem()
    arguments = {"features": features, "labels": labels, "similarity": table, "ks": (1, 10)} | change
    with pytest.raises(KithError, match=message):
        hierarchical_retrieval(**arguments)


def test_given_rankings_are_measured_like_found_ones():
    features, labels, table = problem()
    ((rows, order),) = nearest_first(features, np.arange(60), 59)
    expected = hierarchical_retrieval(features, labels, table, (1, 10), 20)
    equal(hierarchical_metrics(order, labels, table, (1, 10), 20), expected, atol=1e-14)
    with_query = np.hstack([rows[:, None], order])
    equal(hierarchical_metrics(with_query, labels, table, (1, 10), 20), expected, atol=1e-14)
    short = [ranking[: 5 + i % 3] for i, ranking in enumerate(with_query)]
    some = hierarchical_metrics(short, labels, {"a": table}, (1, 3), 4, complete=np.arange(60))
    assert some["HP@3_a"] == pytest.approx(hierarchical_metrics(order, labels, table, (3,), 4)["HP@3"])


@pytest.mark.parametrize(
    ("rankings", "message"),
    [
        ([[1, 2, 1]], "ranking of query 0: item 1 is listed more than once"),
        ([[1, 9]], "ranking of query 0: there is no item 9; there are 3 labels"),
        ([[0]], "a list without any item"),
        ([[0, 1]] * 4, "ranking of query 3: there is no item 3"),
        ([], "0 rankings"),
    ],
)
def test_a_wrong_ranking_is_named(rankings, message):
    with pytest.raises(KithError, match=message), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hierarchical_metrics(rankings, np.array([0, 0, 1]), np.eye(2), (1,))


def test_arrays_are_measured_without_torch():
    code = "import sys, kith.metrics.hierarchical, kith.metrics.classification; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def tree():
    """Features, labels, LCSH and WUP of the golden retrieval problem."""
    spec = importlib.util.spec_from_file_location("recipe", GOLDEN / "recipe.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    hierarchy = np.load(GOLDEN / "hierarchy_cifar100.npz")
    features, labels = recipe.tree_features(1000, hierarchy["edges"], sigma=2.5)
    expected = json.loads((GOLDEN / "retrieval_tree_1000.json").read_text())
    assert hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest() == expected["labels_sha256_int64le"]
    assert features.ravel()[:3].tolist() == expected["features_first3"]
    return features, labels, {"lcsh": 1 - hierarchy["lcs_height"][:100, :100], "wup": hierarchy["wup"][:100, :100]}


def published(key: str) -> str:
    """Our name of a figure of the published program: "P@10_WUP" → "HP@10_wup"."""
    name, _, measure = key.partition("_")
    return ("H" if name.startswith("P@") else "") + name + (f"_{NAMES[measure]}" if measure else "")


@golden
@pytest.mark.parametrize("name", ["retrieval_tree_1000", "retrieval_tree_1000_l2norm"])
def test_published_figures_to_the_last_bit(tree, name):
    normalize = name.endswith("l2norm")
    expected = np.load(GOLDEN / f"{name}.npz")
    summary = json.loads((GOLDEN / f"{name}.json").read_text())
    found = hierarchical_retrieval(*tree, normalize=normalize)
    found |= hierarchical_retrieval(*tree, clip=100, normalize=normalize, full=False)
    keys = [key for key in expected.files if not key.startswith(("noignore", "top20"))]
    assert len(keys) >= 13
    for key in keys:
        np.testing.assert_allclose(found[published(key)], expected[key], rtol=0, atol=1e-15 if key == "AP" else 0)
    for measure, ours in NAMES.items():
        assert found[f"AHP@250_{ours}"].mean() == pytest.approx(summary["clip250"][f"AHP@250 ({measure})"], abs=1e-13)
    rankings = {
        int(q): order
        for rows, block in nearest_first(tree[0], np.arange(1000), 999, normalize)
        for q, order in zip(rows, block, strict=True)
    }
    whole = np.array([[q, *rankings[q]] for q in range(1000)], dtype="<i4")
    assert hashlib.sha256(whole.tobytes()).hexdigest() == summary["ranking_sha256_int32le"]
    if not normalize:
        kept = hierarchical_metrics(whole, tree[1], tree[2], exclude_query=False)
        for key in (key for key in expected.files if key.startswith("noignore")):
            ours = published(key.removeprefix("noignore_"))
            np.testing.assert_allclose(kept[ours], expected[key], rtol=0, atol=1e-15 if ours == "AP" else 0)


@golden
def test_published_curve(tree):
    table = np.loadtxt(GOLDEN / "retrieval_tree_1000_curve.csv", delimiter=";", skiprows=1)
    found = hierarchical_retrieval(tree[0], tree[1], tree[2]["lcsh"], full=False, curve=True)["curve"]
    np.testing.assert_allclose(found, table[:, 1], rtol=0, atol=1e-12)


def toy_similarities(edges: list[list[int]]) -> dict[str, np.ndarray]:
    """LCSH and WUP of every pair of nodes of a small tree, by their definitions."""
    parent = {child: above for above, child in edges}

    def ancestors(node: int) -> list[int]:
        return [node, *(ancestors(parent[node]) if node in parent else [])]

    n = len(edges) + 1
    height = [max(ancestors(v).index(u) for v in range(n) if u in ancestors(v)) for u in range(n)]
    common = [[next(x for x in ancestors(a) if x in ancestors(b)) for b in range(n)] for a in range(n)]
    depth = [len(ancestors(u)) for u in range(n)]
    return {
        "lcsh": np.array([[1 - height[x] / max(height) for x in row] for row in common]),
        "wup": np.array([[2 * depth[common[a][b]] / (depth[a] + depth[b]) for b in range(n)] for a in range(n)]),
    }


TOY = json.loads((GOLDEN / "retrieval_toy.json").read_text()) if GOLDEN.exists() else {"cases": []}
# Where the program was off: the query not among the first, and a class whose similarity to itself is not 1.
OFF = {
    "query_at_rank3": {"HP@3_lcsh", "AHP_lcsh", "HP@3_wup", "AHP_wup"},
    "query_far_down": {"HP@3_lcsh", "HP@5_lcsh", "AHP@5_lcsh", "HP@3_wup", "HP@5_wup", "AHP@5_wup"},
    "internal_class_label": {"HP@1_lcsh", "HP@2_lcsh", "HP@3_lcsh", "AHP_lcsh"},
}


@pytest.mark.parametrize("case", TOY["cases"], ids=lambda case: case["name"])
@pytest.mark.filterwarnings("ignore:.*their AP is 0")
def test_published_edge_cases(case):
    options, expected = case["kwargs"], case["expected"]
    tables, labels = toy_similarities(TOY["edges"]), np.array(case["labels"])
    queries, ahp = [int(q) for q in case["rankings"]], options["compute_ahp"]
    clip = 250 if isinstance(ahp, bool) else ahp
    arguments = {"queries": queries, "complete": options.get("all_ids")}
    arguments["exclude_query"] = options.get("ignore_qids", True)
    rankings = list(case["rankings"].values())
    if "raises" in expected:
        with pytest.raises(KithError, match="ks: 10 is not between 1 and the 3 items of a list"):
            hierarchical_metrics(rankings, labels, tables, case["ks"], clip, **arguments)
        return
    found = hierarchical_metrics(rankings, labels, tables, case["ks"], clip, **arguments)
    off = set()
    for title, values in expected["per_query"].items():
        key = published(title.replace(" (", "_").rstrip(")"))
        if found[key] != pytest.approx(list(values.values()), abs=1e-12):
            off.add(key)
    assert off == OFF.get(case["name"], set())
    for place, query in enumerate(queries):
        order = rankings[place] + [i for i in arguments["complete"] or [] if i not in rankings[place]]
        order = [i for i in order if i != query or not arguments["exclude_query"]]
        for name, table in tables.items():
            for key, value in naive(labels[query], labels[order].tolist(), table, case["ks"], clip).items():
                assert found[key if key == "AP" else f"{key}_{name}"][place] == pytest.approx(value, abs=1e-12), key
