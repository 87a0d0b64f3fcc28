"""The rows of a table that a run was not trained on, as it sees them."""

import hashlib
import itertools
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kith.data.rows import listed_texts
from kith.data.splits import chances
from kith.drift import cells
from kith.drift.judged import SampleRows
from kith.drift.opened import OpenedRun
from kith.drift.reference import SAMPLES, Reference, similarity_of
from kith.inference import given
from kith.inference.predict import predict_images, predict_texts
from kith.progress import over

BATCH = 64
MOST = SAMPLES["held_out"]  # new rows that are looked at; of more, a sample


@dataclass(frozen=True)
class NewRows:
    """rows: how many the table has; new: how many of them are new; looked_at: of how many of these `sample` is, and
    faults: what is wrong with those of them that cannot be used. by_id: whether ids say which are new; without, all."""

    rows: int
    new: int
    looked_at: int
    sample: SampleRows
    faults: list[str]
    by_id: bool = True


def new_rows(
    run: OpenedRun, source: given.GivenInput, known: Reference, label: str | None = None, group: str | None = None
) -> NewRows:
    """Of a table, or of a folder of pictures: the rows whose ids were not there when the model was trained, all of them
    where it has no ids. Of rows of one group, or of one picture, one is taken: as of those held out, for only
    independent rows can be compared. label, group: columns. Of a cell of several texts the first is taken."""
    ids = cells.ids(source)
    named = "id" in source.columns or source.path.is_dir()
    new = np.flatnonzero(~known.knows(ids)) if named else np.arange(len(ids))
    drawn = new[np.argsort(chances([f"{ids[row]} {row}" for row in new], seed=0), kind="stable")]
    if group is not None:
        drawn = _one_each(drawn, cells.words(source, group))
    chosen = set(drawn[:MOST].tolist())
    sample, looked_at, faults = _looked_at(run, source, chosen)
    if label is not None:
        sample = replace(sample, labels=_of(chosen, cells.words(source, label)))
    return NewRows(len(ids), len(new), looked_at, sample, faults, named)


def _one_each(rows: np.ndarray, groups: list[str]) -> np.ndarray:
    """The first of `rows` of each group, in their order; a row without one is a group of its own."""
    seen = set[str]()
    return np.array([row for row in rows.tolist() if _fresh(groups[row] or None, seen)], dtype=np.int64)


def _of(chosen: set[int], words: list[str]) -> list[str]:
    return [words[row] for row in sorted(chosen) if words[row]]


def _looked_at(run: OpenedRun, source: given.GivenInput, chosen: set[int]) -> tuple[SampleRows, int, list[str]]:
    """The rows with these numbers, one of each picture; how many these are; what is wrong with those that cannot be
    used."""
    sides: dict[str, list[np.ndarray]] = {side: [] for side in source.sides}
    owners: dict[str, list[int]] = {side: [] for side in source.sides}
    texts, faults, done = list[str](), list[str](), 0
    written = "image" if run.raw.reads_texts else "text"
    seen = set[Hashable]()
    rows = (row for number, row in enumerate(source.rows()) if number in chosen)
    if not run.raw.reads_texts:
        rows = (row for row in rows if _fresh(_picture(row.cells.get("image")), seen))
    for batch in _batches(over(rows, "look at new rows", len(chosen), "rows"), written):
        texts += [text for row in batch if isinstance(text := row.cells.get(written), str)]
        for side in source.sides:
            content = given.read(side, batch, run.raw.reader(side), run.raw)
            faults += [f"{batch[at].place}: {source.fault(side, fault)}" for at, fault in content.faults.items()]
            owners[side] += (done + np.flatnonzero(content.good)).tolist()
            if content.arrays:
                sides[side].append(_vectors(run, side, content.arrays))
        faults += [f"{row.place}: {row.fault}" for row in batch if row.fault]
        done += len(batch)
    vectors = {side: np.concatenate(found) for side, found in sides.items() if found}
    similarity = similarity_of(vectors, {side: np.array(each, dtype=np.int64) for side, each in owners.items()})
    return SampleRows(vectors, similarity, run.unknown(texts)), done, faults


def _picture(cell: Any) -> Hashable | None:
    """What a cell of a picture is known by: a path, or the content of a file; None of anything else."""
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return hashlib.sha256(cell).digest()
    return cell.strip() or None if isinstance(cell, str) else None


def _fresh(key: Hashable | None, seen: set[Any]) -> bool:
    """Whether the key, which is seen now, was not seen before; None never was."""
    if key is None:
        return True
    fresh = key not in seen
    seen.add(key)
    return fresh


def _batches(rows: Iterator[given.GivenRow], side: str) -> Iterator[list[given.GivenRow]]:
    while batch := [_single(row, side) for row in itertools.islice(rows, BATCH)]:
        yield batch


def _single(row: given.GivenRow, side: str) -> given.GivenRow:
    """With the first of its texts, where there are several."""
    texts = listed_texts(row.cells.get(side))
    several = isinstance(texts, list | np.ndarray) and len(texts)
    return row._replace(cells=row.cells | {side: texts[0]}) if several else row


def _vectors(run: OpenedRun, side: str, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
    predicted = predict_images(run.model, arrays[0]) if side == "image" else predict_texts(run.model, *arrays)
    return predicted["vector"]
