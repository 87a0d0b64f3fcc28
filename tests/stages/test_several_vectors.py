"""A method with several vectors an item, through every stage and to those who use its run."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

import kith
from kith import models
from kith.errors import KithError
from kith.inference import onnx
from stages import compare, export, predict, report
from stages.params.method import Method
from tests.stages.test_train_stage import DATA, MEANING, edit
from tests.stages.tracking.test_tracking import run_method

REPORTED = DATA | {"neighbors": Path("data/shapes/neighbors"), "runs": Path("runs/shapes")}


@pytest.fixture
def run(study) -> Path:
    edit(study={"methods": ["pvse"]}, methods={"pvse": {}}, train={"epochs": 8})
    edit(evaluate={"svm": True, "metric_learning": True}, embed={"splits": ["train", "val", "test"]})
    return run_method("pvse")


def test_from_training_to_a_report(run, tmp_path):
    vectors = np.load(run / "embeddings_image.npy")
    assert vectors.shape[1:] == (2, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=2), 1, rtol=1e-5)
    history = pd.read_parquet(run / "history.parquet")
    assert {"train_pairwise_hinge", "train_mmd", "train_diversity"} <= set(history)
    measured = json.loads((run / "metrics.json").read_text())["splits"]["test"]
    assert measured["metrics"]["mean/mrr"]["value"] > 2 * measured["chance"]["text_to_image/mrr"]
    assert "image_to_image/map" in measured["metrics"]
    assert not [name for name in measured["metrics"] if name.startswith(("svm/", "metric_learning/"))]
    out = Path("reports/shapes")
    compare.main(**REPORTED, out=out)
    report.main(
        **REPORTED, taxonomy=MEANING["taxonomy"], compared=out, figures=out / "figures", page=out / "report.html"
    )
    assert (out / "figures" / "tsne.png").exists()

    found = kith.load(str(run))
    texts = found.embed_texts(["A red square.", "A blue cross."])
    assert texts.shape == (2, 2, 16)
    best = found.search(text="A red square.", count=3)
    image_rows = np.load(run / "embedding_rows.npz")["image_rows"]
    expected = np.einsum("kd,nld->nkl", texts[0], vectors).max(axis=(1, 2))
    assert best[0]["similarity"] == pytest.approx(float(expected.max()), abs=1e-5)
    assert best[0]["row"] == image_rows[expected.argmax()]
    mlflow.set_tracking_uri(f"sqlite:///{Path('mlflow.db').resolve()}")
    logged = mlflow.search_runs(experiment_names=["shapes"]).set_index("tags.mlflow.runName")
    loaded = mlflow.pyfunc.load_model(f"runs:/{logged.loc['pvse-0', 'run_id']}/model")
    given = pd.DataFrame({"text": ["A red square.", "A blue cross."]})
    np.testing.assert_allclose(loaded.predict(given), texts, atol=1e-5)
    model, _, _ = models.load(run / "model.pt")
    onnx.export(model, tmp_path)
    assert max(onnx.differences(model, tmp_path).values()) < onnx.TOLERANCE


def test_what_takes_one_vector_an_item_says_so(run):
    message = "has 2 vectors an item .* search it with `kith search`"
    pd.DataFrame({"text": ["A red square."]}).to_csv("new.csv")
    with pytest.raises(KithError, match=message):
        predict.main(run=run, input=Path("new.csv"), out=Path("out.parquet"))
    with pytest.raises(KithError, match=message):
        export.main(run=run, format="npz", out=Path("out"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"losses": {"info_nce": {}}}, "losses.info_nce compares one vector an item; .* take pairwise_hinge, mmd"),
        ({"losses": {"pairwise_hinge": {}, "cross_entropy": {}}}, "is for losses of pictures and texts alone"),
        ({"train": {"attention": {"vectors": 1}}, "losses": {"pairwise_hinge": {}, "diversity": {}}}, "tells several"),
        ({"train": {"head": "linear", "attention": {"vectors": 2}}}, "train.attention is for train.head: attention"),
        ({"train": {"head": "linear"}, "losses": {"diversity": {}}}, "looks at what attention adds"),
        ({"train": {"projection": {"kind": "learned"}}}, "is for losses of pictures and texts alone"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
    train = {"epochs": 1, "head": "attention"} | changes.get("train", {})
    if train["head"] == "attention":
        train.setdefault("attention", {"vectors": 2})
    with pytest.raises(ValueError, match=message):
        Method(losses=changes.get("losses", {"pairwise_hinge": {}}), train=train)
