"""Texts to tokens, and tokens to numbers."""

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from kith.text.scripts import Rule, beyond_words, is_pair, pieces, plain_words, visible
from kith.text.tokenizer import Tokenizer, commonest

_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
# Of a text in ASCII, what `plain_words` finds, but for digits alone. Not every digit of a long number is tried: \b.
_NO_NUMBER = re.compile(r"\b\d*[^\W\d]\w*", re.ASCII)
# A sentence ends with a mark and a space before something that starts neither in lower case nor with a digit; in
# scripts without spaces between words with the mark alone.
_SENTENCE_END = re.compile(
    r"(?<=[.!?…。！？।॥؟۔։])\s+(?=[^\s\da-z])|(?<=[。။។])\s*(?=\S)|(?<=[!?])(?=[\u3041-\u30ff\u3400-\u9fff])"
)


def normalize(text: str) -> str:
    """NFKC, entities and tags out, white space folded. Every script is kept.

    >>> normalize("caf&eacute; <b>noir</b>")
    'café noir'
    """
    text = unicodedata.normalize("NFKC", html.unescape(text))
    return " ".join(_TAG.sub(" ", text).split())


def first_sentences(text: str, count: int) -> str:
    """The first `count` sentences, found by a rule that needs no trained model.

    >>> first_sentences("One. Two! Three.", 2)
    'One. Two!'
    >>> first_sentences("今天。明天。", 1)
    '今天。'
    """
    parts = _SENTENCE_END.split(text, maxsplit=count)
    return " ".join(parts[:count])


def tokenize(
    text: str,
    *,
    min_length: int = 1,
    stop_words: Iterable[str] = (),
    sentences: int | None = None,
    rule: Rule = "pairs",
) -> list[str]:
    """Lower-cased words of `text`; digits-only tokens, short ones and stop words are left out.

    Of scripts without spaces between words, such as Chinese and Thai, it gives units and pairs of units, which are
    never too short, or what another `rule` says (see `scripts.pieces`).
    `sentences` reads only the first sentences (Thomas & Kovashka, ECCV 2020, take two of an article).

    >>> tokenize("The 3 red foxes", stop_words=["the"])
    ['red', 'foxes']
    >>> tokenize("红色", min_length=3)
    ['红', '红色', '色']
    """
    dropped = stop_words if isinstance(stop_words, set | frozenset) else frozenset(stop_words)
    if sentences is None and _as_it_is(text):
        words: list[str] = _NO_NUMBER.findall(text.lower())
        if dropped or min_length > 1:
            return [word for word in words if len(word) >= min_length and word not in dropped]
        return words
    text = normalize(text)
    if sentences is not None:
        text = first_sentences(text, sentences)
    return [
        word
        for word, spaceless in pieces(visible(text.casefold()), rule)
        if (spaceless or len(word) >= min_length) and not word.isdigit() and word not in dropped
    ]


class Vocabulary(Tokenizer):
    r"""Words as `tokenize` finds them, numbered by falling frequency.

    rule: plain: `\w+` alone finds the words; that is the same for texts without marks and in scripts with spaces, and
    how every model reads whose texts were such, or that was saved before there were other rules. Others: see
    `scripts.pieces`.

    >>> vocabulary = Vocabulary.build(["red fox", "red dog"])
    >>> vocabulary.words, vocabulary.rule
    (['red', 'dog', 'fox'], 'plain')
    >>> Vocabulary.build(["红色", "红的"]).unknown_words("红色猫")
    ['猫']
    """

    def __init__(self, words: Sequence[str], rule: Rule | Literal["plain"] = "pairs"):
        """`words` without the marks, in order."""
        super().__init__(words)
        self.rule: Rule | Literal["plain"] = rule

    @classmethod
    def build(
        cls, texts: Iterable[str], min_count: int = 1, max_words: int | None = None, rule: Rule = "pairs"
    ) -> "Vocabulary":
        """The words of `texts` that `commonest` keeps; by the rule plain where that is the same."""
        texts = list(texts)
        words = (word for text in texts for word in tokenize(text, rule=rule))
        beyond = any(not _as_it_is(text) and beyond_words(_folded(text)) for text in texts)
        return cls(commonest(words, min_count, max_words), rule if beyond else "plain")

    def pieces(self, text: str) -> list[str]:
        if _as_it_is(text):
            return _NO_NUMBER.findall(text.lower())
        if self.rule == "plain":
            return [word for word in plain_words(_folded(text)) if not word.isdigit()]
        return tokenize(text, rule=self.rule)

    def numbers(self, text: str) -> list[int]:
        """Of its words. A pair of units that is not known is left out: its units stand for it."""
        if self.rule != "pairs" or _as_it_is(text):
            return [self.index.get(word, self.UNKNOWN) for word in self.pieces(text)]
        return [self.index.get(word, self.UNKNOWN) for word in self.pieces(text) if not self._left_out(word)]

    def unknown_words(self, text: str) -> list[str]:
        words = dict.fromkeys(self.pieces(text))
        return [word for word in words if word not in self.index and not self._left_out(word)]

    def state(self) -> dict[str, Any]:
        return {"vocabulary": self.words} | ({} if self.rule == "plain" else {"tokenizer": self.rule})

    def _left_out(self, word: str) -> bool:
        return self.rule == "pairs" and word not in self.index and is_pair(word)


def _as_it_is(text: str) -> bool:
    """Whether there are neither characters to compose nor entities nor tags: `plain_words` finds its words."""
    return text.isascii() and "&" not in text and "<" not in text


def _folded(text: str) -> str:
    return visible(normalize(text).casefold())
