"""What is recorded of a search among methods: a run that stands for the search, and below it one for each trial."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages import params
from stages.tracking import runs
from stages.tracking.connection import available, store
from stages.tracking.recorder import Recorder
from stages.tracking.spool import Operation
from stages.tracking.state import digest, flat, place


class TrialRun:
    """The open run of a trial, as a training sees it: its model is not kept, the history is."""

    def __init__(self, recorder: Recorder):
        self._recorder = recorder

    def epoch(self, record: Mapping[str, float]) -> None:
        self._recorder.record(runs.epoch_of(record))

    def finish(self, model: Path, history: Path, records: list[dict[str, float]]) -> None:
        self._recorder.record(runs.files_of("run", [history]))


def begin_search(search: Mapping[str, Any]) -> None:
    """Open the run of a search, for the trials to come."""
    if not available():
        return
    recorder = Recorder(store(), search["study"])
    recorder.open()
    recorder.record(_parent(search))
    recorder.close()


@contextmanager
def trial(
    search: Mapping[str, Any], method: str, settings: Mapping[str, Any], fingerprint: str
) -> Iterator[TrialRun | runs.Silent]:
    """The run of a trial, below that of its `search` ({"study", "fingerprint", "seconds"}); an interrupted one is gone
    on with, known by its own fingerprint. Where MLflow is away it waits as any other."""
    if not available():
        yield runs.Silent()
        return
    recorder = Recorder(store(), search["study"])
    recorder.open()
    recorder.record(_parent(search))
    tags = {**runs.tags_of("trial"), "method": method, "fingerprint": fingerprint, "place": place()}
    unfinished = [f"tags.{name} = '{tags[name]}'" for name in ("fingerprint", "place")]
    unfinished.append("attributes.status != 'FINISHED'")
    began = runs.milliseconds(time.time())
    opened = {"name": method, "params": flat(settings), "tags": tags, "start": began}
    recorder.record({"do": "run", "find": " and ".join(unfinished), **opened})
    status = "KILLED"
    try:
        yield TrialRun(recorder)
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        recorder.record(runs.end_of("run", status))
        recorder.record(runs.end_of("parent"))
        recorder.close()


def _parent(search: Mapping[str, Any]) -> Operation:
    told = {"fetch": params.load().fetch.model_dump(mode="json", exclude_defaults=True), "seconds": search["seconds"]}
    tags = {**runs.tags_of("search"), "mlflow.note.content": "Trials of `kith new`, by the validation split alone."}
    known = {"state": digest(["search", *search.values()]), "name": f"search {search['study']}", "params": flat(told)}
    paths = [str(params.PARAMS.absolute())]
    return {"do": "parent", **known, "tags": tags, "start": runs.milliseconds(time.time()), "paths": paths}
