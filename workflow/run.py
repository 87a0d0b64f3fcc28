"""A run of Snakemake beside DVC: alone in the folder, and with what is finished recorded for DVC.

What an earlier run has finished and, killed, could not record is recorded with the rest.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from kith.errors import KithError
from workflow import engine, former, lockfile, proved, told, whole
from workflow.dag import Dag, Item, Stage
from workflow.made import is_own, made_at, remake
from workflow.record import record

WAITING = Path("mlruns/.unsent")  # records for MLflow
NOTES = Path(".snakemake")  # Snakemake's own
RECORDED = NOTES / "recorded.json"  # by target, when the outputs were made that DVC knows of

Times = list[float | None]


class SnakemakeRun:
    """One run of Snakemake; `workflow` is its own object, which knows its DAG and its notes of outputs."""

    def __init__(self, workflow: Any, dag: Dag):
        self.workflow, self.dag = workflow, dag
        self._begun = False
        self._digests: dict[str, str] = {}
        self._there: list[str] = []
        self._proof = proved.Proof()

    def inputs(self, stage: Stage, item: Item) -> list[str]:
        """What a job waits for. Snakemake asks for it first of all, once it knows what it is to do.

        Ends the process with one line where another engine runs in this folder.
        """
        if not self._begun:
            self._begun = True
            self._begin()
        remake(self.workflow, stage.fill_all(stage.outs, item), self._proof)
        return [path for path in self.dag.inputs(stage, item) if "{" not in path]

    def values(self, stage: Stage, item: Item) -> dict[str, Any]:
        """The parameters of a job: a change of one runs it again.

        Files with braces in their names, which Snakemake takes for wildcards, stand here with size and time, and
        folders of data with the checksum of names and contents.
        """
        braced = [Path(path) for path in self.dag.inputs(stage, item) if "{" in path]
        files = {str(path): _size_and_time(path) for path in braced}
        folders = {path: self._digest(path) for path in self.dag.folders(stage, item)}
        more = {"files": files, "folders": folders}
        return stage.read_params(item) | {name: found for name, found in more.items() if found}

    def end(self) -> None:
        """Record for DVC what is done, and send MLflow what waits. Raises KithError where DVC cannot."""
        self._end = lambda: None
        self.workflow.persistence.deactivate_cache()  # it still has it that the job that ended last was never made
        if self.workflow.touch:
            self._touched()
            return
        told.need_room(NOTES)
        if any(WAITING.glob("*.jsonl")):
            subprocess.run([sys.executable, "-m", "stages.track", "--send"], stdout=subprocess.DEVNULL)
        targets = {
            stage.target(item): self._times(stage, item)
            for stage, item in self._jobs()
            if all(is_own(self.workflow, out) for out in stage.fill_all(stage.outs, item))
        }
        proved.note(self._made(targets))
        known = _recorded()
        new = [target for target, times in targets.items() if known.get(target) != times]
        if not new:
            return
        engine.give_way()
        if Dag().texts != self.dag.texts:
            problem = "dvc.yaml or params.yaml changed during the run; with the old ones in place"
        elif record(new):
            _write(known | targets)
            return
        else:
            problem = "DVC failed, see above; once that is mended"
        raise KithError(f"Not recorded for DVC: {problem}: kith record {' '.join(new)}")

    def put_back(self) -> None:
        """What stages have lost that failed: what was there when the run began."""
        former.put_back([out for out in self._there if not os.path.lexists(out)])

    def rank_the_others(self) -> None:
        """Where a method has failed, and the others had the time to go on: `kith partial`."""
        if not self.workflow.execution_settings.keep_going:
            return
        runs = sum(stage.name == "evaluate" for stage, _ in self.dag.items())
        measured = sum(stage.name == "evaluate" for stage, _ in self._jobs())
        if "compare" in {job.rule.name for job in self.workflow.dag.jobs} and 0 < measured < runs:
            subprocess.run([sys.executable, "-m", "stages.partial"])

    def _digest(self, folder: str) -> str:
        """Once a run."""
        if folder not in self._digests:
            from kith.data.watched import INDEX, digest_of_folder  # loads Arrow

            self._digests[folder] = digest_of_folder(Path(folder), Path("data", self.dag.study, INDEX))
        return self._digests[folder]

    def _begin(self) -> None:
        """Nothing of it for a plan, a report and the like, and for jobs on other machines."""
        workflow = self.workflow
        if not workflow.is_main_process or workflow.executor_plugin is None or workflow.dryrun:
            return
        try:
            told.need_room(NOTES)
            engine.claim(self.dag.outs)
            self._there = [out for out in self.dag.outs if os.path.lexists(out)]
            lockfile.repair()
        except KithError as error:
            _quit(f"error: {error}")
        except OSError as error:
            _quit(f"error: {told.of_system(error)}")
        if not RECORDED.exists():  # results of before count as recorded
            _write({s.target(i): times for s, i in self.dag.items() if any(times := self._times(s, i))})
        self._end = self._touched if workflow.touch else self._nothing_done
        # A plan that failed or was interrupted has no scheduler, and knows of no job whether it is up to date.
        atexit.register(lambda: workflow.scheduler and self._end())

    def _jobs(self) -> Iterator[tuple[Stage, Item]]:
        """What is done: the jobs that have finished, and those that need not run."""
        plan = self.workflow.dag
        finished = set(plan.finished_jobs)
        jobs = [job for job in plan.jobs if job in finished or not plan.needrun(job)]
        done = {(job.rule.name, frozenset(job.wildcards_dict.items())) for job in jobs}
        for stage, item in self.dag.items():
            if (stage.name, frozenset((key, item[key]) for key in stage.wildcards())) in done:
                yield stage, item

    def _times(self, stage: Stage, item: Item) -> Times:
        return [made_at(self.workflow, out) for out in stage.fill_all(stage.outs, item)]

    def _nothing_done(self) -> None:
        """Snakemake's hooks do not run where there is nothing to do."""
        if len(self.workflow.dag) or self.workflow.execution_settings.no_hooks:
            return
        try:
            self.end()
        except KithError as error:
            _quit(f"error: {error}")

    def _touched(self) -> None:
        """What was touched was not made: for DVC it is what it was."""
        targets = {stage.target(item): self._times(stage, item) for stage, item in self._jobs()}
        proved.note(self._made(targets))
        _write(_recorded() | targets)

    def _made(self, targets: Container[str]) -> dict[str, float | None]:
        """When each output of these was made."""
        jobs = [(stage, item) for stage, item in self.dag.items() if stage.target(item) in targets]
        return {out: made_at(self.workflow, out) for stage, item in jobs for out in stage.fill_all(stage.outs, item)}


def end_when_asked(scheduler: Any) -> None:
    """Let Snakemake end at SIGTERM, whatever it does just then: the handler takes a lock of the scheduler, and would
    wait forever where what it has interrupted holds that."""
    scheduler._lock = threading.RLock()


def _size_and_time(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _recorded() -> dict[str, Times]:
    try:
        return json.loads(RECORDED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write(recorded: dict[str, Times]) -> None:
    whole.write(RECORDED, json.dumps(recorded))


def _quit(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
    sys.stdout.flush()
    engine.release()
    os._exit(1)
