"""How well texts fit their pictures, judged by a space that has not seen them."""

from typing import NamedTuple

import numpy as np

from kith.audit.folds import folds
from kith.cca.linear import CCA
from kith.similarity import unit_rows

OTHERS = 200  # pictures of others that a text is compared with
BLOCK = 65_536


class Fits(NamedTuple):
    """own: (n,) cosine of each text with its own picture; random: (n,) with that of another item; siblings: (n,) mean
    cosine with the other texts of its item, random_siblings: with those of that other item; NaN where there are none.
    others: (n, s) float32 cosines with pictures of other items, NaN where one is its own."""

    own: np.ndarray
    random: np.ndarray
    siblings: np.ndarray
    random_siblings: np.ndarray
    others: np.ndarray


def fits(
    texts: np.ndarray, pictures: np.ndarray, owner: np.ndarray, groups: np.ndarray, count: int = 5, seed: int = 0
) -> Fits:
    """The space is that of linear CCA (`kith.cca.CCA`, covariances shrunk the more, the fewer rows there are), learned
    on the other folds.

    texts: (n, d) floats; pictures: (m, e) floats; owner: (n,) int64, the picture of each text; groups: (m,) integers,
    kept together.

    >>> random = np.random.default_rng(0)
    >>> x = random.normal(size=(100, 4)) * [4, 2, 1, 0.5]
    >>> found = fits(x + 0.1 * random.normal(size=x.shape), x, np.arange(100), np.arange(100))
    >>> bool(found.own.mean() > 0.9), bool(abs(found.random.mean()) < 0.3), found.others.shape
    (True, True, (100, 100))
    """
    random = np.random.default_rng(seed)
    fold = folds(groups, np.zeros(len(groups), np.int64), count, seed)[owner]
    others = np.sort(random.choice(len(pictures), min(OTHERS, len(pictures)), replace=False))
    stranger = _strangers(owner, groups, random)
    own, strange = np.zeros(len(texts)), np.zeros(len(texts))
    wide = np.zeros((len(texts), len(others)), np.float32)
    for each in range(count):
        train, held = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        if not len(held) or len(train) < 3:
            continue
        space = learned(texts, pictures, owner, train)
        strangers = unit_rows(space.transform_first(np.asarray(pictures[others], dtype=np.float64)))
        for start in range(0, len(held), BLOCK):
            rows = held[start : start + BLOCK]
            text = unit_rows(space.transform_second(np.asarray(texts[rows], dtype=np.float64)))
            own[rows] = _cosines(space, text, pictures, owner[rows])
            strange[rows] = _cosines(space, text, pictures, owner[stranger[rows]])
            wide[rows] = text @ strangers.T
    wide[groups[owner][:, None] == groups[others]] = np.nan
    siblings, random_siblings = _siblings(texts, owner, stranger)
    return Fits(own, strange, siblings, random_siblings, wide)


def learned(texts: np.ndarray, pictures: np.ndarray, owner: np.ndarray, rows: np.ndarray) -> CCA:
    """The space of the pairs of texts `rows` and their pictures: pictures are its first view. Arguments as of `fits`.

    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> learned(x, 2 * x, np.arange(50), np.arange(50)).rows
    50
    """
    parts = (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
    pairs = (
        (np.asarray(pictures[owner[part]], dtype=np.float32), np.asarray(texts[part], dtype=np.float32))
        for part in parts
    )
    # The fewer rows for its numbers, the nearer to its mean variance a covariance is brought.
    r1, r2 = (width / (width + len(rows)) for width in (pictures.shape[1], texts.shape[1]))
    return CCA(r1, r2, shrink=True, power=1.0).fit_batches(pairs)


def _cosines(space: CCA, text: np.ndarray, pictures: np.ndarray, rows: np.ndarray) -> np.ndarray:
    picture = unit_rows(space.transform_first(np.asarray(pictures[rows], dtype=np.float64)))
    return np.einsum("nd,nd->n", text, picture)


def _strangers(owner: np.ndarray, groups: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Of each text one of another group: the next one in a random order that is."""
    order = random.permutation(len(owner))
    found = np.empty(len(owner), np.int64)
    found[order] = np.roll(order, -1)
    for _ in range(10):
        same = np.flatnonzero(groups[owner[found]] == groups[owner])
        found[same] = random.integers(len(owner), size=len(same))
    return found


def _siblings(texts: np.ndarray, owner: np.ndarray, stranger: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean cosine of each text with the other ones of its item, and with those of its stranger's item, as many."""
    unit = unit_rows(np.asarray(texts, dtype=np.float32))
    _, item = np.unique(owner, return_inverse=True)
    sums = np.zeros((item.max(initial=-1) + 1, unit.shape[1]), np.float32)
    np.add.at(sums, item, unit)
    count = np.bincount(item, minlength=len(sums))[item] - 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.where(count > 0, (np.einsum("nd,nd->n", unit, sums[item]) - 1) / count, np.nan)
        there = count[stranger]
        rest = sums[item[stranger]] - unit[stranger]
        strange = np.where(there > 0, np.einsum("nd,nd->n", unit, rest) / there, np.nan)
    return own, strange
