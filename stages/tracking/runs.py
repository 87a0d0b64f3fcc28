"""The only module that knows MLflow.

One experiment a study; in it one parent run for each state of params.yaml, one child run for a stage without
items, and one for each trained model, which training opens and evaluation completes. Where MLflow is not
installed, as on bare GPU nodes, nothing is recorded: metrics.json and history.parquet hold the same metrics,
and evaluating on a machine with MLflow records them all.
"""

import hashlib
import importlib.util
import logging
import os
import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from kith.data.digests import sha256
from kith.evaluation.catalogue import TRACKED
from stages import files, params

PYFUNC = Path(__file__).with_name("pyfunc.py")
EXPERIMENT = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": "A run on the outer level is one state of params.yaml, described by its leaderboard. Unfold "
    "it to see and compare its trainings: metrics on the held-out splits are named like `test/text_to_image/R1`, "
    "validation metrics of each epoch like `val_mrr`.",
}


class TrackedRun:
    """An open MLflow run; metrics are sent in batches, for a call a metric is slow."""

    def __init__(self, client: Any, run_id: str):
        self.client = client
        self.id = run_id

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        logged = [Metric(_metric_name(name), float(value), now, step) for name, value in values.items()]
        for i in range(0, len(logged), 1000):
            self.client.log_batch(self.id, metrics=logged[i : i + 1000])

    def params(self, values: dict[str, Any]) -> None:
        from mlflow.entities import Param

        flat = [Param(name, str(value)[:6000]) for name, value in _flat(values).items()]
        for i in range(0, len(flat), 100):
            self.client.log_batch(self.id, params=flat[i : i + 100])

    def tags(self, values: dict[str, Any]) -> None:
        from mlflow.entities import RunTag

        self.client.log_batch(self.id, tags=[RunTag(name, str(value)) for name, value in values.items()])

    def artifacts(self, paths: list[Path]) -> None:
        for path in paths:
            if path.is_dir():
                self.client.log_artifacts(self.id, str(path), path.name)
            else:
                self.client.log_artifact(self.id, str(path))

    def epoch(self, record: dict[str, float]) -> None:
        self.metrics({name: value for name, value in record.items() if name != "epoch"}, int(record["epoch"]))

    def finish(self, model: Path, history: Path, records: list[dict[str, float]]) -> None:
        """Log a finished training: its model, loadable with mlflow.pyfunc, and its history."""
        best = max(records, key=lambda record: record["val_mrr"])
        self.metrics({"best_val_mrr": best["val_mrr"], "best_epoch": best["epoch"]})
        self.tags({"model_sha256": sha256(model)})
        self.artifacts([history])
        _log_model(self, model)


class Silent:
    """Stands in for a run where MLflow is not installed, and on all but the first process."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


@contextmanager
def training(
    method: str, seed: int, settings: dict[str, Any], fingerprint: str, first_process: bool
) -> Iterator[TrackedRun | Silent]:
    """The run of one training; it is marked as failed if the block raises.

    A training that was killed left its run open: the one that goes on, known by its fingerprint, goes on there.
    """
    if not first_process or not _available():
        yield Silent()
        return
    run = _find(f"tags.fingerprint = '{fingerprint}' and attributes.status = 'RUNNING'")
    run = run or _start_training(method, seed, settings, {"fingerprint": fingerprint})
    try:
        yield run
    except BaseException:
        run.client.set_terminated(run.id, "FAILED")
        raise
    run.client.set_terminated(run.id)


def log_stage(stage: str, params: dict[str, Any], metrics: Mapping[str, float]) -> None:
    """A run of a stage that has no items (text, neighbors)."""
    if not _available():
        return
    run = _start(stage, {"stage": stage})
    run.params(params)
    run.metrics(metrics)
    run.client.set_terminated(run.id)


def log_evaluation(
    method: str, seed: int, metrics: dict[str, Any], artifacts: list[Path], model: Path, history: Path
) -> None:
    """Complete the run that trained `model` with its metrics on the held-out splits.

    The run is found by the model's checksum; a model that was trained without MLflow gets its run here.
    """
    if not _available():
        return
    digest = sha256(model)
    run = _find(f"tags.model_sha256 = '{digest}'") or _adopt_training(method, seed, model, history)
    for split, content in metrics["splits"].items():
        run.metrics({f"{split}/{name}": each["value"] for name, each in content["metrics"].items()})
    run.artifacts(artifacts)
    run.tags({"evaluated": "true"})


def log_comparison(out: Path) -> None:
    """The leaderboard and the metrics behind it, on the parent run."""
    if not _available():
        return
    run = _parent_run()
    for path in (out / "metrics").glob("*.json"):
        metrics = files.read_json(path)
        run.metrics({f"{name}/{path.stem}": value for name, value in metrics.items() if name in TRACKED})
    run.tags({"mlflow.note.content": (out / "leaderboard.md").read_text(encoding="utf-8")[:16000]})
    run.artifacts([out / "leaderboard.md", out / "leaderboard.csv"])


def log_report(figures: Path, page: Path) -> None:
    """Figures and report, on the parent run."""
    if _available():
        _parent_run().artifacts([figures, page])


def _parent_run() -> TrackedRun:
    client, experiment = _connect()
    return TrackedRun(client, _parent(client, experiment))


def _adopt_training(method: str, seed: int, model: Path, history: Path) -> TrackedRun:
    """Record a training that ran where there was no MLflow, from its files."""
    settings = params.load().method(method).model_dump(exclude_none=True)
    records = pd.read_parquet(history).to_dict("records")
    run = _start_training(method, seed, settings, {"recorded": "later"})
    for record in records:
        run.epoch(record)
    run.finish(model, history, records)
    run.client.set_terminated(run.id)
    return run


def _available() -> bool:
    return importlib.util.find_spec("mlflow") is not None


def _root() -> Path:
    """The repository; DVC names it, for its experiments run in a copy elsewhere."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())


def _lock() -> FileLock:
    return FileLock(_root() / ".mlflow.lock")


def _connect() -> tuple[Any, str]:
    """A client and the study's experiment. Call it under no lock: it takes one for the first use.

    Two processes that open a fresh SQLite database at once break each other's migration.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)

    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{_root() / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    study = params.load().study.name
    with _lock():
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name(study)
        if experiment is not None:
            return client, experiment.experiment_id
        local = uri.startswith("sqlite:")
        location = (_root() / "mlruns" / study).as_uri() if local else None
        created = client.create_experiment(study, artifact_location=location, tags=EXPERIMENT)
        return client, created


def _start(name: str, tags: dict[str, Any]) -> TrackedRun:
    client, experiment = _connect()
    parent = _parent(client, experiment)
    tags = {"mlflow.parentRunId": parent, "mlflow.source.name": f"stages/{tags['stage']}.py", **_context(), **tags}
    run = client.create_run(experiment, run_name=name, tags={key: str(value) for key, value in tags.items()})
    return TrackedRun(client, run.info.run_id)


def _start_training(method: str, seed: int, settings: dict[str, Any], tags: dict[str, str]) -> TrackedRun:
    named = {"method": method, "seed": seed}
    run = _start(f"{method}-{seed}", {"stage": "train", **named, **tags})
    run.params(settings | named)
    return run


def _parent(client: Any, experiment: str) -> str:
    """The run that holds all runs of this study with these parameters."""
    digest = hashlib.sha256(Path(params.PARAMS).read_bytes()).hexdigest()[:12]
    with _lock():
        found = client.search_runs([experiment], f"tags.params_digest = '{digest}'", max_results=1)
        if found:
            return found[0].info.run_id
        name = f"{params.load().study.name} {digest[:6]}"
        tags = {"params_digest": digest, "stage": "study", **_context()}
        run = client.create_run(experiment, run_name=name, tags=tags)
        client.log_artifact(run.info.run_id, str(params.PARAMS))
        client.set_terminated(run.info.run_id)
        return run.info.run_id


def _find(query: str) -> TrackedRun | None:
    client, experiment = _connect()
    found = client.search_runs([experiment], query, max_results=1)
    return TrackedRun(client, found[0].info.run_id) if found else None


def _context() -> dict[str, str]:
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


def _git_commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=_root(), capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _log_model(run: TrackedRun, model: Path) -> None:
    """Log the model so that mlflow.pyfunc.load_model gives something that embeds texts and pictures."""
    import mlflow

    from kith.models import load

    warnings.filterwarnings("ignore", message=".*input example was not provided")
    with mlflow.start_run(run_id=run.id):
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(PYFUNC),
            artifacts={"model": str(model)},
            code_paths=[str(Path(__file__).resolve().parents[2] / "kith")],
            signature=_signature(load(model)[0].config),
            pip_requirements=["torch", "numpy", "pandas", "pillow"],
        )


def _signature(config: dict[str, Any]) -> Any:
    """A table with a column `text` or `image` (encoded pictures), or of features, in; rows of vectors out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Array

    columns: dict[str, Any] = {"text": DataType.string, "image": DataType.binary}
    if config["text"] is None:
        del columns["text"]
    for name in columns:
        if "shape" in config[name]:
            columns[name] = DataType.double
            for _ in config[name]["shape"]:
                columns[name] = Array(columns[name])
    inputs = Schema([ColSpec(kind, name, required=False) for name, kind in columns.items()])
    return ModelSignature(inputs=inputs, outputs=Schema([TensorSpec(np.dtype("float32"), (-1, -1))]))


def _metric_name(name: str) -> str:
    """MLflow allows no @ in metric names: R@1 becomes R1."""
    return name.replace("@", "")


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat
