"""All that is wrong with a table, found as `table.build` would find it, without storing anything."""

import hashlib
import math
import statistics
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kith.data import duplicates, edges, images, items, readers, splits, table
from kith.data.depths import Conversion, Depths
from kith.data.items import Dataset
from kith.data.labels import word
from kith.data.listing import is_picture_name
from kith.data.loader import ADDRESS, Loader
from kith.data.parts import home
from kith.data.problems import Problem, Problems
from kith.data.rows import Columns
from kith.data.store import Watched
from kith.errors import KithError
from kith.progress import Progress
from kith.text import coverage
from kith.text.tokens import tokenize

SIZES = (32, 64, 128, 224)  # of pictures, to choose from
NEARLY = 0.95  # of the texts, where the longest are far longer
SIZE = 32  # at which pictures are decoded, for whether it works


@dataclass(frozen=True)
class Findings:
    """What was found: problems (see Problems), the items that could be read (None: not even the table), the side of
    pictures that fits most of them (None: no pictures), and what was seen of deep greys."""

    problems: Problems
    dataset: Dataset | None
    size: int | None
    depths: Depths = field(default_factory=Depths)


class Discarded:
    """Takes pictures and keeps none; equal ones are one, as where pictures are stored."""

    def __init__(self) -> None:
        self.mode, self.shape, self.count = "RGB", (SIZE, SIZE, 3), 0
        self.depths = Depths()
        self._rows: dict[bytes, int] = {}

    def loader(self, root: Path, fit: str) -> Loader:
        return Loader(root, SIZE, self.mode, fit, choices=Conversion(seen=self.depths))

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
    outside: bool = False,
    split_names: Mapping[str, str] | None = None,
    taxonomy: Path | None = None,
    missing: Sequence[str] | None = None,
    limit: int = 50,
    skip: Collection[str] = (),
) -> Findings:
    """Look at every row of the table at `path`; its first `limit` problems are kept, all are counted.

    What is wrong with the table as a whole is a problem of the kind "table": a column that is not there, a taxonomy
    that cannot be read. The rest is looked at without it. skip: kinds of problems that are noted and no errors.
    Other parameters: see `table.collect`.
    """
    problems = Problems(str(path), skip, limit=limit)
    pictures = Discarded()
    options: dict[str, Any] = {"splits": split_names, "outside": outside, "missing": missing}
    dataset = None
    with _noted(problems):
        _refuse_cells_as_names(path, problems)
        faults = table.column_faults(path, columns, image_root)
        for name, message in faults:
            if name:
                _note(problems, message)
        usable = columns.without({name for name, _ in faults})
        options["image_root"] = image_root if image_root and image_root.is_dir() else None
        if taxonomy is not None:
            with _noted(problems):
                edges.read(taxonomy)
                options["taxonomy"] = taxonomy
        with Progress("check", None, "pictures") as progress:
            dataset = table.collect(path, usable, Watched(pictures, progress), problems, **options)
        if not usable.image and not usable.texts and not problems.count:
            table.check_columns(path, usable)
        if not problems.count:
            items.check_train(dataset, path)
    size = _side(path, usable, options["image_root"]) if dataset and usable.image else None
    return Findings(problems, dataset, size, pictures.depths)


@contextmanager
def _noted(problems: Problems) -> Iterator[None]:
    """Makes a KithError of the block problems of the whole table, one a line."""
    try:
        yield
    except KithError as error:
        for line in str(error).split("\n"):
            _note(problems, line)


def _note(problems: Problems, message: str) -> None:
    problems.add(Problem("table", -1, "", "", message, "table"))


def _refuse_cells_as_names(path: Path, problems: Problems) -> None:
    """Of a table without a first line of names, the first row would be taken for it, and be lost."""
    names = readers.columns(path)
    if len(names) == 1 and names[0].startswith("#"):
        _note(
            problems, f"the first line is '{names[0]}', and should name the columns; delete the lines above these names"
        )
    if cell := next((name for name in names if is_picture_name(name) or ADDRESS.match(name)), None):
        _note(
            problems, f"the first row is taken for names, and '{cell}' looks like a cell; put names of columns above it"
        )


def split_names(path: Path, column: str) -> dict[str, str]:
    """What values of the split column are likely to mean that are no splits themselves: {"validation": "val"}."""
    seen: Counter[str] = Counter()
    for batch in readers.batches(path, [column], lambda *_: None):
        seen.update(map(word, batch[column]))
    meant = {value: splits.suggestion(value) for value in seen if not splits.known(splits.spelled(value))}
    return {value: split for value, split in meant.items() if split != "ignore" or splits.says_unused(value)}


def facts(dataset: Dataset, max_tokens: int) -> list[str]:
    """What is in the items: how many, in which splits, of how many classes, how long texts are; max_tokens: of a text
    that are read, its two marks among them."""
    frame = dataset.items
    counted = Counter(frame["split"].to_pylist())
    lines = [f"{frame.num_rows:,} rows: " + ", ".join(f"{count:,} {split}" for split, count in counted.items())]
    found = [*_of_texts(frame, max_tokens), *_of_classes(frame), *items.small_splits(frame), *duplicates.remarks(frame)]
    found += dataset.remarks
    return [*lines, *found]


def _of_classes(frame: pa.Table) -> list[str]:
    lines: list[str] = []
    if items.has_sets(frame):
        return _of_sets(frame["labels"].to_pylist())
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
    return lines


def _of_sets(sets: list[list[str]]) -> list[str]:
    """Of rows with several labels each."""
    sizes = Counter(label for labels in sets for label in labels)
    unknown = sum(not labels for labels in sets)
    lines = [f"{unknown:,} rows have no label"] if unknown else []
    if sizes:
        (largest, most), (smallest, least) = sizes.most_common()[0], sizes.most_common()[-1]
        each = sizes.total() / max(1, len(sets) - unknown)
        counted = f"from '{smallest}' with {least:,} rows to '{largest}' with {most:,}"
        lines.insert(0, f"{len(sizes):,} labels, {counted}; {each:.1f} a row")
    return lines


def _of_texts(frame: pa.Table, max_tokens: int) -> list[str]:
    """How many there are, how long, and whether they share words."""
    texts = frame["texts"].combine_chunks()
    splits = frame["split"].take(pc.list_parent_indices(texts)).to_pylist()
    words = [tokenize(text) for text in pc.list_flatten(texts).to_pylist()]
    if not words:
        return ["0 texts"]
    lengths = sorted(map(len, words))
    lines = [
        f"{len(words):,} texts, with {round(statistics.median(lengths)):,} words in the middle, at most {lengths[-1]:,}"
    ]
    most = max_tokens - 2
    if cut := sum(length > most for length in lengths):
        nearly = lengths[math.ceil(NEARLY * len(lengths)) - 1]
        advice = f"train.text.max_tokens: {lengths[-1] + 2} would read them all"
        if most < nearly <= lengths[-1] / 2:  # a few long ones would make all trainings slow
            advice = f"train.text.max_tokens: {nearly + 2} would read {NEARLY:.0%} of all texts whole"
        lines.append(f"{cut:,} texts have more than {most:,} words, and are cut there; {advice}")
    return lines + coverage.remarks(coverage.by_split(words, splits))


def _side(path: Path, columns: Columns, root: Path | None) -> int | None:
    """The largest of SIZES that is not above the smaller side of a usual picture, by the first rows."""
    loader = Loader(root or home(path), SIZE, "RGB", "pad")
    batch = next(readers.batches(path, [columns.image or ""], lambda *_: None), readers.Cells({}, []))
    sides = [min(size) for cell in batch.get(columns.image or "", []) if (size := images.size(loader.read(cell)))]
    if not sides:
        return None
    return max((size for size in SIZES if size <= statistics.median(sides)), default=SIZES[0])
