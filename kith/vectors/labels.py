"""The classes of vectors: in their own file, or in a table of ids and labels; and the taxonomy that these are in."""

from pathlib import Path

import numpy as np

from kith.data import edges, readers
from kith.data.labels import numbered
from kith.errors import KithError, listed, reading
from kith.taxonomy import Taxonomy
from kith.vectors.sets import VectorSet, hot_words, words

LABELS = ("label", "labels", "label_name", "class")
ROWS = "labels without ids are joined row by row"


class LabelFile:
    """Labels by id, of a table with the columns id and label (or label_name, or class), or labels, lists of several; or
    those of each row, of a .npy file.

    Raises KithError that names file, row and column for a table that lacks one, and an id of two labels.
    """

    def __init__(self, path: Path):
        self.path = path
        if not path.is_file():
            raise KithError(f"{path}: no such file; --classes takes a table with the columns id and label")
        self.rows: np.ndarray | None = None
        self.by_id: dict[str, str] = {}
        if path.suffix.lower() == ".npy":
            with reading(path, "write it anew"):
                array = np.load(path, allow_pickle=False)
            if array.ndim not in (1, 2) or array.shape[1:] == (1,):
                raise KithError(f"{path}: expected (n,) labels, or (n, C) of 0 and 1, not the shape {array.shape}")
            self.rows = words(array) if array.ndim == 1 else hot_words(array)
        else:
            self._read()

    def _read(self) -> None:
        there = readers.columns(self.path)
        column = next((name for name in LABELS if name in there), None)
        if "id" not in there or column is None:
            field = "label" if "id" in there else "id"
            raise KithError(f"{self.path}: no column '{field}'; the columns are: {', '.join(there)}")
        ids, labels, places = [], [], []
        for batch in readers.batches(self.path, ["id", column]):
            ids += batch["id"]
            labels += batch[column]
            places += batch.where
        for place, key, label in zip(places, words(ids).tolist(), words(labels).tolist(), strict=True):
            if self.by_id.setdefault(key, label) != label:
                said = f"'{key}' has the label '{label}' here, and '{self.by_id[key]}' before"
                raise KithError(f"{self.path}: {place}, column '{column}': {said}; keep one")

    def of(self, vectors: VectorSet) -> np.ndarray:
        """(n,) str labels of a set; empty where a cell of the table is.

        Raises KithError for an id that is not in the table, and where rows have nothing to be joined by.
        """
        if self.rows is not None:
            if vectors.ids is not None:
                raise KithError(f"{self.path}: {ROWS}, but {vectors.name} has ids; give a table with ids and labels")
            if len(self.rows) != len(vectors):
                raise KithError(f"{self.path}: has {len(self.rows)} labels, {vectors.name} {len(vectors)} vectors")
            return self.rows
        if vectors.ids is None:
            raise KithError(
                f"{vectors.name}: has no ids, by which {self.path} could be joined; {ROWS}: give them as .npy"
            )
        missing = [row for row, key in enumerate(vectors.ids.tolist()) if key not in self.by_id]
        if missing:
            raise KithError(f"{vectors.place(missing[0])}: {self.path} has no label for it ({len(missing)} such rows)")
        return np.array([self.by_id[key] for key in vectors.ids.tolist()], dtype=np.str_)


def labels_of(vectors: VectorSet, file: LabelFile | None) -> np.ndarray:
    """(n,) str labels of a set, of the file or else its own; unknown ones are empty, as is −1 where all are whole
    numbers. Raises KithError where there are none.

    >>> labels_of(VectorSet("a.npz", np.eye(2), False, labels=np.array(["cat", "dog"])), None).tolist()
    ['cat', 'dog']
    """
    if file is None and vectors.labels is None:
        raise KithError(
            f"{vectors.name}: has no labels: give --classes, a table of ids and labels; or, for pairs, --queries"
        )
    found = vectors.labels if file is None else file.of(vectors)
    assert found is not None
    number, _ = numbered(found.tolist())
    return np.where((found == "-1") & (number == -1), "", found)


def labels_of_pairs(queries: VectorSet, candidates: VectorSet, file: LabelFile | None) -> tuple[np.ndarray, np.ndarray]:
    """(n,) and (m,) str labels of queries and candidates that belong together by their ids. Where the candidates have
    labels and the queries none, a query has that of its id: a text has the class of its picture.

    >>> texts = VectorSet("t.npz", np.eye(2), False, ids=np.array(["y", "x"]))
    >>> pictures = VectorSet("p.npz", np.eye(2), False, ids=np.array(["x", "y"]), labels=np.array(["cat", "dog"]))
    >>> labels_of_pairs(texts, pictures, None)[0].tolist()
    ['dog', 'cat']
    """
    known = labels_of(candidates, file)
    if file is not None or queries.labels is not None or queries.ids is None or candidates.ids is None:
        return labels_of(queries, file), known
    of_id = dict(zip(candidates.ids.tolist(), known.tolist(), strict=True))
    return np.array([of_id.get(key, "") for key in queries.ids.tolist()], dtype=np.str_), known


def read_taxonomy(path: Path, order: edges.Order, labels: np.ndarray) -> Taxonomy:
    """The taxonomy of a file, as `kith.data.edges.read` takes it, under one root where its trees have none, as in a
    study. Raises KithError for labels that it lacks."""
    if not path.is_file():
        raise KithError(f"{path}: no such file; --taxonomy takes a file of edges, parent and child")
    table = edges.read(path, order)
    taxonomy = Taxonomy.from_edges(zip(table["parent"].to_pylist(), table["child"].to_pylist(), strict=True))
    known = [label for label in np.unique(labels).tolist() if label]
    if missing := [label for label in known if label not in taxonomy]:
        raise KithError(f"{path}: has no node for the label{'s' * (len(missing) > 1)} {listed(missing)}")
    return taxonomy.rooted(known) if known else taxonomy
