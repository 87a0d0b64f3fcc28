"""Batches of classes, and pairs and triplets drawn for losses that look at no batch: all from a key alone."""

from dataclasses import dataclass, field

import numpy as np

from kith.sampling import generator


@dataclass(frozen=True)
class BalancedSampler:
    """Batches of P different classes with K items each. rows: (n,) items; labels: (n,) the class of each.

    classes_per_batch: P, at most the number of classes. Items without a class, label −1, take no part. Where an epoch
    has been through all items of a class, its last K, or its turn in a batch that would lack classes, are filled up
    with items drawn anew; in a class of fewer than K items, listed in `small`, some come twice.
    Raises ValueError without classes.
    """

    rows: np.ndarray
    labels: np.ndarray
    classes_per_batch: int
    items_per_class: int
    seed: int = 0
    classes: np.ndarray = field(init=False, repr=False)
    _members: list[np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        known = self.labels >= 0
        rows, labels = self.rows[known], self.labels[known]
        classes, counts = np.unique(labels, return_counts=True)
        if not len(classes):
            raise ValueError("batches of classes need items whose class is known")
        order = np.argsort(labels, kind="stable")
        object.__setattr__(self, "classes", classes)
        object.__setattr__(self, "_members", np.split(rows[order], np.cumsum(counts)[:-1]))

    @property
    def small(self) -> np.ndarray:
        """Classes with fewer than K items."""
        return self.classes[[len(members) < self.items_per_class for members in self._members]]

    @property
    def per_batch(self) -> int:
        """P, or the number of classes if that is less."""
        return min(self.classes_per_batch, len(self.classes))

    def __len__(self) -> int:
        """Batches of an epoch, the fewest that have every item."""
        turns = self._turns()
        return max(-(-int(turns.sum()) // self.per_batch), int(turns.max()))

    def _turns(self) -> np.ndarray:
        return np.array([-(-len(members) // self.items_per_class) for members in self._members])

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The batches of one epoch: every item at least once, class by class in each batch."""
        random = generator(self.seed, epoch, 0)
        left, size = self._turns(), self.items_per_class
        orders = [self._order(members, random) for members in self._members]
        batches = []
        while left.any():
            # Those with the most turns left come first, so that no class is left over alone.
            chosen = np.argsort(-left - random.random(len(left)), kind="stable")[: self.per_batch]
            turns = [
                orders[c][(left[c] - 1) * size : left[c] * size] if left[c] else self._draw(self._members[c], random)
                for c in chosen
            ]
            left[chosen] = np.maximum(left[chosen] - 1, 0)
            batches.append(np.concatenate(turns))
        return [batches[i] for i in random.permutation(len(batches))]

    def _order(self, members: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """All items of a class, and as many others as fill its last turn."""
        order = random.permutation(members)
        missing = -len(order) % self.items_per_class
        last = len(order) - (self.items_per_class - missing if missing else 0)
        others = order[:last] if last >= missing else order
        return np.concatenate([order, random.choice(others, missing, replace=missing > len(others))])

    def _draw(self, members: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return random.choice(members, self.items_per_class, replace=self.items_per_class > len(members))


def random_pairs(labels: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two pairs of each item that has both: (n,) items, (n,) partners, (n,) bool whether they are of one class; first
    all with a partner of the same class, then with one of another."""
    anchor, positive, negative = random_triplets(labels, random)
    same = np.arange(2 * len(anchor)) < len(anchor)
    return np.concatenate([anchor, anchor]), np.concatenate([positive, negative]), same


def random_triplets(labels: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each item with another of its class, and one of another class: itself, one of the first and one of the
    second, uniformly. labels: (n,), −1 where unknown: of no class. Raises ValueError where there is none."""
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
