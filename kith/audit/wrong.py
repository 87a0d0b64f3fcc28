"""Texts that belong to another picture, and texts that fit many."""

from typing import NamedTuple

import numpy as np

from kith.audit.fits import Fits
from kith.similarity import unit_rows

ROUNDS = 100
LEAST = 0.1  # probability of a wrong pair that is told: with a low one, few real ones are missed
MANY = 0.2  # of other pictures, that fit an ambiguous text as its own does


class WrongPairs(NamedTuple):
    """probability: (n,) float64 that a text is of another picture; share: of all texts, as estimated."""

    probability: np.ndarray
    share: float


def wrong_pairs(found: Fits) -> WrongPairs:
    """The probability that each text was put to a picture at random.

    Two kinds of pairs are known: those of the data, most of them right, and those with a random other item. Logistic
    regression on both cosines, of the picture and of the other texts, tells how much likelier a pair is among the
    second; with the share of wrong pairs in the data, which expectation–maximisation estimates (Saerens et al., Neural
    Computation 2002), that is a probability.

    >>> random = np.random.default_rng(0)
    >>> own, strange = random.normal(0.8, 0.1, 200), random.normal(0.0, 0.1, 200)
    >>> own[7] = 0.02
    >>> nothing = np.full(200, np.nan)
    >>> found = wrong_pairs(Fits(own, strange, nothing, nothing, np.zeros((200, 0))))
    >>> np.flatnonzero(found.probability > 0.5).tolist()
    [7]
    """
    probability, share = np.zeros(len(found.own)), 0.0
    alone = np.isnan(found.siblings) | np.isnan(found.random_siblings)
    for rows in (np.flatnonzero(alone), np.flatnonzero(~alone)):
        if len(rows) < 2:
            continue
        sides = [(found.own, found.random), (found.siblings, found.random_siblings)][: 1 if alone[rows[0]] else 2]
        own, strange = (np.stack([side[place][rows] for side in sides], axis=1) for place in (0, 1))
        probability[rows], part = _posterior(_odds(own, strange))
        share += part * len(rows) / len(probability)
    return WrongPairs(probability, share)


def _odds(own: np.ndarray, strange: np.ndarray) -> np.ndarray:
    """(n,) log of how much likelier a pair of `own` is among `strange` pairs than among its own kind."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    both, kind = np.concatenate([own, strange]), np.repeat([0, 1], [len(own), len(strange)])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=100.0)).fit(both, kind)
    return model.decision_function(own)


def _posterior(odds: np.ndarray, share: float = 0.05) -> tuple[np.ndarray, float]:
    for _ in range(ROUNDS):
        probability = 1 / (1 + np.exp(-np.clip(odds + np.log(share / (1 - share)), -500, 500)))
        share = float(np.clip(probability.mean(), 1e-6, 0.5))
    return probability, share


def fitting_shares(found: Fits) -> np.ndarray:
    """(n,) float64: the share of other pictures that each text fits at least as well as its own.

    >>> own, nothing = np.full(2, 0.6), np.full(2, np.nan)
    >>> others = np.tile(np.float32([0.7, 0.1, np.nan]), (2, 1))
    >>> fitting_shares(Fits(own, own, nothing, nothing, others)).tolist()
    [0.5, 0.5]
    """
    known = ~np.isnan(found.others)
    better = np.where(known, found.others, -np.inf) >= found.own[:, None]
    return better.sum(axis=1) / np.maximum(known.sum(axis=1), 1)


def better_pictures(
    space, texts: np.ndarray, rows: np.ndarray, pictures: np.ndarray, groups: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """(n,) int64: the picture, of another group than its own, that fits each of the texts `rows` best.

    space: as `fits.learned` makes it of pairs without these; texts (m, d), pictures (p, e): floats; groups: (p,)
    integers; own: (n,) int64, the pictures that the texts are with.

    >>> from kith.audit.fits import learned
    >>> x = np.random.default_rng(0).normal(size=(60, 3))
    >>> space = learned(x, x, np.arange(60), np.arange(50))
    >>> better_pictures(space, x, np.array([50, 51]), x, np.arange(60), np.array([51, 50])).tolist()
    [50, 51]
    """
    text = unit_rows(space.transform_second(np.asarray(texts[rows], dtype=np.float64)))
    best, place = np.full(len(rows), -np.inf), np.zeros(len(rows), np.int64)
    for start in range(0, len(pictures), 8192):
        block = slice(start, start + 8192)
        cosines = text @ unit_rows(space.transform_first(np.asarray(pictures[block], dtype=np.float64))).T
        cosines[groups[own][:, None] == groups[block]] = -np.inf
        top = cosines.argmax(axis=1)
        higher = cosines[np.arange(len(rows)), top] > best
        best[higher], place[higher] = cosines[np.arange(len(rows)), top][higher], start + top[higher]
    return place
