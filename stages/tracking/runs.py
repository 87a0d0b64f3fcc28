"""What is recorded in MLflow, and when.

One experiment a study; in it one parent run for each state of params.yaml, one child run for a stage without
items, and one for each trained model, which training opens and evaluation completes. Where MLflow is not
installed, as on bare GPU nodes, nothing is recorded: metrics.json and history.parquet hold the same metrics,
and evaluating on a machine with MLflow records them all.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kith.data.digests import sha256
from kith.evaluation.catalogue import TRACKED
from stages import files, params
from stages.tracking.connection import available, connect, context, study_run
from stages.tracking.run import Silent, TrackedRun


@contextmanager
def training(
    method: str, seed: int, settings: dict[str, Any], fingerprint: str, first_process: bool
) -> Iterator[TrackedRun | Silent]:
    """The run of one training; it is marked as failed if the block raises.

    A training that was killed left its run open: the one that goes on, known by its fingerprint, goes on there.
    """
    if not first_process or not available():
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
    if not available():
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
    if not available():
        return
    digest = sha256(model)
    run = _find(f"tags.model_sha256 = '{digest}'") or _adopt_training(method, seed, model, history)
    for split, content in metrics["splits"].items():
        run.metrics({f"{split}/{name}": each["value"] for name, each in content["metrics"].items()})
    run.artifacts(artifacts)
    run.tags({"evaluated": "true"})


def log_comparison(out: Path) -> None:
    """The leaderboard and the metrics behind it, on the parent run."""
    if not available():
        return
    run = _parent_run()
    for path in (out / "metrics").glob("*.json"):
        metrics = files.read_json(path)
        run.metrics({f"{name}/{path.stem}": value for name, value in metrics.items() if name in TRACKED})
    run.tags({"mlflow.note.content": (out / "leaderboard.md").read_text(encoding="utf-8")[:16000]})
    run.artifacts([out / "leaderboard.md", out / "leaderboard.csv"])


def log_report(figures: Path, page: Path) -> None:
    """Figures and report, on the parent run."""
    if available():
        _parent_run().artifacts([figures, page])


def _parent_run() -> TrackedRun:
    client, experiment = connect()
    return TrackedRun(client, study_run(client, experiment))


def _adopt_training(method: str, seed: int, model: Path, history: Path) -> TrackedRun:
    """Record a training that ran where there was no MLflow, from its files."""
    settings = params.load().method(method).model_dump(exclude_none=True)
    records = files.read_parquet(history, "train again").to_dict("records")
    run = _start_training(method, seed, settings, {"recorded": "later"})
    for record in records:
        run.epoch(record)
    run.finish(model, history, records)
    run.client.set_terminated(run.id)
    return run


def _start(name: str, tags: dict[str, Any]) -> TrackedRun:
    client, experiment = connect()
    parent = study_run(client, experiment)
    tags = {"mlflow.parentRunId": parent, "mlflow.source.name": f"stages/{tags['stage']}.py", **context(), **tags}
    run = client.create_run(experiment, run_name=name, tags={key: str(value) for key, value in tags.items()})
    return TrackedRun(client, run.info.run_id)


def _start_training(method: str, seed: int, settings: dict[str, Any], tags: dict[str, str]) -> TrackedRun:
    named = {"method": method, "seed": seed}
    run = _start(f"{method}-{seed}", {"stage": "train", **named, **tags})
    run.params(settings | named)
    return run


def _find(query: str) -> TrackedRun | None:
    client, experiment = connect()
    found = client.search_runs([experiment], query, max_results=1)
    return TrackedRun(client, found[0].info.run_id) if found else None
