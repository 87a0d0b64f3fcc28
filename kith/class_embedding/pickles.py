"""Class embeddings as the pickles of cvjena/semantic-embeddings: read without running what they hold, and written.

The pickle is a dict: "embedding" (n, d) float64, "ind2label" (the label of each row), "label2ind" (its inverse).
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kith.errors import KithError, listed
from kith.taxonomy import Id
from kith.unpickle import BadPickle, load

KEYS = ("embedding", "ind2label", "label2ind")


class ClassEmbedding(NamedTuple):
    """embedding: (n, d) float64, one row a class. labels: the n classes, int or str."""

    embedding: np.ndarray
    labels: list[Id]


def read(path: Path | str) -> ClassEmbedding:
    """The class embedding in a pickle written by any NumPy under Python 2 or 3.

    Only arrays of numbers and strings, NumPy scalars and plain containers are built; a pickle that names anything
    else is refused before it is called. Raises KithError for such a file, and for one that breaks the contract.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "embedding.pickle", np.eye(2), ["cat", "dog"])
    ...     read(Path(folder) / "embedding.pickle")
    ClassEmbedding(embedding=array([[1., 0.],
           [0., 1.]]), labels=['cat', 'dog'])
    """
    try:
        with Path(path).open("rb") as file:
            content = load(file)
    except FileNotFoundError:
        raise KithError(f"{path}: no such file") from None
    except (BadPickle, OSError) as error:
        raise KithError(f"{path}: cannot be read as a pickle: {error}") from None
    return _checked(path, content if isinstance(content, dict) else {})


def write(path: Path | str, embedding: np.ndarray, labels: Sequence[Id]) -> None:
    """Write a class embedding, (n, d) and its n labels, so that any NumPy under Python 3.4 or later loads it.

    Raises KithError for repeated labels and for labels that do not fit the rows.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "embedding.pickle", np.eye(2), ["cat", "dog"])
    ...     read(Path(folder) / "embedding.pickle").labels
    ['cat', 'dog']
    """
    rows = np.asarray(embedding, dtype=np.float64)
    content = {"embedding": rows, "ind2label": list(labels), "label2ind": {y: row for row, y in enumerate(labels)}}
    rows, plain = _checked(path, content)
    content = {"embedding": rows, "ind2label": plain, "label2ind": {y: row for row, y in enumerate(plain)}}
    with Path(path).open("wb") as file:
        _Pickler(file, protocol=4).dump(content)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        # NumPy's own form names modules that differ between its versions; the constructor is in all of them.
        if isinstance(value, np.ndarray):
            return np.ndarray, (value.shape, value.dtype.str, bytearray(value.tobytes()))
        return NotImplemented


def _checked(path: Path | str, content: dict[Any, Any]) -> ClassEmbedding:
    if missing := [key for key in KEYS if key not in content]:
        raise KithError(f"{path}: has no {listed(missing)}; expected a dict of {listed(KEYS)}")
    embedding, labels, index = (content[key] for key in KEYS)
    if not isinstance(embedding, np.ndarray) or embedding.ndim != 2 or embedding.dtype.kind not in "fiu":
        raise KithError(f"{path}: embedding: expected an (n, d) array of numbers")
    if not isinstance(labels, list | tuple | np.ndarray) or len(labels) != len(embedding):
        raise KithError(f"{path}: ind2label: expected a list of {len(embedding)} labels, one a row of embedding")
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    if strange := [label for label in plain if not isinstance(label, int | str)]:
        raise KithError(f"{path}: ind2label: {strange[0]!r} is neither an integer nor a string")
    if not isinstance(index, dict) or any(index.get(label) != row for row, label in enumerate(plain)):
        raise KithError(f"{path}: label2ind: does not lead from each label of ind2label to its row; is one repeated?")
    return ClassEmbedding(embedding.astype(np.float64), plain)
