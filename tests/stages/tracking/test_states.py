"""Which runs there are: one a state of the study, one a model and state of evaluation; and what they are called."""

import importlib.util
import json
import shutil
import sys
from contextlib import chdir
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from stages import compare, params, tracking, train, ui
from stages.tracking import model, pyfunc, spool
from stages.tracking.runs import TrainingRun
from tests.made_params import write_params
from tests.stages.test_train_stage import INPUTS, edit, outputs
from tests.stages.tracking.test_tracking import complete, run_method, runs

COMPARED = {name: Path(f"data/shapes/{name}") for name in ("neighbors",)} | {"data": Path("data/shapes/prepared")}


def compared() -> None:
    compare.main(**COMPARED, runs=Path("runs/shapes"), out=Path("reports/shapes"))


def content() -> dict:
    return params.parse(Path("params.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(prepared_study, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "study"
    shutil.copytree(prepared_study, folder)
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it wherever a test has looked
        for method in ("infonce", "neighborhood"):
            run_method(method)
        compared()
    return folder


@pytest.fixture
def done(finished, tmp_path, monkeypatch) -> Path:
    """A copy of a study that has been tracked, as the current directory."""
    shutil.copytree(finished, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path / "study"


def trainings(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["tags.stage"] == "train"]


def test_a_study_tells_all_of_itself(done, capsys):
    """The parent, its children, their data, models and figures."""
    table = runs()
    parent, child = table.loc["shapes"], table.loc["infonce-0"]
    assert parent["params.train.lr"] == child["params.train.lr"] == "0.005"
    assert parent["params.evaluate.bootstrap"] == child["params.evaluate.bootstrap"] == "200"
    assert parent["start_time"] <= trainings(table)["start_time"].min()
    assert parent["end_time"] >= trainings(table)["end_time"].max()
    assert (parent["tags.methods"], parent["tags.seeds"]) == ("infonce, neighborhood", "0")
    assert child["tags.preset"].startswith("infonce")
    assert child["tags.mlflow.user"]
    assert child["metrics.01 MRR"] == pytest.approx(parent["metrics.MRR/infonce"], abs=1e-3)
    assert child["metrics.system/process_memory_megabytes"] > 0
    client = mlflow.MlflowClient()
    run = client.get_run(child["run_id"])
    (used,) = run.inputs.dataset_inputs
    checksum = json.loads(Path("runs/shapes/infonce-0/trained.json").read_text())["data"]
    assert checksum.startswith(used.dataset.digest)
    assert json.loads(used.dataset.profile)["splits"]["test"] == 24
    logged = client.get_logged_model(child["tags.logged_model"])
    figures = {metric.key: (metric.value, metric.dataset_digest) for metric in logged.metrics}
    value = child["metrics.test/text_to_image/R1"]
    assert figures["test/text_to_image/R1"] == (value, used.dataset.digest)
    assert [Path(each.path).suffix for each in client.list_artifacts(parent["run_id"], "code")] == [".zip"]
    files = [path for path in Path(logged.artifact_location.removeprefix("file://")).rglob("*") if path.is_file()]
    assert len(files) < 12
    needed = Path(mlflow.pyfunc.get_model_dependencies(f"models:/{logged.model_id}")).read_text().split()
    assert all("==" in package for package in needed)
    loaded = mlflow.pyfunc.load_model(f"models:/{logged.model_id}")
    assert loaded.predict(loaded.input_example).shape == (1, 16)
    with pytest.raises(Exception, match="needs a column 'text' or 'image'"):
        loaded.predict(pd.DataFrame({"picture": [b"x"]}))


def test_a_comment_a_dropped_method_and_other_seeds_are_the_same_state(done):
    Path("params.yaml").write_text("# a comment\n" + Path("params.yaml").read_text())
    changed = content()
    changed["study"]["methods"] = ["infonce"]
    write_params(changed)
    compared()
    table = runs()
    assert list(table.index[table["tags.stage"] == "study"]) == ["shapes"]
    assert table.loc["shapes", "tags.methods"] == "infonce"
    assert set(trainings(table)["tags.mlflow.parentRunId"]) == {table.loc["shapes", "run_id"]}


def test_another_evaluation_of_a_model_is_another_run(done):
    before = runs().loc["infonce-0"]
    edit(evaluate={"bootstrap": 100})
    for method in ("infonce", "neighborhood"):
        complete(Path(f"runs/shapes/{method}-0"), method)
    compared()
    table = runs()
    first, second = table.loc["infonce-0"], table.loc["infonce-0, evaluate.bootstrap=100"]
    assert first["metrics.test/text_to_image/R1"] == before["metrics.test/text_to_image/R1"]
    assert (first["params.evaluate.bootstrap"], second["params.evaluate.bootstrap"]) == ("200", "100")
    assert second["tags.trained_in"] == first["run_id"]
    assert second["tags.logged_model"] == first["tags.logged_model"]
    parent = table.loc["shapes, evaluate.bootstrap=100"]
    assert parent["tags.mlflow.note.content"]
    assert second["tags.mlflow.parentRunId"] == parent["run_id"]
    assert len(trainings(table)) == 4
    complete(Path("runs/shapes/infonce-0"))
    assert len(trainings(runs())) == 4


def test_a_comparison_of_runs_of_before_is_with_them(done):
    """Parameters may change without any run being made anew."""
    edit(fetch={"licence": "another"})
    compared()
    table = runs()
    assert list(table.index[table["tags.stage"] == "study"]) == ["shapes"]
    assert set(trainings(table)["tags.mlflow.parentRunId"]) == {table.loc["shapes", "run_id"]}


def test_names_say_what_differs_and_the_experiment(study, monkeypatch):
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    monkeypatch.setenv("DVC_EXP_NAME", "basal-myth")
    edit(train={"lr": 0.002})
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert {"shapes", "infonce-0"} < set(runs().index)
    row = runs().loc["infonce-0 [basal-myth], train.lr=0.002"]
    assert row["tags.dvc_experiment"] == "basal-myth"
    assert "shapes [basal-myth], train.lr=0.002" in runs().index


def test_an_interrupted_training_goes_on_in_its_run(study, monkeypatch):
    whole = TrainingRun.epoch

    def interrupted(self, record):
        whole(self, record)
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    broken = runs().loc["infonce-0"]
    assert (broken["status"], broken["tags.failure"]) == ("KILLED", "interrupted")
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    row = runs().loc["infonce-0"]
    assert (row["run_id"], row["status"]) == (broken["run_id"], "FINISHED")
    assert pd.isna(row.get("tags.failure"))
    logged = mlflow.MlflowClient().get_metric_history(row["run_id"], "val_mrr")
    assert {metric.step for metric in logged} == {1, 2, 3, 4}


def test_a_failure_says_why(study):
    edit(train={"lr": 1e30, "optimizer": "sgd", "warmup": 0.0})
    with pytest.raises(Exception, match="lower the learning rate"):
        train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert "lower the learning rate" in runs().loc["infonce-0", "tags.failure"]


def test_a_model_is_loaded_where_kith_is_not_installed(study, tmp_path, monkeypatch):
    """From the copy of the library in the run of the study."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "path", [*sys.path])
    pyfunc._find_kith(str(model.archive()))
    assert (Path(sys.path[-1]) / "kith" / "models" / "__init__.py").exists()
    with pytest.raises(ImportError, match="kith is not installed, and its code is not at"):
        pyfunc._find_kith(str(tmp_path / "nothing.zip"))


def test_the_page_of_the_runs_is_named_and_shows_what_has_waited(study, monkeypatch, capsys):
    started = []
    monkeypatch.setenv("KITH_ENGINE", "dvc")
    tracking.log_stage("text", {}, {"y": 1.0})
    assert spool.waiting()
    monkeypatch.setattr("os.execv", lambda program, arguments: started.append(arguments))
    ui.main(port=5017)
    experiment = mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').resolve()}").get_experiment_by_name("shapes")
    place = f"http://127.0.0.1:5017/#/experiments/{experiment.experiment_id}/runs?viewStateShareKey=ranking"
    place += "&workflowType=machine_learning"
    assert capsys.readouterr().out == f"shapes: {place}\n"
    assert started[0][-1] == "5017"
    assert not spool.waiting()
    view = json.loads(experiment.tags["mlflow.sharedViewState.ranking"])
    assert view["orderByKey"] == "metrics.`01 MRR`"
