"""Does in MLflow what the records say.

An operation is a mapping of plain values, so that it can wait in a file: `do` says what, `on` which run. An operation
that finds or makes a run gives it a name ("parent", "run"), by which those that follow know it. Each may be done
twice: where an answer got lost, it is.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.tracking import model
from stages.tracking.connection import (
    CALL,
    UPLOAD,
    Connection,
    Slow,
    alone,
    database,
    is_network_database,
    patience,
    probe,
    root,
)
from stages.tracking.spool import Operation
from stages.tracking.state import name_of

BATCH = 100  # parameters a call; ten times as many metrics


class Sender:
    """Does operations on one connection. runs: the runs that they speak of, by name.

    most: seconds that all calls together may wait for a server's answers, uploads aside; a database has all the time.
    """

    def __init__(self, connection: Connection, most: float = math.inf):
        self.client, self.experiment, self.store = connection
        self.runs: dict[str, str] = {}
        self.most, self.waited = math.inf if database(self.store) else most, 0.0

    def do(self, operation: Operation) -> None:
        """Raises Slow where the server's answers have taken too long, and whatever MLflow does where it cannot."""
        if self.waited > self.most:
            raise Slow(f"is slow: {self.waited:.0f} seconds went by for its answers")
        with patience(UPLOAD if "paths" in operation else CALL):
            # An upload may take its time, and a database's driver without end; not to learn that nobody is there.
            if "paths" in operation or is_network_database(self.store):
                probe(self.store)
            begun = time.monotonic()
            OPERATIONS[operation["do"]](self, operation)
        if "paths" not in operation:
            self.waited += time.monotonic() - begun

    def known(self) -> Operation:
        """The operation that knows the runs of those before."""
        return {"do": "known", "runs": self.runs}

    def _known(self, operation: Operation) -> None:
        self.runs |= operation["runs"]

    def _parent(self, operation: Operation) -> None:
        """The run of the state of the study; every stage that comes to it is its end for now."""
        with alone(self.store):
            found = self._oldest(f"tags.study_state = '{operation['state']}'")
            if found is None:
                tags = {"study_state": operation["state"], "stage": "study", **operation["tags"]}
                first = self._oldest(f"tags.stage = '{tags['stage']}'")
                self.runs["parent"] = self._create(operation | {"tags": tags}, first)
                self._files(operation | {"on": "parent"})
            else:
                self.runs["parent"] = found.info.run_id

    def _run(self, operation: Operation) -> None:
        """The run that `find` finds, which is then open again, or a new one."""
        found = self._oldest(operation["find"]) if operation.get("find") else None
        if found is None:
            self.runs["run"] = self._child(operation)
            return
        self.runs["run"] = found.info.run_id
        self.client.update_run(found.info.run_id, status="RUNNING")
        if "failure" in found.data.tags:
            self.client.delete_tag(found.info.run_id, "failure")
        self._tags({"on": "run", "tags": operation["tags"]})

    def _evaluated(self, operation: Operation) -> None:
        """The run of a model in a state of evaluation.

        It is the one that has these metrics already; or that of the training, as long as it has none; or a new one.
        `nested` records the training there: without MLflow nobody has, or its run has metrics of another evaluation.
        """
        runs = self._all(f"tags.model_sha256 = '{operation['model']}'")
        same = [run for run in runs if run.data.tags.get("evaluation") == operation["evaluation"]]
        free = [run for run in runs if not {"evaluation", "evaluated"} & set(run.data.tags)]
        if same or free:
            self.runs["run"] = (same or free)[0].info.run_id
            if not same:
                self._tags({"on": "run", "tags": {"mlflow.parentRunId": self.runs["parent"]}})
            return
        told = {"trained_in": runs[0].info.run_id} if runs else {"recorded": "later"}
        known = runs[0].data.tags.get("logged_model") if runs else None
        tags = operation["tags"] | told | ({"logged_model": known} if known else {})
        self.runs["run"] = self._child(operation | {"tags": tags})
        for each in operation["nested"]:
            if known is None or each["do"] != "model":
                self.do(each)
        if known is not None:
            self._uses(known)

    def _compared(self, operation: Operation) -> None:
        """The parent of most of the runs that are compared; that of the present state (nested) where they have none."""
        runs = self._all(f"tags.evaluation = '{operation['evaluation']}'")
        wanted = set(operation["models"])
        parents = Counter(
            run.data.tags["mlflow.parentRunId"]
            for run in runs
            if run.data.tags.get("model_sha256") in wanted and "mlflow.parentRunId" in run.data.tags
        )
        if parents:
            self.runs["parent"] = parents.most_common(1)[0][0]
        else:
            self.do(operation["nested"][0])

    def _metrics(self, operation: Operation) -> None:
        """values: name, value, time and step each. With `model`, they are also the logged model's."""
        from mlflow.entities import Metric

        known: dict[str, Any] = {}
        if operation.get("model"):
            known["model_id"] = self.client.get_run(self._id(operation)).data.tags.get("logged_model")
        if "dataset" in operation:
            known |= {"dataset_name": operation["dataset"]["name"], "dataset_digest": operation["dataset"]["digest"]}
        logged = [Metric(name, value, when, step, **known) for name, value, when, step in operation["values"]]
        for i in range(0, len(logged), 10 * BATCH):
            self.client.log_batch(self._id(operation), metrics=logged[i : i + 10 * BATCH])

    def _params(self, operation: Operation) -> None:
        from mlflow.entities import Param

        logged = [Param(name, value) for name, value in operation["params"].items()]
        for i in range(0, len(logged), BATCH):
            self.client.log_batch(self._id(operation), params=logged[i : i + BATCH])

    def _tags(self, operation: Operation) -> None:
        from mlflow.entities import RunTag

        tags = [RunTag(name, str(value)) for name, value in operation["tags"].items()]
        self.client.log_batch(self._id(operation), tags=tags)

    def _files(self, operation: Operation) -> None:
        for path in self._paths(operation):
            if path.is_dir():
                self.client.log_artifacts(self._id(operation), str(path), path.name)
            else:
                self.client.log_artifact(self._id(operation), str(path), operation.get("to"))

    def _dataset(self, operation: Operation) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        known = {name: operation[name] for name in ("name", "digest", "source", "profile")}
        used = DatasetInput(Dataset(source_type="local", **known), [InputTag("mlflow.data.context", "training")])
        self.client.log_inputs(self._id(operation), [used])

    def _code(self, operation: Operation) -> None:
        """The library that models of this state are made with, once."""
        (path,) = self._paths(operation)
        there = {Path(each.path).name for each in self.client.list_artifacts(self._id(operation), model.CODE)}
        if path.name not in there:
            self._files(operation | {"to": model.CODE})

    def _model(self, operation: Operation) -> None:
        (path,) = self._paths(operation)
        code = f"runs:/{self.runs['parent']}/{model.CODE}/{operation['code']}"
        logged = model.log(self._id(operation), path, code, operation["tags"])
        self._tags(operation | {"tags": {"logged_model": logged}})

    def _uses(self, logged: str) -> None:
        from mlflow.entities import LoggedModelInput

        self.client.log_inputs(self.runs["run"], models=[LoggedModelInput(logged)])

    def _end(self, operation: Operation) -> None:
        self.client.set_terminated(self._id(operation), operation["status"], operation["time"])

    def _id(self, operation: Operation) -> str:
        return self.runs[operation["on"]]

    def _paths(self, operation: Operation) -> list[Path]:
        """Those of a book are as seen from the repository."""
        return [root() / path for path in operation["paths"]]

    def _child(self, operation: Operation) -> str:
        tags = operation["tags"]
        kind = [f"tags.{name} = '{tags[name]}'" for name in ("stage", "method", "seed") if name in tags]
        first = self._oldest(" and ".join(kind))
        return self._create(operation | {"tags": {"mlflow.parentRunId": self.runs["parent"], **tags}}, first)

    def _create(self, operation: Operation, first: Any) -> str:
        """A run, named by what differs from the first of its kind."""
        tags, values = operation["tags"], operation["params"]
        name = name_of(operation["name"], values, first and first.data.params, tags.get("dvc_experiment", ""))
        written = {key: str(value) for key, value in tags.items()}
        run = self.client.create_run(self.experiment, operation["start"], written, name).info.run_id
        self.runs["new"] = run
        self._params({"on": "new", "params": values})
        return self.runs.pop("new")

    def _oldest(self, query: str) -> Any:
        return next(iter(self._all(query, 1)), None)

    def _all(self, query: str, most: int = 1000) -> list[Any]:
        order = ["attributes.start_time ASC"]
        return list(self.client.search_runs([self.experiment], query, max_results=most, order_by=order))


OPERATIONS: dict[str, Callable[[Sender, Operation], None]] = {
    "known": Sender._known,
    "parent": Sender._parent,
    "run": Sender._run,
    "evaluated": Sender._evaluated,
    "compared": Sender._compared,
    "metrics": Sender._metrics,
    "params": Sender._params,
    "tags": Sender._tags,
    "files": Sender._files,
    "dataset": Sender._dataset,
    "code": Sender._code,
    "model": Sender._model,
    "end": Sender._end,
}
