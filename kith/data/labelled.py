"""From a listing of labelled pictures to items: splits, labels, names, and the pictures decoded one after the other."""

import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kith.data import duplicates, edges, items
from kith.data.items import ITEMS, Dataset
from kith.data.labels import numbered, read_names, readable
from kith.data.listing import Entry, Listing
from kith.data.loader import Loader, Unusable, shorten
from kith.data.problems import Problem, Problems
from kith.data.rows import SURROGATE
from kith.data.splits import some_of_each_class, split_by_class
from kith.data.store import Sink
from kith.errors import KithError

THREADS = 4
AT_ONCE = 64


def build(
    path: Path,
    listing: Listing,
    pictures: Sink,
    *,
    fit: str = "crop",
    taxonomy: Path | None = None,
    taxonomy_order: edges.Order = "parent-child",
    class_names: Path | None = None,
    val: float = 0.1,
    test: float = 0.1,
    train_per_class: int | None = None,
    seed: int = 0,
    skip: Collection[str] = (),
) -> Dataset:
    """The items of the data set at `path` in the order of `listing`, with their pictures decoded into `pictures`.

    label: the class id where ids are whole numbers, else its number among the sorted ids. label_name: with a
    `taxonomy` (a file that edges.read takes; by default that of the data set, if it has one) the class id, which is
    its node and is shown by the node's name; without, the readable name. Names are the data set's own and those of
    the file `class_names`.

    A val or test split that the data set does not have is taken from its training part by class, with the shares
    `val` and `test`; of each class `train_per_class` pictures are left in what then is train. Every picture is a
    group of its own; where all splits are drawn, equal ones are in one (not with `train_per_class`). `skip`: kinds of
    problems (SKIPPABLE) to leave out. Raises KithError that names list and line, or the file, of up to 20 faults.
    """
    if broken := next((entry for entry in listing.entries if SURROGATE.search(entry.id + entry.label)), None):
        raise KithError(f"{path}: {broken.id!a}: the name is not valid Unicode; rename it")
    called = {**listing.names, **(read_names(class_names) if class_names else {})}
    nodes = edges.read(taxonomy, taxonomy_order, called) if taxonomy else edges.table(listing.taxonomy, called)
    labels, label_names = numbered([entry.label for entry in listing.entries])
    if not nodes.num_rows:
        shown = readable(dict.fromkeys(label_names), called)
        label_names = [shown[name] for name in label_names]
    split = _splits(path, listing.entries, labels, val, test, seed)
    chosen = _chosen(listing.entries, labels, split, train_per_class, seed)
    problems = Problems(str(path), skip)
    stored = list(store(listing, chosen, pictures.loader(listing.root, fit), pictures, problems))
    index = np.array([i for i, _ in stored], dtype=np.int64)
    if listing.unsplit and train_per_class is None:
        split[index] = duplicates.together(split[index], index, np.array([row for _, row in stored], dtype=np.int64))
    table = _items(listing, stored, split[index], labels[index] - listing.first, label_names)
    dataset = Dataset(table, nodes, tuple(problems.skipped), index)
    items.check(dataset, pictures.count, problems)
    problems.raise_any()
    if not stored:
        raise KithError(f"{path}: no picture is left to use; mend the files or prepare.skip")
    return dataset


def _items(
    listing: Listing, stored: Sequence[tuple[int, int]], split: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> pa.Table:
    """The items (schema ITEMS) of the entries and rows of pictures `stored`."""
    ids = [listing.entries[i].id for i, _ in stored]
    columns = {
        "id": ids,
        "split": split,
        "label": labels,
        "label_name": [names[i] for i, _ in stored],
        "texts": [[]] * len(stored),
        "group": ids,
        "image_row": [row for _, row in stored],
    }
    return pa.table(columns, schema=ITEMS)


def _splits(path: Path, entries: Sequence[Entry], labels: np.ndarray, val: float, test: float, seed: int) -> np.ndarray:
    """The splits of the data set, and those that it lacks taken from its training part."""
    split = np.array([entry.split for entry in entries], dtype=object)
    there = set(split)
    train = np.flatnonzero(split == "train")
    shares = {name: 0.0 if name in there else share for name, share in (("val", val), ("test", test))}
    split[train] = split_by_class(labels[train], [entries[i].id for i in train.tolist()], **shares, seed=seed)
    for name, share in shares.items():
        if share and len(train) and name not in split:
            raise KithError(
                f"{path}: no class has pictures enough to give some to {name}; set prepare.{name} to 0, or add pictures"
            )
    return split


def _chosen(
    entries: Sequence[Entry], labels: np.ndarray, split: np.ndarray, train_per_class: int | None, seed: int
) -> list[int]:
    """The entries to use: all, or `train_per_class` of each class in train and all others."""
    kept = np.ones(len(entries), dtype=bool)
    if train_per_class is not None:
        train = np.flatnonzero(split == "train")
        ids = [entries[i].id for i in train.tolist()]
        kept[train] = some_of_each_class(labels[train], ids, train_per_class, seed)
    return np.flatnonzero(kept).tolist()


def store(
    listing: Listing, chosen: list[int], loader: Loader, pictures: Sink, problems: Problems
) -> Iterator[tuple[int, int]]:
    """(entry, row of its picture) of all that can be used; few pictures are in memory at a time. A path that a list
    gives has to stay in the folder of the pictures."""
    raw = zip(chosen, listing.load(listing.entries[i] for i in chosen), strict=True)
    inside = partial(_inside, loader, os.path.abspath(listing.root))
    with ThreadPoolExecutor(THREADS) as pool:
        while batch := list(islice(raw, AT_ONCE)):
            for (index, _), picture in zip(batch, pool.map(inside, [image for _, image in batch]), strict=True):
                if isinstance(picture, Unusable):
                    entry = listing.entries[index]
                    fault = Problem(picture.kind, index, entry.id, "image", picture.message, entry.place)
                    problems.add(fault)
                else:
                    yield index, pictures.append(picture)


def _inside(loader: Loader, root: str, image: Any) -> Any:
    """What the loader gives; a path that leads out of `root` is not followed. Links in it are the user's own."""
    named = isinstance(image, str | os.PathLike)
    if named and not Path(os.path.abspath(os.path.join(root, image))).is_relative_to(root):
        return Unusable("image", f"'{shorten(str(image), 300)}' lies outside of {root}; mend the list")
    return loader(image)
