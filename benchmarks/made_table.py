"""A table as users have it, made up: ids, two texts, a category in a tree, and small pictures."""

import io
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from PIL import Image

PIECE = 50_000
CATEGORIES = (5, 10, 10)  # of a tree of three levels


def pieces(rows: int, side: int) -> Iterator[pa.Table]:
    """side: of the pictures; 0: none."""
    random = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(5000)])
    for start in range(0, rows, PIECE):
        n = min(PIECE, rows - start)
        texts = [[" ".join(words[draw[:8]]), " ".join(words[draw[8:]])] for draw in random.integers(5000, size=(n, 20))]
        category = np.unravel_index(random.integers(np.prod(CATEGORIES), size=n), CATEGORIES)
        table = {
            "sku": [f"item-{start + i}" for i in range(n)],
            "title": [first for first, _ in texts],
            "description": [second for _, second in texts],
            "category": [f"category {a} > kind {a}{b} > sort {a}{b}{c}" for a, b, c in zip(*category, strict=True)],
        }
        if side:
            table["photo"] = [png(pixels) for pixels in random.integers(0, 256, (n, side, side, 3), dtype=np.uint8)]
        yield pa.table(table)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def write(path: Path, rows: int, side: int) -> None:
    """In a process of its own: what this one holds would count as the memory of its children."""
    writer = multiprocessing.get_context("spawn").Process(target=_write, args=(path, rows, side))
    writer.start()
    writer.join()
    if writer.exitcode:
        raise SystemExit(f"{path}: could not be written")


def _write(path: Path, rows: int, side: int) -> None:
    """One row group, as pandas would write it."""
    if path.suffix == ".parquet":
        pq.write_table(pa.concat_tables(pieces(rows, side)), path)
        return
    with path.open("wb") as file:
        for number, piece in enumerate(pieces(rows, side)):
            if path.suffix == ".csv":
                pa.csv.write_csv(piece, file, pa.csv.WriteOptions(include_header=number == 0))
            else:
                lines = piece.to_pandas().to_json(orient="records", lines=True)
                file.write(lines.encode())


def columns(side: int) -> dict[str, object]:
    found: dict[str, object] = {"id": "sku", "texts": ["title", "description"], "label": "category"}
    return found | {"image": "photo" if side else None}
