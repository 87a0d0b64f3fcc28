"""Texts: cut into words, numbered, weighed, and placed in a space of meaning."""

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.text import doc2vec
from kith.text.tokens import Vocabulary, tokenize

TITLE = "Texts"
ABOUT = """n texts of 12 words of 20,000 (Zipf): "n / CPU s" counts words. "words": scikit-learn's analyzer cuts
plain texts at the same places. Ours also leaves out numbers, tags and entities and, where a text has more than ASCII,
composes characters (NFKC) and finds words in scripts without spaces, which scikit-learn's does not. The limit
of both: lower case and one regular expression, so neither can be three times as fast as the other. "Doc2Vec": 5
epochs, 100 numbers, one worker; it is gensim's, fed from a file; "from a list" is the usual way to feed it: the loss of
speed is the list's. Its vectors differ, for gensim cuts its jobs elsewhere. Its limit: gensim itself, from a file that
is there already: no way with gensim is faster."""
WORDS, LENGTH = 20_000, 12
LETTERS = "abcdefghij"


def texts_of(count: int) -> list[str]:
    """Words of letters alone, by their numbers."""
    known = ["".join(LETTERS[int(digit)] for digit in str(number)) for number in range(WORDS)]
    drawn = np.random.default_rng(0).zipf(1.3, size=(count, LENGTH)) % WORDS
    return [" ".join(known[word] for word in row).capitalize() for row in drawn.tolist()]


def words(count: int) -> Callable[[], Any]:
    texts = texts_of(count)
    return lambda: _summary([tokenize(text) for text in texts])


def scikit_words(count: int) -> Callable[[], Any]:
    from sklearn.feature_extraction.text import CountVectorizer

    texts = texts_of(count)
    analyze = CountVectorizer(token_pattern=r"(?u)\b\w+\b").build_analyzer()
    return lambda: _summary([analyze(text) for text in texts])


def cut(count: int) -> Callable[[], Any]:
    """Lower case and one regular expression, nothing else."""
    texts, find = texts_of(count), re.compile(r"\w+").findall
    return lambda: len([find(text.lower()) for text in texts])


def _summary(documents: list[list[str]]) -> list[int]:
    """Enough to tell documents apart: how many words, and what all of them are."""
    import zlib

    return [len(documents), sum(map(len, documents)), zlib.crc32(" ".join(map(" ".join, documents)).encode())]


def numbers(count: int) -> Callable[[], Any]:
    texts = texts_of(count)
    vocabulary = Vocabulary.build(texts, 1)
    return lambda: vocabulary.encode(texts, 32)[1].sum()


def vectors(count: int) -> Callable[[], Any]:
    documents = [tokenize(text) for text in texts_of(count)]
    return lambda: len(doc2vec.train(documents, dim=100, epochs=5).dv.vectors)


def gensim_alone(count: int) -> Callable[[], Any]:
    """From a file that is there."""
    from gensim.models.doc2vec import Doc2Vec

    folder = tempfile.TemporaryDirectory()
    corpus = Path(folder.name) / "corpus.txt"
    corpus.write_text("".join(" ".join(tokenize(text)) + "\n" for text in texts_of(count)), encoding="utf-8")
    options = {"dm": 0, "dbow_words": 1, "vector_size": 100, "window": 10, "min_count": 2, "negative": 10, "epochs": 5}

    def work() -> int:
        assert Path(folder.name).is_dir()
        return len(Doc2Vec(corpus_file=str(corpus), workers=1, seed=0, **options).dv.vectors)

    return work


def vectors_of_list(count: int) -> Callable[[], Any]:
    from gensim.models.doc2vec import Doc2Vec, TaggedDocument

    documents = [TaggedDocument(tokenize(text), [place]) for place, text in enumerate(texts_of(count))]
    options = {"dm": 0, "dbow_words": 1, "vector_size": 100, "window": 10, "min_count": 2, "negative": 10, "epochs": 5}
    return lambda: len(Doc2Vec(documents, workers=1, seed=0, **options).dv.vectors)


def inferred(count: int) -> Callable[[], Any]:
    documents = [tokenize(text) for text in texts_of(count)]
    model = doc2vec.train(documents[:1000], dim=100, epochs=5)
    return lambda: len(doc2vec.infer(model, documents))


def cases(quick: bool, *, sizes: tuple[int, ...] = (1000, 10_000, 100_000)) -> Iterator[Case]:
    for count in sizes[:2] if quick else sizes:
        done = count * LENGTH
        scikit, limit = {"scikit-learn": Way(scikit_words, (count,))}, ("one expression", Way(cut, (count,)))
        yield Case("words", count, Way(words, (count,)), scikit, limit=limit, done=done)
        yield Case("numbers of words", count, Way(numbers, (count,)), done=done)
    for count in sizes[:1] if quick else sizes[:2]:
        listed = {"gensim, from a list": Way(vectors_of_list, (count,))}
        limit, steps = ("gensim alone", Way(gensim_alone, (count,))), 5 * count * LENGTH
        yield Case("Doc2Vec, trained", count, Way(vectors, (count,)), listed, limit=limit, done=steps)
    for count in sizes[:1]:
        yield Case("Doc2Vec, inferred", count, Way(inferred, (count,)), done=count * LENGTH)
