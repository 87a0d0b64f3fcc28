"""The whole pipeline with its real stages, on a small table, under both engines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from tests.made_checkout import clone

pytestmark = pytest.mark.slow


def run(folder: Path, *command: str) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def test_both_engines_run_the_study_to_the_same_bytes(tmp_path):
    first, second = clone(tmp_path / "snakemake"), clone(tmp_path / "dvc")
    run(first, "snakemake", "--cores", "2", "--quiet")
    assert "up to date" in run(first, "dvc", "repro")
    run(second, "dvc", "repro", "--quiet")
    assert (first / "dvc.lock").read_text() == (second / "dvc.lock").read_text()
    run(second, sys.executable, "-m", "stages.cli", "adopt")
    assert "Nothing to be done" in run(second, "snakemake", "--cores", "2", "--dry-run")

    board = pd.read_csv(first / "reports/shapes/leaderboard.csv")
    test = board[board["split"] == "test"]
    assert set(test["method"]) == {"infonce", "neighborhood"}
    # 24 pictures: chance is an MRR of .16.
    assert test["mean/mrr"].max() > 0.3
    assert (test["low"] < test["mean/mrr"]).all()
    assert (test["mean/mrr"] < test["high"]).all()
    page = (first / "reports/shapes/report.html").read_text()
    assert "infonce" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    figures = {path.name for path in (first / "reports/shapes/figures").iterdir()}
    assert {"curves.png", "gallery_text_to_image.png", "gallery_image_to_text.png", "tsne.png"} <= figures

    shown = run(first, "dvc", "metrics", "show", "--json")
    assert {Path(name).stem for name in json.loads(shown)[""]["data"]} == {"infonce", "neighborhood"}
    mlflow.set_tracking_uri(f"sqlite:///{first / 'mlflow.db'}")
    runs = mlflow.search_runs(experiment_names=["shapes"])
    once = dict.fromkeys(("study", "text", "neighbors", "taxonomy", "class_embedding"), 1)
    assert runs["tags.stage"].value_counts().to_dict() == {"train": 2, **once}
    assert (runs["status"] == "FINISHED").all()
    assert set(runs["tags.engine"]) == {"snakemake"}
