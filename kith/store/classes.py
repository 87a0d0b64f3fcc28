"""The classes of a data set, numbered, and how similar they are: what the taxonomy stage leaves."""

from pathlib import Path

import numpy as np
import pandas as pd

from kith.errors import KithError, reading
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, proved

FILES = ("classes.parquet", "similarity.npz")


class Classes:
    """The folder that the taxonomy stage has written; a class number is a row of `table`.

    table: label, label_name and name (as shown) of every class. data: the prepared data that it has to be of, or
    their checksum; None where no items are joined with it. Raises KithError where it is of other data.
    """

    def __init__(self, folder: Path, data: Prepared | str | None):
        self.folder = folder
        self.note = proved(folder / NOTE, [folder / name for name in FILES], "taxonomy", data=data)
        with reading(folder / "classes.parquet", "run the taxonomy stage again"):
            self.table = pd.read_parquet(folder / "classes.parquet")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def labels(self) -> list[str]:
        """The label of each class, as the data set names it."""
        return list(self.table["label_name"])

    @property
    def names(self) -> list[str]:
        """The name of each class, as it is shown."""
        return list(self.table["name"])

    def numbers(self, items: pd.DataFrame) -> np.ndarray:
        """(n_items,) int64 class number of each item, −1 for an unknown one."""
        return pd.Index(self.table["label"]).get_indexer(items["label"]).astype(np.int64)

    def sets(self, items: pd.DataFrame) -> np.ndarray | None:
        """(n_items, classes) bool, which classes each item has, where items have several labels each; else None."""
        if "labels" not in items:
            return None
        found = np.zeros((len(items), len(self)), dtype=bool)
        counts = items["labels"].map(len).to_numpy(dtype=np.int64)
        names = [name for names in items["labels"] for name in names]
        found[np.repeat(np.arange(len(items)), counts), pd.Index(self.labels).get_indexer(names)] = True
        return found

    def similarity(self, measure: str) -> np.ndarray:
        """(classes, classes) float64: "lcsh", "wup", or "target", which class embeddings are made from."""
        path = self.folder / "similarity.npz"
        with reading(path, "run the taxonomy stage again"), np.load(path) as arrays:
            return arrays[measure]


def class_vectors(folder: Path, name: str, data: Prepared) -> np.ndarray:
    """(classes, d) float64 that the class_embedding stage wrote: "embedding.npy", or "words.npy" of word vectors.

    Raises KithError where there is none, or it is of other data.
    """
    path = folder / name
    if not path.exists():
        raise KithError(f"{path}: no such file; for `targets: words` set class_embedding.words")
    proved(folder / NOTE, [path], "class_embedding", data=data)
    with reading(path, "run the class_embedding stage again"):
        return np.load(path)
