"""Like this, but …: what is added and subtracted; filters and pages of results; words as they may have been meant."""

from pathlib import Path

import numpy as np
import pytest

from kith.errors import UnanswerableError
from kith.search import Prepared, Query, Run, answer
from kith.search.query import Term, combined
from kith.search.run import UnknownWordsError
from kith.search.spelling import Spelling
from tests import made_search
from tests.made_search import HELD_OUT


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    root: Path = tmp_path_factory.mktemp("terms")
    made_search.make_data(root)
    folder = made_search.make_run(root, "pairs-0")
    return Run(folder, Prepared(root / "data/made/prepared"))


def unit(vector: np.ndarray) -> np.ndarray:
    return vector.astype(np.float64) / np.linalg.norm(vector.astype(np.float64))


def found(run: Run, **query: object) -> list[int]:
    return [result["row"] for result in answer(run, Query(**query))["results"]]


def test_terms_are_added_and_subtracted_as_unit_vectors(run):
    vectors = np.load(run.data.folder.parents[2] / "runs/made/pairs-0/embeddings_image.npy")
    plus = (Term("text", "a blue bar"), Term("item", "item/30"))
    minus = (Term("text", "The cross is red."),)
    total = unit(run.text_vector("a red cross")) + unit(run.text_vector("a blue bar")) + unit(run.item_vector(30))
    total -= unit(run.text_vector("The cross is red."))
    similar = vectors @ unit(total)
    similar[30 - 24] = -np.inf  # what is asked for is not found
    expected = 24 + np.argsort(-np.round(similar, 6), kind="stable")[: HELD_OUT - 1]
    got = answer(run, Query(text="a red cross", plus=plus, minus=minus, count=100))
    assert [result["row"] for result in got["results"]] == expected.tolist()
    shown = [result["similarity"] for result in got["results"]]
    np.testing.assert_allclose(shown, np.sort(similar)[::-1][:-1], atol=2e-6)


def test_a_query_alone_keeps_its_vector(run):
    alone = answer(run, Query(text="a red cross", count=3))["results"]
    vectors = np.load(run.data.folder.parents[2] / "runs/made/pairs-0/embeddings_image.npy")
    best = np.sort(np.round(vectors @ run.text_vector("a red cross"), 6))[::-1]
    np.testing.assert_allclose([result["similarity"] for result in alone], best[:3], atol=2e-6)


def test_several_vectors_an_item_are_not_added():
    with pytest.raises(UnanswerableError, match="several vectors an item, which cannot be added"):
        combined([np.ones((2, 3)), np.ones((2, 3))], [])


def test_what_cancels_out_is_told(run):
    with pytest.raises(UnanswerableError, match="cancel each other out"):
        answer(run, Query(text="a red cross", minus=(Term("text", "a red cross"),)))
    with pytest.raises(UnanswerableError, match="cancel each other out"):
        combined([np.ones(3)], [np.full(3, 2.0)])


def test_too_many_terms_and_wrong_pages_are_told(run):
    with pytest.raises(UnanswerableError, match="at most 8 terms"):
        answer(run, Query(text="red", plus=tuple(Term("text", "blue") for _ in range(9))))
    with pytest.raises(UnanswerableError, match="offset: the first result is 0, not -1"):
        answer(run, Query(text="red", offset=-1))
    with pytest.raises(UnanswerableError, match="no item has the id 'nobody'"):
        answer(run, Query(text="red", minus=(Term("item", "nobody"),)))


def test_pages_follow_each_other(run):
    whole = found(run, text="a red cross", count=100)
    pages = [found(run, text="a red cross", count=7, offset=offset) for offset in range(0, 35, 7)]
    assert [row for page in pages for row in page] == whole
    assert pages[-1] == []
    second = answer(run, Query(text="a red cross", count=7, offset=7))
    assert [result["rank"] for result in second["results"]] == list(range(8, 15))
    assert second["total"] == HELD_OUT
    assert answer(run, Query(text="a red cross", one_per_group=True))["total"] == HELD_OUT // 2
    assert answer(run, Query(item="item/30"))["total"] == HELD_OUT - 1


def test_filters_leave_the_order(run):
    whole = found(run, text="a red cross", count=100)
    labels = run.data.table["label_name"]
    for where, passes in (
        ((("label", "cross"),), labels == "cross"),
        ((("label", "cross"), ("label", "bar")), labels.isin(["cross", "bar"])),
    ):
        got = answer(run, Query(text="a red cross", count=100, where=where))
        assert [result["row"] for result in got["results"]] == [row for row in whole if passes[row]]
        assert got["total"] == len(got["results"]) > 0
    nothing = answer(run, Query(text="a red cross", where=(("label", "cross"),), item=None, offset=100))
    assert (nothing["results"], nothing["total"]) == ([], got["total"] - int((labels[24:] == "bar").sum()))


def test_facets_count_what_is_searched(run):
    got = answer(run, Query(text="a red cross", count=2, facets=True, where=(("label", "cross"),)))
    label = next(facet for facet in got["facets"] if facet["name"] == "label")
    searched = run.data.table["label_name"][24:].value_counts().to_dict()
    assert {value["value"]: value["count"] for value in label["values"]} == searched
    assert [value["value"] for value in label["values"] if value["chosen"]] == ["cross"]
    assert "facets" not in answer(run, Query(text="a red cross"))


def test_the_library_and_an_index_agree_under_filters(run):
    index = run.indexes["text"]  # two texts an item
    allowed = np.zeros(len(run.data), dtype=bool)
    allowed[[25, 31, 47]] = True
    items, similarities = index.search(run.text_vector("red"), 10, allowed=allowed)
    assert sorted(items.tolist()) == [25, 31, 47]
    assert similarities.tolist() == sorted(similarities.tolist(), reverse=True)
    assert index.search(run.text_vector("red"), 10, allowed=np.zeros(len(run.data), dtype=bool))[0].tolist() == []


def test_words_that_no_text_has_are_mended(run):
    got = answer(run, Query(text="a red croos"))
    assert (got["unknown_words"], got["suggestion"]) == (["croos"], "a red cross")
    assert answer(run, Query(text="a red cross"))["suggestion"] is None
    with pytest.raises(UnknownWordsError, match="none of the words 'croos', 'whte'") as error:
        answer(run, Query(text="Croos, whte!"))
    assert error.value.suggestion == "cross, white!"


def test_only_known_words_are_proposed():
    spelling = Spelling(["brown dogs", "a brown dog", "browns"] * 3)
    assert spelling.mended("brownz dogs", lambda word: True) == "brown dogs"
    assert spelling.mended("brownz dogs", lambda word: word != "brown") == "browns dogs"
    assert spelling.mended("brwon dogs", lambda word: False) is None
    assert spelling.mended("xyzzyq 12345 dgo", lambda word: True) is None
    assert Spelling([]).mended("brown", lambda word: True) is None
