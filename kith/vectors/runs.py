"""The vectors of a trained run, as the embed stage has left them."""

from pathlib import Path
from typing import Any

import numpy as np

from kith.errors import KithError
from kith.store.prepared import Prepared, data_of
from kith.store.run import SIDES, EmbeddingFiles, existing, one_vector, read_embeddings
from kith.vectors.sets import VectorSet, words


def read(name: str, run: Path, side: str) -> VectorSet:
    """The pictures of a run's folder, or its texts: side, "image" (also where it is empty) or "text".

    What belongs together is what the study holds for the same (its groups). Raises KithError where the run is not whole
    or not of the data that lie beside it.
    """
    side = side or SIDES[0]
    if side not in SIDES:
        raise KithError(f"{name}: a run has {' and '.join(SIDES)}; write {run}:{SIDES[0]} or {run}:{SIDES[1]}")
    prepared = Prepared(data_of(existing(run)))
    found = read_embeddings(EmbeddingFiles.of(run), prepared, run / "model.pt")
    embedded = getattr(found, side)
    if not len(embedded.items):
        raise KithError(f"{name}: this run has no vectors of the side {side}")
    one_vector(embedded.vectors.shape[1:], run)
    items = prepared.table.iloc[embedded.items]
    told = {
        "ids": "id",
        "labels": "labels" if "labels" in items else "label_name",
        "groups": "group",
        "splits": "split",
    }
    fields: dict[str, Any] = {field: words(items[column].tolist()) for field, column in told.items()}
    vectors = np.asarray(embedded.vectors)
    vectors = np.where(vectors >= 0, 1, -1).astype(np.int8) if found.coded else vectors
    return VectorSet(name, vectors, found.coded, **fields)
