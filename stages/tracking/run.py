"""An open MLflow run, and how a trained model is logged in it."""

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kith.data.digests import sha256

PYFUNC = Path(__file__).with_name("pyfunc.py")


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
        measured = [record for record in records if "val_mrr" in record]  # an encoder as it is may have nothing to ask
        if measured:
            best = max(measured, key=lambda record: record["val_mrr"])
            self.metrics({"best_val_mrr": best["val_mrr"], "best_epoch": best["epoch"]})
        self.tags({"model_sha256": sha256(model)})
        self.artifacts([history])
        _log_model(self, model)


class Silent:
    """Stands in for a run where MLflow is not installed, and on all but the first process."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


def _log_model(run: TrackedRun, model: Path) -> None:
    """Log the model so that mlflow.pyfunc.load_model gives something that embeds texts and pictures."""
    import mlflow

    from kith.models import load

    warnings.filterwarnings("ignore", message=".*input example was not provided")
    config = load(model)[0].config
    with mlflow.start_run(run_id=run.id):
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(PYFUNC),
            artifacts={"model": str(model)},
            code_paths=[str(Path(__file__).resolve().parents[2] / "kith")],
            signature=_signature(config),
            pip_requirements=_requirements(config),
        )


def _requirements(config: dict[str, Any]) -> list[str]:
    """What has to be installed to use a model: also what its encoders come with."""
    from kith.encoders.registry import find

    sides = [config[side] for side in ("image", "text") if config[side] is not None]
    names = [side[part]["name"] for side in sides for part in ("encoder", "network") if part in side]
    needed = [package for name in names for package in find(name).requirements(name)]
    return list(dict.fromkeys(["torch", "numpy", "pandas", "pillow", *needed]))


def _signature(config: dict[str, Any]) -> Any:
    """A table with a column `text` or `image` (encoded pictures), or of features, in; rows of vectors out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Array

    from kith.inference.raw import is_of_features

    columns: dict[str, Any] = {"text": DataType.string, "image": DataType.binary}
    if config["text"] is None:
        del columns["text"]
    for name in columns:
        if is_of_features(config[name]):
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
