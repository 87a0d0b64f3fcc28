"""Taxonomies against the published program's numbers, a naive reference, and files that are wrong."""

import gzip
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.errors import KithError
from kith.taxonomy import Taxonomy, read_names

SHARED = Path(__file__).resolve().parents[3] / "shared"
GOLDEN, FILES = SHARED / "golden" / "hierarchy", SHARED / "hierarchies"
golden = pytest.mark.skipif(not (GOLDEN.is_dir() and FILES.is_dir()), reason="no golden data")
DAG = "ilsvrc/wordnet.parent-child.pruned.txt.gz"
COUNTS = {  # file, order, ids: nodes, leaves, H
    ("cifar/cifar.parent-child.txt", "parent-child", int): (163, 100, 8),
    ("nab/hierarchy.txt", "child-parent", int): (1011, 555, 4),
    ("cub/cub_flat.parent-child.txt", "parent-child", int): (368, 200, 4),
    ("cub/cub_wikispecies.parent-child.txt", "parent-child", int): (383, 200, 6),
    ("cub/cub_balanced.parent-child.txt", "parent-child", int): (421, 200, 7),
    ("ilsvrc/wordnet.parent-child.mintree.txt", "parent-child", str): (1785, 1000, 18),
    ("inat/hierarchy_inat.txt", "parent-child", str): (14036, 8142, 7),
    ("inat/hierarchy_inat2019.txt", "parent-child", str): (1190, 1010, 7),
}
# a is above everything; d has two parents; lcs(d, e) is b or c by depth.
DIAMOND = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("c", "e"), ("b", "e"), ("b", "f")]


@pytest.fixture(scope="module")
def ilsvrc() -> Taxonomy:
    return Taxonomy.read(FILES / DAG, ids=str)


@pytest.fixture(scope="module")
def wnids() -> list[str]:
    return [str(wnid) for wnid in np.load(GOLDEN / "embedding_ilsvrc_mintree.npz")["wnids"]]


@golden
@pytest.mark.parametrize("name", ["cifar100", "random_tree_a", "random_dag_unique", "random_dag_ambiguous"])
def test_published_numbers(name):
    expected = np.load(GOLDEN / f"hierarchy_{name}.npz")
    summary = json.loads((GOLDEN / "hierarchies.json").read_text())[name]
    taxonomy = Taxonomy.from_edges(expected["edges"])
    assert (len(taxonomy), len(taxonomy.leaves), taxonomy.heights.max()) == tuple(
        summary[key] for key in ("nodes", "leaves", "max_height")
    )
    assert taxonomy.is_tree == expected["is_tree"]
    assert taxonomy.leaves == expected["nodes"][expected["is_leaf"]].tolist()
    np.testing.assert_array_equal(taxonomy.nodes, expected["nodes"])
    np.testing.assert_array_equal(taxonomy.heights, expected["heights"])
    for kind in ("longest", "shortest"):
        np.testing.assert_array_equal(taxonomy.depths(kind), expected[f"depth_{kind}"])
    dissimilarity = 1 - taxonomy.similarity(taxonomy.nodes)
    wup = taxonomy.similarity(taxonomy.nodes, "wup")
    certain = expected["n_lcs_candidates"] == 1
    assert certain.sum() == certain.size - 2 * summary["pairs_ambiguous_lcs"]
    np.testing.assert_allclose(dissimilarity[certain], expected["lcs_height"][certain], rtol=0, atol=1e-15)
    np.testing.assert_array_equal(wup[certain], expected["wup"][certain])
    # The published program leaves the choice between several deepest ancestors to chance; the lowest is taken here.
    np.testing.assert_allclose(dissimilarity, expected["lcs_height_cand_min"], rtol=0, atol=1e-15)
    assert ((wup >= expected["wup_cand_min"]) & (wup <= expected["wup_cand_max"])).all()
    for i, j in np.argwhere(certain)[::7].tolist():
        assert taxonomy.lcs(taxonomy.nodes[i], taxonomy.nodes[j]) == expected["lcs"][i, j]


@golden
@pytest.mark.parametrize(("path", "order", "ids"), COUNTS)
def test_known_sizes(path, order, ids):
    taxonomy = Taxonomy.read(FILES / path, order, ids)
    assert (len(taxonomy), len(taxonomy.leaves), taxonomy.heights.max()) == COUNTS[path, order, ids]
    assert taxonomy.is_tree
    assert len(taxonomy.roots) == 1


@golden
@pytest.mark.parametrize(
    ("name", "path", "order", "ids"),
    [
        (name, *next(key for key in COUNTS if key[0].startswith(start)))
        for name, start in [
            ("cifar100", "cifar"),
            ("nab", "nab"),
            ("cub_flat", "cub/cub_flat"),
            ("cub_wikispecies", "cub/cub_wikispecies"),
            ("cub_balanced", "cub/cub_balanced"),
            ("ilsvrc_mintree", "ilsvrc"),
        ]
    ],
)
def test_published_class_similarities(name, path, order, ids):
    expected = np.load(GOLDEN / f"embedding_{name}.npz")
    taxonomy = Taxonomy.read(FILES / path, order, ids)
    similarity = taxonomy.similarity()
    np.testing.assert_array_equal(taxonomy.leaves, expected["wnids" if "wnids" in expected else "labels"])
    np.testing.assert_array_equal(similarity, 1 - expected["lcs_height_int"] / expected["max_height"])
    if "wup_sim" in expected:
        np.testing.assert_array_equal(taxonomy.similarity(measure="wup"), expected["wup_sim"])


@golden
def test_wordnet_graph(ilsvrc, wnids):
    assert (len(ilsvrc), len(ilsvrc.leaves), ilsvrc.heights.max(), len(ilsvrc.roots)) == (73473, 57130, 19, 129)
    assert not ilsvrc.is_tree
    closure = [line.split("\t") for line in (FILES / "ilsvrc/wordnet.pruned.closure.tsv").read_text().splitlines()[1:]]
    pruned = ilsvrc.pruned(wnids)
    assert pruned.nodes == sorted(node for node, _, _ in closure)
    assert pruned.roots == ["n00001740"]
    position = ilsvrc.positions([node for node, _, _ in closure])
    assert ilsvrc.heights[position].tolist() == [int(height) for _, height, _ in closure]
    parents = {node: {pruned.nodes[p] for p in above} for node, above in zip(pruned.nodes, pruned.parents, strict=True)}
    assert parents == {node: set(filter(None, above.split(","))) for node, _, above in closure}
    chosen = wnids[::37]
    for measure in ("lcsh", "wup"):
        similarity = ilsvrc.similarity(chosen, measure)
        np.testing.assert_allclose(similarity, naive(ilsvrc, chosen, measure), rtol=0, atol=1e-15)


@golden
def test_wordnet_tree(ilsvrc, wnids):
    """The published tree has the same size; one edge differs, where two paths are equally good."""
    tree = ilsvrc.to_tree(wnids)
    published = Taxonomy.read(FILES / "ilsvrc/wordnet.parent-child.mintree.txt", ids=str)
    assert (len(tree), tree.leaves, tree.heights.max(), tree.is_tree) == (1785, sorted(wnids), 18, True)
    assert len(edges(tree) - edges(published)) == 1


@golden
def test_indented_files_are_their_edge_files():
    names = read_names(FILES / "cifar/class_names.txt")
    everything = Taxonomy.read_indented(FILES / "cifar/hierarchy.txt", names)
    assert edges(everything) == edges(Taxonomy.read(FILES / "cifar/cifar.parent-child.txt"))
    classes = {node: name for node, name in names.items() if node < 100}
    cifar = Taxonomy.read_indented(FILES / "cifar/hierarchy.txt", classes)
    assert cifar.leaves == list(range(100))
    assert cifar.nodes == list(range(163))
    assert [cifar.name(node) for node in (0, 100, 101)] == ["apple", "entity", "natural_scenes"]
    np.testing.assert_array_equal(
        cifar.similarity(), Taxonomy.read(FILES / "cifar/cifar.parent-child.txt").similarity()
    )
    names = read_names(FILES / "cub/classes_wikispecies.txt")
    for kind in ("flat", "wikispecies", "balanced"):
        cub = Taxonomy.read_indented(FILES / f"cub/hierarchy_{kind}.txt", names)
        published = Taxonomy.read(FILES / f"cub/cub_{kind}.parent-child.txt")
        assert cub.leaves == published.leaves
        np.testing.assert_array_equal(cub.similarity(), published.similarity())


def edges(taxonomy: Taxonomy) -> set[tuple]:
    return {(taxonomy.nodes[parent], taxonomy.nodes[child]) for parent, child in taxonomy.edges.tolist()}


def naive(taxonomy: Taxonomy, labels: list, measure: str = "lcsh", depth: str = "longest") -> np.ndarray:
    """From the definitions, pair by pair."""
    position = {node: i for i, node in enumerate(taxonomy.nodes)}
    depths = dict(zip(taxonomy.nodes, taxonomy.depths(depth).tolist(), strict=True))
    heights = dict(zip(taxonomy.nodes, taxonomy.heights.tolist(), strict=True))

    def up(node, steps=0, found=None):
        found = {} if found is None else found
        if steps < found.get(node, 1e9):
            found[node] = steps
            for parent in taxonomy.parents[position[node]]:
                up(taxonomy.nodes[parent], steps + 1, found)
        return found

    def length(x, y):
        return min(up(x)[h] + up(y)[h] for h in up(x).keys() & up(y).keys())

    def pair(a, b):
        common = sorted(up(a).keys() & up(b).keys())
        lcs = min(common, key=lambda node: (-depths[node], heights[node], node))
        assert taxonomy.lcs(a, b, depth) == lcs
        if measure == "lcsh":
            return 1 - heights[lcs] / max(heights.values())
        return 2 * depths[lcs] / (2 * depths[lcs] + length(a, lcs) + length(b, lcs))

    return np.array([[pair(a, b) for b in labels] for a in labels])


@st.composite
def graphs(draw, width=3):
    """(parent, child) pairs with one root, 0."""
    n = draw(st.integers(2, 14))
    parents = [draw(st.sets(st.integers(0, i - 1), min_size=1, max_size=width)) for i in range(1, n)]
    return [(parent, child) for child, above in enumerate(parents, start=1) for parent in sorted(above)]


@settings(max_examples=40, deadline=None)
@given(graphs(), st.sampled_from(["lcsh", "wup"]), st.sampled_from(["longest", "shortest"]), st.randoms())
def test_similarity_is_its_definition(pairs, measure, depth, random):
    random.shuffle(pairs)
    taxonomy = Taxonomy.from_edges(pairs)
    labels = random.choices(taxonomy.nodes, k=5)
    expected = naive(taxonomy, labels, measure, depth)
    np.testing.assert_allclose(taxonomy.similarity(labels, measure, depth), expected, rtol=0, atol=1e-15)


@settings(max_examples=40, deadline=None)
@given(graphs(), st.data())
def test_tree_holds_the_classes_on_their_own_paths(pairs, data):
    taxonomy = Taxonomy.from_edges(pairs)
    classes = data.draw(st.lists(st.sampled_from(taxonomy.nodes[1:]), min_size=1))
    tree = taxonomy.to_tree(classes)
    assert tree.is_tree
    assert tree.roots == [0]
    assert edges(tree) <= edges(taxonomy)
    assert set(tree.leaves) <= set(classes) <= set(tree.nodes)
    assert edges(tree) == edges(taxonomy.to_tree(classes))
    assert taxonomy.is_tree is False or edges(tree) == edges(taxonomy.pruned(classes))


def test_tree_adds_as_few_nodes_as_it_can():
    # x has one path and brings p; y reaches the tree over p at once, over q and r by two new nodes.
    pairs = [("root", "p"), ("p", "x"), ("root", "r"), ("r", "q"), ("q", "y"), ("p", "y")]
    tree = Taxonomy.from_edges(pairs).to_tree(["y", "x"])
    assert edges(tree) == {("root", "p"), ("p", "x"), ("p", "y")}
    # Over s or t, both new: the first in the file.
    pairs = [("root", "t"), ("root", "s"), ("t", "y"), ("s", "y")]
    assert edges(Taxonomy.from_edges(pairs).to_tree(["y"])) == {("root", "t"), ("t", "y")}


def test_ties_go_to_the_deepest_then_lowest_then_first():
    taxonomy = Taxonomy.from_edges(DIAMOND)
    assert taxonomy.lcs("d", "e") == "b"
    assert Taxonomy.from_edges([*DIAMOND, ("f", "g")]).lcs("d", "e") == "c"
    assert Taxonomy.from_edges([*DIAMOND, ("h", "b"), ("a", "h")]).lcs("d", "e") == "b"
    assert Taxonomy.from_edges([*DIAMOND, ("h", "c"), ("a", "h")]).lcs("d", "e") == "c"


def test_an_inner_node_is_not_wholly_like_itself_by_height():
    taxonomy = Taxonomy.from_edges([(0, 1), (1, 2), (1, 3)])
    assert taxonomy.similarity([1, 2]).tolist() == [[0.5, 0.5], [0.5, 1.0]]
    assert taxonomy.similarity([1, 2], "wup").tolist() == [[1.0, 0.8], [0.8, 1.0]]


def test_structure():
    taxonomy = Taxonomy.from_edges([*DIAMOND, DIAMOND[0]], {"a": "all"})
    assert len(taxonomy.edges) == len(DIAMOND)
    assert (taxonomy.roots, taxonomy.leaves, taxonomy.is_tree) == (["a"], ["d", "e", "f"], False)
    assert taxonomy.ancestors("d") == {"d": 0, "b": 1, "c": 1, "a": 2}
    assert (taxonomy.name("a"), taxonomy.name("b")) == ("all", "b")
    assert taxonomy.classes() == ["d", "e", "f"]
    assert taxonomy.classes(["f", "d", "f"]) == ["f", "d"]
    assert taxonomy.pruned(["f"]).nodes == ["a", "b", "f"]
    assert taxonomy.similarity(["f", "f"]).tolist() == [[1, 1], [1, 1]]
    assert Taxonomy.from_edges([("2", "10"), ("2", "9")]).leaves == ["10", "9"]
    assert Taxonomy.from_edges(np.array([[2, 10], [2, 9]], np.int32)).leaves == [9, 10]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "no edges"),
        ([(1, 2), (2, 3), (3, 4), (4, 2), (4, 5)], ": 3 → 4 → 2 → 3;"),
        ([("a", "b"), ("b", "b")], "cycle.*b → b"),
        ([(1, "a")], "not both: 1, 'a'"),
        ([(1, 2.5)], "2.5 is neither"),
    ],
)
def test_graphs_that_are_no_taxonomy(pairs, message):
    with pytest.raises(KithError, match=message):
        Taxonomy.from_edges(pairs)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda t: t.lcs("d", "x"), "no node 'x'.*such as 'a'"),
        (lambda t: t.similarity(["d", 3]), "no node '3'"),
        (lambda t: t.lcs("d", "z"), "'d' and 'z' have no common ancestor"),
        (lambda t: t.similarity(["d", "e", "z"]), "'d' and 'z' have no common ancestor"),
        (lambda t: t.similarity(["z", "d"], "wup"), "'z' and 'd' have no common ancestor"),
        (lambda t: t.similarity(measure="path"), "measure: 'path'"),
        (lambda t: t.similarity([]), "no labels"),
        (lambda t: t.depths("least"), "depth: 'least'"),
        (lambda t: t.pruned(["q"]), "no node 'q'"),
    ],
)
def test_questions_without_an_answer(ask, message):
    with pytest.raises(KithError, match=message):
        ask(Taxonomy.from_edges([*DIAMOND, ("y", "z")]))


@pytest.mark.parametrize("name", ["edges.txt", "edges.txt.gz"])
@pytest.mark.parametrize("pairs", [[(3, 1), (3, 2), (10, 3)], [("root", "a"), ("root", "two words"), ("a", "ü")]])
def test_written_edges_are_read_back(tmp_path, name, pairs):
    Taxonomy.from_edges(pairs).write(tmp_path / name)
    again = Taxonomy.read(tmp_path / name, ids=type(pairs[0][0]))
    assert (again.nodes, again.edges.tolist()) == (
        Taxonomy.from_edges(pairs).nodes,
        Taxonomy.from_edges(pairs).edges.tolist(),
    )
    first = (tmp_path / name).read_bytes()
    again.write(tmp_path / name)
    assert (tmp_path / name).read_bytes() == first
    assert (first[:2] == b"\x1f\x8b") == name.endswith(".gz")


@pytest.mark.parametrize("pair", [("two words", "a"), ("", "a"), ("a", "b\nc"), ("a", " b")])
def test_ids_that_cannot_be_read_back_are_not_written(tmp_path, pair):
    with pytest.raises(KithError, match="cannot be written"):
        Taxonomy.from_edges([pair]).write(tmp_path / "edges.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n\n3\n", "line 3: expected two ids, parent and child; found '3'"),
        ("1 2\n1 b\n", "line 2: 'b' is no integer; read it with ids=str"),
        ("\n", "edges.txt: taxonomy: has no edges"),
        ("1 2\n2 1\n", "edges.txt: taxonomy: has a cycle"),
    ],
)
def test_edge_files_that_are_wrong(tmp_path, text, message):
    path = tmp_path / "edges.txt"
    path.write_text(text)
    with pytest.raises(KithError, match=message):
        Taxonomy.read(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(KithError, match="no such file"):
        Taxonomy.read(tmp_path / "none.txt")
    (tmp_path / "edges.txt.gz").write_text("1 2\n")
    (tmp_path / "latin.txt").write_bytes(b"a \xe9\n")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"1 2\n" * 1000)[:-12])
    for name in ("edges.txt.gz", "latin.txt", "cut.gz"):
        with pytest.raises(KithError, match=f"{name}: cannot be read"):
            Taxonomy.read(tmp_path / name, ids=str)
    with pytest.raises(KithError, match="order: 'up'"):
        Taxonomy.read(tmp_path / "latin.txt", order="up")


INDENTED = "all\n\n-- pets\n---- cat\n---- big dog\n-- car\n"


@pytest.mark.parametrize(
    ("classes", "ids"),
    [
        ({7: "cat", 3: "big dog", 9: "car"}, {"all": 10, "pets": 11, "cat": 7, "big dog": 3, "car": 9}),
        ({"n1": "cat", "n2": "car"}, {"all": "all", "pets": "pets", "cat": "n1", "big dog": "big dog", "car": "n2"}),
        (None, {name: name for name in ("all", "pets", "cat", "big dog", "car")}),
    ],
)
def test_indented_file(tmp_path, classes, ids):
    (tmp_path / "tree.txt").write_text(INDENTED)
    taxonomy = Taxonomy.read_indented(tmp_path / "tree.txt", classes)
    names = [("all", "pets"), ("pets", "cat"), ("pets", "big dog"), ("all", "car")]
    assert edges(taxonomy) == {(ids[parent], ids[child]) for parent, child in names}
    assert {taxonomy.name(node): node for node in taxonomy.nodes} == ids


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- a\n", "line 1: 'a' is indented, but the first line"),
        ("a\n--- b\n", "line 2: 'b' has 3 dashes"),
        ("a\n-- b\n\n------ c\n", "line 4: 'c' is more than one level below 'b'"),
        ("a\n-- b\n-- b\n", "line 3: 'b' stands here for the second time"),
        ("a\n--b\n", "line 2: expected a name, or dashes, a space and a name"),
        ("a\n  b\n", "line 2: expected a name"),
        ("a\n-- \n", "line 2: expected a name"),
        ("a\n-- cat\nb\n", "'b': has neither parent nor children"),
        ("a\n-- dog\n", "no line for the class 'cat'"),
    ],
)
def test_indented_files_that_are_wrong(tmp_path, text, message):
    path = tmp_path / "tree.txt"
    path.write_text(text)
    with pytest.raises(KithError, match=message):
        Taxonomy.read_indented(path, {0: "cat"} if "cat" in message + text else None)


@pytest.mark.parametrize(
    ("text", "message"), [("1 a\n1 b\n", "line 2: the id '1'"), ("1\n", "line 1: the id '1' has no")]
)
def test_class_lists_that_are_wrong(tmp_path, text, message):
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(KithError, match=message):
        read_names(tmp_path / "names.txt")


def test_a_long_chain_is_no_trouble():
    taxonomy = Taxonomy.from_edges(itertools.pairwise(range(3000)))
    assert taxonomy.heights.max() == 2999
    assert taxonomy.similarity([2999, 1500], "wup")[0, 1] == 2 * 1501 / (1501 + 3000)
    assert len(taxonomy.to_tree()) == 3000


@pytest.mark.parametrize("of", [str, int])
def test_a_tree_of_several_roots_has_one_above_them_where_it_needs_it(of):
    r1, r2, x, a, b, z = map(of, range(6))
    related = Taxonomy.from_edges([(r1, x), (r2, x), (x, a), (x, b)])
    assert related.rooted([a, b]) is related
    tree = related.to_tree([a, b])
    assert (tree.roots, tree.leaves, tree.is_tree) == ([r1], [a, b], True)
    assert tree.similarity([a, b]).tolist() == [[1, 0.5], [0.5, 1]]
    apart = Taxonomy.from_edges([(r1, x), (r2, x), (x, a), (x, b), (r2, z)]).to_tree([a, b, z])
    assert (len(apart.roots), apart.leaves, apart.is_tree) == (1, [a, b, z], True)
    assert apart.similarity([a, z])[0, 1] == 0 < apart.similarity([a, b])[0, 1]


def test_a_new_root_is_called_otherwise_than_what_is_there():
    assert Taxonomy.from_edges([("everything", "a"), ("y", "z")]).rooted(["a", "z"]).roots == ["everything_"]
    assert Taxonomy.from_edges([(0, 1), (2, 3)]).rooted([1, 3]).roots == [-1]


def test_a_root_is_added_only_where_classes_have_nothing_in_common():
    forest = Taxonomy.from_edges([("line", "bar"), ("line", "cross"), ("box", "square")])
    assert forest.rooted(["bar", "cross"]) is forest
    rooted = forest.rooted(["bar", "square"])
    assert rooted.roots == ["everything"]
    assert rooted.similarity(["bar", "cross", "square"]).round(2).tolist() == [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]
    with pytest.raises(KithError, match="frame"):
        forest.rooted(["frame", "bar"])
