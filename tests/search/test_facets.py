"""What a search can be narrowed by, against counts made by hand."""

import numpy as np
import pandas as pd
import pytest

from kith.errors import UnanswerableError
from kith.search.facets import Facets

EDGES = [
    *(("all", "animal"), ("animal", "dog"), ("animal", "cat"), ("dog", "poodle")),
    *(("all", "thing"), ("thing", "box")),
]
LABELS = ["dog", "poodle", "cat", "box", "poodle", "dog", "", "animal"]


class MadeData:
    """As much of prepared data as facets read."""

    def __init__(self, labels: list[str], edges: list[tuple[str, str]] = []):  # noqa: B006
        self.table = pd.DataFrame({"label_name": labels})
        self.splits = np.array(["train", "test"] * (len(labels) // 2))
        self.dataset = {"checksums": {"taxonomy.parquet": ""}}
        named = [(parent, child, f"the {child}") for parent, child in edges]
        self.taxonomy = pd.DataFrame(named, columns=["parent", "child", "name"], dtype=str)


@pytest.fixture
def tree() -> Facets:
    columns = pd.DataFrame({"colour": ["red", "red", "blue", "blue", "", "red", "blue", "red"]})
    return Facets(MadeData(LABELS, EDGES), columns.assign(price=[str(1.5 * i) for i in range(8)]))


def told(facets: Facets, where=(), near=None) -> dict:
    found = facets.told(np.ones(8, dtype=bool), None if near is None else np.array(near), where)
    return {facet["name"]: facet for facet in found}


def counts(facet: dict) -> dict[str, int]:
    return {value["title"]: value["count"] for value in facet["values"]}


def test_a_tree_counts_all_that_lies_below(tree):
    found = told(tree)
    assert list(found) == ["label", "column.colour", "split"]  # prices do not repeat: nothing to choose from
    assert counts(found["label"]) == {"the animal": 6, "the box": 1}  # of "thing" there are boxes alone
    assert counts(found["column.colour"]) == {"red": 4, "blue": 3}
    assert counts(found["split"]) == {"train": 4, "test": 4}


def test_a_node_stands_for_all_below_it(tree):
    assert tree.mask([("label", "animal")]).tolist() == [True, True, True, False, True, True, False, True]
    assert tree.mask([("label", "dog")]).tolist() == [True, True, False, False, True, True, False, False]
    found = told(tree, [("label", "animal")])["label"]
    assert [value["title"] for value in found["path"]] == ["the animal"]
    assert counts(found) == {"the dog": 4, "the cat": 1}
    deeper = told(tree, [("label", "poodle")])["label"]
    assert [value["title"] for value in deeper["path"]] == ["the animal", "the dog", "the poodle"]
    assert deeper["values"] == []


def test_a_facet_is_counted_without_its_own_filter_and_with_those_of_others(tree):
    found = told(tree, [("column.colour", "red"), ("split", "test")])
    # red and test: rows 1, 5, 7; test: 1, 3, 5, 7; red: 0, 1, 5, 7
    assert counts(found["label"]) == {"the animal": 3}
    assert counts(found["column.colour"]) == {"red": 3, "blue": 1}
    assert counts(found["split"]) == {"train": 1, "test": 3}
    assert [value["title"] for value in found["column.colour"]["values"] if value["chosen"]] == ["red"]
    assert tree.mask([("column.colour", "red"), ("split", "test")]).nonzero()[0].tolist() == [1, 5, 7]


def test_values_of_one_facet_add_up(tree):
    both = tree.mask([("column.colour", "red"), ("column.colour", "blue")])
    assert both.nonzero()[0].tolist() == [0, 1, 2, 3, 5, 6, 7]


def test_what_is_near_comes_first(tree):
    found = told(tree, near=[2, 3])
    assert [(value["title"], value["near"]) for value in found["column.colour"]["values"]] == [("blue", 2), ("red", 0)]
    assert [(value["title"], value["near"]) for value in found["label"]["values"]] == [
        ("the animal", 1),
        ("the box", 1),
    ]


def test_a_chosen_value_without_items_stays(tree):
    found = told(tree, [("column.colour", "blue"), ("label", "poodle"), ("split", "test")])
    assert counts(found["column.colour"]) == {"red": 1, "blue": 0}


def test_labels_without_a_tree_are_a_list():
    facets = Facets(MadeData(["a > b", "a > b", "c", ""]), pd.DataFrame(index=range(4)))
    (label, _) = facets.told(np.ones(4, dtype=bool), None, ())
    assert (label["kind"], counts(label)) == ("list", {"b": 2, "c": 1})


def test_only_the_commonest_of_many_values_are_listed():
    labels = [f"label {i // 2:03}" for i in range(400)]
    facets = Facets(MadeData(labels), pd.DataFrame(index=range(400)))
    (label, _) = facets.told(np.ones(400, dtype=bool), None, [("label", "label 199")])
    assert (len(label["values"]), label["more"]) == (51, 149)
    assert label["values"][-1]["chosen"]


def test_columns_of_measures_are_no_facets():
    rows = 300
    columns = pd.DataFrame(
        {
            "few": [str(i % 3) for i in range(rows)],
            "measure": [str(i % 40) for i in range(rows)],
            "words": [f"w{i % 40}" for i in range(rows)],
            "long": [("x" if i % 2 else "y") * 61 for i in range(rows)],
            "same": ["one"] * rows,
        }
    )
    facets = Facets(MadeData([""] * rows), columns)
    found = facets.told(np.ones(rows, dtype=bool), None, ())
    assert [facet["name"] for facet in found] == ["column.few", "column.words", "split"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ([("size", "L")], "there is no facet 'size'; there are label, column.colour, split"),
        ([("label", "horse")], "the taxonomy has no node 'horse'"),
        ([("column.colour", "green")], "no item has the colour 'green'"),
    ],
)
def test_filters_that_are_none_are_told(tree, where, message):
    with pytest.raises(UnanswerableError, match=message):
        tree.mask(where)


def test_items_may_have_several_labels():
    data = MadeData([""] * 8)
    data.table["labels"] = [["sky", "sea"], ["sky"], [], ["dog"], ["sky", "dog"], ["sea"], [], ["sky"]]
    facets = Facets(data, pd.DataFrame(index=range(8)))
    found = told(facets, near=[0, 3])
    assert list(found) == ["label", "split"]
    assert counts(found["label"]) == {"sky": 4, "sea": 2, "dog": 2}
    assert {each["title"]: each["near"] for each in found["label"]["values"]} == {"sky": 1, "sea": 1, "dog": 1}
    assert facets.mask([("label", "sea"), ("label", "dog")]).tolist() == [1, 0, 0, 1, 1, 1, 0, 0]
    with pytest.raises(UnanswerableError, match="no item has the label 'cat'"):
        facets.mask([("label", "cat")])
