"""Place every item in a space of meaning: Doc2Vec or TF-IDF, learned from the training split's texts alone, or the
features that an item has in place of texts."""

import json
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from kith.errors import KithError
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, note, parameters
from kith.store.semantic import save_matrix
from kith.text import coverage, doc2vec
from stages import cli, files, params, tracking

WRITTEN = ("vectors.np?", "text_vectors.np?", "word_vectors.parquet", "doc2vec.model*", "summary.json", NOTE)

WITHOUT_GENSIM = (
    "params.yaml: text.backend: doc2vec needs the package gensim, which is not installed (it has no build for Python "
    "3.14 and newer): take neighbours by words, `kith study NAME --set text.backend=tfidf`, or a Python up to 3.13"
)
IN_TEXTS = 2  # of tf-idf: in how many training texts a word has to be


def main(*, data: Path, out: Path) -> None:
    """Write vectors of all items (vectors.npy or .npz), word_vectors.parquet and summary.json into --out."""
    options = params.load().text
    if options.backend == "doc2vec" and find_spec("gensim") is None:
        raise KithError(WITHOUT_GENSIM)
    prepared = Prepared(data)
    documents, document_of = _documents(prepared.texts, options.tokens)
    in_train = np.zeros(len(documents), dtype=bool)
    start = prepared.text_start
    in_train[document_of[np.repeat(prepared.splits == "train", np.diff(start))]] = True
    with files.replacing_folder(out, *WRITTEN) as folder:
        if options.backend in ("features", "none"):
            of_items = _features(prepared) if options.backend == "features" else _nothing(len(prepared))
        else:
            _tell(documents, document_of, prepared)
            vectors = _model(documents, in_train, options, folder)
            of_texts = vectors[document_of]
            plain = options.backend == "doc2vec" and options.doc2vec.as_published is True
            of_items = _item_means(of_texts, start, plain)
            if len(document_of) > len(prepared):
                save_matrix(folder / "text_vectors", of_texts)
        save_matrix(folder / "vectors", of_items)
        known = np.asarray(abs(of_items).sum(axis=1)).ravel() > 0
        summary = {
            "documents": int(in_train.sum()),
            "tokens": int(sum(len(documents[i]) for i in np.flatnonzero(in_train))),
            "dimensions": int(of_items.shape[1]),
            "items_without_meaning": int((~known).sum()),
        }
        files.write_json(folder / "summary.json", summary)
        made_of = {"data": prepared.checksum, "parameters": parameters(options.model_dump(mode="json"))}
        files.write_json(folder / NOTE, note(sorted(folder.iterdir()), **made_of))
    print(json.dumps(summary))
    tracking.log_stage("text", params=options.model_dump(), metrics=summary)


def _features(data: Prepared) -> np.ndarray:
    """The text side's features as they are, each item's as a unit row."""
    features = data.features("text")
    if features is None:
        raise KithError(f"params.yaml: text.backend: {data.folder} has no features_text.npy; choose doc2vec or tfidf")
    return _unit(np.asarray(features).reshape(len(data), -1))


def _nothing(count: int) -> np.ndarray:
    return np.zeros((count, 1), dtype=np.float32)


def _model(
    documents: list[list[str]], in_train: np.ndarray, options: params.Text, folder: Path
) -> np.ndarray | sp.csr_matrix:
    if not in_train.any():
        raise KithError(
            f"params.yaml: text.backend: {options.backend} learns from texts, and no item to train on has one; "
            "choose features, or none"
        )
    if not _learnable([documents[i] for i in np.flatnonzero(in_train)], options):
        print(f"text: {_nothing_to_learn(options)}", file=sys.stderr)
        if options.backend == "doc2vec":
            _write_words(folder, [], [])
        return _nothing(len(documents))
    return _tfidf(documents, in_train) if options.backend == "tfidf" else _doc2vec(documents, in_train, options, folder)


def _learnable(documents: list[list[str]], options: params.Text) -> bool:
    """Whether a word occurs often enough to be learned: over all, or in so many texts."""
    counted = documents if options.backend == "doc2vec" else map(set, documents)
    counts = Counter(word for document in counted for word in document)
    return max(counts.values(), default=0) >= (options.doc2vec.min_count if options.backend == "doc2vec" else IN_TEXTS)


def _nothing_to_learn(options: params.Text) -> str:
    """In one line: why, and what to set."""
    least = f"{options.doc2vec.min_count} times (text.doc2vec.min_count)"
    often = least if options.backend == "doc2vec" else f"in {IN_TEXTS} different texts"
    stop = ", is no stop word (text.tokens.stop_words)" if options.tokens.stop_words else ""
    return (
        f"no word of the training texts has {options.tokens.min_length} letters (text.tokens.min_length){stop} and "
        f"occurs {often}; no item has a meaning, and methods that draw neighbours cannot be trained: lower these, or "
        "take text.backend: none"
    )


def _documents(texts: list[str], options: params.Tokens) -> tuple[list[list[str]], np.ndarray]:
    """Distinct tokenised texts, and for every text of the data the number of its document."""
    codes, distinct = pd.factorize(pd.Series(texts, dtype="object"))
    if not len(distinct):  # nor is what picks words needed
        return [], codes
    selection = options.selection
    return [selection.words(each) for each in distinct], codes


def _tell(documents: list[list[str]], document_of: np.ndarray, data: Prepared) -> None:
    """Say where texts share no words."""
    splits = np.repeat(data.splits, np.diff(data.text_start))
    for line in coverage.remarks(coverage.by_split([documents[i] for i in document_of], splits)):
        print(f"text: {line}", file=sys.stderr)


def _doc2vec(documents: list[list[str]], in_train: np.ndarray, options: params.Text, folder: Path) -> np.ndarray:
    """Trained vectors of the training documents, or, as published, inferred ones, as those of the others are; zero
    where there are no words."""
    vectors = np.zeros((len(documents), options.doc2vec.dim), dtype=np.float32)
    filled = np.array([bool(d) for d in documents], dtype=bool)
    trained, unseen = np.flatnonzero(in_train & filled), np.flatnonzero(~in_train & filled)
    model = doc2vec.train(
        [documents[i] for i in trained],
        **options.doc2vec.model_dump(exclude={"as_published"}),
        workers=options.workers,
        seed=options.seed,
    )
    vectors[trained] = model.dv.vectors
    if options.doc2vec.as_published:
        vectors[trained] = doc2vec.infer(model, [documents[i] for i in trained], options.seed)
    vectors[unseen] = doc2vec.infer(model, [documents[i] for i in unseen], options.seed)
    _write_words(folder, model.wv.index_to_key, list(model.wv.vectors))
    model.save(str(folder / "doc2vec.model"), separately=[])
    return vectors


def _write_words(folder: Path, words: list[str], vectors: list[np.ndarray]) -> None:
    """Plain words and numbers, so that training needs no gensim to start from them."""
    pd.DataFrame({"word": words, "vector": vectors}).to_parquet(folder / "word_vectors.parquet")


def _tfidf(documents: list[list[str]], in_train: np.ndarray) -> sp.csr_matrix:
    from sklearn.feature_extraction.text import TfidfVectorizer

    model = TfidfVectorizer(analyzer=lambda words: words, min_df=IN_TEXTS, sublinear_tf=True, dtype=np.float32)
    model.fit([documents[i] for i in np.flatnonzero(in_train)])
    return sp.csr_matrix(model.transform(documents))


def _item_means(
    vectors: np.ndarray | sp.csr_matrix, start: np.ndarray, plain: bool = False
) -> np.ndarray | sp.csr_matrix:
    """Unit mean of each item's unit text vectors, or the plain mean of these as they are; zero for an item without
    any."""
    owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
    ones = np.ones(len(owner), dtype=np.float32)
    add = sp.csr_matrix((ones, (owner, np.arange(len(owner)))), shape=(len(start) - 1, len(owner)))
    return _unit(add) @ vectors if plain else _unit(add @ _unit(vectors))


def _unit(vectors: np.ndarray | sp.csr_matrix) -> np.ndarray | sp.csr_matrix:
    from sklearn.preprocessing import normalize

    return normalize(vectors)


if __name__ == "__main__":
    cli.run(main)
