"""What a training learns from: the sides of all items, and what is known of them."""

from dataclasses import dataclass

import numpy as np

from kith.store.inputs import View
from kith.training.samplers import NeighborSampler


@dataclass(frozen=True)
class TrainingData:
    """The sides of all items; rows of both are found by the number of the item.

    text: None for objectives that need no texts. groups: (n_items,) integers, equal for items that are the same
    thing; train, val: items with all that the objective needs. neighbors: needed by objectives with neighbourhood
    terms; labels: (n_items,) class numbers, −1 where unknown, needed by those with class terms; similarity:
    (classes, classes), of the classes, for hierarchical measures.
    """

    image: View
    text: View | None
    groups: np.ndarray
    train: np.ndarray
    val: np.ndarray
    neighbors: NeighborSampler | None = None
    labels: np.ndarray | None = None
    similarity: np.ndarray | None = None
