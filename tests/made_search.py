"""Small made-up runs to search, and a server for them."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import uvicorn

from kith import models
from kith.data.digests import sha256
from kith.models import DualEncoder
from kith.models.embed import embed_images, embed_texts
from kith.search import Run
from kith.search.server import OPTIONS, create_app
from kith.store.inputs import ArrayInput, TokenInput
from kith.text.tokens import Vocabulary
from stages import files
from tests.made import COLOURS, SHAPES, picture
from tests.made_notes import seal_data, seal_run

MARKUP = "<img src=x onerror=\"document.title='run'\"> <script>document.title='run'</script>"
HELD_OUT = 24  # the last items; those before them are for training


def make_data(root: Path, features: bool = False) -> pd.DataFrame:
    """Prepared data: grey shapes, light on dark, two and two of a group; or features without pictures and texts."""
    random = np.random.default_rng(0)
    kinds = [(colour, shape) for _ in range(2) for colour in COLOURS for shape in SHAPES]
    n = len(kinds)
    items = pd.DataFrame(
        {
            "id": [f"item/{i:02}" for i in range(n)],
            "split": ["train"] * (n - HELD_OUT) + ["test"] * HELD_OUT,
            "label": [SHAPES.index(shape) for _, shape in kinds],
            "label_name": [shape for _, shape in kinds],
            "texts": [[] if features else [f"A {c} {s}.", f"The {s} is {c}."] for c, s in kinds],
            "group": [f"g{i // 2}" for i in range(n)],
            "image_row": -1 if features else np.arange(n),
        }
    )
    folder = root / "data/made/prepared"
    described = {"name": "shapes", "mean": None if features else [0.1], "features": None, "checksums": {}}
    described["licence"] = "<i>free</i>"
    if features:
        for side, width in (("image", 6), ("text", 5)):
            files.write_npy(folder / f"features_{side}.npy", random.normal(size=(n, width)).astype(np.float32))
    else:
        items.at[n - 1, "texts"] = [MARKUP]
        pictures = np.stack([picture(colour, shape, random).max(axis=2, keepdims=True) for colour, shape in kinds])
        files.write_npy(folder / "images.npy", np.where(pictures > 60, pictures, 0))
    files.write_parquet(folder / "items.parquet", items)
    files.write_json(folder / "dataset.json", described)
    seal_data(folder)
    return items


def make_run(root: Path, name: str, *, texts: bool = True, features: bool = False, **config) -> Path:
    """runs/made/<name>: an untrained model, and the held-out items as it embeds them."""
    data, run = root / "data/made/prepared", root / "runs/made" / name
    items = pd.read_parquet(data / "items.parquet")
    vocabulary = Vocabulary.build([text for each in items["texts"] for text in each])
    torch.manual_seed(len(name))
    model = DualEncoder(_config(len(vocabulary), texts, features) | config).eval()
    files.write_bytes(run / "model.pt", models.save(model, vocabulary, 12, {}))
    held_out = np.arange(len(items) - HELD_OUT, len(items))
    source = np.load(data / ("features_image.npy" if features else "images.npy"))
    files.write_npy(
        run / "embeddings_image.npy", embed_images(model, ArrayInput(source, np.arange(len(items))), held_out)
    )
    text_vectors, text_rows = np.zeros((0, model.dim), np.float32), np.zeros(0, np.int64)
    if texts:
        if features:
            view, rows, text_rows = ArrayInput(np.load(data / "features_text.npy"), held_out), held_out, held_out
        else:
            counts = items["texts"].map(len).to_numpy()
            text_rows = np.repeat(held_out, counts[held_out])
            written = [text for i in held_out for text in items["texts"][i]]
            view, rows = (
                TokenInput(*vocabulary.encode(written, 12), np.arange(len(written) + 1)),
                np.arange(len(written)),
            )
        text_vectors = embed_texts(model, view, rows)
    files.write_npy(run / "embeddings_text.npy", text_vectors)
    files.write_npz(run / "embedding_rows.npz", image_rows=held_out, text_rows=text_rows, codes=False)
    seal_run(run, sha256(data / "dataset.json"))
    return run


def _config(words: int, texts: bool, features: bool) -> dict:
    """Of a small model of grey pictures, or of features."""
    options = {"shift": 0.0, "scale": 1.0, "tower": "mlp", "hidden": 8, "layers": 1, "width": 8}
    picture_side = {"tower": "cnn", "depth": 10, "width": 8, "channels": 1, "size": 16, "fit": "pad"}
    image = {"shape": [6], **options} if features else picture_side | {"mean": [0.1], "std": [0.3]}
    words_side = {"tower": "bag", "words": words, "embedding": 8, "hidden": 8, "layers": 1, "dropout": 0.0}
    text = {"shape": [5], **options} if features else words_side
    return {"dim": 16, "image": image, "text": text if texts else None, "projection": {"kind": "unit"}}


@contextmanager
def serving(runs: Sequence[Run], **options: Any) -> Iterator[str]:
    """The address of a server of `runs`, on a port of its own. options: of `create_app`."""
    server = uvicorn.Server(uvicorn.Config(create_app(runs, **options), port=0, log_level="error", **OPTIONS))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
