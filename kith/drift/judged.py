"""What is measured of new rows beside those held out, and the one sentence that follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import mannwhitneyu

from kith.drift.samples import more_often, told_apart
from kith.similarity import unit_rows

LEAST = 20  # rows, new and held out; of fewer nothing is said
TESTED = 1000  # rows of each sample, at most, that are told apart: the kernel is a matrix of all of them
SURE = 0.01  # a p below it is no accident; of all comparisons together, so often is there one
APART = 0.6  # how well samples are told apart where it matters: 0.5 is chance, 1 always
FAR = 99.0  # percentile of the held-out rows' distances to the nearest trained row: beyond it a row is far
SHARE = 0.05  # by how much more rows have to be far, or have unknown words, where it matters
CLASSES = 0.01  # the share of rows of unknown classes where it matters


@dataclass(frozen=True)
class SampleRows:
    """Rows as a run sees them. vectors: by side ("image", "text"), (n, d) float32 unit rows; similarity: (m,) the
    cosine of the two sides of those rows that have both; unknown: (t,) bool, whether a text has a word that the model
    does not know; labels: of the rows that have one."""

    vectors: dict[str, np.ndarray]
    similarity: np.ndarray = field(default_factory=lambda: np.zeros(0))
    unknown: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Comparison:
    """One comparison: what it is called, of the new rows and those held out, its p, whether the difference is large
    enough to matter, and the reason that it is then."""

    name: str
    new: str
    held_out: str
    p: float | None
    matters: bool
    reason: str

    @property
    def again(self) -> bool:
        """Whether it says to train."""
        return self.matters and (self.p is None or self.p < SURE)


@dataclass(frozen=True)
class Judgement:
    """All comparisons, and what follows: `sentence` begins with "train again" or "no need"."""

    measured: list[Comparison]

    @property
    def again(self) -> bool:
        return any(each.again for each in self.measured)

    @property
    def sentence(self) -> str:
        if self.again:
            return f"train again: {'; '.join(each.reason for each in self.measured if each.again)}."
        return "no need to train again: the new rows are like those that the model was measured on."


def judge(
    new: SampleRows, held_out: SampleRows, trained: SampleRows, classes: Sequence[str] = (), seed: int = 0
) -> Judgement:
    """Compare new rows with those held out: neither was trained on, so that a difference is not the training's.

    trained: the rows whose nearest is looked for. classes: those that the model was trained on; none: it knows none.
    All rows have to be independent of each other. Each p is that of all comparisons together (Holm, Scandinavian
    Journal of Statistics 1979).
    """
    found: list[Comparison] = []
    for side, called in (("image", "pictures"), ("text", "texts")):
        given = [each.vectors.get(side, np.zeros((0, 1))) for each in (new, held_out, trained)]
        if all(len(each) >= LEAST for each in given):
            found += [_apart(called, given[0], given[1], seed), _far(called, *given)]
    if min(len(new.similarity), len(held_out.similarity)) >= LEAST:
        found.append(_pairs(new.similarity, held_out.similarity))
    if min(len(new.unknown), len(held_out.unknown)) >= LEAST:
        told = "have words that the model does not know"
        found.append(_share("texts with unknown words", told, new.unknown, held_out.unknown))
    if classes and len(new.labels):
        found.append(_classes(new.labels, set(classes)))
    return Judgement(_together(found))


def _together(found: list[Comparison]) -> list[Comparison]:
    """With Holm's p in place of their own: of rows of one distribution, the least of all is below SURE that often."""
    tested = sorted((at for at, each in enumerate(found) if each.p is not None), key=lambda at: found[at].p or 0.0)
    made, least = list(found), 0.0
    for place, at in enumerate(tested):
        least = max(least, min(1.0, (len(tested) - place) * (found[at].p or 0.0)))
        made[at] = replace(found[at], p=least)
    return made


def _apart(called: str, new: np.ndarray, held_out: np.ndarray, seed: int) -> Comparison:
    random = np.random.default_rng(seed)
    some, others = (each[np.sort(random.permutation(len(each))[:TESTED])] for each in (new, held_out))
    auc, p = told_apart(some, others, seed)
    reason = f"new {called} can be told from those held out ({auc:.2f}; by chance 0.50)"
    return Comparison(f"{called} told apart", f"{auc:.2f}", "0.50", p, auc >= APART, reason)


def _far(called: str, new: np.ndarray, held_out: np.ndarray, trained: np.ndarray) -> Comparison:
    nearest = [_nearest(each, trained) for each in (new, held_out)]
    limit = np.percentile(nearest[1], 100 - FAR)
    told = f"are farther from all trained {called} than 99 % of those held out"
    return _share(f"{called} far from trained ones", told, *(each < limit for each in nearest))


def _share(name: str, told: str, new: np.ndarray, held_out: np.ndarray) -> Comparison:
    p = more_often(int(new.sum()), len(new), int(held_out.sum()), len(held_out))
    shares = new.mean(), held_out.mean()
    matters = bool(shares[0] - shares[1] >= SHARE)
    return Comparison(name, f"{shares[0]:.1%}", f"{shares[1]:.1%}", p, matters, f"{shares[0]:.0%} {told}")


def _pairs(new: np.ndarray, held_out: np.ndarray) -> Comparison:
    """Whether a text and its own picture lie farther apart than held-out pairs do."""
    statistic, p = mannwhitneyu(new, held_out, alternative="less")
    lower = 1 - statistic / (len(new) * len(held_out))
    median, usual = (f"{np.median(each):.2f}" for each in (new, held_out))
    reason = f"new texts lie farther from their own pictures (median similarity {median}, held out {usual})"
    return Comparison("similarity of pairs", median, usual, float(p), bool(lower >= APART), reason)


def _classes(labels: Sequence[str], known: set[str]) -> Comparison:
    unknown = [label for label in labels if label not in known]
    names = sorted(set(unknown))
    share, shown = len(unknown) / len(labels), ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    one = "class" if len(names) == 1 else "classes"
    reason = f"{len(unknown):,} new rows are of {len(names)} {one} that the model does not know ({shown})"
    return Comparison("rows of unknown classes", f"{share:.1%}", "0.0%", None, share >= CLASSES, reason)


def _nearest(rows: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """(n,) the similarity of each row's nearest trained one."""
    unit, found = unit_rows(trained), []
    for start in range(0, len(rows), TESTED):
        found.append((unit_rows(rows[start : start + TESTED]) @ unit.T).max(axis=1))
    return np.concatenate(found)
