"""What is found, measured in the taxonomy: whatever finds it, answers of near classes count as far as they are similar.

A text has the class of its item.
"""

from collections.abc import Sequence

import numpy as np

from kith.codes import sign_codes
from kith.evaluation.catalogue import DIRECTIONS, IMAGES, TAXONOMY
from kith.evaluation.classes import KnownClasses
from kith.evaluation.codes import ClassDatabase
from kith.evaluation.gallery import Gallery, GallerySide
from kith.evaluation.results import QueryMetrics
from kith.metrics.graded import GradedLists
from kith.metrics.taxonomic import taxonomic_hamming, taxonomic_search, taxonomic_self_search

PRECISION = ("HP@", "AHP")  # pictures that look for pictures have these in their own group


def in_taxonomy(
    gallery: Gallery, known: KnownClasses, database: ClassDatabase, ks: Sequence[int], clip: int
) -> list[QueryMetrics]:
    """Texts and pictures that find each other, pictures that find pictures, and codes, as far as there are any.

    ks: cutoffs of HP@k and of the hierarchical distance, of which those beyond the answers are left out; clip: that of
    AHP@k.

    >>> rows = np.arange(3)
    >>> side = GallerySide(np.eye(3), rows, rows, 0 * rows)
    >>> known = KnownClasses(np.array([0, 0, 1]), {"lcsh": np.eye(2)}, {}, rows)
    >>> found = in_taxonomy(Gallery(side, side, np.eye(3)), known, ClassDatabase(coded=False), ks=[1], clip=250)
    >>> found[0].values["text_to_image_taxonomy/HP@1"].tolist(), len(found)
    ([1.0, 1.0, 1.0], 3)
    """
    table, found = known.similarity.get("lcsh"), []
    if table is None:
        return []
    (images, of_images), (texts, of_texts) = known.those_of(gallery.images), known.those_of(gallery.texts)
    for direction in DIRECTIONS if len(of_images) and len(of_texts) else ():
        sides = [(texts, of_texts), (images, of_images)]
        (asking, asked), (answers, of_answers) = sides if direction == DIRECTIONS[0] else sides[::-1]
        cutoffs = _cutoffs(len(of_answers), ks, clip)
        values = taxonomic_search(asking.vectors, answers.vectors, asked, of_answers, table, *cutoffs)
        lists = GradedLists(of_answers, table, *cutoffs)
        found.append(_named(direction, values, lists.by_chance(asked), asking.groups, cutoffs[1], clip))
    if len(of_images) > 1:
        cutoffs = _cutoffs(len(of_images) - 1, ks, clip)
        values = taxonomic_self_search(images.vectors, of_images, table, *cutoffs)
        level = GradedLists(of_images, table, *cutoffs, itself=True).by_chance(of_images)
        found.append(_named(IMAGES, values, level, images.groups, cutoffs[1], clip))
    return found + _of_database(images, of_images, table, database, ks, clip)


def _of_database(
    images: GallerySide, labels: np.ndarray, table: np.ndarray, database: ClassDatabase, ks: Sequence[int], clip: int
) -> list[QueryMetrics]:
    """What pictures find by their codes, and, in a database of its own, by their vectors."""
    apart = database.vectors is not None and database.labels is not None
    vectors, others = (database.vectors, database.labels) if apart else (images.vectors, labels)
    if len(labels) < 1 + (not apart) or vectors is None or others is None or not len(others):
        return []
    cutoffs, found = _cutoffs(len(others) - (not apart), ks, clip), []
    level = GradedLists(others, table, *cutoffs, itself=not apart).by_chance(labels)
    if apart:
        values = taxonomic_search(images.vectors, vectors, labels, others, table, *cutoffs)
        found.append(_named("database", values, level, images.groups, cutoffs[1], clip))
    if database.coded:
        codes = sign_codes(images.vectors), sign_codes(vectors)
        values = taxonomic_hamming(*codes, labels, others, table, *cutoffs, exclude_self=not apart)
        found.append(_named("hamming", values, level, images.groups, cutoffs[1], clip))
    return found


def _cutoffs(answers: int, ks: Sequence[int], clip: int) -> tuple[list[int], int]:
    return [k for k in ks if k <= answers], min(clip, answers)


def _named(
    family: str, values: dict[str, np.ndarray], chance: dict[str, float], groups: np.ndarray, last: int, clip: int
) -> QueryMetrics:
    """The metrics by their full names; AHP@<last> has the cutoff asked for."""
    kept = [name for name in values if family != IMAGES or not name.startswith(PRECISION)]
    full = {name: f"{family}{TAXONOMY}/{f'AHP@{clip}' if name == f'AHP@{last}' else name}" for name in kept}
    known = {full[name]: chance[name] for name in kept if name in chance}
    return QueryMetrics({full[name]: values[name] for name in kept}, groups, known)
