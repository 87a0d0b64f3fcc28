"""Graded measures of a reader who stops: expected reciprocal rank and rank-biased precision, exact where items tie.

The answer at the place i satisfies with the probability R_i, its relevance, from 0 to 1:

    ERR = Σ_i R_i / i Π_{j < i} (1 − R_j)        reads on until satisfied (Chapelle et al., CIKM 2009)
    RBP = (1 − p) Σ_i R_i p^(i − 1)              reads on with the probability p (Moffat & Zobel, TOIS 2008)

RBP needs but the mean relevance of a run of equals. For ERR, let S_j be the expectation, over all orders of a run, of
the product of 1 − R over its first j items: behind N others, with a chance c that none of these satisfied, the run is
worth c Σ_j (S_{j−1} − S_j) / (N + j). The S_j grow item by item: with one item more, n in all,
S_j is (n − j)/n of the old S_j (the new one comes later), and j/n of (1 − R) times the old S_{j−1}.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from kith.errors import KithError
from kith.metrics.graded import lists_of
from kith.metrics.ties import at_places
from kith.similarity import as_array, as_matrix, blocks

NEVER = 1e-18  # below it, what is left of a chance no longer shows in a sum of float64


def stopping_chance(grades: Any, highest: float) -> np.ndarray:
    """R = (2^grade − 1) / 2^highest of grades from 0 to `highest`, as in ERR's definition; of any shape, float64.

    >>> stopping_chance([0, 1, 2], highest=2).tolist()
    [0.0, 0.25, 0.75]

    Raises KithError for grades out of range.
    """
    values = as_array(grades).astype(np.float64)
    if not ((values >= 0) & (values <= highest)).all():
        raise KithError(f"grades: expected numbers from 0 to {highest:g}")
    return (2.0**values - 1) / 2.0**highest


def expected_reciprocal_rank(scores: Any, relevance: Any) -> np.ndarray:
    """(n,) float64 ERR of the candidates of each query, (n, m) scores, higher comes first.

    relevance: (n, m) chances R from 0 to 1, see `stopping_chance`. Candidates with equal scores count by the exact
    expectation over their orders. Raises KithError for shapes that do not fit, a NaN, and R out of range.

    >>> expected_reciprocal_rank([[0.9, 0.5, 0.1]], [[0.0, 0.5, 0.5]]).round(4).tolist()  # 1/4, and 1/12
    [0.3333]
    """
    return _by_block(scores, relevance, _err, _err_of_runs)


def rank_biased_precision(scores: Any, relevance: Any, p: float = 0.8) -> np.ndarray:
    """(n,) float64 RBP; scores and relevance as `expected_reciprocal_rank` takes them, p from 0 up to, not with, 1.

    >>> rank_biased_precision([[0.9, 0.5]], [[0.0, 1.0]], p=0.5).tolist()
    [0.25]

    Raises KithError as there, and for another p.
    """
    if not 0 <= p < 1:
        raise KithError(f"p: {p} is not from 0 up to 1, without 1")

    def of_lists(found: np.ndarray) -> np.ndarray:
        return (1 - p) * found @ p ** np.arange(found.shape[1])

    def of_runs(found: np.ndarray, starts: np.ndarray) -> float:
        return float(of_lists(at_places(found, starts, len(found))[None])[0])

    return _by_block(scores, relevance, of_lists, of_runs)


def _err(found: np.ndarray) -> np.ndarray:
    """Of lists without equals, (n, m) relevances in their order."""
    left = np.cumprod(1 - found, axis=1)
    reached = np.hstack([np.ones((len(found), 1)), left[:, :-1]])
    return (found * reached / np.arange(1, found.shape[1] + 1)).sum(axis=1)


def _err_of_runs(found: np.ndarray, starts: np.ndarray) -> float:
    """Of one list with equals, (m,) relevances in its order, and where each run of equals begins."""
    total, chance = 0.0, 1.0
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(found)], strict=True):
        missed = _survival(found[start:stop])
        total += chance * float((-np.diff(missed) / np.arange(start + 1, start + len(missed))).sum())
        if (chance := chance * float(np.prod(1 - found[start:stop]))) < NEVER:
            break
    return total


def _survival(run: np.ndarray) -> np.ndarray:
    """S_0, S_1, … of a run of equals; for those that are worth the same, a power."""
    if (run == run[0]).all():
        return np.power(1 - run[0], np.arange(len(run) + 1))
    places, found = np.arange(len(run) + 1), np.zeros(len(run) + 1)
    found[0] = 1.0
    for n, each in enumerate(run.tolist(), start=1):
        later = found[1 : n + 1] * (n - places[1 : n + 1]) / n
        found[1 : n + 1] = later + found[:n] * (1 - each) * places[1 : n + 1] / n
    return found


def _by_block(
    scores: Any,
    relevance: Any,
    of_lists: Callable[[np.ndarray], np.ndarray],
    of_runs: Callable[[np.ndarray, np.ndarray], float],
) -> np.ndarray:
    """Every query by `of_lists`, those whose candidates tie by `of_runs`."""
    scores, relevance = _checked(scores, relevance)
    values = np.empty(len(scores))
    for block in blocks(*scores.shape):
        found, known = lists_of(np.arange(block.stop - block.start), -scores[block]), relevance[block]
        values[block] = of_lists(np.take_along_axis(known, found.order, axis=1))
        for row, items, starts in found.tied:
            values[block.start + row] = of_runs(known[row, items], starts)
    return values


def _checked(scores: Any, relevance: Any) -> tuple[np.ndarray, np.ndarray]:
    scores, relevance = as_matrix(scores, "scores"), as_matrix(relevance, "relevance").astype(np.float64)
    if scores.shape != relevance.shape or not scores.shape[1]:
        raise KithError(f"scores have the shape {scores.shape}, relevance {relevance.shape}: one of each a candidate")
    wrong = {"scores": np.isnan(scores), "relevance": ~((relevance >= 0) & (relevance <= 1))}
    for name, bad in wrong.items():
        if len(rows := np.flatnonzero(bad.any(axis=1))):
            said = "has a NaN" if name == "scores" else "is not from 0 to 1"
            raise KithError(f"{name}: row {rows[0]} {said} ({len(rows)} such rows)")
    return scores, relevance
