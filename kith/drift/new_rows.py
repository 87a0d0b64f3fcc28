"""The rows of a table that a run was not trained on, as it sees them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from kith.data.labels import word
from kith.data.rows import listed_texts
from kith.data.splits import chances
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
    faults: what is wrong with those of them that cannot be used."""

    rows: int
    new: int
    looked_at: int
    sample: SampleRows
    faults: list[str]


def new_rows(run: OpenedRun, source: given.GivenInput, known: Reference, label: str | None = None) -> NewRows:
    """Of a table, or of a folder of pictures: the rows whose ids were not there when the model was trained, all of them
    where it has no ids. label: a column of labels. Of a cell of several texts the first is taken."""
    ids = [row.id or "" for row in _light(source, None)]
    named = "id" in source.columns or source.path.is_dir()
    new = np.flatnonzero(~known.knows(ids)) if named else np.arange(len(ids))
    chance = chances([f"{ids[row]} {row}" for row in new], seed=0)
    chosen = set(new[np.argsort(chance, kind="stable")[:MOST]].tolist())
    sample, faults = _looked_at(run, source, chosen)
    if label is not None:
        cells = (row.cells.get("text") for number, row in enumerate(_light(source, label)) if number in chosen)
        sample = replace(sample, labels=[text for cell in cells if (text := word(cell))])
    return NewRows(len(ids), len(new), len(chosen), sample, faults)


def _looked_at(run: OpenedRun, source: given.GivenInput, chosen: set[int]) -> tuple[SampleRows, list[str]]:
    """The rows with these numbers, and what is wrong with those that cannot be used."""
    sides: dict[str, list[np.ndarray]] = {side: [] for side in source.sides}
    owners: dict[str, list[int]] = {side: [] for side in source.sides}
    texts, faults, done = list[str](), list[str](), 0
    written = "image" if run.raw.reads_texts else "text"
    rows = (row for number, row in enumerate(source.rows()) if number in chosen)
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
    return SampleRows(vectors, similarity, run.unknown(texts)), faults


def _light(source: given.GivenInput, column: str | None) -> Iterator[given.GivenRow]:
    """All rows, of which no picture is read: their ids, and `column` in the place of the text."""
    if source.path.is_dir():
        return source.rows()
    named = {"id": source.columns["id"]} if "id" in source.columns else {}
    other = column or source.columns.get("text") or (None if named else source.columns["image"])
    return given.GivenInput(source.path, named | ({} if other is None else {"text": other})).rows()


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
