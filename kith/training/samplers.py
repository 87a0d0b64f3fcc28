"""Which items meet in a batch, which text of each, and which neighbour: all from (seed, epoch) alone.

Nothing here keeps state between epochs, so a resumed training draws what an unbroken one would.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kith.errors import KithError


def generator(*key: int) -> np.random.Generator:
    """A random generator of its own for each key, such as (seed, epoch, purpose).

    >>> generator(0, 1).integers(10, size=3).tolist() == generator(0, 1).integers(10, size=3).tolist()
    True
    """
    return np.random.default_rng(np.random.SeedSequence(key))


@dataclass(frozen=True)
class PairSampler:
    """Batches of item rows. groups: (n,) integers, the group of each of `rows`.

    With `items_per_group` only so many items of each group, chosen anew, take part in an epoch. With
    `fill_batches` all batches have the same size, the last one topped up with items drawn anew.

    >>> sampler = PairSampler(np.array([3, 5, 7]), np.array([0, 1, 2]), batch_size=2)
    >>> batches = sampler.epoch(1)
    >>> [len(batch) for batch in batches], sorted(np.concatenate(batches).tolist())
    ([2, 1], [3, 5, 7])
    """

    rows: np.ndarray
    groups: np.ndarray
    batch_size: int
    items_per_group: int | None = None
    fill_batches: bool = False
    seed: int = 0

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The batches of one epoch: every item, or group, once, in batches of (nearly) equal size."""
        random = generator(self.seed, epoch, 0)
        order = random.permutation(len(self.rows))
        if self.items_per_group is not None:
            order = order[occurrence(self.groups[order]) < self.items_per_group]
        if self.fill_batches:
            order = np.concatenate([order, random.choice(order, -len(order) % self.batch_size)])
        return np.array_split(self.rows[order], max(1, -(-len(order) // self.batch_size)))


def occurrence(values: np.ndarray) -> np.ndarray:
    """How often each element of (n,) integers has occurred before it, (n,) int64.

    >>> occurrence(np.array([7, 7, 3, 7])).tolist()
    [0, 1, 0, 2]
    """
    by_value = np.argsort(values, kind="stable")
    ordered = values[by_value]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    occurrence = np.empty(len(values), dtype=np.int64)
    occurrence[by_value] = np.arange(len(values)) - np.repeat(starts, lengths)
    return occurrence


@dataclass(frozen=True)
class NeighborSampler:
    """Neighbours of training items in the semantic space.

    neighbors: (n_groups, k) group numbers by falling similarity, −1 where there are fewer;
    groups: (n_items,) group number of every item, −1 for items that are not trained on.

    >>> sampler = NeighborSampler(np.array([[1], [0], [-1]]), np.array([0, 1, 2]))
    >>> sampler.draw(np.array([0, 1, 2]), among=1, random=generator(0)).tolist()
    [1, 0, -1]
    """

    neighbors: np.ndarray
    groups: np.ndarray
    _items: np.ndarray = field(init=False, repr=False)
    _starts: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        order = np.argsort(self.groups, kind="stable")
        object.__setattr__(self, "_items", order)
        edges = np.arange(len(self.neighbors) + 1)
        object.__setattr__(self, "_starts", np.searchsorted(self.groups[order], edges))

    def draw(self, rows: np.ndarray, among: int, random: np.random.Generator) -> np.ndarray:
        """For each item row the row of an item from one of its `among` nearest groups; −1 if it has none."""
        near = self.neighbors[self.groups[rows], :among]
        available = (near >= 0).sum(axis=1)
        chosen = near[np.arange(len(rows)), (random.random(len(rows)) * available).astype(int)]
        start, stop = self._starts[chosen], self._starts[chosen + 1]
        item = start + (random.random(len(rows)) * (stop - start)).astype(int)
        return np.where(available > 0, self._items[np.minimum(item, len(self._items) - 1)], -1)


@dataclass(frozen=True)
class BalancedSampler:
    """Batches of P different classes with K items each. rows: (n,) items; labels: (n,) the class of each.

    classes_per_batch: P, or the number of classes if that is less. Items without a class, label −1, take no part.
    The last K of a class, and the last batches where classes are used up, are filled up with items drawn anew; of a
    class with fewer than K items, listed in `small`, some come twice. With `items_per_group` only so many items of
    each of the `groups`, (n,) integers, take part in an epoch, chosen anew. Raises ValueError without classes.

    >>> sampler = BalancedSampler(np.arange(6), np.array([0, 0, 1, 1, 2, -1]), classes_per_batch=2, items_per_class=2)
    >>> [len(batch) for batch in sampler.epoch(1)], sampler.small.tolist()
    ([4, 4], [2])
    """

    rows: np.ndarray
    labels: np.ndarray
    classes_per_batch: int
    items_per_class: int
    seed: int = 0
    groups: np.ndarray | None = None
    items_per_group: int | None = None

    def __post_init__(self) -> None:
        if not (self.labels >= 0).any():
            raise ValueError("batches of classes need items whose class is known")

    @property
    def classes(self) -> np.ndarray:
        return np.unique(self.labels[self.labels >= 0])

    @property
    def small(self) -> np.ndarray:
        """Classes with fewer than K items in an epoch."""
        members = self._members(generator(self.seed, 1, 0))
        return self.classes[[len(each) < self.items_per_class for each in members]]

    def __len__(self) -> int:
        """Batches of an epoch: the fewest that have every item."""
        turns = self._turns(self._members(generator(self.seed, 1, 0)))
        return max(-(-int(turns.sum()) // min(self.classes_per_batch, len(turns))), int(turns.max()))

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The batches of one epoch: every item at least once, class by class in each batch."""
        random = generator(self.seed, epoch, 0)
        members, size = self._members(random), self.items_per_class
        left = self._turns(members)
        orders = [self._filled(each, random) for each in members]
        batches = []
        while left.any():
            # Those with the most turns left come first, so that no class is left over alone.
            chosen = np.argsort(-left - random.random(len(left)), kind="stable")[: self.classes_per_batch]
            turns = [
                orders[c][(left[c] - 1) * size : left[c] * size] if left[c] else _draw(members[c], size, random)
                for c in chosen
            ]
            left[chosen] = np.maximum(left[chosen] - 1, 0)
            batches.append(np.concatenate(turns))
        return [batches[i] for i in random.permutation(len(batches))]

    def _members(self, random: np.random.Generator) -> list[np.ndarray]:
        """The items of each class that take part in an epoch, in random order."""
        order = random.permutation(np.flatnonzero(self.labels >= 0))
        if self.groups is not None and self.items_per_group is not None:
            order = order[occurrence(self.groups[order]) < self.items_per_group]
        order = order[np.argsort(self.labels[order], kind="stable")]
        return np.split(self.rows[order], np.searchsorted(self.labels[order], self.classes[1:]))

    def _turns(self, members: list[np.ndarray]) -> np.ndarray:
        return np.array([-(-len(each) // self.items_per_class) for each in members])

    def _filled(self, members: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """All items of a class, and as many others as its last turn lacks."""
        missing = -len(members) % self.items_per_class
        others = members[: len(members) // self.items_per_class * self.items_per_class]
        return np.concatenate([members, _draw(others if len(others) else members, missing, random)])


@dataclass(frozen=True)
class TupleSampler:
    """Batches of pairs or of triplets, one after the other. rows: (n,) items; labels: (n,) the class of each.

    An epoch has every item as the first of a tuple once, but for those without another of their class, or without a
    class, label −1. The second of a pair is of its class or of another, with even chances; of a triplet the second is
    of its class and the third of another. Partners are drawn uniformly, anew in each epoch. `batch_size` counts items;
    a batch has as many whole tuples as there is room for. With `items_per_group` only so many items of each of the
    `groups`, (n,) integers, take part in an epoch. Raises KithError where there is no triplet.

    >>> sampler = TupleSampler(np.array([5, 6, 7]), np.array([0, 0, 1]), "triplets", batch_size=3)
    >>> sorted(batch.tolist() for batch in sampler.epoch(1))
    [[5, 6, 7], [6, 5, 7]]
    """

    rows: np.ndarray
    labels: np.ndarray
    of: Literal["pairs", "triplets"]
    batch_size: int
    seed: int = 0
    groups: np.ndarray | None = None
    items_per_group: int | None = None

    def __post_init__(self) -> None:
        try:
            self.epoch(1)
        except ValueError:
            left = "" if self.items_per_group is None else f", of {self.items_per_group} items a group"
            raise KithError(
                f"sampler: {self.of} need two training items of one class and one of another{left}; there are none"
            ) from None

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The batches of one epoch."""
        random = generator(self.seed, epoch, 0)
        order = random.permutation(len(self.rows))
        if self.groups is not None and self.items_per_group is not None:
            order = order[occurrence(self.groups[order]) < self.items_per_group]
        first, positive, negative = random_triplets(self.labels[order], random)
        second = np.where(random.random(len(first)) < 0.5, positive, negative)
        drawn = [first, positive, negative] if self.of == "triplets" else [first, second]
        tuples = self.rows[order[np.stack(drawn, axis=1)]]
        size = max(1, self.batch_size // len(drawn))
        return [each.ravel() for each in np.array_split(tuples, -(-len(tuples) // size))]


Sampler = PairSampler | BalancedSampler | TupleSampler


def _draw(items: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    return random.choice(items, count, replace=count > len(items)) if count else items[:0]


def random_pairs(labels: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two pairs of each item that has both: (n,) items, (n,) partners, (n,) bool whether they are of one class; first
    all with a partner of the same class, then with one of another.

    Raises ValueError where there is none.

    >>> first, second, same = random_pairs(np.array([0, 0, 1]), generator(0))
    >>> first.tolist(), second.tolist(), same.tolist()
    ([0, 1, 0, 1], [1, 0, 2, 2], [True, True, False, False])
    """
    anchor, positive, negative = random_triplets(labels, random)
    same = np.arange(2 * len(anchor)) < len(anchor)
    return np.concatenate([anchor, anchor]), np.concatenate([positive, negative]), same


def random_triplets(labels: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each item with another of its class, and one of another class: itself, one of the first and one of the
    second, uniformly. labels: (n,), −1 where unknown: of no class. Raises ValueError where there is none.

    >>> [each.tolist() for each in random_triplets(np.array([0, 0, 1]), generator(0))]
    [[0, 1], [1, 0], [2, 2]]
    """
    known = np.flatnonzero(labels >= 0)
    order = known[np.argsort(labels[known], kind="stable")]
    ranked = labels[order]
    start, stop = np.searchsorted(ranked, ranked), np.searchsorted(ranked, ranked, side="right")
    size, total = stop - start, len(order)
    usable = np.flatnonzero((size > 1) & (size < total))
    if not len(usable):
        raise ValueError("triplets need two items of one class and one of another")
    first, size = start[usable], size[usable]
    step = 1 + (random.random(len(usable)) * (size - 1)).astype(int)
    positive = order[first + (usable - first + step) % size]
    negative = order[(first + size + (random.random(len(usable)) * (total - size)).astype(int)) % total]
    by_item = np.argsort(order[usable], kind="stable")
    return order[usable][by_item], positive[by_item], negative[by_item]
