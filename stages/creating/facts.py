"""What there is to learn from: counted in the items, as `kith check` finds them."""

import re
import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kith.data import check, items, sources
from kith.data.images import size as size_of
from kith.data.items import Dataset
from kith.data.kinds import Listed
from kith.data.loader import Loader
from kith.data.problems import SKIPPABLE, Problems
from kith.data.rows import Columns
from kith.data.source import Source
from kith.data.store import Watched
from kith.errors import KithError
from kith.progress import Progress
from stages import params
from stages.creating.brought import Brought

# Words that nearly every English sentence of some length has one of.
ENGLISH = re.compile(r"\b(the|a|an|and|of|to|in|is|are|with|on|for|at|by|this|that|from)\b", re.IGNORECASE)
ALL_WORDS = 10**9  # encoders say themselves how many texts they cut
TOLD = 0.5  # share of texts that have their label in them, from which it is said
LOOKED_AT, LONG = 500, 6  # texts, and words of one that is long enough to tell its language


@dataclass(frozen=True)
class Facts:
    """texts: of all items; pictures: items with one; labels: classes; tree: whether these have a taxonomy; train: items
    to learn from; side: of the pictures, in pixels; english: whether the texts are; skip: kinds of faulty rows that
    are left out; lines: all this in words; bits: of deep greys."""

    rows: int
    texts: int
    pictures: int
    labels: int
    tree: bool
    train: int
    side: int = 0
    english: bool = True
    skip: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    bits: Any = None


def of_table(brought: Brought, columns: Columns, splits: dict[str, str], taxonomy: Path | None, given: Path) -> Facts:
    """Of a table, of which every row is looked at; given: what it was made of, to be looked at for its faults.

    Raises KithError where rows are wrong that cannot be left out.
    """
    options: dict[str, Any] = {"image_root": brought.image_root, "taxonomy": taxonomy, "split_names": splits}
    found = check.check(brought.path, columns, **options, skip=list(SKIPPABLE))
    if found.dataset is None or found.problems.count:
        raise KithError(f"{_faults(found.problems)}\n`kith check {given}` lists all; mend them first")
    return _of(found.dataset, found.size or 0, found.problems, found.depths.likely)


def of_listing(brought: Brought) -> Facts:
    """Of pictures in a layout, of which every one is decoded. Raises KithError where they cannot be used."""
    source, discarded = sources.find(brought.source), check.Discarded()
    fetch = params.Fetch(source=brought.source, path=brought.path).model_dump()
    skipped: Any = list(SKIPPABLE)
    prepare = params.Prepare(skip=skipped).model_dump()
    with Progress("look", None, "pictures") as progress:
        dataset = source.build(fetch, prepare, Path(), Watched(discarded, progress))
    problems = Problems(str(brought.path), SKIPPABLE)
    problems.skipped.extend(dataset.skipped)
    return _of(dataset, _side(source, fetch), problems, discarded.depths.likely)


def _side(source: Source, fetch: dict[str, Any]) -> int:
    """The side that fits most of the first pictures of a listing."""
    assert isinstance(source, Listed)
    listing = source.listing(fetch["path"], fetch)
    loader = Loader(listing.root, check.SIZE, "RGB", "pad")
    images = listing.load(listing.entries[:: max(1, len(listing.entries) // LOOKED_AT)])
    sizes = (each.shape[:2] if isinstance(each, np.ndarray) else size_of(loader.read(each)) for each in images)
    sides = [min(each) for each in sizes if each]
    return max((size for size in check.SIZES if size <= statistics.median(sides)), default=check.SIZES[0])


def _faults(problems: Problems) -> str:
    shown = [f"{each.place or f'row {each.row}'}: {each.message}" for each in problems.errors[:3]]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in problems.counts.most_common())
    shown += [f"{len(problems.skipped):,} rows cannot be used, such as: {each}" for each in problems.skipped[:1]]
    many = "1 problem" if problems.count == 1 else f"{problems.count:,} problems"
    return "\n".join([f"{many} ({kinds}), such as:", *shown])


def _of(dataset: Dataset, side: int, problems: Problems, bits: Any) -> Facts:
    frame, left_out = dataset.items, Counter(each.kind for each in problems.skipped)
    items.check_train(dataset, Path(problems.source))
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in left_out.most_common())
    if (faulty := len({each.row for each in problems.skipped})) > frame.num_rows:  # a row may have several faults
        raise KithError(
            f"{problems.source}: {frame.num_rows:,} rows can be used, and {faulty:,} have faults ({kinds}), such as "
            f"{problems.skipped[0]}; mend them first"
        )
    if small := items.small_splits(frame):
        raise KithError("\n".join(f"{problems.source}: {line}" for line in small))
    texts = pc.list_flatten(frame["texts"])
    counted = {
        "rows": frame.num_rows,
        "texts": len(texts),
        "pictures": int(pc.sum(pc.greater_equal(frame["image_row"], 0)).as_py() or 0),
        "labels": len(frame.filter(pc.greater_equal(frame["label"], 0))["label"].unique()),
        "tree": dataset.taxonomy.num_rows > 0,
        "train": int(pc.sum(pc.equal(frame["split"], "train")).as_py() or 0),
    }
    lines = check.facts(dataset, ALL_WORDS)
    lines += _told_labels(frame)
    lines += [f"left out: {kinds}; {frame.num_rows:,} rows are used"] if left_out else []
    return Facts(**counted, side=side, english=is_english(texts), skip=sorted(left_out), lines=lines, bits=bits)


def _told_labels(frame: pa.Table) -> list[str]:
    """Whether texts say their own label, as headers of messages do: then methods learn to read it, and nothing else."""
    known = frame.filter(pc.greater_equal(frame["label"], 0))
    part = known.take(pa.array(range(0, known.num_rows, max(1, known.num_rows // LOOKED_AT)), pa.int64()))
    pairs = zip(part["label_name"].to_pylist(), part["texts"].to_pylist(), strict=True)
    said = [label.lower() in " ".join(texts).lower() for label, texts in pairs if texts and len(label) > 2]
    share = sum(said) / len(said) if said else 0.0
    if share < TOLD:
        return []
    return [f"{share:.0%} of the texts have their own label in them: take it out, or what is measured is to read it"]


def is_english(texts: pa.ChunkedArray | pa.Array) -> bool:
    """Whether most texts that are long enough to tell have an English word of the commonest; of short ones, whether
    their letters are those of English."""
    step = max(1, len(texts) // LOOKED_AT)
    sample = [str(text) for text in texts.take(pa.array(range(0, len(texts), step), pa.int64())).to_pylist()]
    long = [text for text in sample if len(text.split()) >= LONG]
    if len(long) >= len(sample) / 5:
        return sum(bool(ENGLISH.search(text)) for text in long) >= len(long) / 2
    return sum(text.isascii() for text in sample) >= 0.8 * len(sample)
