"""Texts to tokens, and tokens to numbers."""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_TOKEN = re.compile(r"\w+", re.UNICODE)
# A sentence ends with a mark and a space before something that starts neither in lower case nor with a digit.
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+(?=[^\s\da-z])")


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
    """
    parts = _SENTENCE_END.split(text, maxsplit=count)
    return " ".join(parts[:count])


def tokenize(
    text: str, *, min_length: int = 1, stop_words: Iterable[str] = (), sentences: int | None = None
) -> list[str]:
    """Lower-cased words of `text`; digits-only tokens, short ones and stop words are left out.

    `sentences` reads only the first sentences (Thomas & Kovashka, ECCV 2020, take two of an article).

    >>> tokenize("The 3 red foxes", stop_words=["the"])
    ['red', 'foxes']
    """
    text = normalize(text)
    if sentences is not None:
        text = first_sentences(text, sentences)
    dropped = stop_words if isinstance(stop_words, set | frozenset) else frozenset(stop_words)
    words = _TOKEN.findall(text.casefold())
    return [w for w in words if len(w) >= min_length and not w.isdigit() and w not in dropped]


class Vocabulary:
    """Words numbered by falling frequency; the first four numbers are marks.

    PAD fills short texts, UNKNOWN stands for words not in the vocabulary, START and END enclose a text.

    >>> vocabulary = Vocabulary.build(["red fox", "red dog"])
    >>> vocabulary.words
    ['red', 'dog', 'fox']
    >>> [each.tolist() for each in vocabulary.encode(["red cat"])]
    [[[2, 4, 1, 3]], [4]]
    """

    PAD, UNKNOWN, START, END = range(4)
    MARKS = ("<pad>", "<unk>", "<s>", "</s>")

    def __init__(self, words: Sequence[str]):
        """`words` without the marks, in order."""
        self.words = list(words)
        self._index = {word: i for i, word in enumerate(self.words, start=len(self.MARKS))}

    @classmethod
    def build(cls, texts: Iterable[str], min_count: int = 1, max_words: int | None = None) -> "Vocabulary":
        """The words that occur at least `min_count` times, at most the `max_words` commonest of them; ties of
        frequency in alphabetical order."""
        counts = Counter(word for text in texts for word in tokenize(text))
        kept = [word for word, count in counts.items() if count >= min_count]
        return cls(sorted(kept, key=lambda word: (-counts[word], word))[:max_words])

    def __len__(self) -> int:
        return len(self.MARKS) + len(self.words)

    def encode(self, texts: Sequence[str], max_tokens: int = 64) -> tuple[np.ndarray, np.ndarray]:
        """Word numbers of each text between START and END.

        Returns tokens (n, longest) int32 padded with PAD, and lengths (n,) int32, marks included.
        Texts longer than `max_tokens` (marks included) are cut.
        """
        encoded = [
            [self.START, *(self._index.get(w, self.UNKNOWN) for w in tokenize(t))][: max_tokens - 1] + [self.END]
            for t in texts
        ]
        lengths = np.array([len(numbers) for numbers in encoded], dtype=np.int32)
        tokens = np.full((len(encoded), int(lengths.max(initial=1))), self.PAD, dtype=np.int32)
        for row, numbers in zip(tokens, encoded, strict=True):
            row[: len(numbers)] = numbers
        return tokens, lengths
