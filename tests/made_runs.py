"""A small study, made up but consistent: everything that evaluate and compare read."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages import files
from tests import made_params
from tests.made_notes import seal

PARAMS = {
    "study": {"name": "made", "methods": ["good", "bad"], "seeds": [0]},
    "fetch": {"source": "table", "path": "table.parquet"},
    "train": {"epochs": 3},
    "methods": {name: {"preset": "infonce"} for name in ("good", "fair", "bad")},
    "evaluate": {"ks": [1, 5, 10], "nway": [5, 20], "bootstrap": 200},
    "compare": {"permutations": 500},
    **{
        name: {}
        for name in ("prepare", "text", "neighbors", "taxonomy", "class_embedding", "embed", "report", "expect")
    },
}


class Tracking:
    """Stands in for stages.tracking and remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple, dict]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **options: self.calls.append((name, args, options))


def write_params(root: Path, **sections: Any) -> None:
    """params.yaml of the made-up study, with some sections changed."""
    changed = {name: {**PARAMS.get(name, {}), **values} for name, values in sections.items()}
    made_params.write_params({**PARAMS, **changed}, root)


def make_items(per_split: int = 24, texts_each: int = 1) -> pd.DataFrame:
    """Items of train, val, test and test_faces; in test_faces, two and two are of one group."""
    splits = [split for split in ("train", "val", "test", "test_faces") for _ in range(per_split)]
    n = len(splits)
    groups = [f"g{i // 2 * 2 if split == 'test_faces' else i:03}" for i, split in enumerate(splits)]
    return pd.DataFrame(
        {
            "id": [f"item{i:03}" for i in range(n)],
            "split": splits,
            "label": np.arange(n) % 5,
            "label_name": [f"label {i % 5}" for i in range(n)],
            "texts": [[f"text {place} of {i}" for place in range(1 + i % texts_each)] for i in range(n)],
            "group": groups,
            "image_row": np.arange(n),
        }
    )


def make_data(root: Path, items: pd.DataFrame) -> None:
    """data/made/prepared, data/made/text and data/made/neighbors, as far as they are read; params.yaml."""
    rng = np.random.default_rng(0)
    data = root / "data/made/prepared"
    data.mkdir(parents=True)
    items.to_parquet(data / "items.parquet", index=False)
    counts = items["split"].value_counts(sort=False).to_dict()
    described = {"name": "made up", "counts": counts, "groups": counts, "labels": 5, "licence": "CC0"}
    described |= {"texts": int(items["texts"].map(len).sum()), "image": {"height": 8, "width": 8, "channels": 1}}
    described["features"] = None
    described["checksums"] = {}
    files.write_json(data / "dataset.json", described)
    files.write_npy(root / "data/made/text/vectors.npy", unit(rng.normal(size=(len(items), 6))))
    files.write_json(root / "data/made/neighbors/quality.json", {"recall": 0.998, "label_agreement@10": 0.412})
    make_taxonomy(root, items)
    write_params(root)
    seal(root, "made")


def make_taxonomy(root: Path, items: pd.DataFrame, study: str = "made") -> None:
    """data/<study>/taxonomy: the labels without any taxonomy."""
    folder = root / "data" / study / "taxonomy"
    known = items.loc[items["label"] >= 0, ["label", "label_name"]].drop_duplicates().sort_values("label")
    files.write_parquet(folder / "classes.parquet", known.assign(name=known["label_name"]))
    flat = np.eye(len(known))
    files.write_npz(folder / "similarity.npz", lcsh=flat, wup=flat, target=flat)


def without_inputs(root: Path) -> None:
    """Features in place of pictures and texts, which say nothing of meaning."""
    path = root / "data/made/prepared/items.parquet"
    items = pd.read_parquet(path)
    items = items.assign(texts=[[] for _ in range(len(items))], label=-1, label_name="")
    items.to_parquet(path, index=False)
    make_taxonomy(root, items)
    described = files.read_json(root / "data/made/prepared/dataset.json")
    shapes = {side: {"shape": [d], "shift": 0.0, "scale": 1.0} for side, d in (("image", 40), ("text", 30))}
    described |= {"texts": 0, "labels": 0, "image": None, "mean": None, "features": shapes}
    files.write_json(root / "data/made/prepared/dataset.json", described)
    files.write_npy(root / "data/made/text/vectors.npy", np.zeros((len(items), 1), dtype=np.float32))
    quality = {"recall": 0.0, "without_neighbors": described["groups"]["train"]}
    files.write_json(root / "data/made/neighbors/quality.json", quality)
    seal(root, "made")


def make_run(root: Path, method: str, seed: int, noise: float) -> dict[str, Path]:
    """What train and embed leave: vectors near in both modalities. Returns the paths for evaluate.

    The vectors are the semantic ones with noise, or any where these are zero; an item without texts has features.
    """
    items = pd.read_parquet(root / "data/made/prepared/items.parquet")
    meaning = np.load(root / "data/made/text/vectors.npy")
    if not meaning.any():
        meaning = unit(np.random.default_rng(1).normal(size=(len(items), 6)))
    rng = np.random.default_rng([seed, *method.encode()])
    folder = root / f"runs/made/{method}-{seed}"
    held_out = np.flatnonzero(items["split"] != "train")
    image_rows = held_out[items["image_row"].to_numpy()[held_out] >= 0]
    counts = items["texts"].map(len).to_numpy()
    text_rows = np.repeat(held_out, counts[held_out] if counts.any() else 1)
    for kind, rows in (("image", image_rows), ("text", text_rows)):
        vectors = meaning[rows] + noise * rng.normal(size=(len(rows), meaning.shape[1]))
        files.write_npy(folder / f"embeddings_{kind}.npy", unit(vectors))
    np.savez(folder / "embedding_rows.npz", image_rows=image_rows, text_rows=text_rows, codes=False)
    files.write_npz(folder / "class_scores.npz")
    epochs = np.arange(1, 4)
    history = pd.DataFrame({"epoch": epochs, "lr": 0.001, "train_loss": noise / epochs, f"train_{method}": noise})
    history = history.assign(val_loss=1 / epochs, val_mrr=1 - noise / 9, train_mrr=1 - noise / 18)
    files.write_parquet(folder / "history.parquet", history)
    seal(root, "made")
    return {
        "data": root / "data/made/prepared",
        "text": root / "data/made/text",
        "taxonomy": root / "data/made/taxonomy",
        "model": folder / "model.pt",
        "history": folder / "history.parquet",
        "trained": folder / "trained.json",
        "scores": folder / "class_scores.npz",
        "images": folder / "embeddings_image.npy",
        "texts": folder / "embeddings_text.npy",
        "rows": folder / "embedding_rows.npz",
        "embedded": folder / "embedded.json",
        "metrics": folder / "metrics.json",
        "queries": folder / "queries.parquet",
        "evaluated": folder / "evaluated.json",
    }


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
