"""Kills, both engines at once, and names that are more than names, in the miniature repository."""

import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import psutil
import pytest

from tests.miniature import ALL, ROOT, copy

pytestmark = pytest.mark.slow


def test_a_killed_run_is_recorded_by_the_next_which_unlocks(origin):
    repository = origin.clone("killed")
    waits = repository.path / "wait.compare"
    waits.touch()
    running = repository.start("snakemake", "--cores", "2")
    repository.wait_for("compare")
    refused = f"Snakemake runs in this folder (process {running.pid})"
    assert refused in repository.python("snakemake", "--cores", "2", fails=True)
    assert f"(PID {running.pid}): snakemake" in repository.python("dvc", "repro", fails=True)
    assert (repository.path / "data/mini/prepared/part.txt").exists()
    running.send_signal(signal.SIGKILL)
    running.wait()
    waits.unlink()
    time.sleep(1)
    assert not (repository.path / "dvc.lock").exists()
    output = repository.python("snakemake", "--cores", "2")
    assert "was killed here" in output
    assert "prepare" not in output.split("Job stats")[1].split("total")[0]
    assert "up to date" in repository.python("dvc", "status")
    assert repository.dvc("repro") == repository.snakemake() == []


def test_a_run_that_is_killed_while_dvc_records_it_leaves_no_lock(by_snakemake, tmp_path):
    repository = copy(by_snakemake, tmp_path)
    commit = repository.path / "workflow/commit.py"
    (repository.path / "kept.py").write_text(commit.read_text())
    commit.write_text("import time\nopen('ran.txt', 'a').write('record ')\ntime.sleep(120)\n")
    repository.edit("compare", digits=3)
    running = repository.start("snakemake", "--cores", "2")
    repository.wait_for("record")
    recording = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGKILL)
    running.wait()
    for process in recording:
        process.kill()
    (repository.path / "kept.py").rename(commit)
    assert "was killed here" in repository.python("snakemake", "--cores", "2")
    assert "up to date" in repository.python("dvc", "status")
    assert repository.snakemake() == []


@pytest.mark.parametrize("damaged", [b'{"rule": 3', b"\xff{}", b'{"rule": [], "endtime": "never"}'])
def test_a_damaged_note_of_snakemakes_is_made_again_with_its_output(by_snakemake, tmp_path, damaged):
    repository = copy(by_snakemake, tmp_path)
    note = urlsafe_b64encode(b"reports/mini/metrics.json").decode()
    (repository.path / ".snakemake/metadata" / note).write_bytes(damaged)
    assert repository.snakemake() == ["compare", "draw"]
    assert repository.snakemake() == []


def test_a_plan_that_fails_records_nothing(by_snakemake, tmp_path):
    repository = copy(by_snakemake, tmp_path)
    repository.edit("train", epochs=2)
    waits = repository.path / "wait.compare"
    waits.touch()
    running = repository.start("snakemake", "--cores", "2")
    repository.wait_for("compare")  # the models of two epochs are there, and DVC does not know of them
    running.send_signal(signal.SIGKILL)
    running.wait()
    waits.unlink()
    repository.edit("train", epochs=3)
    stages = repository.path / "dvc.yaml"
    whole = stages.read_text()
    stages.write_text(whole.replace("- reports/${study.name}/metrics.json\n    outs", "- nowhere\n    outs"))
    assert "Missing input" in repository.python("snakemake", "--forcerun", "draw", "--cores", "1", fails=True)
    stages.write_text(whole)
    assert "train@a-0" in repository.dvc("repro")
    assert repository.epochs() == [3, 3]


def test_what_failed_is_put_back_also_where_notes_cannot_be_written(by_snakemake, tmp_path):
    repository = copy(by_snakemake, tmp_path)
    notes = repository.path / ".snakemake/checksums.json"
    notes.unlink()
    notes.mkdir()
    repository.edit("methods", b={"fails": True})
    output = repository.python("snakemake", "--cores", "1", fails=True)
    assert "checksums.json: is a folder, and a file belongs there" in output
    assert (repository.path / "runs/mini/b-0/model.txt").exists()


def test_a_run_that_cannot_be_recorded_fails_and_the_next_one_records_it(by_snakemake, tmp_path):
    repository = copy(by_snakemake, tmp_path)
    cache = repository.path / ".dvc/cache"
    cache.rename(repository.path / "kept")
    cache.touch()
    repository.edit("train", epochs=2)
    assert "Not recorded for DVC" in repository.python("snakemake", "--cores", "2", fails=True)
    cache.unlink()
    (repository.path / "kept").rename(cache)
    assert "Nothing to be done" in repository.python("snakemake", "--cores", "2")
    assert "up to date" in repository.python("dvc", "status")


def test_snakemake_does_not_start_beside_dvc(origin):
    repository = origin.clone("beside")
    waits = repository.path / "wait.train@a-0"
    waits.touch()
    running = repository.start("dvc", "repro")
    repository.wait_for("train@a-0")
    assert f"DVC runs in this folder (process {running.pid}" in repository.python(
        "snakemake", "--cores", "1", fails=True
    )
    assert repository.planned()  # to look is allowed
    running.send_signal(signal.SIGKILL)
    running.wait()
    waits.unlink()
    (repository.path / ".dvc/tmp/rwlock").write_text("")
    assert repository.snakemake() == ALL
    assert "up to date" in repository.python("dvc", "status")


@pytest.mark.parametrize(
    ("section", "values", "named"),
    [
        ("study", {"name": "m;touch PWNED;#"}, "study.name"),
        ("study", {"methods": ["a", "$(touch PWNED)"]}, "item.method"),
    ],
)
def test_a_name_is_never_more_than_a_name(origin, tmp_path, section, values, named):
    repository = origin.clone(tmp_path.name)
    repository.edit("methods", **{name: {} for name in values.get("methods", [])})
    repository.edit(section, **values)
    for engine in (["dvc", "repro"], ["snakemake", "--cores", "1"]):
        output = repository.python(*engine, fails=True)
        assert named in output
        assert "letters, digits and" in output
    assert not (repository.path / "PWNED").exists()


STAGE = """
import os, sys, time
from pathlib import Path
os.environ["DVC_STAGE"] = "train"
from workflow import engine
engine.watch(0.1)
try:
    Path("started").write_text(str(os.getpid()))
    time.sleep(100)
finally:
    Path("cleaned").touch()
"""


@pytest.mark.parametrize("shell", ["", "; true"])  # one that stays, and one that becomes the command
@pytest.mark.parametrize("before", ["", "trap '' INT; "])  # as a script's background processes, which ignore Ctrl-C
def test_a_stage_ends_with_its_engine(tmp_path, shell, before):
    (tmp_path / "stage.py").write_text(STAGE)
    command = f"{before}{sys.executable} stage.py{shell}"
    call = f"import subprocess; subprocess.run(['bash', '-c', {command!r}])"
    engine = subprocess.Popen([sys.executable, "-c", call], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/bin"})
    pid = _soon(tmp_path / "started")
    stage = psutil.Process(int(pid))
    engine.kill()
    engine.wait()
    _soon(tmp_path / "cleaned")
    psutil.wait_procs([stage], timeout=10)
    assert not stage.is_running() or stage.status() == psutil.STATUS_ZOMBIE


def _soon(path: Path) -> str:
    end = time.monotonic() + 20
    while not (path.exists() and (path.name != "started" or path.read_text())):
        assert time.monotonic() < end, path
        time.sleep(0.05)
    return path.read_text()
