"""Running the stages of the study that params.yaml holds, by one engine or the other."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from kith.errors import KithError
from stages.creating.following import LogFollower
from workflow import adopt, lockfile
from workflow.dag import Dag
from workflow.engine import running

Engine = Literal["snakemake", "dvc"]
OF_DATA = ("fetch", "prepare", "encode", "text", "neighbors", "taxonomy", "class_embedding")
LINES = 15  # of the log that are shown where it fails
LOOKED = 0.5  # seconds between two looks at the log

Tell = Callable[[str], object]


def check_dvc() -> None:
    """Raise KithError where DVC will not run, before there is anything that it would run."""
    here = Path.cwd()
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        raise KithError(
            "--engine dvc: this folder is in no Git repository, and DVC wants one: first `git init`, or leave --engine "
            "out"
        )


def run(engine: Engine, cores: int, log: Path, *, only_data: bool = False, tell: Tell = lambda _: None) -> None:
    """Bring the study up to date; only_data: its stages before the trainings. What the engine prints goes to `log`.

    tell: gets a line for each step that begins, and how far long ones are.
    Raises KithError with the last lines of the log where a stage fails.
    """
    dag = Dag()
    chosen = [(stage, item) for stage, item in dag.items() if not only_data or stage.name in OF_DATA]
    if engine == "snakemake":
        outs = [out for stage, item in chosen for out in stage.fill_all(stage.outs, item)]
        targets = list(dict.fromkeys(outs)) if only_data else []
        command = ["snakemake", *targets, "--cores", str(cores)]
    else:
        lockfile.repair()  # what a kill has left of DVC's notes would stop it
        command = ["dvc", "repro", *([stage.target(item) for stage, item in chosen] if only_data else [])]
    wait(tell)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=file, stderr=file)
        try:
            status = _followed(process, LogFollower(log), tell)
        except KeyboardInterrupt:
            _ended(process)
            raise
    if status:
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES:])
        raise KithError(f"{engine} failed; the end of {log}:\n{last}\nMend it; then the same command goes on")
    if engine == "dvc" and not only_data:
        adopt.main()


def wait(tell: Tell) -> float:
    """Wait for a Snakemake that runs here: its stages read params.yaml when they start, and one that
    a killed `kith new` has left behind does what is to be done. Returns the seconds that it took."""
    began = time.monotonic()
    if process := running():
        tell(f"snakemake still runs here (process {process}): waiting for its end")
    while running():
        time.sleep(LOOKED)
    return time.monotonic() - began


def _followed(process: "subprocess.Popen[bytes]", log: LogFollower, tell: Tell) -> int:
    """The process's status, once it has ended; until then its log is told."""
    while True:
        try:
            status = process.wait(timeout=LOOKED)
        except subprocess.TimeoutExpired:
            status = None
        for line in log.lines():
            tell(line)
        if status is not None:
            return status


def _ended(process: "subprocess.Popen[bytes]") -> None:
    """Ctrl-C reaches the engine too, which ends its jobs; where only this process was told, tell it."""
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
