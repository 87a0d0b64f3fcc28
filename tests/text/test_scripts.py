"""Words with combining marks, and texts without spaces between words."""

import itertools
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kith.text.scripts import beyond_words, is_pair, pieces
from kith.text.tokens import Vocabulary, first_sentences, normalize, tokenize

# Letters, digits and signs; combining marks and the scripts without spaces are not among them.
SPACED = st.characters(
    codec="utf-8", categories=("L", "N", "P", "S", "Zs"), max_codepoint=0xD7FF, exclude_characters="\u3005\u3007\u0130"
).filter(lambda c: re.match("LATIN|CYRILLIC|GREEK|HANGUL|DIGIT|SPACE|FULL STOP|HYPHEN", unicodedata.name(c, "")))


def as_before(text: str) -> list[str]:
    """The rule before there were others."""
    return [word for word in re.findall(r"\w+", normalize(text).casefold()) if not word.isdigit()]


@given(st.text(st.one_of(SPACED, st.sampled_from("aé яй ωΩ 한국 _'-3²😀♥\ufe0f"))))
def test_texts_with_spaces_and_without_marks_give_the_words_of_before(text):
    if not beyond_words(normalize(text).casefold()):
        assert tokenize(text) == as_before(text)
        assert Vocabulary.build([text]).rule == "plain"
    assert Vocabulary(["a"], "plain").pieces(text) == as_before(text)


@pytest.mark.parametrize(
    "text",
    [
        "A dog’s café, naïve Ångström; Straße 2nd x_y 3.5 km²",
        "Привет, мир! Ёлка й Їжак",
        "Ελληνικά: σκύλος, Οδυσσεύς",
        "빨간 자전거를 타는 소녀",
        "3️⃣ red ❤️ hearts, Adidas™️ shoes",
    ],
)
def test_texts_of_these_languages_are_what_they_were(text):
    assert tokenize(text) == as_before(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("एक लाल किताब, हिंदी में।", ["एक", "लाल", "किताब", "हिंदी", "में"]),
        ("كِتَابٌ أَحْمَر", ["كِتَابٌ", "أَحْمَر"]),
        ("שָׁלוֹם עוֹלָם", ["שָׁלוֹם", "עוֹלָם"]),
        ("சிவப்பு நாய்", ["சிவப்பு", "நாய்"]),
        ("x\u0304y e\u0301t\u0331a", ["x\u0304y", "ét\u0331a"]),
        ("ක්‍රීඩා", ["ක්රීඩා"]),
        ("𞤀𞤁𞥄𞤂", ["𞤢𞤣𞥄𞤤"]),
    ],
)
def test_a_word_with_marks_is_one_word(text, words):
    assert tokenize(text) == [unicodedata.normalize("NFKC", word) for word in words]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("红色的T恤3个", ["红", "色", "的", "t", "恤", "个"]),
        ("クマの本。", ["ク", "マ", "の", "本"]),
        ("ｶﾒﾗ", ["カ", "メ", "ラ"]),
        ("葛\U000e0100城", ["葛", "城"]),
        ("𠀀𠀁", ["𠀀", "𠀁"]),
        ("เสื้อสีแดง ๑๐๐", ["เสื้", "อ", "สี", "แด", "ง"]),
        ("กำลัง", ["ก\u0e4dา", "ลั", "ง"]),
        ("ສີແດງ", ["ສີ", "ແດ", "ງ"]),
        ("ស្រីម្នាក់", ["ស្រី", "ម្នា", "ក់"]),
        ("မြက်ခင်းပေါ်တွင်", ["မြက်", "ခင်း", "ပေါ်", "တွင်"]),
    ],
)
def test_texts_without_spaces_give_their_units(text, units):
    assert tokenize(text, rule="units") == units
    with_pairs = tokenize(text)
    assert [word for word in with_pairs if not is_pair(word)] == units
    for pair in filter(is_pair, with_pairs):
        assert any(pair == a + b for a, b in itertools.pairwise(units))


RUN = st.text(st.sampled_from("红色的のクกาเแดงสี่ສາເក្រីក់မြ်င်း"), min_size=1, max_size=12)


@given(RUN)
def test_units_make_up_the_run_and_a_pair_is_known_as_one(run):
    found = [piece for piece, _ in pieces(run, "units")]
    letters = re.sub(r"^\W+", "", run) if not found else run[run.index(found[0]) :]
    assert "".join(found) == letters
    assert not any(map(is_pair, found))
    assert all(is_pair(a + b) for a, b in itertools.pairwise(found))


def test_runs_are_letters_and_marks_of_the_scripts_without_spaces():
    known = (
        r"(CJK|IDEOGRAPHIC|HANGZHOU|VERTICAL KANA|VERTICAL IDEOGRAPHIC|MASU|HIRAGANA|KATAKANA|THAI|LAO|MYANMAR|KHMER)\b"
    )
    for code in range(0x20100):
        if unicodedata.name(chr(code), "") and any(spaceless for _, spaceless in pieces(chr(code))):
            assert unicodedata.category(chr(code))[0] in "LN", hex(code)
            assert re.match(known, unicodedata.name(chr(code))), hex(code)
    for code in [*range(0x3041, 0x3097), *range(0x4E00, 0x9FFF), *range(0x0E01, 0x0E30), *range(0x1000, 0x102A)]:
        assert pieces(chr(code)) == [(chr(code), True)]


def test_short_words_are_dropped_only_where_there_are_spaces():
    assert tokenize("狗 a dog ไป", min_length=3) == ["狗", "dog", "ไป"]
    assert tokenize("红色 dog", min_length=3, stop_words=["红", "dog"]) == ["红色", "色"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("今天下雨。我们在家！好吗？", "今天下雨。"),
        ("好!走。", "好!"),
        ("वह आया। फिर गया।", "वह आया।"),
        ("မိုးရွာသည်။အိမ်မှာနေသည်။", "မိုးရွာသည်။"),
        ("هل جاء؟ نعم.", "هل جاء؟"),
        ("Ver. 2.0!Now. See", "Ver. 2.0!Now."),
    ],
)
def test_sentences_end_as_the_script_ends_them(text, first):
    assert first_sentences(text, 1) == first


def test_what_nobody_sees_does_not_part_or_change_words():
    for written in ("İstanbul", "exam\u00adple", "ca\u034fb", "le\u2060ft", "\ufefffox", "a\u200eb", "كتـــاب"):
        (word,) = tokenize(written)
        assert word == {"İstanbul": "istanbul", "كتـــاب": "كتاب"}.get(written, written.strip("\ufeff")).translate(
            dict.fromkeys((0xAD, 0x34F, 0x2060, 0x200E))
        )
        vocabulary = Vocabulary.build([word])
        assert (vocabulary.rule, vocabulary.unknown_words(written)) == ("plain", [])
    assert tokenize("İSTANBUL") == tokenize("istanbul")
    # A zero-width space parts words: it is how some write where there are no others.
    assert tokenize("red\u200bfox") == ["red", "fox"]


def test_a_joiner_is_within_a_word():
    assert tokenize("می\u200cخواهم") == ["میخواهم"]
    assert Vocabulary.build(["می\u200cخواهم"]).rule == "pairs"
