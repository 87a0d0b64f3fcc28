"""All that is wrong with a table, found as `table.build` would find it, without storing anything."""

import hashlib
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kith.data import duplicates, images, items, readers, splits, table
from kith.data.items import Dataset
from kith.data.labels import word
from kith.data.loader import Loader
from kith.data.problems import Problem, Problems
from kith.data.rows import Columns
from kith.errors import KithError
from kith.text import coverage
from kith.text.tokens import tokenize

SIZES = (32, 64, 128, 224)  # of pictures, to choose from
SIZE = 32  # at which pictures are decoded, for whether it works


@dataclass(frozen=True)
class Findings:
    """What was found: problems (see Problems), the items if the table could be read, and the side of pictures that
    fits most of them (None: no pictures)."""

    problems: Problems
    dataset: Dataset | None
    size: int | None


class Discarded:
    """Takes pictures and keeps none; equal ones are one, as where pictures are stored."""

    def __init__(self) -> None:
        self.mode, self.shape, self.count = "RGB", (SIZE, SIZE, 3), 0
        self._rows: dict[bytes, int] = {}

    def loader(self, root: Path, fit: str) -> Loader:
        return Loader(root, SIZE, self.mode, fit)

    def append(self, picture: np.ndarray) -> int:
        digest = hashlib.blake2b(picture.tobytes(), digest_size=16).digest()
        row = self._rows.setdefault(digest, self.count)
        self.count = len(self._rows)
        return row


def check(
    path: Path,
    columns: Columns,
    *,
    image_root: Path | None = None,
    split_names: Mapping[str, str] | None = None,
    taxonomy: Path | None = None,
    limit: int = 50,
) -> Findings:
    """Look at every row of the table at `path`; its first `limit` problems are kept, all are counted.

    What keeps the table from being read at all is a problem of the kind "table". Parameters: see `table.collect`.
    """
    problems = Problems(str(path), limit=limit)
    options: dict[str, Any] = {"image_root": image_root, "splits": split_names, "taxonomy": taxonomy}
    dataset = None
    try:
        dataset = table.collect(path, columns, Discarded(), problems, **options)
        if not problems.count:
            items.check_train(dataset, path)
    except KithError as error:
        for line in str(error).split("\n"):
            problems.add(Problem("table", -1, "", "", line, "table"))
    return Findings(problems, dataset, _side(path, columns, image_root) if columns.image and dataset else None)


def split_names(path: Path, column: str) -> dict[str, str]:
    """What values of the split column are likely to mean that are no splits themselves: {"validation": "val"}."""
    seen: Counter[str] = Counter()
    for batch in readers.batches(path, [column], lambda *_: None):
        seen.update(map(word, batch[column]))
    return {
        value: splits.suggestion(value)
        for value in seen
        if not splits.known(splits.spelled(value)) and splits.suggestion(value) != "ignore"
    }


def facts(dataset: Dataset) -> list[str]:
    """What is in the items: how many, in which splits, of how many classes."""
    frame = dataset.items
    counted = Counter(frame["split"].to_pylist())
    lines = [
        f"{frame.num_rows:,} rows: " + ", ".join(f"{count:,} {split}" for split, count in counted.items()),
        f"{len(pc.list_flatten(frame['texts'])):,} texts",
    ]
    known = frame.filter(pc.greater_equal(frame["label"], 0))
    sizes = Counter(known["label_name"].to_pylist())
    if sizes:
        (largest, most), (smallest, least) = sizes.most_common()[0], sizes.most_common()[-1]
        lines.append(f"{len(sizes):,} classes, from '{smallest}' with {least:,} to '{largest}' with {most:,}")
        if single := sum(count == 1 for count in sizes.values()):
            lines.append(f"{single:,} classes have a single row, which has nothing of its class to be found by")
        trained = set(known.filter(pc.equal(known["split"], "train"))["label_name"].to_pylist())
        if unseen := len(set(sizes) - trained):
            lines.append(f"{unseen:,} classes have no row in train")
        if unknown := frame.num_rows - known.num_rows:
            lines.append(f"{unknown:,} rows have no label")
    return lines + items.small_splits(frame) + duplicates.remarks(frame) + _of_words(frame)


def _of_words(frame: pa.Table) -> list[str]:
    """Whether the texts share words."""
    texts = frame["texts"].combine_chunks()
    splits = frame["split"].take(pc.list_parent_indices(texts)).to_pylist()
    words = [tokenize(text) for text in pc.list_flatten(texts).to_pylist()]
    return coverage.remarks(coverage.by_split(words, splits))


def _side(path: Path, columns: Columns, root: Path | None) -> int | None:
    """The largest of SIZES that is not above the smaller side of a usual picture, by the first rows."""
    loader = Loader(root or path.parent, SIZE, "RGB", "pad")
    batch = next(readers.batches(path, [columns.image or ""], lambda *_: None), {})
    sides = [min(size) for cell in batch.get(columns.image or "", []) if (size := images.size(loader.read(cell)))]
    if not sides:
        return None
    return max((size for size in SIZES if size <= statistics.median(sides)), default=SIZES[0])
