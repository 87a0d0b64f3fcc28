"""Pictures and texts searched fold by fold, as the 5,000 test pictures of COCO are in five folds of 1,000 ("COCO 1K").

Karpathy & Fei-Fei, CVPR 2015. A metric is the mean over the folds, each of the same weight.
"""

from collections.abc import Sequence

import numpy as np

from kith.evaluation.catalogue import DIRECTIONS, FOLDS
from kith.evaluation.chance import chance_level
from kith.evaluation.gallery import Gallery, retrieval
from kith.evaluation.results import QueryMetrics


def in_folds(gallery: Gallery, folds: int | None, ties: str, ks: Sequence[int]) -> list[QueryMetrics]:
    """R@k in percent, MRR and mAP of both directions; nothing without `folds`, or where a fold would be empty.

    The pictures are cut, in their order, into folds of the same size (the first are one larger where they do not
    divide); a text is in the fold of the first picture of its group. ties, ks: as in `cross_modal_retrieval`.

    >>> from kith.evaluation.gallery import GallerySide
    >>> rows = np.arange(4)
    >>> side = GallerySide(np.array([[1.0, 0], [0, 1.0], [1.0, 0], [0, 1.0]]), rows, rows, 0 * rows)
    >>> found = in_folds(Gallery(side, side, np.eye(4)), folds=2, ties="mean", ks=[1])
    >>> found[0].values["text_to_image_folds/R@1"].tolist()  # without the folds, half of them
    [100.0, 100.0, 100.0, 100.0]
    """
    pictures, texts = gallery.images, gallery.texts
    if folds is None or len(pictures.items) < folds or not len(texts.items):
        return []
    bounds = np.cumsum([len(part) for part in np.array_split(pictures.items, folds)])
    fold_of = np.searchsorted(bounds, np.arange(len(pictures.items)), side="right")
    groups, first = np.unique(pictures.groups, return_index=True)
    place = np.searchsorted(groups, texts.groups).clip(max=len(groups) - 1)
    of_texts = np.where(groups[place] == texts.groups, fold_of[first[place]], -1)
    parts = [Gallery(pictures[fold_of == f], texts[of_texts == f], gallery.semantic) for f in range(folds)]
    return [found for d in DIRECTIONS if (found := _direction(parts, d, ties, ks))]


def _direction(parts: list[Gallery], direction: str, ties: str, ks: Sequence[int]) -> QueryMetrics | None:
    """Of a direction; nothing where a fold has no query."""
    sides = [part.sides(direction) for part in parts]
    sizes = [len(queries.items) for queries, _ in sides]
    if not all(sizes):
        return None
    each, chance = [], []
    for queries, candidates in sides:
        found = retrieval(queries, candidates, ties, ks)
        weight = sum(sizes) / (len(sizes) * len(queries.items))  # their mean is that of the folds' means
        values = {f"R@{k}": 100.0 * found[f"found@{k}"] for k in ks}
        values |= {"mrr": found["reciprocal_ranks"], "map": found["average_precision"]}
        each.append({name: weight * value for name, value in values.items()})
        chance.append(chance_level(found["relevant"], len(candidates.items), ks))
    names = [*(f"R@{k}" for k in ks), "mrr"]
    return QueryMetrics(
        {f"{direction}{FOLDS}/{name}": np.concatenate([values[name] for values in each]) for name in each[0]},
        np.concatenate([queries.groups for queries, _ in sides]),
        {f"{direction}{FOLDS}/{name}": float(np.mean([level[name] for level in chance])) for name in names},
    )
