"""Where the text stage has placed the items, one semantic vector an item, and which training items are near there."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from kith.errors import KithError, reading
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, not_finite, proved, read

if TYPE_CHECKING:  # most texts are placed by dense vectors
    import scipy.sparse as sp

AGAIN = "run the text stage again"
Matrix: TypeAlias = "np.ndarray | sp.csr_matrix"


def semantic_vectors(text: Path, data: Prepared) -> Matrix:
    """One unit row an item; a zero row where a text has no usable word.

    text: the folder that the text stage has written. Raises KithError where there are none, or of other data.
    """
    vectors = _matrix(text, "vectors", data)
    if vectors is None:
        raise KithError(f"{text}: neither vectors.npy nor vectors.npz; run the text stage")
    if vectors.shape[0] != len(data):
        raise KithError(f"{text}: places {vectors.shape[0]} items, there are {len(data)}; run the text stage again")
    return vectors


def text_vectors(text: Path, data: Prepared) -> "Matrix | None":
    """One row a text, where items have several; else None. Raises KithError where they are of other data."""
    return _matrix(text, "text_vectors", data)


def word_vectors(text: Path, data: Prepared) -> dict[str, np.ndarray]:
    """Word → vector, of the text stage's Doc2Vec model. Raises KithError where there are none, or of other data."""
    path = text / "word_vectors.parquet"
    proved(text / NOTE, [path], "text", data=data)
    with reading(path, AGAIN):
        table = pd.read_parquet(path)
    if any(not_finite(vector) is not None for vector in table["vector"]):
        raise KithError(f"{path}: a vector is not finite; {AGAIN}, with other parameters of text")
    return dict(zip(table["word"], table["vector"], strict=True))


def neighbor_table(neighbors: Path, data: Prepared) -> pd.DataFrame:
    """row, rank (from 0), neighbor and similarity: the nearest training items of each training group's first item.

    neighbors: the folder that the neighbors stage has written. Raises KithError where it is of other data.
    """
    path = neighbors / "neighbors.parquet"
    proved(neighbors / NOTE, [path], "neighbors", data=data)
    with reading(path, "run the neighbors stage again"):
        return pd.read_parquet(path)


def save_matrix(stem: Path, matrix: Matrix) -> None:
    """Dense as .npy, sparse as .npz."""
    if isinstance(matrix, np.ndarray):
        np.save(stem.with_suffix(".npy"), matrix)
    else:
        import scipy.sparse as sp

        sp.save_npz(stem.with_suffix(".npz"), matrix)


def _matrix(folder: Path, name: str, data: Prepared) -> "Matrix | None":
    dense, sparse = folder / f"{name}.npy", folder / f"{name}.npz"
    noted = read(folder / NOTE, "text")["files"]
    there = [path for path in (dense, sparse) if path.name in noted]
    proved(folder / NOTE, there, "text", data=data)
    if not there:
        return None
    with reading(there[0], AGAIN):
        matrix = np.load(dense) if there == [dense] else _sparse(sparse)
    if (row := not_finite(matrix if there == [dense] else matrix.data)) is not None:
        place = f"row {row}" if there == [dense] else "a number"
        raise KithError(f"{there[0]}: {place} is not finite; {AGAIN}, with other parameters of text")
    return matrix


def _sparse(path: Path) -> "sp.csr_matrix":
    import scipy.sparse as sp

    return sp.csr_matrix(sp.load_npz(path))
