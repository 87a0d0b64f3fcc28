"""The stages fetch and prepare on a large made-up table: seconds, and the memory that each needs.

python -m benchmarks.prepare [--rows 1000000] [--kind pictures|texts] [--suffix parquet|csv|jsonl] [--folder DIR]

Every row has an id, two texts and a category; `pictures` adds an 8×8 PNG. The process that only imports the stages is
the line to compare with.
"""

import argparse
import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import yaml
from PIL import Image

from stages import params
from workflow import yamls

PIECE = 50_000
ROOT = Path(__file__).resolve().parents[1]
PARAMS = ROOT / "params.yaml"
IMPORTS = "import stages.fetch, stages.prepare"
STEPS = {
    "imports": ["-c", IMPORTS],
    "fetch": ["-m", "stages.fetch", "--out", "data/raw"],
    "prepare": ["-m", "stages.prepare", "--raw", "data/raw", "--out", "data/prepared"],
}


def pieces(rows: int, pictures: bool) -> Iterator[pa.Table]:
    random = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(5000)])
    for start in range(0, rows, PIECE):
        n = min(PIECE, rows - start)
        texts = [[" ".join(words[draw[:8]]), " ".join(words[draw[8:]])] for draw in random.integers(5000, size=(n, 20))]
        table = {
            "sku": [f"item-{start + i}" for i in range(n)],
            "title": [first for first, _ in texts],
            "description": [second for _, second in texts],
            "category": [f"category {i}" for i in random.integers(500, size=n)],
        }
        if pictures:
            table["photo"] = [png(pixels) for pixels in random.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)]
        yield pa.table(table)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def write(path: Path, rows: int, pictures: bool) -> None:
    """One row group, as pandas would write it."""
    if path.suffix == ".parquet":
        pq.write_table(pa.concat_tables(pieces(rows, pictures)), path)
        return
    with path.open("wb") as file:
        for number, piece in enumerate(pieces(rows, pictures)):
            if path.suffix == ".csv":
                pa.csv.write_csv(piece, file, pa.csv.WriteOptions(include_header=number == 0))
            else:
                lines = piece.to_pandas().to_json(orient="records", lines=True)
                file.write(lines.encode())


def measured(arguments: list[str], folder: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak memory in MB of a Python process in `folder`."""
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    )
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{' '.join(arguments)}: status {status}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=["pictures", "texts"], default="pictures")
    parser.add_argument("--suffix", choices=["parquet", "csv", "jsonl"], default="parquet")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.kind == "pictures" and given.suffix != "parquet":
        parser.error("pictures in the table itself need --suffix parquet")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        table = folder / f"made-{given.rows}-{given.kind}.{given.suffix}"
        if not table.exists():
            # In a process of its own: what this one holds would count as the memory of its children.
            writer = multiprocessing.Process(target=write, args=(table, given.rows, given.kind == "pictures"))
            writer.start()
            writer.join()
        columns = {"id": "sku", "texts": ["title", "description"], "label": "category"}
        columns |= {"image": "photo" if given.kind == "pictures" else None}
        study = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
        study["fetch"] = {"source": "table", "path": table.name, "columns": columns}
        study["prepare"] = {"image": {"size": 8}}
        (folder / "params.yaml").write_text(yamls.write(params.complete(study)), encoding="utf-8")
        print(f"{given.rows:,} rows of {given.kind}, {table.stat().st_size / 1e6:,.0f} MB of {given.suffix}")
        print(f"{'step':<10}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}")
        for step, arguments in STEPS.items():
            seconds, cpu, memory = measured(arguments, folder)
            print(f"{step:<10}{seconds:>9.1f}{cpu:>9.1f}{memory:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
