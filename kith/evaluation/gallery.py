"""Every metric of one gallery: the pictures and texts of a split, searched in both directions.

Right answers to a query are the candidates of its group: its own item's, and those of items that are the same
thing. A query without any is left out. All arrays of a direction are per query, so that they can be
resampled; NaN marks a query to which a metric does not apply.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kith.metrics.cross_modal import cross_modal_retrieval
from kith.metrics.neighborhood import lengths, neighborhood_quality, others
from kith.metrics.pairs import hard_nway, pair_distances, random_nway
from kith.metrics.relevance import same_group
from kith.neighbors import nearest
from kith.similarity import unit_rows


@dataclass(frozen=True)
class GallerySide:
    """One modality of a gallery: n vectors (n, d), or K an item (n, K, d), and of each its item, its group and its
    place in the item.

    items (n,) int64 rows of some table, ascending; groups (n,) int64 ids; places (n,) int64, 0 for
    pictures.

    >>> side = GallerySide(np.eye(2), np.array([0, 1]), np.array([5, 6]), np.zeros(2, dtype=int))
    >>> side[side.groups == 6].items.tolist()
    [1]
    """

    vectors: np.ndarray
    items: np.ndarray
    groups: np.ndarray
    places: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> "GallerySide":
        return GallerySide(self.vectors[chosen], self.items[chosen], self.groups[chosen], self.places[chosen])


@dataclass(frozen=True)
class Gallery:
    """Pictures, texts, and the semantic vectors of all items (n_items, e), dense or scipy.sparse.

    >>> images = GallerySide(np.eye(2), np.array([0, 1]), np.array([0, 1]), np.zeros(2, dtype=int))
    >>> gallery = Gallery(images, images, semantic=np.zeros((2, 1)))
    >>> gallery.without_semantic_vector()
    2
    """

    images: GallerySide
    texts: GallerySide
    semantic: Any

    def sides(self, direction: str) -> tuple[GallerySide, GallerySide]:
        """Queries (those with a right answer) and candidates of a direction."""
        both = (self.texts, self.images)
        queries, candidates = both if direction == "text_to_image" else both[::-1]
        return queries[np.isin(queries.groups, candidates.groups)], candidates

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Index of the text and of the picture of every text whose item has a picture."""
        texts = np.flatnonzero(np.isin(self.texts.items, self.images.items))
        return texts, np.searchsorted(self.images.items, self.texts.items[texts])

    def without_semantic_vector(self) -> int:
        """Number of items with a zero semantic vector, to which semantic metrics do not apply."""
        items = np.union1d(self.images.items, self.texts.items)
        return len(items) - int(np.count_nonzero(lengths(self.semantic[items])))


def retrieval(queries: GallerySide, candidates: GallerySide, ties: str, ks: Sequence[int]) -> dict[str, Any]:
    """`cross_modal_retrieval` from one side to the other, and "relevant", the number of right answers.

    >>> rows = np.arange(3)
    >>> side = GallerySide(np.eye(3), rows, rows, 0 * rows)
    >>> found = retrieval(side, side, ties="mean", ks=[1])
    >>> found["relevant"].tolist(), found["mrr"]
    ([1, 1, 1], 1.0)
    """
    relevance = same_group(queries.groups, candidates.groups)
    found = cross_modal_retrieval(queries.vectors, candidates.vectors, relevance, ties, ks)
    return found | {"relevant": relevance.counts}


def distances(gallery: Gallery) -> tuple[np.ndarray, np.ndarray]:
    """`pair_distances` of every text to its item's picture, and the group of each pair.

    >>> rows = np.arange(3)
    >>> side = GallerySide(np.eye(3), rows, rows, 0 * rows)
    >>> found, groups = distances(Gallery(side, side, np.eye(3)))
    >>> found.tolist(), groups.tolist()
    ([0.0, 0.0, 0.0], [0, 1, 2])
    """
    texts, images = gallery.pairs()
    return pair_distances(gallery.texts.vectors[texts], gallery.images.vectors[images]), gallery.texts.groups[texts]


def random_ways(gallery: Gallery, direction: str, ways: Sequence[int]) -> dict[int, np.ndarray]:
    """N-way accuracy with random distractors, per query, for each N that every query has distractors for.

    A trial is a text and its picture. A picture with several texts is asked once for each, and its accuracy
    is the mean of these trials: the partner is always one text, the distractors are any texts of other
    groups.

    >>> rows = np.arange(3)
    >>> side = GallerySide(np.eye(3), rows, rows, 0 * rows)
    >>> random_ways(Gallery(side, side, np.eye(3)), "text_to_image", ways=[2, 5])[2].tolist()  # 5 are too many
    [1.0, 1.0, 1.0]
    """
    queries, candidates = gallery.sides(direction)
    asked, partners, own = _trials(gallery, direction)
    relevance = same_group(asked.groups, candidates.groups)
    fewest = len(candidates.items) - relevance.counts.max(initial=0)
    served = [n for n in ways if n - 1 <= fewest and len(own)]
    first = random_nway(asked.vectors, candidates.vectors, partners, relevance, served) if served else {}
    return {n: _per_query(values, own, len(queries.items)) for n, values in first.items()}


def hard_ways(gallery: Gallery, direction: str, ways: Sequence[int]) -> dict[int, np.ndarray]:
    """N-way accuracy against the N − 1 items nearest in meaning, per query, for each N that can be served.

    Trials as in `random_ways`. The distractors are the items of other groups, with a picture and a text,
    whose semantic vectors are nearest to the partner's; each offers its picture or, if the partner is its
    item's i-th text, its own i-th (or last) text. NaN where the partner's item has a zero semantic vector.

    >>> rows = np.arange(3)
    >>> side = GallerySide(np.eye(3), rows, rows, 0 * rows)
    >>> hard_ways(Gallery(side, side, np.eye(3)), "text_to_image", ways=[2])[2].tolist()
    [1.0, 1.0, 1.0]
    """
    queries, candidates = gallery.sides(direction)
    asked, partners, own = _trials(gallery, direction)
    items, trial_item = np.unique(candidates.items[partners], return_inverse=True)
    groups = candidates.groups[np.searchsorted(candidates.items, items)]
    semantic = gallery.semantic[items]
    served = [n for n in ways if n - 1 <= others(semantic, groups)]
    if not served:
        return {}
    near = nearest(semantic, np.arange(len(items)), max(served) - 1, groups)[0]
    first = np.searchsorted(candidates.items, items)
    last = np.searchsorted(candidates.items, items, side="right") - 1
    place = candidates.places[partners][:, None]
    chosen = np.minimum(first[near][trial_item] + place, last[near][trial_item])
    chosen[near[trial_item] < 0] = -1
    return {
        n: _per_query(
            hard_nway(asked.vectors, candidates.vectors, partners, chosen[:, : n - 1]),
            own,
            len(queries.items),
        )
        for n in served
    }


def neighborhoods(gallery: Gallery, k: int) -> dict[str, tuple[dict[str, np.ndarray], np.ndarray]]:
    """For "image" and "text": `neighborhood_quality` of every item, and the items' groups.

    Several texts of an item count as one, the mean of their unit vectors. A modality in which an item has
    fewer than k others is left out.

    >>> rows = np.arange(3)
    >>> side = GallerySide(np.eye(3), rows, rows, 0 * rows)
    >>> semantic = np.array([[1.0, 0], [1.0, 0.1], [0.5, 1]])
    >>> quality, groups = neighborhoods(Gallery(side, side, semantic), k=1)["image"]
    >>> sorted(quality), quality["recall"].shape
    (['ndcg', 'recall'], (3,))
    """
    sides = {"image": gallery.images, "text": item_means(gallery.texts)}
    return {
        name: (neighborhood_quality(side.vectors, gallery.semantic[side.items], side.groups, k), side.groups)
        for name, side in sides.items()
        if others(gallery.semantic[side.items], side.groups) >= k
    }


def item_means(side: GallerySide) -> GallerySide:
    """One vector an item: the mean of its unit vectors.

    >>> side = GallerySide(np.array([[2.0, 0], [0, 1]]), np.array([4, 4]), np.array([0, 0]), np.array([0, 1]))
    >>> item_means(side).vectors.round(3).tolist()
    [[0.707, 0.707]]
    """
    first, inverse = np.unique(side.items, return_index=True, return_inverse=True)[1:]
    sums = np.zeros((len(first), *side.vectors.shape[1:]), dtype=side.vectors.dtype)
    np.add.at(sums, inverse, unit_rows(side.vectors))
    return GallerySide(unit_rows(sums), side.items[first], side.groups[first], side.places[first])


def _trials(gallery: Gallery, direction: str) -> tuple[GallerySide, np.ndarray, np.ndarray]:
    """Every matched pair: the asking side, the index of its partner, and the index of its query."""
    texts, images = gallery.pairs()
    queries, _ = gallery.sides(direction)
    asking, partners = (texts, images) if direction == "text_to_image" else (images, texts)
    side = gallery.texts if direction == "text_to_image" else gallery.images
    known = np.isin(side.groups, queries.groups).cumsum() - 1
    return side[asking], partners, known[asking]


def _per_query(values: np.ndarray, query: np.ndarray, n_queries: int) -> np.ndarray:
    """Mean of the trials of each query, without those that are NaN; NaN for a query without any."""
    kept = ~np.isnan(values)
    counts = np.bincount(query[kept], minlength=n_queries)
    sums = np.bincount(query[kept], weights=values[kept], minlength=n_queries)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
