"""The names of splits, and a random split that keeps groups whole."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kith.errors import KithError

if TYPE_CHECKING:
    import pyarrow as pa

# Arrow is imported where splits are drawn: the sources, which know the names of splits, do without.
MAIN = ("train", "val", "test")
KNOWN = re.compile(r"train|val|database|test(_[A-Za-z0-9_]+)?")
NAMES = "train, val, test, test_<name> or database"
USUAL = {
    **dict.fromkeys(("training", "trn", "entrenamiento", "treino", "apprentissage", "训练", "訓練", "学習"), "train"),
    **dict.fromkeys(("dev", "valid", "validate", "validation", "vld", "development", "validación", "validação"), "val"),
    **dict.fromkeys(("验证", "驗證", "検証", "validierung"), "val"),
    **dict.fromkeys(
        ("eval", "testing", "tst", "holdout", "heldout", "prueba", "teste", "测试", "測試", "テスト"), "test"
    ),
}
# What stands beside the name of a split and says nothing of its own: TrainSet, val_data, test-images, train.txt.
BESIDE = frozenset(
    {
        *("set", "split", "data", "dataset", "subset", "part", "partition", "fold", "list", "ids", "only"),
        *("image", "images", "img", "imgs", "picture", "pictures", "photos", "txt", "csv", "json", "jsonl", "parquet"),
    }
)
UNUSED = frozenset({"unused", "ignore", "ignored", "exclude", "excluded", "discard", "discarded", "omit", "skip"})
PIECE = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])")


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


def spelled(value: str) -> str:
    """The split that `value` names in capitals or not; anything else as it is.

    >>> spelled("Train"), spelled("TEST_Unseen"), spelled("Validation")
    ('train', 'test_unseen', 'Validation')
    """
    plain = value.strip().lower()
    return plain if known(plain) and not known(value) else value


def says_unused(value: str) -> bool:
    """Whether a value says that its rows are in no split.

    >>> says_unused("Unused"), says_unused("spare")
    (True, False)
    """
    return value.strip().lower() in UNUSED


def suggestion(value: str) -> str:
    """What `value` is likely to mean: a split's name, or "ignore" where nothing is likely.

    >>> suggestion("Validation"), suggestion("VAL"), suggestion("TrainSet"), suggestion("val2014"), suggestion("spare")
    ('val', 'val', 'train', 'val', 'ignore')
    >>> suggestion("test tube"), suggestion("test_set"), suggestion("test_unseen")
    ('ignore', 'test', 'test_unseen')
    """
    plain = spelled(value)
    if known(plain):
        return "test" if plain.removeprefix("test_") in BESIDE else plain
    pieces = [USUAL.get(piece, piece) for piece in map(str.lower, PIECE.findall(value))]
    meant = [_parted(piece) for piece in pieces if piece not in BESIDE]
    return meant[0] if len(meant) == 1 and meant[0] in MAIN else "ignore"


def _parted(piece: str) -> str:
    """trainset is train; anything else as it is."""
    name = next((name for name in (*MAIN, *USUAL) if piece.startswith(name) and piece[len(name) :] in BESIDE), piece)
    return USUAL.get(name, name)


def advice(value: str) -> str:
    """What to write for a value that is no split.

    >>> advice("TrainSet")
    "say what it means with fetch.splits: {'TrainSet': train}"
    >>> advice("unused")
    "say what it means with fetch.splits: {'unused': ignore}"
    >>> advice("spare")
    "say what it means with fetch.splits: {'spare': test}, for instance; ignore leaves such rows out"
    """
    likely = suggestion(value)
    if likely != "ignore" or says_unused(value):
        return f"say what it means with fetch.splits: {{'{value}': {likely}}}"
    return f"say what it means with fetch.splits: {{'{value}': test}}, for instance; ignore leaves such rows out"


def chances(keys: "Sequence[str] | pa.ChunkedArray", seed: int) -> np.ndarray:
    """(n,) float64 in 0…1, each made of its own key and the seed alone: what else is there plays no part.

    So an item keeps its split when others come or go.

    >>> chances(["a", "b"], seed=0)[1] == chances(["b"], seed=0)[0]
    np.True_
    """
    # A key may hold any text, also half of a surrogate pair.
    digests = (hashlib.sha256(f"{seed}\0{key}".encode(errors="surrogatepass")).digest() for key in map(str, keys))
    return np.array([int.from_bytes(digest[:8]) for digest in digests], dtype=np.float64) / 2.0**64


def random_split(groups: "Sequence[str] | pa.ChunkedArray", val: float, test: float, seed: int) -> np.ndarray:
    """(n,) array of "train", "val" and "test" for items of the given groups; a group falls into one split.

    `val` and `test` are shares of the groups, in expectation: each group's `chances` decide for it alone. A share
    above zero gives at least one group. Raises KithError where no group would be left to train on.

    >>> random_split(["a", "a", "b", "c", "d"], val=0.25, test=0.25, seed=0).tolist()
    ['val', 'val', 'train', 'val', 'test']
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    strings = groups if isinstance(groups, pa.ChunkedArray) else pa.array(groups, pa.string())
    names = pc.unique(strings)
    wanted = [max(1, round(share * len(names))) if share else 0 for share in (val, test)]
    if sum(wanted) >= len(names):
        raise KithError(
            f"{len(names)} groups cannot be split into {wanted[0]} for val, {wanted[1]} for test and "
            "the rest for train; lower prepare.val and prepare.test, or name a column in fetch.columns.split"
        )
    chance = chances(names.to_pylist(), seed)
    ordered = np.sort(chance)
    # Where chance alone would leave a split empty, the nearest group is taken.
    last = len(names) - 1
    for_test = min(max(int(np.searchsorted(ordered, test)), test > 0), last - (val > 0))
    for_both = min(max(int(np.searchsorted(ordered, test + val)), for_test + (val > 0)), last)
    place = np.searchsorted(ordered, chance)
    drawn = _named([place < for_test, place < for_both], ["test", "val"], "train")
    return drawn[pc.index_in(strings, names).to_numpy()]


def split_by_class(labels: np.ndarray, keys: Sequence[str], val: float, test: float, seed: int) -> np.ndarray:
    """(n,) array of "train", "val" and "test": of each class the shares `val` and `test`, at least one item each.

    Something of every class stays in train, so small classes give less, and those of one item nothing. `keys` are
    unique names of the items: those of the smallest `chances` are for test, the next for val, so that another item
    moves at most one of each split, of its own class.

    >>> split_by_class(np.array([0, 0, 0, 1]), ["a", "b", "c", "d"], val=0.3, test=0.3, seed=0).tolist()
    ['val', 'train', 'test', 'train']
    """
    _, own, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    place, size = _places(own, chances(keys, seed)), sizes[own]
    for_test = np.minimum(_at_least_one(test, size), size - 1)
    for_val = np.minimum(_at_least_one(val, size), size - 1 - for_test)
    return _named([place < for_test, place < for_test + for_val], ["test", "val"], "train")


def draw_per_class(labels: np.ndarray, keys: Sequence[str], train: int, test: int, val: float, seed: int) -> np.ndarray:
    """(n,) array of splits: of each class `test` items for test and `train` for training, of which the share `val`
    is held out; the others become the database. `keys` as in `split_by_class`: the items of the smallest `chances`
    are for test, so that another item moves at most one of each split.

    Raises KithError that names a class with too few items.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < train + test:
        raise KithError(
            f"prepare.per_class: class {classes[counts.argmin()]} has {counts.min()} items, fewer than {train} for "
            f"train and {test} for test"
        )
    place = _places(labels, chances(keys, seed))
    held_out = test + (max(1, round(val * train)) if val else 0)
    return _named([place < test, place < held_out, place < test + train], ["test", "val", "train"], "database")


def draw(keys: Sequence[str], train: int, test: int, val: float, seed: int) -> np.ndarray:
    """(n,) array of splits: `test` items for test and `train` for training, of which the share `val` is held out; the
    others become the database. keys: (n,) unique names, by whose `chances` items are drawn. Raises KithError.

    >>> sorted(draw(["a", "b", "c", "d"], train=2, test=1, val=0, seed=0).tolist())
    ['database', 'test', 'train', 'train']
    """
    if len(keys) < train + test:
        raise KithError(
            f"prepare.counts: {len(keys)} items have a label, fewer than {train} for train and {test} for test"
        )
    return draw_per_class(np.zeros(len(keys), dtype=np.int64), keys, train, test, val, seed)


def draw_per_label(sets: np.ndarray, keys: Sequence[str], train: int, test: int, val: float, seed: int) -> np.ndarray:
    """`draw_per_class` of items that have several labels each; sets: (n, C) bool.

    An item is drawn once, for one of its labels: for test, label by label, the rarest first, and then so for training.
    So C·test and C·train items are drawn. Raises KithError that names the number of a label with too few items left.

    >>> sets = np.array([[1, 0], [1, 1], [1, 0], [1, 0], [0, 1]], dtype=bool)
    >>> drawn = draw_per_label(sets, ["a", "b", "c", "d", "e"], train=1, test=1, val=0, seed=0).tolist()
    >>> sorted(drawn)
    ['database', 'test', 'test', 'train', 'train']
    """
    chance, found = chances(keys, seed), np.full(len(sets), "database", dtype=object)
    for split, count in (("test", test), ("train", train)):
        for label in np.argsort(sets.sum(axis=0), kind="stable").tolist():
            free = np.flatnonzero(sets[:, label] & (found == "database"))
            if len(free) < count:
                raise KithError(
                    f"prepare.per_class: label {label} has {len(free)} items left, fewer than the {count} for {split}"
                )
            found[free[np.argsort(chance[free], kind="stable")[:count]]] = split
    trained = np.flatnonzero(found == "train")
    held_out = max(1, round(val * len(trained))) if val else 0
    found[trained[np.argsort(chance[trained], kind="stable")[:held_out]]] = "val"
    return found


def some_of_each_class(labels: np.ndarray, keys: Sequence[str], count: int, seed: int) -> np.ndarray:
    """(n,) bool: `count` items of each class, those of the smallest `chances`; all of a class that has no more.

    labels: (n,) integers; keys: (n,) texts that stay the same however items are ordered.

    >>> int(some_of_each_class(np.array([0, 0, 0, 1]), ["a", "b", "c", "d"], count=1, seed=0).sum())
    2
    """
    return _places(labels, chances(keys, seed)) < count


def _places(labels: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """(n,) the place of each item among those of its class, by rising chance, from 0."""
    order = np.lexsort((chance, labels))
    ordered = labels[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    places = np.empty(len(labels), dtype=np.int64)
    places[order] = np.arange(len(labels)) - np.repeat(starts, np.diff(starts, append=len(labels)))
    return places


def _named(conditions: list[np.ndarray], names: list[str], other: str) -> np.ndarray:
    return np.select(conditions, names, other).astype(object)


def _at_least_one(share: float, size: np.ndarray) -> np.ndarray:
    return np.maximum(1, np.rint(share * size)) if share else np.zeros(len(size))
