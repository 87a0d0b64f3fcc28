"""The study mnist, on handwritten digits of another set in MNIST's files: every method trained and measured."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from stages import class_embedding, embed, evaluate, fetch, neighbors, params, prepare, taxonomy, text, train
from tests.data.test_mnist import idx
from tests.documentation import ROOT
from tests.made_notes import embed_files, evaluate_files
from tests.made_params import write_params

FOLDERS = {name: Path("data/mnist", name) for name in ("text", "neighbors", "taxonomy", "class_embedding")}
DATA = Path("data/mnist/prepared")
SAMPLED = {"siamese": "pairs", "triplet_given": "triplets", "triplet_semihard": "balanced"}


def write_digits(folder: Path) -> None:
    """1,200 digits of 8×8 pixels, 28 pixels wide, in the four files of MNIST."""
    folder.mkdir(parents=True)
    digits = load_digits()
    pictures = (digits.images * 15).astype(np.uint8)
    wide = np.stack([np.asarray(Image.fromarray(each).resize((28, 28))) for each in pictures])
    for part, rows in (("train", slice(0, 900)), ("t10k", slice(900, 1200))):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(wide[rows]))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(digits.target[rows].astype(np.uint8)))


@pytest.mark.slow
def test_every_method_of_the_study_learns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.tracking.runs.available", lambda: False)
    study = params.parse((ROOT / "studies/mnist.yaml").read_text(encoding="utf-8"))
    write_digits(Path(study["fetch"]["path"]))
    study["train"] |= {"epochs": 4, "batch_size": 100, "items_per_class": 10}
    study["evaluate"]["bootstrap"] = 20
    write_params(study)
    fetch.main(out=Path("data/mnist/raw"))
    prepare.main(raw=Path("data/mnist/raw"), out=DATA)
    text.main(data=DATA, out=FOLDERS["text"])
    neighbors.main(data=DATA, text=FOLDERS["text"], out=FOLDERS["neighbors"])
    taxonomy.main(data=DATA, out=FOLDERS["taxonomy"])
    class_embedding.main(taxonomy=FOLDERS["taxonomy"], text=FOLDERS["text"], out=FOLDERS["class_embedding"])
    settings = params.load()
    for name, sampler in SAMPLED.items():
        assert settings.method(name).train.sampler == sampler
    for name in settings.study.methods:
        run = Path(f"runs/mnist/{name}-0")
        made = {"model": run / "model.pt", "history": run / "history.parquet", "trained": run / "trained.json"}
        train.main(method=name, seed=0, data=DATA, **FOLDERS, **made)
        embed.main(data=DATA, **embed_files(run))
        measured_of = {"text": FOLDERS["text"], "taxonomy": FOLDERS["taxonomy"]}
        evaluate.main(method=name, seed=0, data=DATA, **measured_of, **evaluate_files(run))
        metrics = json.loads((run / "metrics.json").read_text())["splits"]["test"]["metrics"]
        print(name, metrics["database/map"]["value"], metrics["database/knn_accuracy"]["value"])
        assert metrics["database/knn_accuracy"]["value"] > 70, name  # percent; one of ten by chance
        assert ("hamming/map" in metrics) == (name == "dtsh"), name
        assert "metric_learning/R@1" in metrics, name
