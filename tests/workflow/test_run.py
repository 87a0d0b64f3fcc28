"""The end of a run of Snakemake, without Snakemake."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from workflow.run import SnakemakeRun


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
    SnakemakeRun(SimpleNamespace(touch=False, dag=nothing), SimpleNamespace(items=list)).end()
    assert started == [[sys.executable, "-m", "stages.track", "--send"]] * waits
