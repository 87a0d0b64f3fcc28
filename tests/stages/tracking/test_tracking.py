import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from kith import models
from kith.errors import KithError
from kith.models.embed import embed_texts
from kith.store.inputs import TokenInput
from stages import embed, evaluate, tracking, train
from tests.made_notes import embed_files, evaluate_files
from tests.made_params import write_params
from tests.stages.test_train_stage import DATA, INPUTS, MEANING, edit, outputs

ROOT = Path(__file__).resolve().parents[3]


def run_method(method: str = "infonce") -> Path:
    run = Path(f"runs/shapes/{method}-0")
    train.main(method=method, seed=0, **INPUTS, **outputs(run.name))
    complete(run, method)
    return run


def complete(run: Path, method: str = "infonce") -> None:
    embed.main(**DATA, **embed_files(run))
    evaluate.main(method=method, seed=0, **DATA, **MEANING, **evaluate_files(run))


def runs() -> pd.DataFrame:
    mlflow.set_tracking_uri(f"sqlite:///{Path('mlflow.db').resolve()}")
    found = mlflow.search_runs(experiment_names=["shapes"])
    return found if found.empty else found.set_index("tags.mlflow.runName")


def test_one_run_holds_a_methods_training_and_its_figures(study):
    run = run_method()
    table = runs()
    row = table.loc["infonce-0"]
    parent = table[table["tags.stage"] == "study"]
    assert row["tags.mlflow.parentRunId"] == parent["run_id"].item()
    assert row["status"] == "FINISHED"
    assert row["params.method"] == "infonce"
    assert row["params.train.lr"] == "0.005"
    metrics = json.loads((run / "metrics.json").read_text())["splits"]["test"]["metrics"]
    assert row["metrics.test/text_to_image/R1"] == pytest.approx(metrics["text_to_image/R@1"]["value"])
    client = mlflow.MlflowClient()
    logged = client.get_metric_history(row["run_id"], "val_mrr")
    history = pd.read_parquet(run / "history.parquet")
    assert [m.step for m in logged] == [1, 2, 3, 4]
    np.testing.assert_allclose([m.value for m in logged], history["val_mrr"])
    assert {a.path for a in client.list_artifacts(row["run_id"])} >= {"history.parquet", "metrics.json"}


def test_the_logged_model_is_loaded_back_and_embeds_texts_and_pictures(study):
    run = run_method()
    row = runs().loc["infonce-0"]
    loaded = mlflow.pyfunc.load_model(f"runs:/{row['run_id']}/model")
    model, vocabulary, content = models.load(run / "model.pt")
    texts = ["a red bar", "the frame is blue"]
    view = TokenInput(*vocabulary.encode(texts, content["max_tokens"]), np.arange(3))
    expected = embed_texts(model, view, np.arange(2))
    np.testing.assert_allclose(loaded.predict(pd.DataFrame({"text": texts})), expected, rtol=1e-6)
    table = pd.read_parquet("shapes.parquet").query("split != 'train'").reset_index(drop=True)
    pictures = loaded.predict(table[["image"]])
    np.testing.assert_allclose(pictures, np.load(run / "embeddings_image.npy"), atol=1e-5)


def test_a_failed_training_is_marked(study):
    edit(train={"lr": 1e30, "optimizer": "sgd", "warmup": 0.0})
    with pytest.raises(KithError):
        train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert runs().loc["infonce-0", "status"] == "FAILED"


def test_what_was_trained_without_mlflow_is_recorded_when_it_is_evaluated(study, monkeypatch):
    run = Path("runs/shapes/infonce-0")
    with monkeypatch.context() as bare:
        bare.setattr("stages.tracking.runs.available", lambda: False)
        train.main(method="infonce", seed=0, **INPUTS, **outputs(run.name))
        complete(run)
    assert runs().empty
    complete(run)
    row = runs().loc["infonce-0"]
    assert row["tags.recorded"] == "later"
    assert len(mlflow.MlflowClient().get_metric_history(row["run_id"], "train_loss")) == 4
    complete(run)
    assert (runs().index == "infonce-0").sum() == 1


def test_other_parameters_are_another_study_run(study):
    tracking.log_stage("text", {"a": 1}, {"b": 2})
    tracking.log_stage("text", {"a": 1}, {"b": 2})
    edit(train={"lr": 0.25})
    tracking.log_stage("text", {"a": 1}, {"b": 2})
    assert runs()["tags.stage"].value_counts().to_dict() == {"text": 3, "study": 2}


def test_another_tracking_server_is_honoured(study, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path('other.db').resolve()}")
    tracking.log_stage("text", {}, {"y": 1.0})
    assert Path("other.db").exists()
    assert runs().empty


def test_names_of_studies_are_experiments(study):
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["study"]["name"] = "second"
    tracking.log_stage("text", {}, {"y": 1.0})
    write_params(content)
    tracking.log_stage("text", {}, {"y": 1.0})
    mlflow.set_tracking_uri(f"sqlite:///{Path('mlflow.db').resolve()}")
    assert {e.name for e in mlflow.search_experiments()} >= {"shapes", "second"}
