"""Embed new pictures and texts with a trained run.

Their vectors and, where the model knows classes, what they show.
"""

import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import typer

from kith import models
from kith.data.digests import sha256
from kith.errors import KithError
from kith.inference import given
from kith.inference.predict import Predicted, predict_images, predict_texts
from kith.inference.raw import RawInputs
from kith.models import DualEncoder
from kith.processes import shared
from kith.progress import over
from kith.rows.embedded import SharedModel
from kith.store.run import existing, one_vector
from stages import cli, files

MOST = 20  # faults that are told together
GROUP = 1024  # rows of a Parquet row group, at least

VECTOR = pa.list_(pa.float32())
TOP = pa.list_(pa.struct({"class": pa.string(), "name": pa.string(), "probability": pa.float32()}))


def main(
    *,
    run: Annotated[Path, typer.Option(help="Folder of the trained run.")],
    input: Annotated[Path, typer.Option(help="A table, or a folder of pictures.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    image: Annotated[str | None, typer.Option(help="Column of pictures or their paths, by default image.")] = None,
    text: Annotated[str | None, typer.Option(help="Column of texts, by default text.")] = None,
    id: Annotated[str | None, typer.Option(help="Column of ids, by default id.")] = None,
    image_root: cli.ImageRoot = None,
    outside: cli.Outside = False,
    batch_size: Annotated[int, typer.Option(help="Rows that are embedded at a time.")] = 64,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave rows that cannot be used empty, and say why.")
    ] = False,
    processes: cli.Processes = 1,
) -> None:
    """Embed every row of --input with the model of --run into the Parquet file --out.

    --input is a table (Parquet, CSV, TSV, JSONL), whose columns --image (encoded bytes, or paths relative to
    --image-root, by default the table's folder), --text and --id are by default those of that name, or a folder of
    pictures. A row that cannot be used is an error; with --skip-bad its cells are empty and `problem` says why.
    """
    if batch_size < 1:
        raise KithError(f"--batch-size {batch_size}: at least 1 row at a time")
    _check_out(out, input)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, vocabulary, saved = models.load(existing(run) / "model.pt", device)
    one_vector(model.shape, run)
    known = ["image"] if model.text_tower is None else ["image", "text"]
    source = given.source(input, {"id": id, "image": image, "text": text}, known)
    root = image_root or (input if input.is_dir() else input.parent)
    within = () if outside or input.is_dir() else (root, input.parent)
    raw = RawInputs(model.config, vocabulary, saved["max_tokens"], root, within)
    if input.is_dir() and raw.takes_features("image"):
        raise KithError(f"{input}: this model takes features, not pictures; give a table with a column of lists")
    columns = schema(model, source.sides, skip_bad)
    counted: Counter[str] = Counter()
    path = run / "model.pt"
    work = PredictingWork(SharedModel.of(model, path, sha256(path)), source, root, within, skip_bad)
    here = PredictsRows(model, raw, source, skip_bad)
    batches = iter(_batches(work, here, batch_size, processes, counted))
    with files.replacing(out) as temporary, pq.ParquetWriter(temporary, columns, compression="zstd") as writer:
        while group := list(itertools.islice(batches, max(1, GROUP // batch_size))):
            writer.write_table(pa.Table.from_batches(group).select(columns.names))
        if not counted["rows"]:
            raise KithError(f"{input}: has no {'pictures' if input.is_dir() else 'rows'}")
    _tell(out, counted, raw)


def _tell(out: Path, counted: Counter[str], raw: RawInputs) -> None:
    """What was written: how many rows, how many have a problem, and how many have a text that was cut."""
    told = f", {counted['problems']:,} with a problem" if counted["problems"] else ""
    print(f"{out}: {counted['rows']:,} rows{told}", file=sys.stderr)
    if cut := counted["cut"]:
        print(f"{cut:,} texts are longer than the model reads, {raw.longest} tokens, and are cut", file=sys.stderr)
    if unnamed := counted["unnamed"]:
        print(f"{unnamed:,} rows have no id, or that of another; rows are in the order of the input", file=sys.stderr)


def _check_out(out: Path, input: Path) -> None:
    if out.is_dir() or out.resolve() == input.resolve():
        raise KithError(f"--out {out}: is {'a folder' if out.is_dir() else 'the input'}; name a file to write")
    if out.suffix.lower() != ".parquet":
        raise KithError(f"--out {out}: what is written is Parquet; let the name end in .parquet")


def schema(model: DualEncoder, sides: list[str], skip_bad: bool) -> pa.Schema:
    """The columns that are written, in their order."""
    fields = {"id": pa.string()}
    for side in sides:
        fields[f"{side}_vector"] = VECTOR
        if model.config.get("codes"):
            fields[f"{side}_code"] = pa.binary()
    if "image" in sides and model.classifier is not None:
        fields |= {"class": pa.string(), "class_name": pa.string(), "class_probability": pa.float32()}
        fields["top_classes"] = TOP
    if "image" in sides and model.targets is not None:
        fields |= {"nearest_class": pa.string(), "nearest_class_name": pa.string(), "nearest_distance": pa.float32()}
    return pa.schema(fields | ({"problem": pa.string()} if skip_bad else {}))


class PredictedRows(NamedTuple):
    """What is written of some rows; what is wrong with them, by their place among them; how many texts were cut."""

    written: pa.RecordBatch
    problems: dict[int, str]
    cut: int


class PredictsRows:
    """Reads rows and predicts them; without `skip_bad` none of those that come with one that cannot be used."""

    def __init__(self, model: DualEncoder, raw: RawInputs, source: given.GivenInput, skip_bad: bool):
        self.model, self.raw, self.source, self.skip_bad = model, raw, source, skip_bad
        self.readers = {side: raw.reader(side) for side in source.sides}
        self.columns = schema(model, source.sides, True)

    def __call__(self, batch: list[given.GivenRow]) -> PredictedRows:
        sides = {side: given.read(side, batch, reader, self.raw) for side, reader in self.readers.items()}
        problems = _problems(self.source, batch, sides)
        told = [problems.get(number) for number in range(len(batch))]
        values = {"id": pa.array([row.id for row in batch], pa.string()), "problem": pa.array(told, pa.string())}
        for side, content in sides.items() if self.skip_bad or not problems else ():
            values |= _spread(_predict(self.model, side, content), content.good, self.columns)
        columns = [_column(values, field, len(batch)) for field in self.columns]
        cut = sum(content.cut for content in sides.values())
        return PredictedRows(pa.record_batch(columns, schema=self.columns), problems, cut)


@dataclass(frozen=True)
class PredictingWork:
    """How a process opens a run and what its rows name; the rows themselves come to it."""

    model: SharedModel
    source: given.GivenInput
    root: Path
    within: tuple[Path, ...]
    skip_bad: bool

    def __call__(self, place: int) -> PredictsRows:
        model, vocabulary, saved = self.model.open(place)
        raw = RawInputs(model.config, vocabulary, saved["max_tokens"], self.root, self.within)
        return PredictsRows(model, raw, self.source, self.skip_bad)


def _batches(
    work: PredictingWork, here: PredictsRows, batch_size: int, processes: int, counted: Counter[str]
) -> Iterator[pa.RecordBatch]:
    """What is written of all rows, batch by batch. counted: "rows", "problems", "cut" texts and "unnamed" rows,
    whose id is empty or that of another; they are added to.

    Raises KithError for rows that cannot be used, unless skipped.
    """
    source, ids = work.source, set[str | None]()
    rows = over(source.rows(), "embed", unit="rows")
    batches = iter(lambda: list(itertools.islice(rows, batch_size)), [])
    for batch, (written, problems, cut) in shared(work, here, batches, processes, "embed"):
        if problems and not work.skip_bad:
            _refuse(source.path, batch, problems)
        if written["id"].to_pylist() != [row.id for row in batch]:
            raise KithError("embed: a process gave back other rows than it was given; give the same command again")
        counted.update({"rows": len(batch), "problems": len(problems), "cut": cut})
        for row in batch:
            counted["unnamed"] += not row.fault and (not row.id or row.id in ids)
            ids.add(row.id)
        yield written


def _predict(model: DualEncoder, side: str, content: given.GivenSide) -> dict[str, pa.Array]:
    if not content.arrays:
        return {}
    if side == "image":
        return arrow("image", predict_images(model, content.arrays[0]), *model.class_names)
    return arrow("text", predict_texts(model, *content.arrays))


def arrow(side: str, predicted: Predicted, names: Iterable[str] = (), shown: Iterable[str] = ()) -> dict[str, pa.Array]:
    """The columns of what a model predicts; names and shown: of the classes."""
    columns = {f"{side}_vector": _lists(pa.array(predicted["vector"].ravel()), len(predicted["vector"]), VECTOR)}
    name, called = pa.array(names, pa.string()), pa.array(shown, pa.string())
    if "code" in predicted:
        columns[f"{side}_code"] = pa.array([row.tobytes() for row in predicted["code"]], pa.binary())
    if "top" in predicted:
        top, probability = predicted["top"], predicted["probability"]
        best = pa.array(top[:, 0])
        columns |= {"class": name.take(best), "class_name": called.take(best)}
        columns["class_probability"] = pa.array(probability[:, 0])
        every = pa.array(top.ravel())
        parts = [name.take(every), called.take(every), pa.array(probability.ravel())]
        columns["top_classes"] = _lists(pa.StructArray.from_arrays(parts, fields=list(TOP.value_type)), len(top), TOP)
    if "nearest" in predicted:
        nearest = pa.array(predicted["nearest"])
        columns |= {"nearest_class": name.take(nearest), "nearest_class_name": called.take(nearest)}
        columns["nearest_distance"] = pa.array(predicted["distance"])
    return columns


def _lists(values: pa.Array, rows: int, kind: pa.DataType) -> pa.Array:
    offsets = np.arange(rows + 1, dtype=np.int32) * (len(values) // rows)
    return pa.ListArray.from_arrays(pa.array(offsets), values).cast(kind)


def _spread(columns: dict[str, pa.Array], good: np.ndarray, schema: pa.Schema) -> dict[str, pa.Array]:
    """Columns of the rows `good` as columns of all rows, empty in the others."""
    place = pa.array(np.cumsum(good) - 1, mask=~good)
    return {name: values.take(place) for name, values in columns.items()}


def _column(values: dict[str, pa.Array], field: pa.Field, rows: int) -> pa.Array:
    return values.get(field.name, pa.nulls(rows, field.type))


def _problems(
    source: given.GivenInput, batch: list[given.GivenRow], sides: dict[str, given.GivenSide]
) -> dict[int, str]:
    """What is wrong with each row that has a fault, by its place in the batch."""
    found = {number: [row.fault] for number, row in enumerate(batch) if row.fault}
    for side, content in sides.items():
        for number, message in content.faults.items():
            found.setdefault(number, []).append(source.fault(side, message))
    return {number: "; ".join(messages) for number, messages in sorted(found.items())}


def _refuse(path: Path, batch: list[given.GivenRow], problems: dict[int, str]) -> None:
    lines = [f"{path}: {batch[number].place}: {message}" for number, message in problems.items()]
    if len(lines) > MOST:
        lines[MOST:] = [f"… and {len(lines) - MOST} more among the next rows"]
    counted = "Rows are counted from 0; " if any(row.place.startswith("row ") for row in batch) else ""
    raise KithError("\n".join([*lines, f"({counted}--skip-bad leaves such rows empty.)"]))


if __name__ == "__main__":
    cli.run(main)
