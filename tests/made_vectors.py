"""Files of vectors in the forms that people have, about one made-up set of animals and cars."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd

CLASSES = ("car", "cat", "dog")
N = 30
IDS = [f"i{row}" for row in range(N)]
LABELS = np.repeat(CLASSES, N // 3)
EDGES = "thing car\nthing animal\nanimal cat\nanimal dog\n"


def made(seed: int = 0, noise: float = 0.6) -> np.ndarray:
    """(30, 6) float32, near to others of the class."""
    random = np.random.default_rng(seed)
    return (np.repeat(np.eye(3, 6), N // 3, axis=0) + noise * random.standard_normal((N, 6))).astype(np.float32)


def write(folder: Path) -> None:
    """Every file that docs/evaluate.md names."""
    pictures, texts = made(), made(1)
    np.savez(folder / "ours.npz", vectors=pictures, ids=IDS, labels=LABELS)
    rows = pd.DataFrame({"id": IDS, "label": LABELS, "split": "test", "vector": list(texts)})
    rows.to_parquet(folder / "theirs.parquet")
    pd.DataFrame({"id": IDS, "label": LABELS}).to_csv(folder / "classes.csv", index=False)
    (folder / "taxonomy.txt").write_text(EDGES)
    with (folder / "features.pickle").open("wb") as file:
        pickle.dump({"feat": pictures}, file)
    np.save(folder / "labels.npy", LABELS)
    np.savez(folder / "codes.npz", codes=pictures > 0.3, ids=IDS, labels=LABELS)
    np.savez(folder / "database.npz", codes=texts > 0.3, ids=[f"d{row}" for row in range(N)], labels=LABELS)
    pairs = {"image_vectors": pictures, "image_ids": IDS, "text_vectors": pictures + texts / 4, "text_ids": IDS}
    np.savez(folder / "pairs.npz", **pairs)
    np.savez(folder / "documents.npz", vectors=pictures, ids=IDS)
    np.savez(folder / "queries.npz", vectors=texts[::10], ids=["q1", "q2", "q3"])
    levels = [(f"q{q + 1}", key, 1 + row % 2) for q in range(3) for row, key in enumerate(IDS[10 * q : 10 * q + 4])]
    (folder / "qrels.txt").write_text("".join(f"{query} 0 {key} {level}\n" for query, key, level in levels))
    beir = folder / "beir"
    (beir / "qrels").mkdir(parents=True)
    (beir / "corpus.jsonl").write_text("".join(json.dumps({"_id": key, "text": ""}) + "\n" for key in IDS))
    (beir / "queries.jsonl").write_text("".join(json.dumps({"_id": f"q{n}", "text": ""}) + "\n" for n in (1, 2, 3)))
    lines = ["query-id\tcorpus-id\tscore", *(f"{query}\t{key}\t{level}" for query, key, level in levels)]
    (beir / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n")
