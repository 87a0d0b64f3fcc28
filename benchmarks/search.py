"""What the search page costs: milliseconds of a question, by the number of items, with filters and without."""

import json
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import uvicorn

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith import models
from kith.data.digests import sha256
from kith.models import DualEncoder
from kith.search import Prepared, Run
from kith.search.index import Index
from kith.search.server import OPTIONS, create_app
from kith.similarity import unit_rows
from kith.text.tokens import Vocabulary
from stages import files
from tests.made_notes import seal_data, seal_run

TITLE = "Search"
ABOUT = """n made-up items: texts with vectors of 256 numbers, a tree of 3 levels with 120 categories, a column
with 8 values and one with prices. Seconds are of one question, server and client together, over HTTP as the page
asks: 24 results, with the counts of all facets where it says so; the note has the median and the 95 % of wall
milliseconds. "the index" is asked without a server: its limit is the product of one vector with all, of codes their
distances, all bits that differ, counted by NumPy into memory that is there. At 1,000 items the checks of a question and
twenty calls of NumPy rule, a hundredth of what the question costs over HTTP; with more items their share falls. FAISS
takes a query that is packed already, and has machine code that compares, counts and chooses in one pass, where NumPy
takes three: no way with NumPy is as fast. "opening" is what the server does first."""
QUESTIONS = 40
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
    "page 40": {"text": "a small red cup", "offset": "936"},
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


def serve(count: int, dim: int) -> tuple[str, str, Any]:
    """A server over made-up items: its address, the name of the run, and what keeps its folder."""
    folder = tempfile.TemporaryDirectory()
    run = make(Path(folder.name), count, dim)
    opened = Run(run, Prepared(Path(folder.name) / "data/made/prepared"))
    server = uvicorn.Server(uvicorn.Config(create_app([opened]), port=0, log_level="error", **OPTIONS))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", opened.name, folder


def ask(count: int, dim: int, name: str) -> Callable[[], Any]:
    address, run, folder = serve(count, dim)
    asked = ASKED[name]
    path = "/api/search" if "text" in asked else "/api/sample"
    url = f"{address}{path}?{urllib.parse.urlencode({'run': run, **asked}, doseq=True)}"
    _milliseconds(url)
    _milliseconds(url)

    def work() -> dict[str, float]:
        begun = time.process_time()
        times = [_milliseconds(url) for _ in range(QUESTIONS)]
        cpu = (time.process_time() - begun) / QUESTIONS
        return {
            "cpu": cpu,
            "median": float(np.median(times)),
            "most": float(np.quantile(times, 0.95)),
            "kept": id(folder),
        }

    return work


class PerQuestion(Way):
    """A way whose answer says what a question took."""

    def measure(self) -> Any:
        found = super().measure()
        if not found.failed:
            found.cpu, found.wall = found.answer["cpu"], found.answer["median"] / 1000
        return found


def opening(count: int, dim: int) -> Callable[[], Any]:
    folder = tempfile.TemporaryDirectory()
    run = make(Path(folder.name), count, dim)
    return lambda: create_app([Run(run, Prepared(Path(folder.name) / "data/made/prepared"))]).title


def vectors(count: int, dim: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32)


def index(count: int, dim: int, codes: bool) -> Callable[[], Any]:
    given = vectors(count, dim)
    found = Index(given, np.arange(count), codes=codes)
    return lambda: found.search(given[7], 24)[1 if codes else 0]


def faiss_flat(count: int, dim: int) -> Callable[[], Any]:
    import faiss

    given = unit_rows(vectors(count, dim))
    faiss.omp_set_num_threads(1)
    found = faiss.IndexFlatIP(dim)
    found.add(given)
    return lambda: found.search(given[7:8], 24)[1][0]


def faiss_binary(count: int, dim: int) -> Callable[[], Any]:
    import faiss

    given = np.packbits(vectors(count, dim) >= 0, axis=1)
    faiss.omp_set_num_threads(1)
    found = faiss.IndexBinaryFlat(dim)
    found.add(given)
    return lambda: 1 - 2 * found.search(given[7:8], 24)[0][0] / dim


def product(count: int, dim: int) -> Callable[[], Any]:
    given = vectors(count, dim)
    return lambda: given @ given[7]


def count_bits(count: int, dim: int) -> Callable[[], Any]:
    """All distances from one code, a word after the other, and nothing else."""
    columns = np.random.default_rng(0).integers(0, 1 << 63, size=(dim // 64, count), dtype=np.uint64)
    query = columns[:, 7].copy()
    different, counts, total = np.empty(count, np.uint64), np.empty(count, np.uint8), np.empty(count, np.uint16)

    def work() -> None:
        total[:] = 0
        for column, word in zip(columns, query, strict=True):
            np.bitwise_xor(column, word, out=different)
            np.bitwise_count(different, out=counts)
            np.add(total, counts, out=total)

    return work


def _milliseconds(url: str) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=120) as response:
        json.load(response)
    return 1000 * (time.perf_counter() - began)


def cases(quick: bool, *, sizes: tuple[int, ...] = (1000, 10_000, 100_000), dim: int = 256) -> Iterator[Case]:
    for count in sizes:
        of = (count, dim)
        floats = {"faiss (flat)": Way(faiss_flat, of)}
        limit = ("the product", Way(product, of))
        yield Case("the index", count, Way(index, (*of, False)), floats, limit=limit, done=1)
        yield Case(
            *("the index, codes", count, Way(index, (*of, True)), {"faiss (binary)": Way(faiss_binary, of)}),
            limit=("all distances", Way(count_bits, of)),
            done=1,
        )
    for count in sizes[:1] if quick else sizes:
        of = (count, dim)
        yield Case("opening", count, Way(opening, of))
        for name in ASKED:
            yield Case(
                name,
                count,
                PerQuestion(ask, (*of, name)),
                note=lambda found: f"{found['median']:.0f} ms ({found['most']:.0f})",
                done=1,
            )
