"""Which items meet in a batch, which text of each, and which neighbour: all from (seed, epoch) alone.

Nothing here keeps state between epochs, so a resumed training draws what an unbroken one would.
"""

from dataclasses import dataclass, field

import numpy as np


def generator(*key: int) -> np.random.Generator:
    """A random generator of its own for each key, such as (seed, epoch, purpose)."""
    return np.random.default_rng(np.random.SeedSequence(key))


@dataclass(frozen=True)
class PairSampler:
    """Batches of item rows. groups: (n,) integers, the group of each of `rows`.

    With `items_per_group` only so many items of each group, chosen anew, take part in an epoch. With
    `fill_batches` all batches have the same size, the last one topped up with items drawn anew.
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
    """How often each element has occurred before in the array: [7, 7, 3, 7] → [0, 1, 0, 2]."""
    by_value = np.argsort(values, kind="stable")
    ordered = values[by_value]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    occurrence = np.empty(len(values), dtype=np.int64)
    occurrence[by_value] = np.arange(len(values)) - np.repeat(starts, lengths)
    return occurrence


@dataclass(frozen=True)
class NeighborSampler:
    """Neighbours in meaning of training items.

    neighbors: (n_groups, k) group numbers by falling similarity, −1 where there are fewer;
    groups: (n_items,) group number of every item, −1 for items that are not trained on.
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
