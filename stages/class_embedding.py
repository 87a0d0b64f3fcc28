"""Place the classes so that dot products equal their similarity in the taxonomy: what networks are trained towards."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from kith import class_embedding
from kith.class_embedding import pickles as reference_pickle
from kith.errors import KithError, listed
from kith.similarity import unit_rows
from kith.store.classes import Classes
from kith.store.provenance import NOTE, note, parameters, proved
from kith.taxonomy import narrowest
from stages import cli, files, params, tracking

WORDS = "word_vectors.parquet"  # of the text stage, where it has a Doc2Vec model


def main(*, taxonomy: Path, text: Path, out: Path) -> None:
    """Write embedding.npy, (classes, d) float64, and words.npy, where word vectors are asked for, into --out.

    embedding.pickle has the embedding as the program of Barz and Denzler reads it.
    """
    options = params.load().class_embedding
    known = Classes(taxonomy, None)
    classes, target, made_of = known.table, known.similarity("target"), known.note["data"]
    embedded = _embedding(options, classes, target) if len(classes) else target
    summary = {
        "classes": len(classes),
        "dimensions": embedded.shape[1],
        "largest_error": float(np.abs(embedded @ embedded.T - target).max(initial=0)),
    }
    with files.replacing_folder(out, "embedding.npy", "embedding.pickle", "words.npy", "summary.json", NOTE) as folder:
        np.save(folder / "embedding.npy", embedded)
        if len(classes):
            reference_pickle.write(folder / "embedding.pickle", embedded, _labels(classes))
        if options.words is not None:
            if options.words == "text":
                proved(text / NOTE, [text / WORDS], "text", data=made_of)
            np.save(folder / "words.npy", _words(options.words, classes, text))
        files.write_json(folder / "summary.json", summary)
        content = note(sorted(folder.iterdir()), data=made_of, parameters=parameters(options.model_dump(mode="json")))
        files.write_json(folder / NOTE, content)
    print(json.dumps(summary))
    tracking.log_stage("class_embedding", params=options.model_dump(), metrics=summary)


def _labels(classes: pd.DataFrame) -> list[int] | list[str]:
    """As the data have them: whole numbers, which name themselves, or names."""
    numbers = classes["label"].tolist()
    return numbers if list(map(str, numbers)) == list(classes["label_name"]) else list(classes["label_name"])


def _embedding(options: params.ClassEmbeddingOptions, classes: pd.DataFrame, target: np.ndarray) -> np.ndarray:
    if options.file is not None:
        found = _from_file(options.file, list(classes["label_name"]))
        return unit_rows(found, str(options.file)) if options.normalize else found
    make = class_embedding.class_embedding
    try:
        return make(target, options.method, options.dim, options.normalize, list(classes["name"]))
    except KithError as error:
        raise KithError(f"params.yaml: {error}") from None


def _from_file(path: Path, labels: list[str]) -> np.ndarray:
    """The rows of the classes in a pickle of the published program, whose labels may be numbers."""
    found = reference_pickle.read(path)
    rows = {str(label): row for row, label in enumerate(found.labels)}
    if missing := [label for label in labels if label not in rows]:
        raise KithError(f"{path}: has no embedding of {listed(missing)}; it knows {listed(list(rows))}")
    return np.asarray(found.embedding, dtype=np.float64)[[rows[label] for label in labels]]


def _words(source: str, classes: pd.DataFrame, text: Path) -> np.ndarray:
    """Word vectors of the classes' names, of a path of its last level: of the text stage's model, or of a file."""
    path = text / WORDS if source == "text" else Path(source)
    table = files.read_parquet(path, "see class_embedding.words", ["word", "vector"])
    vectors = dict(zip(table["word"], table["vector"], strict=True))
    try:
        return class_embedding.word_vector_targets([narrowest(name) for name in classes["name"]], vectors)
    except KithError as error:
        raise KithError(f"{path}: {error}") from None


if __name__ == "__main__":
    cli.run(main)
