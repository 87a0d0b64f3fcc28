"""The names of splits, and a random split that keeps groups whole."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kith.errors import KithError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# pandas and Arrow are imported where splits are drawn: the sources, which know the names of splits, do without.
MAIN = ("train", "val", "test")
KNOWN = re.compile(r"train|val|database|test(_[A-Za-z0-9_]+)?")
NAMES = "train, val, test, test_<name> or database"
USUAL = {"dev": "val", "valid": "val", "validation": "val", "eval": "test", "testing": "test", "training": "train"}


def known(name: str) -> bool:
    """Whether `name` is train, val, test, an extra test set test_<name>, or database: found, but never asked for.

    >>> known("test_unseen"), known("holdout")
    (True, False)
    """
    return KNOWN.fullmatch(name) is not None


def check_map(names: Mapping[str, str]) -> None:
    """Raise KithError unless every value of `names` is a split or "ignore"."""
    for value, name in names.items():
        if name != "ignore" and not known(name):
            raise KithError(f"fetch.splits: '{value}' is mapped to '{name}'; splits are {NAMES}, or ignore")


def suggestion(value: str) -> str:
    """What `value` is likely to mean: a split's name, or "ignore" where nothing is likely.

    >>> suggestion("Validation"), suggestion("holdout")
    ('val', 'ignore')
    """
    return USUAL.get(value.strip().lower(), "ignore")


def random_split(groups: "Sequence[str] | pa.ChunkedArray", val: float, test: float, seed: int) -> np.ndarray:
    """(n,) array of "train", "val" and "test" for items of the given groups; a group falls into one split.

    `val` and `test` are shares of the groups; a share above zero gives at least one group.
    Raises KithError where no group would be left to train on.

    >>> random_split(["a", "a", "b", "c", "d"], val=0.25, test=0.25, seed=0).tolist()
    ['train', 'train', 'val', 'test', 'train']
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    strings = groups if isinstance(groups, pa.ChunkedArray) else pa.array(groups, pa.string())
    members = pc.rank(strings, tiebreaker="dense").to_numpy().astype(np.int64) - 1
    count = int(members.max(initial=-1)) + 1
    wanted = [max(1, round(share * count)) if share else 0 for share in (val, test)]
    if sum(wanted) >= count:
        raise KithError(
            f"{count} groups cannot be split into {wanted[0]} for val, {wanted[1]} for test and "
            "the rest for train; lower prepare.val and prepare.test, or name a column in fetch.columns.split"
        )
    of_group = np.repeat(["val", "test", "train"], [*wanted, count - sum(wanted)])
    return np.random.default_rng(seed).permutation(of_group)[members]


def split_by_class(labels: np.ndarray, keys: Sequence[str], val: float, test: float, seed: int) -> np.ndarray:
    """(n,) array of "train", "val" and "test": of each class the shares `val` and `test`, at least one item each.

    Something of every class stays in train, so small classes give less, and those of one item nothing.
    `keys` are unique names of the items; the order in which these are given plays no part.

    >>> split_by_class(np.array([0, 0, 0, 1]), ["a", "b", "c", "d"], val=0.3, test=0.3, seed=0).tolist()
    ['train', 'val', 'test', 'train']
    """
    frame = _by_class(labels, keys, seed)
    classes = frame.groupby("label")["chance"]
    rank, size = classes.rank(method="first").to_numpy(), classes.transform("size").to_numpy()
    for_test = np.minimum(_at_least_one(test, size), size - 1)
    for_val = np.minimum(_at_least_one(val, size), size - 1 - for_test)
    frame["split"] = np.select([rank <= for_test, rank <= for_test + for_val], ["test", "val"], "train")
    return frame["split"].sort_index().to_numpy(dtype=object)


def draw_per_class(labels: np.ndarray, keys: Sequence[str], train: int, test: int, val: float, seed: int) -> np.ndarray:
    """(n,) array of splits: of each class `test` items for test and `train` for training, of which the share `val`
    is held out, by chance; the others become the database. `keys` as in `split_by_class`.

    Raises KithError that names a class with too few items.
    """
    frame = _by_class(labels, keys, seed)
    counts = frame["label"].value_counts()
    if counts.min() < train + test:
        raise KithError(
            f"prepare.per_class: class {counts.idxmin()} has {counts.min()} items, fewer than {train} for train and "
            f"{test} for test"
        )
    rank = frame.groupby("label")["chance"].rank(method="first").to_numpy()
    held_out = test + (max(1, round(val * train)) if val else 0)
    places = [rank <= test, rank <= held_out, rank <= test + train]
    return frame.assign(split=np.select(places, ["test", "val", "train"], "database"))["split"].sort_index().to_numpy()


def some_of_each_class(labels: np.ndarray, keys: Sequence[str], count: int, seed: int) -> np.ndarray:
    """(n,) bool: `count` items of each class by chance, all of a class that has no more.

    labels: (n,) integers; keys: (n,) texts that stay the same however items are ordered.

    >>> int(some_of_each_class(np.array([0, 0, 0, 1]), ["a", "b", "c", "d"], count=1, seed=0).sum())
    2
    """
    frame = _by_class(labels, keys, seed)
    return (frame.groupby("label")["chance"].rank(method="first") <= count).sort_index().to_numpy()


def _by_class(labels: np.ndarray, keys: Sequence[str], seed: int) -> "pd.DataFrame":
    """Items with a `chance` in 0…1 each, by class and then by key; the index is the place in which they were given."""
    import pandas as pd

    frame = pd.DataFrame({"label": labels, "key": keys}).sort_values(["label", "key"])
    return frame.assign(chance=np.random.default_rng(seed).random(len(frame)))


def _at_least_one(share: float, size: np.ndarray) -> np.ndarray:
    return np.maximum(1, np.rint(share * size)) if share else np.zeros(len(size))
