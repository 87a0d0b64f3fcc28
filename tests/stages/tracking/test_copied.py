"""A repository that was copied with its store: neither writes into the folder of the other."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from stages.tracking import moved
from tests.stages.tracking.test_tracking import run_method, runs


def count(folder: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(folder / "mlruns"))


def test_a_copy_tracks_in_its_own_folder(study, tmp_path, monkeypatch, capsys):
    run_method()
    before, copy = count(study), tmp_path / "a copy"
    shutil.copytree(study, copy)
    monkeypatch.chdir(copy)
    run_method("neighborhood")
    assert "from now on its files are in" in capsys.readouterr().err
    assert count(study) == before
    assert count(copy) > before
    first = runs().loc["infonce-0"]
    shutil.rmtree(study / "mlruns")  # what was there before the copy was made is in the copy, too
    mlflow.artifacts.download_artifacts(f"runs:/{first['run_id']}/metrics.json")
    assert mlflow.pyfunc.load_model(f"runs:/{first['run_id']}/model").metadata.run_id == first["run_id"]
    monkeypatch.chdir(study)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow has set it for runs()
    run_method("neighborhood")
    assert count(study) > 0
    assert "from now on" not in capsys.readouterr().err


@pytest.mark.parametrize("place", ["s3://bucket/mlruns/shapes", "file:///else/where/shapes", None])
def test_places_that_are_not_kiths_own_stay(place, tmp_path):
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as base, base:
        base.execute("CREATE TABLE experiments (name TEXT, artifact_location TEXT)")
        base.execute("INSERT INTO experiments VALUES ('shapes', ?)", (place,))
    moved.follow(tmp_path / "mlflow.db", "shapes", tmp_path / "mlruns")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as base:
        assert base.execute("SELECT artifact_location FROM experiments").fetchall() == [(place,)]
