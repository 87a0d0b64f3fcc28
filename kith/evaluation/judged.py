"""Texts and pictures by what people have judged to be right, beside or in place of the pairs of the data set."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.evaluation.catalogue import DIRECTIONS
from kith.evaluation.gallery import Gallery, GallerySide
from kith.evaluation.judgements import Judgements
from kith.evaluation.results import QueryMetrics
from kith.metrics.at_r import retrieval_at_r
from kith.metrics.cross_modal import cross_modal_retrieval


class Judged(NamedTuple):
    """judgements: by their names, "eccv" or "cxc". pictures: (n_items,) ids of the items; captions: (row of the item,
    place of its text) → id of the caption."""

    judgements: dict[str, Judgements]
    pictures: np.ndarray
    captions: dict[tuple[int, int], str]


def judged_texts(
    ids: Sequence[str], texts: Sequence[Sequence[str]], captions: Mapping[str, tuple[str, str]]
) -> dict[tuple[int, int], str]:
    """(row, place) of every text that is one of the `captions`, id → (id of its picture, text), and the caption's id.

    ids (n_items,) and texts, those of each item: a caption is that of its picture's item with the same words. Raises
    KithError for a caption of one of the items that is no text of it.

    >>> judged_texts(["7"], [["A cat.", "A dog."]], {"31": ("7", "A dog. "), "32": ("8", "An oak.")})
    {(0, 1): '31'}
    """
    rows = {name: row for row, name in enumerate(ids)}
    free: dict[int, dict[str, list[int]]] = {}
    found = {}
    for name, (picture, text) in captions.items():
        if (row := rows.get(picture)) is None:
            continue
        if row not in free:
            free[row] = {}
            for place, own in enumerate(texts[row]):
                free[row].setdefault(_squeezed(own), []).append(place)
        places = free[row].get(_squeezed(text))
        if not places:
            raise KithError(f"caption {name}: item {picture} has no text '{text.strip()}': these are other captions")
        found[row, places.pop(0)] = name
    return found


def by_judgements(gallery: Gallery, judged: Judged | None, ties: str, ks: Sequence[int]) -> list[QueryMetrics]:
    """R@k in percent, R-precision and mAP@R of each kind of judgements and direction, of the queries that have any.

    >>> rows = np.arange(3)
    >>> side = GallerySide(np.eye(3), rows, rows, 0 * rows)
    >>> right = Judgements({"a": ["0", "1"]}, {}, added=False)  # both pictures are right for the caption a
    >>> judged = Judged({"eccv": right}, np.array(["0", "1", "2"]), {(0, 0): "a"})
    >>> (found,) = by_judgements(Gallery(side, side, np.eye(3)), judged, "mean", [1])
    >>> found.values["text_to_image_eccv/r_precision"].tolist()
    [0.75]
    """
    if judged is None:
        return []
    texts = np.array([judged.captions.get(key, "") for key in zip(*_keys(gallery.texts), strict=True)], dtype=object)
    images = judged.pictures[gallery.images.items].astype(object)
    found = []
    for name, judgements in judged.judgements.items():
        for direction in DIRECTIONS:
            sides = [(gallery.texts, texts), (gallery.images, images)]
            asking, answers = sides if direction == DIRECTIONS[0] else sides[::-1]
            right = _right(asking, answers, getattr(judgements, direction), judgements.added)
            asked = np.array([row for row, each in enumerate(right) if len(each)], dtype=np.int64)
            if not len(asked):
                continue
            queries, relevant = asking[0][asked], [right[row] for row in asked]
            ranked = cross_modal_retrieval(queries.vectors, answers[0].vectors, relevant, ties, ks)
            values = {f"R@{k}": 100.0 * ranked[f"found@{k}"] for k in ks}
            values |= retrieval_at_r(queries.vectors, answers[0].vectors, relevant)
            named = {f"{direction}_{name}/{key}": each for key, each in values.items()}
            found.append(QueryMetrics(named, queries.groups))
    return found


def _right(
    asking: tuple[GallerySide, np.ndarray],
    answers: tuple[GallerySide, np.ndarray],
    judged: dict[str, list[str]],
    added: bool,
) -> list[np.ndarray]:
    """The right answers of each query; none where nothing that is there has been judged right."""
    places = pd.Series(np.arange(len(answers[1]))).groupby(answers[1]).indices
    own = pd.Series(np.arange(len(answers[1]))).groupby(answers[0].groups).indices if added else {}
    nothing = np.empty(0, dtype=np.int64)
    return [
        np.unique(
            np.concatenate([own.get(group, nothing), *(places.get(each, nothing) for each in judged.get(name, ()))])
        )
        for name, group in zip(asking[1], asking[0].groups, strict=True)
    ]


def _keys(side: GallerySide) -> tuple[list[int], list[int]]:
    return side.items.tolist(), side.places.tolist()


def _squeezed(text: str) -> str:
    return " ".join(text.split())
