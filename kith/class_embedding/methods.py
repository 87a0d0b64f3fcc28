"""Class embeddings: one target vector a class, their similarities those of the classes.

Barz and Denzler, "Hierarchy-based Image Embeddings for Semantic Image Retrieval", WACV 2019.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.linalg

from kith.class_embedding.eigen import Pairs, largest, largest_of_similarity
from kith.errors import KithError, listed
from kith.similarity import as_matrix, blocks, unit_rows

VANISHED = 1e-6  # rows shorter than this are rounding: their directions mean nothing


def class_embedding(
    similarity: Any,
    method: str = "unitsphere",
    dim: int | None = None,
    normalize: bool = False,
    names: Sequence[Any] | None = None,
) -> np.ndarray:
    """(n, d) float64 embedding E of n classes with the target similarities S, or the distances D = 1 − S.

    similarity: (n, n), symmetric; its diagonal counts as 1, so that an inner node of a taxonomy is like itself.
    method:
        unitsphere  rows of length 1 with E Eᵀ = S exactly: its Cholesky factor, d = n
        approx_sim  Q √Λ of the d largest eigenvalues of S, the best E Eᵀ of rank d; default d = n
        spheres     Euclidean distances D exactly, the first class at the origin, d = n − 1
        mds         classical scaling of D to the d largest eigenvalues; default: all that are positive
        onehot      the identity, d = n
    normalize: bring rows to length 1 (a zero row stays zero).
    names: of the classes, for messages; default: their rows.

    Warns where a cut between equal eigenvalues makes the result one of many, and of rows that vanish (they are
    set to 0). Raises KithError for a matrix that no such embedding has, with its smallest eigenvalue.

    >>> class_embedding([[1, 0.5], [0.5, 1]]).round(3).tolist()
    [[1.0, 0.0], [0.5, 0.866]]
    """
    if method not in METHODS:
        raise KithError(f"class embedding: method '{method}' is not one of {', '.join(METHODS)}")
    target = _checked(similarity)
    largest = len(target) - (method in ("spheres", "mds"))
    if dim is not None and not 1 <= dim <= largest:
        raise KithError(
            f"class embedding: dim {dim} is not between 1 and {largest}, what {len(target)} classes can fill"
        )
    if dim not in (None, largest) and method not in ("approx_sim", "mds"):
        raise KithError(
            f"class embedding: {method} has {largest} dimensions, not {dim}; take approx_sim or mds for fewer"
        )
    embedding = METHODS[method](target, dim)
    if method == "approx_sim":
        _drop_vanished(embedding, names)
    return unit_rows(embedding) if normalize else embedding


def word_vector_targets(names: Sequence[str], vectors: Mapping[str, Any]) -> np.ndarray:
    """(n, d) float64 unit rows: the word vectors of class names (targets of DeViSE, Frome et al., NIPS 2013).

    A name that `vectors` has is taken as it is; otherwise its words, split at what is no letter or digit and
    looked up as they are or in lower case, are averaged. Raises KithError that names the classes with a word
    that is missing, or whose vectors cancel out.

    >>> word_vector_targets(["red fox"], {"red": [1, 0], "fox": [0, 1]}).round(3).tolist()
    [[0.707, 0.707]]
    """
    found = [[vectors[name]] if name in vectors else [_word_vector(w, vectors) for w in _words(name)] for name in names]
    missing = [name for name, parts in zip(names, found, strict=True) if not parts or any(p is None for p in parts)]
    if missing:
        raise KithError(f"word vectors: no vector for words of {listed(missing)}; rename these classes, or add vectors")
    rows = np.array([np.mean(np.asarray(parts, dtype=np.float64), axis=0) for parts in found])
    zero = np.flatnonzero(~rows.any(axis=1))
    if len(zero):
        raise KithError(
            f"word vectors: those of {listed([names[i] for i in zero.tolist()])} add up to zero; they have no direction"
        )
    return unit_rows(rows, "word vectors")


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name)


def _word_vector(word: str, vectors: Mapping[str, Any]) -> Any:
    known = next((spelling for spelling in (word, word.lower()) if spelling in vectors), None)
    return None if known is None else vectors[known]


def _checked(similarity: Any) -> np.ndarray:
    """A float64 copy with the diagonal 1."""
    matrix = as_matrix(similarity, "similarity")
    target = np.array(matrix, dtype=np.float64, order="C")
    n = len(target)
    if target.shape != (n, n) or not n:
        raise KithError(f"similarity: expected an (n, n) matrix of the n classes, not the shape {target.shape}")
    for rows in blocks(n, n):
        difference = np.abs(target[rows] - target[:, rows].T)
        if not (difference <= 1e-8).all():
            row, column = divmod(int((~(difference <= 1e-8)).argmax()), n)
            raise KithError(f"similarity: not symmetric and finite at row {rows.start + row}, column {column}")
    np.fill_diagonal(target, 1)
    return target


def _unitsphere(target: np.ndarray, dim: int | None) -> np.ndarray:
    return _cholesky(target, "the similarities")


def _spheres(target: np.ndarray, dim: int | None) -> np.ndarray:
    """Rows x with x₀ = 0 and, by the law of cosines, xᵢ·xⱼ = (D₀ᵢ² + D₀ⱼ² − Dᵢⱼ²) / 2."""
    squared = (1 - target) ** 2
    gram = (squared[1:, :1] + squared[:1, 1:] - squared[1:, 1:]) / 2
    return np.vstack([np.zeros((1, len(gram))), _cholesky(gram, "the distances")])


def _cholesky(gram: np.ndarray, what: str) -> np.ndarray:
    """The lower triangular E with E Eᵀ = gram, its diagonal positive."""
    if not len(gram):
        return gram
    smallest = len(gram) * np.finfo(np.float64).eps
    try:
        # The transpose of a symmetric matrix is itself in LAPACK's order: no copy on the way.
        factor = scipy.linalg.cholesky(gram.T, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        factor = None
    if factor is None or np.diagonal(factor).min() ** 2 < smallest:
        value = scipy.linalg.eigvalsh(gram, subset_by_index=[0, 0])[0]
        raise KithError(
            f"class embedding: {what} of these {len(gram)} classes are not positive definite (smallest eigenvalue "
            f"{value:.3g}): drop repeated classes, reduce the taxonomy to a tree (Taxonomy.to_tree), or take approx_sim"
        )
    return factor


def _approx_sim(target: np.ndarray, dim: int | None) -> np.ndarray:
    values, vectors = _cut(largest_of_similarity, target, len(target) if dim is None else dim)
    return vectors * np.sqrt(np.maximum(values, 0))


def _mds(target: np.ndarray, dim: int | None) -> np.ndarray:
    squared = (1 - target) ** 2
    mean = squared.mean(axis=0)
    centred = (mean[:, None] + mean - squared - mean.mean()) / 2
    values, vectors = _cut(largest, centred, max(1, len(target) - 1) if dim is None else dim)
    positive = int(np.count_nonzero(values > len(target) * np.finfo(np.float64).eps * values[0]))
    if dim is not None and positive < dim:
        raise KithError(f"class embedding: mds has {positive} positive eigenvalues for dim {dim}; take dim {positive}")
    return vectors[:, :positive] * np.sqrt(values[:positive])


def _onehot(target: np.ndarray, dim: int | None) -> np.ndarray:
    return np.eye(len(target))


METHODS: dict[str, Callable[[np.ndarray, int | None], np.ndarray]] = {
    "unitsphere": _unitsphere,
    "approx_sim": _approx_sim,
    "spheres": _spheres,
    "mds": _mds,
    "onehot": _onehot,
}


def _cut(solve: Callable[[np.ndarray, int], Pairs], matrix: np.ndarray, dim: int) -> Pairs:
    """The `dim` largest eigenvalues and their vectors, with a warning if the next is equal to the last."""
    values, vectors = solve(matrix, min(dim + 1, len(matrix)))
    if dim < len(values) and values[dim - 1] - values[dim] <= 1e-10 * values[0]:
        warnings.warn(
            f"class embedding: eigenvalues {dim} and {dim + 1} are both {values[dim]:.6g}: the cut at dim {dim} is "
            "arbitrary; take another dim",
            stacklevel=4,
        )
    return values[:dim], vectors[:, :dim]


def _drop_vanished(embedding: np.ndarray, names: Sequence[Any] | None) -> None:
    gone = np.flatnonzero(np.linalg.norm(embedding, axis=1) < VANISHED)
    if len(gone):
        embedding[gone] = 0
        shown = listed([row if names is None else names[row] for row in gone.tolist()])
        warnings.warn(
            f"class embedding: {len(gone)} classes vanish in {embedding.shape[1]} dimensions, they cannot be told "
            f"apart: {shown}; take a larger dim",
            stacklevel=3,
        )
