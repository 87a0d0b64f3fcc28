"""Export a trained run: ONNX graphs, its vectors, or an index."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from kith import models
from kith.data.digests import sha256
from kith.encoders.frozen import reads_texts
from kith.errors import KithError
from kith.indexes.exported import Format, write_index
from kith.inference import onnx as onnx_export
from kith.store.prepared import Prepared, data_of
from kith.store.provenance import note
from kith.store.run import EmbeddingFiles, existing, one_vector, read_embeddings
from stages import cli, files

FORMATS = ("onnx", "npz", "parquet", "faiss", "usearch")


def main(
    *,
    run: Annotated[Path, typer.Option(help="Folder of the trained run.")],
    format: Annotated[str, typer.Option(help="onnx, npz, parquet, faiss or usearch.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    data: Annotated[Path | None, typer.Option(help="Prepared data that the vectors are of.")] = None,
    index: Annotated[str | None, typer.Option(help="Of faiss and usearch: float32, int8, pq16, hnsw, signs, …")] = None,
) -> None:
    """Write into the folder --out, as --format says.

    onnx: image.onnx, text.onnx, and model.json with all that is needed to prepare their inputs, besides the
    tokenizer.json of a pretrained tokenizer. npz, parquet: the vectors of the held-out pictures and texts that the
    embed stage has made, with the ids of their items from --data, which for runs/<study>/<method>-<seed> is
    data/<study>/prepared by itself. faiss, usearch: an index of these vectors a side, image.faiss or image.usearch, and
    image.json with the ids and with what they are of; --index says which (docs/cost.md), by default float32 of faiss,
    hnsw of usearch, and signs where the vectors are codes.
    """
    if format not in FORMATS:
        raise KithError(f"--format {format}: choose one of {', '.join(FORMATS)}")
    if out.exists() and not out.is_dir():
        raise KithError(f"--out {out}: is a file; name a folder")
    if index is not None and format not in ("faiss", "usearch"):
        raise KithError(f"--index {index}: is for --format faiss and usearch")
    existing(run)
    if format == "onnx":
        _onnx(run, out)
    elif format in ("faiss", "usearch"):
        _indexes(run, data or data_of(run), out, cast(Format, format), index)
    else:
        (_npz if format == "npz" else _parquet)(_vectors(run, data or data_of(run)), out)


def _onnx(run: Path, out: Path) -> None:
    """The graphs are compared with the model before any of them is there."""
    model, vocabulary, saved = models.load(run / "model.pt")
    if reads_texts(model.config["image"].get("encoder", {})):
        raise KithError(f"{run}: is of texts alone, which have no ONNX graph yet; `kith embed` makes vectors of them")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".export") as name:
        folder = Path(name)
        onnx_export.export(model, folder)
        for side, difference in onnx_export.differences(model, folder).items():
            if not difference <= onnx_export.TOLERANCE:
                raise KithError(f"{run}: the {side} graph differs from the model by {difference:.1g}; it is not kept")
            print(f"{out / side}.onnx: differs from the model by at most {difference:.1g}", file=sys.stderr)
        told = onnx_export.describe(model, vocabulary, saved["max_tokens"], saved["trained"])
        files.write_json(folder / "model.json", told)
        if "tokenizer_json" in (state := vocabulary.state()):
            (folder / "tokenizer.json").write_text(state["tokenizer_json"], encoding="utf-8")
        for path in sorted(folder.iterdir()):
            os.replace(path, out / path.name)


def _vectors(run: Path, data: Path) -> dict[str, pa.Table]:
    """id, split, label_name, or labels where items have several, of texts also the text, and vector of everything that
    was embedded, by side."""
    prepared = Prepared(data)
    embeddings = read_embeddings(EmbeddingFiles.of(run), prepared, run / "model.pt")
    items, found = prepared.table, {}
    told = ("id", "split", "labels" if "labels" in items else "label_name")
    for side, embedded in (("image", embeddings.image), ("text", embeddings.text)):
        vectors, rows = embedded.vectors, embedded.items
        if not len(rows):
            continue
        one_vector(vectors.shape[1:], run)
        table = pa.table({name: items[name].to_numpy()[rows] for name in told})
        texts = items["texts"].iloc[np.unique(rows)].tolist() if side == "text" else []
        if sum(map(len, texts)) == len(rows):
            table = table.append_column("text", pa.array([text for each in texts for text in each], pa.string()))
        offsets = pa.array(np.arange(len(rows) + 1) * vectors.shape[1])
        lists = pa.LargeListArray.from_arrays(offsets, pa.array(vectors.ravel()))
        found[side] = table.append_column("vector", lists)
    return found


def _npz(tables: dict[str, pa.Table], out: Path) -> None:
    arrays = {}
    for side, table in tables.items():
        arrays[f"{side}_ids"] = np.array(table["id"].to_pylist())
        arrays[f"{side}_vectors"] = table["vector"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    files.write_npz(out / "vectors.npz", **arrays)
    _tell(out / "vectors.npz", tables)


def _parquet(tables: dict[str, pa.Table], out: Path) -> None:
    for side, table in tables.items():
        with files.replacing(out / f"{side}_vectors.parquet") as temporary:
            pq.write_table(table, temporary, compression="zstd")
        _tell(out / f"{side}_vectors.parquet", {side: table})


def _indexes(run: Path, data: Path, out: Path, form: Format, kind: str | None) -> None:
    prepared = Prepared(data)
    embeddings = read_embeddings(EmbeddingFiles.of(run), prepared, run / "model.pt")
    if kind is None:
        kind = "signs" if embeddings.coded else "float32" if form == "faiss" else "hnsw"
    of = {"data": prepared.checksum, "model": sha256(run / "model.pt")}
    for side, embedded in (("image", embeddings.image), ("text", embeddings.text)):
        path = out / f"{side}.{form}"
        if not len(embedded.items):
            continue
        one_vector(embedded.vectors.shape[1:], run)
        ids = prepared.table["id"].to_numpy()[embedded.items].tolist()
        with files.replacing(path) as temporary:
            told = write_index(embedded.vectors, ids, temporary, form, kind)
        files.write_json(out / f"{side}.json", note([path], **of, **told))
        print(f"{path}: {len(ids):,} {side} vectors, {kind}; {side}.json has their ids", file=sys.stderr)


def _tell(path: Path, tables: dict[str, pa.Table]) -> None:
    print(f"{path}: {', '.join(f'{len(table):,} {side} vectors' for side, table in tables.items())}", file=sys.stderr)


if __name__ == "__main__":
    cli.run(main)
