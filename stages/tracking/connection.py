"""The connection to MLflow, and what all runs of a study have in common."""

import hashlib
import importlib.util
import logging
import os
import subprocess
from pathlib import Path
from typing import Any

from filelock import FileLock

from stages import params

EXPERIMENT = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": "A run on the outer level is one state of params.yaml, described by its leaderboard. Unfold "
    "it to see and compare its trainings: metrics on the held-out splits are named like `test/text_to_image/R1`, "
    "validation metrics of each epoch like `val_mrr`.",
}


def available() -> bool:
    """Whether MLflow is installed."""
    return importlib.util.find_spec("mlflow") is not None


def root() -> Path:
    """The repository; DVC names it, for its experiments run in a copy elsewhere."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())


def connect() -> tuple[Any, str]:
    """A client and the study's experiment. Call it under no lock: it takes one for the first use.

    Two processes that open a fresh SQLite database at once break each other's migration.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)

    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root() / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    study = params.load().study.name
    with _lock():
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name(study)
        if experiment is not None:
            return client, experiment.experiment_id
        local = uri.startswith("sqlite:")
        location = (root() / "mlruns" / study).as_uri() if local else None
        created = client.create_experiment(study, artifact_location=location, tags=EXPERIMENT)
        return client, created


def study_run(client: Any, experiment: str) -> str:
    """The run that holds all runs of this study with these parameters."""
    digest = hashlib.sha256(Path(params.PARAMS).read_bytes()).hexdigest()[:12]
    with _lock():
        found = client.search_runs([experiment], f"tags.params_digest = '{digest}'", max_results=1)
        if found:
            return found[0].info.run_id
        name = f"{params.load().study.name} {digest[:6]}"
        tags = {"params_digest": digest, "stage": "study", **context()}
        run = client.create_run(experiment, run_name=name, tags=tags)
        client.log_artifact(run.info.run_id, str(params.PARAMS))
        client.set_terminated(run.info.run_id)
        return run.info.run_id


def context() -> dict[str, str]:
    """Where a run comes from: study, engine, experiment, commit."""
    tags = {
        "study": params.load().study.name,
        "mlflow.source.type": "LOCAL",
        # The Snakefile sets KITH_ENGINE, DVC sets DVC_STAGE.
        "engine": os.environ.get("KITH_ENGINE") or ("dvc" if os.environ.get("DVC_STAGE") else "shell"),
        "dvc_stage": os.environ.get("DVC_STAGE", ""),
        "dvc_experiment": os.environ.get("DVC_EXP_NAME", ""),
        "mlflow.source.git.commit": _git_commit(),
    }
    return {name: value for name, value in tags.items() if value}


def _lock() -> FileLock:
    return FileLock(root() / ".mlflow.lock")


def _git_commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root(), capture_output=True, text=True, check=False)
    return done.stdout.strip()
