"""Checks by models that have not seen what they judge: labels, classes, and pairs of texts and pictures."""

from collections.abc import Iterator

import numpy as np

from kith.audit.classes import classes_alike
from kith.audit.findings import AuditFindings
from kith.audit.fits import fits, learned
from kith.audit.labels import out_of_sample, suspect_labels
from kith.audit.subject import Subject
from kith.audit.wrong import LEAST, MANY, better_pictures, fitting_shares, wrong_pairs
from kith.errors import KithError
from kith.taxonomy import Taxonomy


def class_labels(subject: Subject) -> Iterator[AuditFindings]:
    """Suspect labels, and classes that look alike where a taxonomy puts them apart."""
    rows, features = subject.class_features
    labels, groups = subject.labels[rows], subject.groups[rows]
    if not features or len(np.unique(labels[labels >= 0])) < 2:
        return
    judged = out_of_sample(features, labels, groups, subject.options.folds, subject.options.seed)
    if not len(judged.rows):
        return
    names = subject.items.drop_duplicates("label").set_index("label")["label_name"]
    right = (judged.classes[judged.probabilities.argmax(axis=1)] == labels[judged.rows]).mean()
    told = f"a classifier that has not seen it; it is right in {100 * right:.0f} % of all items"
    found = suspect_labels(judged, labels)
    yield AuditFindings(
        "suspect_label",
        rows[found.rows],
        found.scores,
        suggestions=[names[label] for label in found.suggested],
        details=[told] * len(found.rows),
    )
    edges = subject.data.taxonomy
    if len(edges):
        yield _alike(subject, judged, labels, rows, names)


def _alike(subject: Subject, judged, labels: np.ndarray, rows: np.ndarray, names) -> AuditFindings:
    """Each pair of classes by the first item of both."""
    wanted = [names[label] for label in judged.classes]
    try:
        taxonomy = Taxonomy.from_edges(subject.data.taxonomy[["parent", "child"]].to_numpy()).rooted(wanted)
        similarity = taxonomy.similarity(wanted)
    except KithError as error:
        raise KithError(f"{subject.data.folder / 'taxonomy.parquet'}: {error}; run the prepare stage again") from None
    shown = dict(zip(subject.data.taxonomy["child"], subject.data.taxonomy["name"], strict=True))
    found = classes_alike(judged, labels, similarity)
    first = {label: int(rows[np.flatnonzero(labels == label)[0]]) for pair in found for label in pair[:2]}
    return AuditFindings(
        "classes_alike",
        np.array([first[each[0]] for each in found], dtype=np.int64),
        np.array([each[2] for each in found]),
        np.array([first[each[1]] for each in found], dtype=np.int64),
        details=[
            f"{shown.get(names[a], names[a])} and {shown.get(names[b], names[b])}: {100 * share:.0f} % are confused, "
            f"similarity {near:.2f} in the taxonomy"
            for a, b, _, share, near in found
        ],
    )


def pairs_of_sides(subject: Subject) -> Iterator[AuditFindings]:
    """Texts of other pictures, and texts that fit many."""
    place = np.full(len(subject.items), -1)
    place[subject.shown] = np.arange(len(subject.shown))
    rows = np.flatnonzero(place[subject.owner] >= 0)
    if len(rows) < 2 * subject.options.folds or not subject.text_features.shape[1]:
        return
    texts, pictures = subject.text_features[rows], subject.picture_features
    owner, groups = place[subject.owner[rows]], subject.groups[subject.shown]
    if len(np.unique(groups[owner])) < 2 * subject.options.folds:
        return
    found = fits(texts, pictures, owner, groups, subject.options.folds, subject.options.seed)
    wrong = wrong_pairs(found)
    bad, good = np.flatnonzero(wrong.probability >= LEAST), np.flatnonzero(wrong.probability < LEAST)
    ids = subject.items["id"].to_numpy()
    better = better_pictures(learned(texts, pictures, owner, good), texts, bad, pictures, groups, owner[bad])
    yield AuditFindings(
        "wrong_pair",
        subject.owner[rows[bad]],
        wrong.probability[bad],
        subject.shown[better],
        rows[bad],
        suggestions=[ids[row] for row in subject.shown[better]],
        details=["the other picture is the one that fits this text best"] * len(bad),
    )
    share = fitting_shares(found)
    many = np.flatnonzero((share >= MANY) & (wrong.probability < LEAST))
    told = f"half of all texts fit at most {100 * np.median(share):.0f} % of the other pictures as well"
    yield AuditFindings(
        "ambiguous_text", subject.owner[rows[many]], share[many], texts=rows[many], details=[told] * len(many)
    )
