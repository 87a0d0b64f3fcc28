"""A study of two views without words, through every stage."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from kith import models
from kith.errors import KithError
from kith.models.embed import embed_images, embed_texts
from kith.store.inputs import ArrayInput
from stages import class_embedding, compare, fetch, neighbors, prepare, report, taxonomy, text, train
from tests import made_arrays
from tests.made_params import write_params
from tests.stages.test_train_stage import DATA, INPUTS, outputs
from tests.stages.tracking.test_tracking import run_method

REST = {"embed": {}, "evaluate": {"nway": [5], "bootstrap": 100}, "compare": {"permutations": 200}, "report": {}}
TOWERS = {"image": {"tower": "vgg", "width": 4}, "text": {"tower": "vgg", "width": 4}}


@pytest.fixture
def prepared(study) -> None:
    """Maps of both sides, without any meaning, prepared in place of the pictures and texts."""
    made_arrays.audio_score(Path("pairs.npz"), 200, 40, 40)
    content = {
        "study": {"name": "shapes", "methods": ["ccal_cont", "learned_cont"]},
        "fetch": {"source": "audio_score", "path": "pairs.npz"},
        "prepare": {"features": {"image": "max", "text": "none"}},
        "text": {"backend": "none"},
        "neighbors": {},
        "taxonomy": {},
        "class_embedding": {},
        "train": {"epochs": 3, "batch_size": 40, "dim": 8, "lr": 0.005, "threads": 1, **TOWERS},
        "methods": {"ccal_cont": {}, "learned_cont": {}, "neighborhood": {}},
        "expect": {},
        **REST,
    }
    write_params(content)
    fetch.main(out=Path("data/shapes/raw"))
    prepare.main(raw=Path("data/shapes/raw"), out=DATA["data"])
    text.main(**DATA, out=Path("data/shapes/text"))
    neighbors.main(**DATA, text=Path("data/shapes/text"), out=Path("data/shapes/neighbors"))
    taxonomy.main(**DATA, out=Path("data/shapes/taxonomy"))
    class_embedding.main(
        taxonomy=Path("data/shapes/taxonomy"), text=Path("data/shapes/text"), out=Path("data/shapes/class_embedding")
    )


def test_from_maps_to_a_report_and_a_model(prepared, capsys):
    for method in ("ccal_cont", "learned_cont"):
        run = run_method(method)
    assert "     Top 01:" in capsys.readouterr().out
    out, data = (
        Path("reports/shapes"),
        {**DATA, "neighbors": Path("data/shapes/neighbors"), "runs": Path("runs/shapes")},
    )
    compare.main(**data, out=out)
    report.main(
        **data, taxonomy=Path("data/shapes/taxonomy"), compared=out, figures=out / "figures", page=out / "report.html"
    )
    board = pd.read_csv(out / "leaderboard.csv")
    assert set(board["method"]) == {"ccal_cont", "learned_cont"}
    # 40 candidates: chance is an MRR of .11.
    assert board["mean/mrr"].max() > 0.25
    assert {"evolution.png", "gallery_text_to_image.png"} <= {path.name for path in (out / "figures").iterdir()}
    metrics = json.loads((run / "metrics.json").read_text())["splits"]["test"]["metrics"]
    assert 0 <= metrics["pairs/mean_distance"]["value"] <= 2

    mlflow.set_tracking_uri(f"sqlite:///{Path('mlflow.db').resolve()}")
    logged = mlflow.search_runs(experiment_names=["shapes"]).set_index("tags.mlflow.runName")
    loaded = mlflow.pyfunc.load_model(f"runs:/{logged.loc['learned_cont-0', 'run_id']}/model")
    model, _, _ = models.load(run / "model.pt")
    rows = np.arange(200, 204)
    for side, embed in (("image", embed_images), ("text", embed_texts)):
        features = np.load(DATA["data"] / f"features_{side}.npy")
        expected = embed(model, ArrayInput(features, np.arange(len(features))), rows)
        given = pd.DataFrame({side: [each.tolist() for each in features[rows].astype(float)]})
        np.testing.assert_allclose(loaded.predict(given), expected, atol=1e-5)


def test_a_method_that_draws_neighbors_says_that_there_are_none(prepared):
    with pytest.raises(KithError, match=r"method neighborhood: its losses draw neighbours, .* another text\.backend"):
        train.main(method="neighborhood", seed=0, **INPUTS, **outputs("neighborhood-0"))


def test_texts_are_asked_for_where_there_are_none(prepared):
    content = yaml.safe_load(Path("params.yaml").read_text())
    write_params(content | {"text": {"backend": "tfidf"}})
    with pytest.raises(KithError, match="tfidf learns from texts, and no item to train on has one"):
        text.main(**DATA, out=Path("data/shapes/text"))


def test_a_tower_that_does_not_fit_is_named(prepared):
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["train"]["text"] = {"tower": "gru"}
    write_params(content)
    with pytest.raises(KithError, match=r"params\.yaml: train: the gru tower does not take features"):
        train.main(method="ccal_cont", seed=0, **INPUTS, **outputs("ccal_cont-0"))


def test_sheets_are_shifted_and_scaled_in_training(prepared):
    content = yaml.safe_load(Path("params.yaml").read_text())
    losses = []
    for augment in ({}, {"shift": 0.1, "scale": 0.05}):
        content["train"]["augment"] |= augment
        write_params(content)
        train.main(method="ccal_cont", seed=0, **INPUTS, **outputs(f"ccal_cont-{len(losses)}"))
        losses.append(pd.read_parquet(f"runs/shapes/ccal_cont-{len(losses)}/history.parquet")["train_loss"])
    assert np.isfinite(losses).all()
    assert (losses[0] != losses[1]).all()
