"""The end of a run of Snakemake, without Snakemake."""

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.scheduling.job_scheduler import JobScheduler

from workflow.run import SnakemakeRun, end_when_asked


def test_a_run_that_is_asked_to_end_does_not_wait_for_itself():
    scheduler = SimpleNamespace(_lock=threading.Lock(), _open_jobs=threading.Semaphore(0), _user_kill=None)
    end_when_asked(scheduler)

    def asked() -> None:  # as the handler of a signal: in the same thread, in the middle of anything
        with scheduler._lock:
            JobScheduler.exit_gracefully(scheduler)

    thread = threading.Thread(target=asked, daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert scheduler._user_kill == "graceful"


@pytest.mark.parametrize("waits", [True, False])
def test_records_that_wait_for_mlflow_are_sent_at_the_end(waits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if waits:
        book = Path("mlruns/.unsent/1.jsonl")
        book.parent.mkdir(parents=True)
        book.touch()
    started = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: started.append(command))
    nothing = SimpleNamespace(finished_jobs=[], jobs=[])
    persistence = SimpleNamespace(deactivate_cache=lambda: None)
    SnakemakeRun(SimpleNamespace(touch=False, dag=nothing, persistence=persistence), SimpleNamespace(items=list)).end()
    assert started == [[sys.executable, "-m", "stages.track", "--send"]] * waits
