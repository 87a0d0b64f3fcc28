"""Place the classes so that dot products equal their similarity in the taxonomy: what networks are trained towards."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from kith import class_embedding
from kith.errors import KithError
from stages import cli, contract, files, params, tracking


def main(*, taxonomy: Path, text: Path, out: Path) -> None:
    """Write embedding.npy, (classes, d) float64, and words.npy, where word vectors are asked for, into --out."""
    options = params.load().class_embedding
    classes = contract.classes(taxonomy)
    target = contract.similarity(taxonomy, "target")
    names = list(classes["name"])
    try:
        make = class_embedding.class_embedding
        embedded = make(target, options.method, options.dim, names=names) if names else target
    except KithError as error:
        raise KithError(f"params.yaml: {error}") from None
    reached = embedded @ embedded.T
    summary = {
        "classes": len(classes),
        "dimensions": embedded.shape[1],
        "largest_error": float(np.abs(reached - target).max(initial=0)),
    }
    with files.replacing(out) as folder:
        folder.mkdir()
        np.save(folder / "embedding.npy", embedded)
        if options.words is not None:
            np.save(folder / "words.npy", _words(options.words, classes, text))
        files.write_json(folder / "summary.json", summary)
    print(json.dumps(summary))
    tracking.log_stage("class_embedding", params=options.model_dump(), metrics=summary)


def _words(source: str, classes: pd.DataFrame, text: Path) -> np.ndarray:
    """Word vectors of the classes' names: of the text stage's model, or of a Parquet file (word, vector)."""
    path = text / "word_vectors.parquet" if source == "text" else Path(source)
    try:
        table = pd.read_parquet(path, columns=["word", "vector"])
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise KithError(f"{path}: no word vectors ({error}); see class_embedding.words") from None
    vectors = dict(zip(table["word"], table["vector"], strict=True))
    try:
        return class_embedding.word_vector_targets(list(classes["name"]), vectors)
    except KithError as error:
        raise KithError(f"{path}: {error}") from None


if __name__ == "__main__":
    cli.run(main)
