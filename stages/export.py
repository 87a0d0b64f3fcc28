"""Export a trained run: ONNX graphs of its model, or its vectors."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from kith import models
from kith.errors import KithError
from kith.inference import onnx as onnx_export
from kith.store.prepared import Prepared, data_of
from kith.store.run import EmbeddingFiles, one_vector, read_embeddings
from stages import cli, files

FORMATS = ("onnx", "npz", "parquet")


def main(
    *,
    run: Annotated[Path, typer.Option(help="Folder of the trained run.")],
    format: Annotated[str, typer.Option(help="onnx, npz or parquet.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    data: Annotated[Path | None, typer.Option(help="Prepared data that the vectors are of.")] = None,
) -> None:
    """Write into the folder --out, as --format says.

    onnx: image.onnx, text.onnx, and model.json with all that is needed to prepare their inputs, besides the
    tokenizer.json of a pretrained tokenizer. npz, parquet: the vectors of the held-out pictures and texts that the
    embed stage has made, with the ids of their items from --data, which for runs/<study>/<method>-<seed> is
    data/<study>/prepared by itself.
    """
    if format not in FORMATS:
        raise KithError(f"--format {format}: choose one of {', '.join(FORMATS)}")
    if out.exists() and not out.is_dir():
        raise KithError(f"--out {out}: is a file; name a folder")
    if format == "onnx":
        _onnx(run, out)
    else:
        (_npz if format == "npz" else _parquet)(_vectors(run, data or data_of(run)), out)


def _onnx(run: Path, out: Path) -> None:
    """The graphs are compared with the model before any of them is there."""
    model, vocabulary, saved = models.load(run / "model.pt")
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


def _tell(path: Path, tables: dict[str, pa.Table]) -> None:
    print(f"{path}: {', '.join(f'{len(table):,} {side} vectors' for side, table in tables.items())}", file=sys.stderr)


if __name__ == "__main__":
    cli.run(main)
