"""What is recorded in MLflow, and when.

One experiment a study. In it one parent run for each state of the study: its data, what all trainings share, and how
they are measured. Below it one run for a stage without items, and one for each trained model in each state of
evaluation, which training opens and evaluation completes. Where MLflow is not installed, as on bare GPU nodes,
nothing is recorded: metrics.json and history.parquet hold the same metrics, and evaluating on a machine with MLflow
records them all. Where it is away, records wait (see recorder.py). So they do by the way, for to start MLflow takes
longer than most stages: in a run of an engine with the repository's own database, the trainings, which one watches,
and the report send what the other stages have kept; what then still waits, Snakemake's end and `kith ui`.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kith.data.digests import sha256
from kith.evaluation.catalogue import SUMMARY, TRACKED
from kith.store.prepared import Prepared
from stages import files, params
from stages.tracking import model as models
from stages.tracking.connection import available, store
from stages.tracking.recorder import Recorder, is_own
from stages.tracking.spool import Operation
from stages.tracking.state import context, digest, engine, evaluation, flat, meaning, place, preset
from stages.tracking.usage import Usage
from stages.tracking.view import ranked

DIGEST = 36  # characters, the most that MLflow keeps of a data set's
_clock = [time.time()]


class TrainingRun:
    """The open run of a training."""

    def __init__(self, recorder: Recorder):
        self._recorder, self._usage = recorder, Usage()

    def epoch(self, record: Mapping[str, float]) -> None:
        values = {name: value for name, value in record.items() if name != "epoch"} | self._usage.since()
        self._recorder.record(_metrics(values, int(record["epoch"])))

    def finish(self, model: Path, history: Path, records: list[dict[str, float]]) -> None:
        """Record a finished training: its model, loadable with mlflow.pyfunc, and its history."""
        for operation in _finished(model, history, records):
            self._recorder.record(operation)


class Silent:
    """Stands in for a run where MLflow is not installed, and on all but the first process."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


@contextmanager
def training(
    method: str, seed: int, settings: dict[str, Any], fingerprint: str, data: Prepared, first_process: bool
) -> Iterator[TrainingRun | Silent]:
    """The run of one training; it is marked as failed, with the reason, if the block raises.

    A training that was killed, interrupted, or failed, left its run unfinished: the one that goes on, known by its
    fingerprint, goes on there.
    """
    if not first_process or not available():
        yield Silent()
        return
    tags = {"fingerprint": fingerprint, "place": place()}
    unfinished = [f"tags.{name} = '{value}'" for name, value in tags.items()] + ["attributes.status != 'FINISHED'"]
    opened = {"do": "run", "find": " and ".join(unfinished), **_of_training(method, seed, settings, tags)}
    with _recording(patient=False) as recorder:
        recorder.record(opened)
        recorder.record(_dataset(data))
        try:
            yield TrainingRun(recorder)
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            reason = "interrupted" if interrupted else f"{type(error).__name__}: {error}"
            recorder.record({"do": "tags", "on": "run", "tags": {"failure": reason[:5000]}})
            recorder.record(end_of("run", "KILLED" if interrupted else "FAILED"))
            raise
        recorder.record(end_of("run"))


def log_stage(stage: str, params: dict[str, Any], metrics: Mapping[str, float]) -> None:
    """A run of a stage that has no items (text, neighbors)."""
    if not available():
        return
    start = _clock[0]
    with _recording() as recorder:
        run = {"name": stage, "params": flat(params), "tags": tags_of(stage), "start": milliseconds(start)}
        recorder.record({"do": "run", **run})
        recorder.record(_metrics(metrics))
        recorder.record(end_of("run"))


def log_evaluation(
    method: str, seed: int, metrics: dict[str, Any], artifacts: list[Path], model: Path, history: Path, data: Prepared
) -> None:
    """Complete the run of `model` with its metrics on the held-out splits, by the present parameters of evaluation.

    A model that was trained without MLflow, or has metrics by other parameters, gets a run here.
    """
    if not available():
        return
    measured = evaluation()
    settings = params.load().told(method)["parameters"] | measured
    state = digest(measured)
    records = files.read_parquet(history, "train again").to_dict("records")
    nested = [_dataset(data), *(epoch_of(record) for record in records), *_finished(model, history, records)]
    known = {"model": sha256(model), "evaluation": state, "nested": nested}
    with _recording() as recorder:
        recorder.record({"do": "evaluated", **known, **_of_training(method, seed, settings, {})})
        recorder.record({"do": "params", "on": "run", "params": flat(measured)})
        used = {"model": True, "dataset": _dataset(data)}
        values = dict(_ranking(metrics["splits"].get("test", {}).get("metrics", {})))
        for split, content in metrics["splits"].items():
            values |= {f"{split}/{name}": each["value"] for name, each in content["metrics"].items()}
        recorder.record(_metrics(values) | used)
        recorder.record(files_of("run", artifacts))
        recorder.record({"do": "tags", "on": "run", "tags": {"evaluation": state, "evaluated": "true"}})
        recorder.record(end_of("run"))


def log_comparison(out: Path, runs: Path) -> None:
    """The leaderboard and the metrics behind it, on the parent of the `runs` that it compares."""
    if not available():
        return
    with _recording(runs) as recorder:
        for path in sorted((out / "metrics").glob("*.json")):
            values = {f"{name}/{path.stem}": value for name, value in files.read_json(path).items() if name in TRACKED}
            recorder.record(_metrics(values, on="parent"))
        study = params.load().study
        tags = {"methods": ", ".join(study.methods), "seeds": ", ".join(map(str, study.seeds))}
        tags["mlflow.note.content"] = (out / "leaderboard.md").read_text(encoding="utf-8")[:8000]
        recorder.record({"do": "tags", "on": "parent", "tags": tags})
        tables = ("leaderboard.md", "leaderboard.csv", "differences.csv")
        recorder.record(files_of("parent", [out / name for name in tables]))


def log_report(figures: Path, page: Path, runs: Path) -> None:
    """Figures and report, on the parent run."""
    if not available():
        return
    with _recording(runs, patient=False) as recorder:
        recorder.record(files_of("parent", [figures, page]))


@contextmanager
def _recording(compared: Path | None = None, *, patient: bool = True) -> Iterator[Recorder]:
    """An open recorder that knows the parent run, which lasts until the block has ended.

    The parent is that of the present state, or of the runs in the folder `compared`. patient: its records may wait.
    """
    study, state = params.load().study.name, meaning()
    recorder = Recorder(store(), study, patient=patient and engine() != "shell" and is_own(store()))
    recorder.open()
    known = {"state": digest([study, state]), "name": study, "params": flat(state), "tags": tags_of("study")}
    paths = [str(params.PARAMS.absolute())]
    parent = {"do": "parent", **known, "start": milliseconds(_clock[0]), "paths": paths}
    recorder.record(parent if compared is None else _compared(compared) | {"nested": [parent]})
    try:
        yield recorder
    finally:
        recorder.record(end_of("parent"))
        recorder.close()
        _clock[0] = time.time()


def _of_training(method: str, seed: int, settings: dict[str, Any], tags: dict[str, str]) -> Operation:
    named = {"method": method, "seed": str(seed)}
    tags = tags_of("train") | named | preset(method) | tags
    values = flat(settings | named)
    return {"name": f"{method}-{seed}", "params": values, "tags": tags, "start": milliseconds(time.time())}


def _finished(model: Path, history: Path, records: list[dict[str, float]]) -> Iterator[Operation]:
    measured = [record for record in records if "val_mrr" in record]  # an encoder as it is may have nothing to ask
    if measured:
        best = max(measured, key=lambda record: record["val_mrr"])
        yield _metrics({"best_val_mrr": best["val_mrr"], "best_epoch": best["epoch"]})
    code, checksum = models.archive(), sha256(model)
    yield files_of("run", [history])
    yield {"do": "code", "on": "parent", "paths": [str(code.absolute())]}
    noted = {"model_sha256": checksum}
    yield {"do": "model", "on": "run", "paths": [str(model.absolute())], "code": code.name, "tags": noted}
    yield {"do": "tags", "on": "run", "tags": noted}


def _compared(runs: Path) -> Operation:
    """The models are those that the evaluations were proved to be of."""
    study = params.load().study
    names = [f"{method}-{seed}" for method in study.methods for seed in study.seeds]
    models = [files.read_json(runs / name / "evaluated.json")["model"] for name in names]
    return {"do": "compared", "models": models, "evaluation": digest(evaluation())}


def _dataset(data: Prepared) -> Operation:
    known = data.dataset
    source = {"folder": data.folder.as_posix(), "licence": known.get("licence")}
    splits, counts = np.unique(data.splits.astype(str), return_counts=True)
    profile = {"items": len(data), "splits": dict(zip(splits.tolist(), counts.tolist(), strict=True))}
    named = {"name": str(known.get("name") or params.load().study.name), "digest": data.checksum[:DIGEST]}
    return {"do": "dataset", "on": "run", **named, "source": json.dumps(source), "profile": json.dumps(profile)}


def _ranking(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What methods are ranked by, of the metrics of a split."""
    for name, shown in ranked().items():
        found = [values[column]["value"] for column in SUMMARY[name] if column in values]
        if found:
            yield shown, float(np.mean(found))


def epoch_of(record: Mapping[str, float]) -> Operation:
    """What a training measured in an epoch."""
    return _metrics({name: value for name, value in record.items() if name != "epoch"}, int(record["epoch"]))


def _metrics(values: Mapping[str, Any], step: int = 0, on: str = "run") -> Operation:
    """MLflow allows no @ in names of metrics: R@1 becomes R1."""
    now = milliseconds(time.time())
    logged = [[name.replace("@", ""), float(value), now, step] for name, value in values.items()]
    return {"do": "metrics", "on": on, "values": logged}


def files_of(on: str, paths: Iterable[Path]) -> Operation:
    """Files to keep with a run."""
    return {"do": "files", "on": on, "paths": [str(path.absolute()) for path in paths]}


def end_of(on: str, status: str = "FINISHED") -> Operation:
    """The end of a run."""
    return {"do": "end", "on": on, "status": status, "time": milliseconds(time.time())}


def tags_of(stage: str) -> dict[str, str]:
    """Where a run of this stage comes from."""
    return {**context(), "stage": stage, "mlflow.source.name": f"stages/{stage}.py"}


def milliseconds(seconds: float) -> int:
    """A time as MLflow has it."""
    return int(seconds * 1000)
