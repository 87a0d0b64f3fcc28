"""Checks for items that are there twice, and for twins of different classes."""

from collections.abc import Iterator

import numpy as np

from kith.audit.copies import likeness
from kith.audit.findings import AuditFindings
from kith.audit.near import pairs_of
from kith.audit.same import same_pairs
from kith.audit.subject import Subject
from kith.audit.words import near_texts
from kith.text.tokens import normalize

NEIGHBORS = 3  # of each picture, that may be copies of it
OF_FEATURES = 0.9995  # cosine of features that are nearly the same
BLOCK = 4096


def duplicates(subject: Subject) -> Iterator[AuditFindings]:
    """Equal and nearly equal pictures and texts, and those of them that have two labels."""
    found = [*_of_pictures(subject), *_of_texts(subject)]
    yield from found
    yield _two_labels(subject, found)


def _of_pictures(subject: Subject) -> Iterator[AuditFindings]:
    if not len(subject.shown):
        return
    groups = subject.groups[subject.shown]
    if subject.pictures is not None:
        equal = subject.shown[same_pairs(subject.image_rows[subject.shown], groups)]
        yield AuditFindings("exact_pictures", equal[:, 1], np.ones(len(equal)), equal[:, 0])
    indices, similarities = subject.picture_graph
    pairs, similarity = pairs_of((indices[:, :NEIGHBORS], similarities[:, :NEIGHBORS]))
    if subject.pictures is None:
        kept = similarity >= OF_FEATURES
        pairs, score = subject.shown[pairs[kept]], similarity[kept].astype(np.float64)
    else:
        pairs, score = _copies(subject, pairs, similarity)
    yield AuditFindings("near_pictures", pairs[:, 1], score, pairs[:, 0])


def _copies(subject: Subject, pairs: np.ndarray, similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of pairs that are nearer than half of the pictures are to their nearest, those that lie over each other."""
    if not len(pairs):
        return pairs, np.zeros(0)
    nearest = np.full(len(subject.shown), -np.inf)
    for side in (0, 1):
        np.maximum.at(nearest, pairs[:, side], similarity)
    pairs = subject.shown[pairs[similarity >= np.median(nearest[np.isfinite(nearest)])]]
    rows = subject.image_rows[pairs]
    pairs, rows = pairs[rows[:, 0] != rows[:, 1]], rows[rows[:, 0] != rows[:, 1]]
    parts = [np.zeros(0, np.float32)]
    for start in range(0, len(rows), BLOCK):
        left, right = (subject.pictures[rows[start : start + BLOCK, side]] for side in (0, 1))
        parts.append(likeness(left, right))
    score = np.concatenate(parts).astype(np.float64)
    kept = score >= subject.options.near_pictures
    return pairs[kept], score[kept]


def _of_texts(subject: Subject) -> Iterator[AuditFindings]:
    if not subject.texts:
        return
    groups, owner = subject.groups[subject.owner], subject.owner
    plain = np.array([normalize(text).casefold() for text in subject.texts], dtype=object).astype(str)
    equal = same_pairs(plain, groups)
    yield AuditFindings(
        "exact_texts", owner[equal[:, 1]], np.ones(len(equal)), owner[equal[:, 0]], equal[:, 1], equal[:, 0]
    )
    pairs, share = near_texts(subject.texts, groups, subject.options.near_texts, subject.options.seed)
    new = plain[pairs[:, 0]] != plain[pairs[:, 1]]
    pairs, share = pairs[new], share[new]
    yield AuditFindings("near_texts", owner[pairs[:, 1]], share, owner[pairs[:, 0]], pairs[:, 1], pairs[:, 0])


def _two_labels(subject: Subject, found: list[AuditFindings]) -> AuditFindings:
    """Twins by their pictures; of data without pictures by their texts."""
    kinds = ("exact_pictures", "near_pictures") if len(subject.shown) else ("exact_texts", "near_texts")
    twins = [each for each in found if each.kind in kinds]
    rows, others, scores = (
        np.concatenate([np.zeros(0, kind), *(getattr(each, name) for each in twins)])
        for name, kind in (("rows", np.int64), ("others", np.int64), ("scores", np.float64))
    )
    labels = subject.labels
    torn = (labels[rows] >= 0) & (labels[others] >= 0) & (labels[rows] != labels[others])
    rows, others, scores = rows[torn], others[torn], scores[torn]
    _, first = np.unique(np.stack([rows, others], axis=1), axis=0, return_index=True)
    return AuditFindings("twin_labels", rows[first], scores[first], others[first])
