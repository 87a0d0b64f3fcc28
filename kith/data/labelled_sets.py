"""From a listing of pictures with several labels each to items: splits, labels, and the pictures decoded one by one."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa

from kith.data import duplicates, items, splits
from kith.data.items import ITEMS, Dataset
from kith.data.labelled import store
from kith.data.labels import read_names, readable
from kith.data.listing import Listing
from kith.data.problems import Problems
from kith.data.rows import SURROGATE
from kith.data.store import Sink
from kith.errors import KithError


def build(
    path: Path,
    listing: Listing,
    pictures: Sink,
    *,
    fit: str = "crop",
    class_names: Path | None = None,
    val: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    skip: Collection[str] = (),
) -> Dataset:
    """The items of the data set at `path` in the order of `listing`, with their pictures decoded into `pictures`.

    labels: the readable names of each entry's classes, of the data set and of the file `class_names`, or else their
    ids. A val or test split that the data set does not have is taken from its training part, with the shares `val` and
    `test`. Every picture is a group of its own; where all splits are drawn, equal ones are in one. `skip`: kinds of
    problems (SKIPPABLE) to leave out. Raises KithError that names list and line, or the file, of up to 20 faults.
    """
    if broken := next(
        (entry for entry in listing.entries if SURROGATE.search("".join((entry.id, *entry.labels)))), None
    ):
        raise KithError(f"{path}: {broken.id!a}: the name is not valid Unicode; rename it")
    called = {**listing.names, **(read_names(class_names) if class_names else {})}
    shown = readable(dict.fromkeys(label for entry in listing.entries for label in entry.labels), called)
    split = np.array([entry.split or "train" for entry in listing.entries], dtype=object)
    train = np.flatnonzero(split == "train")
    shares = {name: 0.0 if name in split else share for name, share in (("val", val), ("test", test))}
    if len(train) and any(shares.values()):
        split[train] = splits.random_split([listing.entries[row].id for row in train.tolist()], **shares, seed=seed)
    problems = Problems(str(path), skip)
    every = list(range(len(split)))
    stored = list(store(listing, every, pictures.loader(listing.root, fit), pictures, problems))
    index, rows = (np.array([pair[side] for pair in stored], dtype=np.int64) for side in (0, 1))
    if listing.unsplit:
        split[index] = duplicates.together(split[index], index, rows)
    ids = [listing.entries[row].id for row in index.tolist()]
    nothing = {"label": [-1] * len(ids), "label_name": [""] * len(ids), "texts": [[]] * len(ids)}
    columns = {"id": ids, "split": split[index], **nothing, "group": ids, "image_row": rows}
    sets = [[shown[label] for label in listing.entries[row].labels] for row in index.tolist()]
    dataset = Dataset(
        items.with_sets(pa.table(columns, schema=ITEMS), sets), skipped=tuple(problems.skipped), rows=index
    )
    items.check(dataset, pictures.count, problems)
    problems.raise_any()
    if not stored:
        raise KithError(f"{path}: no picture is left to use; mend the files or prepare.skip")
    return dataset
