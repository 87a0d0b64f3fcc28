"""What the search page costs: milliseconds of a question and memory, by the number of items, with filters and without.

python -m benchmarks.search [--counts 29000,200000] [--dim 256] [--queries 40]

The vectors and labels are made up: a tree of 3 levels with 120 categories, a column with 8 values and one with prices.
The answers go over HTTP, as the page asks for them: 24 results, with the counts of all facets where it says so.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import uvicorn

from kith import models
from kith.data.digests import sha256
from kith.models import DualEncoder
from kith.search import Prepared, Run
from kith.search.server import OPTIONS, create_app
from kith.text.tokens import Vocabulary
from stages import files
from tests.made_notes import seal_data, seal_run

WORDS = ["red", "blue", "green", "old", "new", "small", "large", "round", "square", "flat", "cup", "shoe", "hat", "pot"]
LEVELS = (5, 4, 6)  # of the tree
ASKED = {
    "text": {"text": "a small red cup"},
    "text, facets": {"text": "a small red cup", "facets": "true"},
    "text, category, facets": {"text": "a small red cup", "facets": "true", "where": "label:c1 > c11"},
    "two filters, facets": {
        **{"text": "a small red cup", "facets": "true"},
        "where": ["label:c1 > c11 > c112", "column.colour:colour 3"],
    },
    "text − text + item": {"text": "a small red cup", "minus": "text:red", "plus": "item:i100"},
    "page 400": {"text": "a small red cup", "offset": "9576"},
    "sample, facets": {"facets": "true"},
}


def make(root: Path, count: int, dim: int) -> Path:
    """Prepared data of texts without pictures, and a run over them with random vectors."""
    random = np.random.default_rng(0)
    paths = [
        f"c{a} > c{a}{b} > c{a}{b}{c}" for a in range(LEVELS[0]) for b in range(LEVELS[1]) for c in range(LEVELS[2])
    ]
    label = random.integers(len(paths), size=count)
    texts = np.array(WORDS)[random.integers(len(WORDS), size=(count, 4))]
    items = pd.DataFrame(
        {
            **{"id": [f"i{i}" for i in range(count)], "split": np.where(random.random(count) < 0.9, "train", "test")},
            **{"label": label, "label_name": np.array(paths)[label], "texts": [[" ".join(row)] for row in texts]},
            **{"group": [f"g{i}" for i in range(count)], "image_row": -1},
        }
    )
    nodes = {" > ".join(path.split(" > ")[:depth]) for path in paths for depth in (1, 2, 3)}
    edges = [(node.rpartition(" > ")[0] or "all", node, node) for node in sorted(nodes)]
    extras = {"id": items["id"], "colour": [f"colour {i}" for i in random.integers(8, size=count)]}
    extras["price"] = [f"{price:.2f}" for price in 1000 * random.random(count)]
    data, run = root / "data/made/prepared", root / "runs/made/random-0"
    files.write_parquet(data / "items.parquet", items)
    files.write_parquet(data / "taxonomy.parquet", pd.DataFrame(edges, columns=["parent", "child", "name"]))
    files.write_parquet(data / "extras.parquet", pd.DataFrame(extras))
    files.write_json(
        data / "dataset.json",
        {"name": "made", "mean": None, "image": None, "features": None, "checksums": {}, "licence": "none"},
    )
    seal_data(data)
    _model(run, dim)
    rows = np.arange(count)
    files.write_npy(run / "embeddings_image.npy", np.zeros((0, dim), np.float32))
    files.write_npy(run / "embeddings_text.npy", random.normal(size=(count, dim)).astype(np.float32))
    files.write_npz(run / "embedding_rows.npz", image_rows=rows[:0], text_rows=rows, codes=False)
    seal_run(run, sha256(data / "dataset.json"))
    return run


def _model(run: Path, dim: int) -> None:
    vocabulary = Vocabulary.build([" ".join(WORDS), "a"])
    torch.manual_seed(0)
    picture = {
        "tower": "cnn",
        "depth": 10,
        "width": 8,
        "channels": 1,
        "size": 16,
        "fit": "pad",
        "mean": [0.1],
        "std": [1.0],
    }
    text = {"tower": "bag", "words": len(vocabulary), "embedding": 8, "hidden": 8, "layers": 1, "dropout": 0.0}
    model = DualEncoder({"dim": dim, "image": picture, "text": text, "projection": {"kind": "unit"}}).eval()
    files.write_bytes(run / "model.pt", models.save(model, vocabulary, 12, {}))


def measure(count: int, dim: int, queries: int, found: Any) -> None:
    """Put {"open": seconds, "memory": MB, question: (median, 95 %) ms} into a queue."""
    with tempfile.TemporaryDirectory() as folder:
        run = make(Path(folder), count, dim)
        began = time.perf_counter()
        opened = Run(run, Prepared(Path(folder) / "data/made/prepared"))
        server = uvicorn.Server(uvicorn.Config(create_app([opened]), port=0, log_level="error", **OPTIONS))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        result: dict[str, Any] = {"open": time.perf_counter() - began}
        for name, asked in ASKED.items():
            path = "/api/search" if "text" in asked else "/api/sample"
            url = f"{address}{path}?{urllib.parse.urlencode({'run': opened.name, **asked}, doseq=True)}"
            times = [_milliseconds(url) for _ in range(queries + 2)][2:]
            result[name] = float(np.median(times)), float(np.quantile(times, 0.95))
        result["memory"] = _memory()
        found.put(result)
        server.should_exit = True
        thread.join()


def _memory() -> float:
    """What this process holds now, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def _milliseconds(url: str) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=120) as response:
        json.load(response)
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="29000,200000", help="numbers of items")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=40)
    options = parser.parse_args()
    counts, spawn, rows = [int(each) for each in options.counts.split(",")], multiprocessing.get_context("spawn"), []
    for count in counts:
        # A process each, or memory would be that of both.
        found = spawn.Queue()
        process = spawn.Process(target=measure, args=(count, options.dim, options.queries, found))
        process.start()
        process.join()  # the result is small: nothing waits for it to be taken
        if process.exitcode:
            raise SystemExit(f"{count:,} items: ended with status {process.exitcode}")
        rows.append(found.get())
    print("| | " + " | ".join(f"{count:,} items" for count in counts) + " |")
    print("|---" * (len(counts) + 1) + "|")
    for name in ASKED:
        print(f"| {name}, ms | " + " | ".join("{:.0f} ({:.0f})".format(*row[name]) for row in rows) + " |")
    print("| opening, s | " + " | ".join(f"{row['open']:.1f}" for row in rows) + " |")
    print("| memory of the process, MB | " + " | ".join(f"{row['memory']:,.0f}" for row in rows) + " |")


if __name__ == "__main__":
    main()
