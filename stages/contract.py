"""Reading what earlier stages wrote: the one place that knows the files of the data contract."""

from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from kith.errors import KithError
from stages import files


def items(data: Path) -> pd.DataFrame:
    """items.parquet, one row an item."""
    return pd.read_parquet(data / "items.parquet")


def dataset(data: Path) -> dict:
    return files.read_json(data / "dataset.json")


def images(data: Path) -> np.ndarray:
    """images.npy, memory-mapped: (N, H, W, C) uint8."""
    return np.load(data / "images.npy", mmap_mode="r")


def features(data: Path, side: str) -> np.ndarray | None:
    """features_image.npy or features_text.npy, memory-mapped: (N, …) float32, one row an item; None without."""
    path = data / f"features_{side}.npy"
    return np.load(path, mmap_mode="r") if path.exists() else None


def group_codes(table: pd.DataFrame) -> np.ndarray:
    """(n_items,) int64, equal for items of the same group."""
    return pd.factorize(table["group"])[0].astype(np.int64)


def text_start(table: pd.DataFrame) -> np.ndarray:
    """(n_items + 1,) int64: the texts of item i are rows text_start[i] to text_start[i + 1] of `all_texts`."""
    counts = table["texts"].map(len).to_numpy(dtype=np.int64)
    return np.concatenate([[0], np.cumsum(counts)])


def all_texts(table: pd.DataFrame) -> list[str]:
    return [text for texts in table["texts"] for text in texts]


def rows_of(table: pd.DataFrame, *splits: str) -> np.ndarray:
    """Rows of the items in `splits`."""
    return np.flatnonzero(table["split"].isin(splits).to_numpy())


def held_out_splits(table: pd.DataFrame) -> list[str]:
    """Every split but the training one, val first."""
    return sorted(set(table["split"]) - {"train"}, key=lambda split: (split != "val", split))


def semantic_vectors(text: Path) -> np.ndarray | sp.csr_matrix:
    """One unit row an item; a zero row where a text has no usable word."""
    vectors = _matrix(text / "vectors")
    if vectors is None:
        raise KithError(f"{text}: neither vectors.npy nor vectors.npz; run the text stage")
    return vectors


def text_vectors(text: Path) -> np.ndarray | sp.csr_matrix | None:
    """One row a text, where items have several; else None."""
    return _matrix(text / "text_vectors")


def classes(taxonomy: Path) -> pd.DataFrame:
    """label, label_name and name of every class; the class number is the row."""
    return pd.read_parquet(taxonomy / "classes.parquet")


def class_numbers(table: pd.DataFrame, known: pd.DataFrame) -> np.ndarray:
    """(n_items,) int64 class number of each item, −1 for an unknown one."""
    return pd.Index(known["label"]).get_indexer(table["label"]).astype(np.int64)


def similarity(taxonomy: Path, measure: str) -> np.ndarray:
    """(classes, classes) float64: "lcsh", "wup", or "target", which class embeddings are made from."""
    with np.load(taxonomy / "similarity.npz") as arrays:
        return arrays[measure]


def save_matrix(stem: Path, matrix: np.ndarray | sp.csr_matrix) -> None:
    """Dense as .npy, sparse as .npz."""
    if sp.issparse(matrix):
        sp.save_npz(stem.with_suffix(".npz"), matrix)
    else:
        np.save(stem.with_suffix(".npy"), matrix)


def _matrix(stem: Path) -> np.ndarray | sp.csr_matrix | None:
    dense, sparse = stem.with_suffix(".npy"), stem.with_suffix(".npz")
    if dense.exists():
        return np.load(dense)
    return sp.csr_matrix(sp.load_npz(sparse)) if sparse.exists() else None
