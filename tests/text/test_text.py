import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kith.text.tokens import Vocabulary, first_sentences, normalize, tokenize


def test_normalize_keeps_every_script_and_drops_markup():
    assert normalize("  Caf\u0065\u0301 <b>noir</b> &amp; thé\n") == "Café noir & thé"
    assert normalize("Привет 世界 שלום") == "Привет 世界 שלום"
    assert normalize("ﬁne Ⅳ") == "fine IV"
    assert normalize("a < b and c > d") == "a < b and c > d"


def test_first_sentences():
    text = "It rained. We stayed in! Then? we left. The end."
    assert first_sentences(text, 2) == "It rained. We stayed in!"
    assert first_sentences("approx. 3.5 km away. Far.", 1) == "approx. 3.5 km away."
    assert first_sentences("no mark at all", 2) == "no mark at all"


def test_tokenize_rules():
    assert tokenize("The 3 dogs, RUNNING 2nd!") == ["the", "dogs", "running", "2nd"]
    assert tokenize("The dogs of war", min_length=3, stop_words={"the"}) == ["dogs", "war"]
    assert tokenize("One two. Three four.", sentences=1) == ["one", "two"]
    assert tokenize("12 34 !!") == []


@given(st.text("abXY09 _-.&;#<>/\n\t'", max_size=40), st.integers(0, 3), st.sampled_from([(), ("ab", "x")]))
def test_plain_texts_are_cut_as_any_other(text, min_length, stop_words):
    words = [word for word in re.findall(r"\w+", normalize(text).casefold()) if not word.isdigit()]
    kept = [word for word in words if len(word) >= min_length and word not in stop_words]
    assert tokenize(text, min_length=min_length, stop_words=stop_words) == kept
    assert Vocabulary(["ab", "x"], "plain").pieces(text) == Vocabulary(["ab", "x"]).pieces(text) == words


def test_a_text_of_digits_takes_no_longer_than_another():
    assert tokenize(f"red {'1' * 200_000}") == ["red"]  # minutes, if each digit could begin a word


def test_letters_that_are_written_as_entities_are_no_plain_text():
    vocabulary = Vocabulary.build(["&#x7EA2;&#x8272;"])
    assert vocabulary.rule == "pairs"
    assert vocabulary.words == ["红", "红色", "色"]
    assert len(Vocabulary(["红", "色"]).numbers("&#x7EA2;&#x8272;")) == 2  # the pair is not known


def test_vocabulary_orders_by_count_then_word():
    vocabulary = Vocabulary.build(["b a", "a c", "c b b"], min_count=2)
    assert vocabulary.words == ["b", "a", "c"]
    assert len(vocabulary) == 7


def test_vocabulary_encodes_with_marks_unknowns_padding_and_a_cut():
    vocabulary = Vocabulary(["red", "car"])
    tokens, lengths = vocabulary.encode(["red car", "blue", "", "red red red red"], max_tokens=4)
    pad, unknown, start, end = range(4)
    np.testing.assert_array_equal(
        tokens,
        [[start, 4, 5, end], [start, unknown, end, pad], [start, end, pad, pad], [start, 4, 4, end]],
    )
    np.testing.assert_array_equal(lengths, [4, 3, 2, 4])
    assert tokens.dtype == lengths.dtype == np.int32
