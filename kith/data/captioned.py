"""From a listing of captions to items: splits, texts, and the pictures decoded one after the other."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kith.data import duplicates, items, splits
from kith.data.items import ITEMS, Dataset
from kith.data.labelled import store
from kith.data.labels import numbered
from kith.data.listing import Entry, Listing
from kith.data.problems import Problem, Problems
from kith.data.rows import SURROGATE
from kith.data.store import Sink
from kith.errors import KithError

USUAL = {"restval": "train", **splits.USUAL}


def build(
    path: Path,
    listing: Listing,
    pictures: Sink,
    *,
    fit: str = "pad",
    split_names: Mapping[str, str] | None = None,
    val: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    skip: Collection[str] = (),
) -> Dataset:
    """The items of the data set at `path` in the order of `listing`, with their pictures decoded into `pictures`.

    `split_names`: what the data set's splits mean, train, val, test, test_<name> or "ignore"; restval is train unless
    it says otherwise. A val or test split that the data set does not have is taken from its training part, by group,
    with the shares `val` and `test`; where all are drawn, groups that have equal pictures are in one. Entries without
    a label have the label -1. `skip`: kinds of problems (SKIPPABLE) to leave out; of an empty text, the text alone
    goes, and the item if it was the last one.

    Raises KithError that names the list and line, or the file, of up to 20 faults at once.
    """
    splits.check_map(split_names or {})
    problems = Problems(str(path), skip)
    split = _splits(path, listing.entries, split_names or {}, val, test, seed)
    texts = {i: _texts(i, listing.entries[i], problems) for i in np.flatnonzero(split != "ignore").tolist()}
    wanted = [i for i, kept in texts.items() if kept]
    loader = pictures.loader(listing.root, fit)
    stored = list(store(listing, wanted, loader, pictures, problems))
    index = np.array([i for i, _ in stored], dtype=np.int64)
    table = _items(listing, stored, split[index], [texts[i] for i in index.tolist()])
    dataset = Dataset(table, skipped=tuple(problems.skipped), rows=index)
    items.check(dataset, pictures.count, problems)
    problems.raise_any()
    if not stored:
        raise KithError(f"{path}: no picture is left to use; mend the files, fetch.splits or prepare.skip")
    return dataset


def _items(
    listing: Listing, stored: Sequence[tuple[int, int]], split: np.ndarray, texts: Sequence[list[str]]
) -> pa.Table:
    """The items (schema ITEMS) of the entries and rows of pictures `stored`."""
    entries, rows = [listing.entries[i] for i, _ in stored], np.array([row for _, row in stored], dtype=np.int64)
    labels, label_names = numbered([entry.label for entry in entries])
    groups = [entry.group or entry.id for entry in entries]
    columns: dict[str, Any] = {
        "id": [entry.id for entry in entries],
        "split": duplicates.together(split, groups, rows) if listing.unsplit else split,
        "label": labels,
        "label_name": label_names,
        "texts": texts,
        "group": groups,
        "image_row": rows,
    }
    return pa.table(columns, schema=ITEMS)


def _splits(
    path: Path, entries: Sequence[Entry], names: Mapping[str, str], val: float, test: float, seed: int
) -> np.ndarray:
    """(n,) splits, "ignore" among them; those that the data set lacks are taken from its training part."""
    meant = {"": "train"}
    for entry in entries:
        if SURROGATE.search(entry.id):
            raise KithError(f"{path}: {entry.place}: {entry.id!a} is not valid Unicode; rename it")
        if entry.split not in meant:
            meant[entry.split] = _meaning(path, entry, names)
    found = np.array([meant[entry.split] for entry in entries], dtype=object)
    train = np.flatnonzero(found == "train")
    shares = {name: 0.0 if name in found else share for name, share in (("val", val), ("test", test))}
    if len(train) and any(shares.values()):
        groups = [entries[i].group or entries[i].id for i in train.tolist()]
        found[train] = splits.random_split(groups, **shares, seed=seed)
    return found


def _meaning(path: Path, entry: Entry, names: Mapping[str, str]) -> str:
    name = names.get(entry.split, USUAL.get(entry.split, splits.spelled(entry.split)))
    if name != "ignore" and not splits.known(name):
        raise KithError(
            f"{path}: {entry.place}: unknown split '{entry.split}'; splits are {splits.NAMES}; say what it means with "
            f"fetch.splits: {{'{entry.split}': ignore}}"
        )
    return name


def _texts(row: int, entry: Entry, problems: Problems) -> list[str]:
    """The texts that can be used, without white space around them; what is wrong with the others is noted."""
    kept = []
    for number, text in enumerate(entry.texts):
        which = f"text {number} " if len(entry.texts) > 1 else ""
        if text is None or (isinstance(text, str) and not text.strip()):
            problems.add(Problem("empty_text", row, entry.id, "texts", f"{which}is empty", entry.place))
        elif not isinstance(text, str) or SURROGATE.search(text):
            message = f"{which}is not valid Unicode" if isinstance(text, str) else f"{which}is {text!r}, not a text"
            problems.add(Problem("text", row, entry.id, "texts", f"{message}; mend it", entry.place))
        else:
            kept.append(text.strip())
    if not entry.texts:
        problems.add(Problem("empty_text", row, entry.id, "texts", "there is none", entry.place))
    return kept
