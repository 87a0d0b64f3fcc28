"""Paragraph vectors (Le & Mikolov, ICML 2014) with gensim, the same bytes every time.

gensim is imported only when something here is called.
"""

import functools
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

if TYPE_CHECKING:
    from gensim.models.doc2vec import Doc2Vec

Document = Sequence[str]


def train(
    documents: Sequence[Document],
    *,
    algorithm: str = "dbow",
    train_words: bool = True,
    dim: int = 200,
    window: int = 10,
    min_count: int = 2,
    negative: int = 10,
    epochs: int = 40,
    workers: int = 1,
    seed: int = 0,
) -> "Doc2Vec":
    """Train on tokenised documents; document i has the tag i, so its vector is `model.dv.vectors[i]`.

    `algorithm` "dbow" predicts words from the document (with `train_words`, skip-gram word vectors are
    learned along with it), "dm" predicts a word from its context and the document. With workers=1 the
    result is the same bytes for the same input and seed; with more it is not.
    Raises ValueError for an empty document: gensim would shift the tags after it.

    >>> train([["red", "fox"], ["red", "dog"]], dim=4, min_count=1, epochs=1).dv.vectors.shape
    (2, 4)
    """
    from gensim.models.doc2vec import Doc2Vec

    if not documents or not all(documents):
        raise ValueError("documents: at least one is needed, and each must have a word")
    # gensim reads a file 1.4 times faster than a list, and just as reproducibly with one worker.
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.txt"
        corpus.write_text("".join(" ".join(words) + "\n" for words in documents), encoding="utf-8")
        model = Doc2Vec(
            corpus_file=str(corpus),
            dm=int(algorithm == "dm"),
            dbow_words=int(train_words and algorithm == "dbow"),
            vector_size=dim,
            window=window,
            min_count=min_count,
            negative=negative,
            epochs=epochs,
            workers=workers,
            seed=seed,
        )
    # gensim notes times in the model; without them the same input is saved as the same bytes.
    model.lifecycle_events = None
    model.total_train_time = 0.0
    return model


def infer(model: "Doc2Vec", documents: Sequence[Document], seed: int = 0) -> np.ndarray:
    """Vectors of unseen documents, (n, dim) float32; a document without known words gets zeros.

    Each document starts from its own seed, so a vector depends neither on the order of the documents nor on
    PYTHONHASHSEED (gensim hashes the text with Python's salted hash; here it is CRC-32).

    >>> model = train([["red", "fox"], ["red", "dog"]], dim=4, min_count=1, epochs=1)
    >>> infer(model, [["red", "fox"], ["unknown"]]).shape
    (2, 4)
    """
    from gensim.models import doc2vec

    start = functools.partial(doc2vec.pseudorandom_weak_vector, hashfxn=lambda text: zlib.crc32(text.encode()))
    vectors = np.zeros((len(documents), model.vector_size), dtype=np.float32)
    with mock.patch.object(doc2vec, "pseudorandom_weak_vector", start):
        for vector, words in zip(vectors, documents, strict=True):
            known = [word for word in words if word in model.wv]
            if known:
                model.random.seed(seed)
                vector[:] = model.infer_vector(known)
    return vectors
