"""A checkout of a small study of real stages, and what is known of its outputs: faults are done to it, not to yours."""

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import chdir
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.conftest import PARAMS
from tests.made_checkout import clone
from tests.made_encoders import write_encoder
from workflow import lockfile
from workflow.dag import Dag, Item, Stage

ENGINES = {"dvc": ["dvc", "repro"], "snakemake": ["snakemake", "--cores", "2"]}
# Two methods: pictures and texts from random weights, and classes on the features of a tiny encoder (safetensors).
STUDY = PARAMS | {
    "study": {
        "name": "shapes",
        "methods": ["infonce", "hierarchy_ce"],
        "seeds": [0],
        "encoders": {"clip": {"encoder": "hf:./clip"}},
    },
    "audit": {},
    "methods": {"infonce": {}, "hierarchy_ce": {"train": {"image": {"encoder": "clip", "tower": "linear"}}}},
}
MARKS = (".snakemake_timestamp", ".gitignore", "__pycache__")
LONGEST = 3600  # seconds that a run may take: one that takes longer hangs


class Job(NamedTuple):
    """One item of a stage: its name as DVC has it, what it runs, and what it writes."""

    target: str
    words: list[str]  # of its process, after the interpreter
    outs: list[str]


class Ended(NamedTuple):
    """What a run came to."""

    status: int
    said: str
    seconds: float


class Checkout:
    """A folder with the study, and one engine to run it."""

    def __init__(self, folder: Path, engine: str):
        self.folder, self.engine = folder, engine
        self.log = folder  # what runs say is beside it
        self._jobs: list[Job] | None = None
        own = {"XDG_CACHE_HOME": f"{folder}.cache", "DVC_SITE_CACHE_DIR": f"{folder}.site", "DVC_NO_ANALYTICS": "1"}
        own |= {"OMP_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        self.environment = os.environ | own | {"MLFLOW_DISABLE_TELEMETRY": "true"}
        for name in ("PYTHONPATH", "MLFLOW_TRACKING_URI", "KITH_ENGINE", "DVC_STAGE", "DVC_ROOT"):
            self.environment.pop(name, None)

    def jobs(self) -> list[Job]:
        """All jobs of the DAG, as it was when it was asked for first: params.yaml may be damaged later."""
        if self._jobs is None:
            with chdir(self.folder):
                self._jobs = [self._job(stage, item) for stage, item in Dag().items()]
        return self._jobs

    @staticmethod
    def _job(stage: Stage, item: Item) -> Job:
        words = shlex.split(stage.command(item).split(" && ")[-1])[1:]
        return Job(stage.target(item), words, stage.fill_all(stage.outs, item))

    def job(self, target: str) -> Job:
        return next(each for each in self.jobs() if each.target == target)

    def start(self, engine: str | None = None, name: str = "run", **environment: str) -> subprocess.Popen:
        """An engine in a session of its own, so that all that it starts can be found; what it says goes to a file."""
        with Path(f"{self.log}.{name}.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *ENGINES[engine or self.engine]],
                cwd=self.folder,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self, name: str = "run") -> str:
        return Path(f"{self.log}.{name}.log").read_text(errors="replace")

    def run(self, engine: str | None = None, **environment: str) -> Ended:
        """An engine, to its end."""
        begun = time.monotonic()
        process = self.start(engine, **environment)
        try:
            status = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            end_session(process.pid)
            status = 124
        return Ended(status, self.said(), time.monotonic() - begun)

    def command(self, *words: str, **environment: str) -> Ended:
        """A module of Python, to its end."""
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        return Ended(done.returncode, done.stdout, time.monotonic() - begun)

    def forget(self, target: str, known_runs: bool = True) -> None:
        """Let one job be to do, and to be computed: its outputs go, and what DVC knows of it; known_runs: also what it
        knows of runs of before, out of which it would bring the outputs back."""
        for out in self.job(target).outs:
            remove(self.folder / out)
        if known_runs:
            shutil.rmtree(self.folder / ".dvc/cache/runs", ignore_errors=True)
        for lock in (lockfile.LOCK, lockfile.KEPT):
            if (path := self.folder / lock).exists():
                text = path.read_text(encoding="utf-8")
                path.write_text(re.sub(rf"^  {target}:\n(   .*\n)*", "", text, flags=re.M), encoding="utf-8")

    def hashes(self) -> dict[str, str]:
        """The digest of each output that is there."""
        outs = [out for job in self.jobs() for out in job.outs]
        return {out: digest(self.folder / out) for out in outs if (self.folder / out).exists()}

    def copy(self, folder: Path) -> "Checkout":
        """Another checkout with the same files, times and notes of the engines."""
        other = Checkout(folder, self.engine)
        if os.geteuid() == 0 and folder.exists():  # of a fault that was stopped in its middle
            subprocess.run(["chattr", "-R", "-f", "-i", str(folder)], check=False, capture_output=True)
        for path in (folder, Path(f"{folder}.site"), Path(f"{folder}.cache")):
            remove(path)
        shutil.copytree(self.folder, folder, symlinks=True)
        return other


def make(folder: Path) -> Path:
    """The repository with the study, before anything has run."""
    clone(folder, STUDY)
    write_encoder("clip", folder / "clip")
    with chdir(folder):  # once more: what an encoder is read from is looked up
        from tests.made_params import write_params

        write_params(STUDY)
    commit = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "Encoder"]
    for command in (["git", "add", "-A"], commit):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def digest(path: Path) -> str:
    """SHA-256 of a file, or of names and contents in a folder without what engines put there."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    found = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file() and not set(MARKS) & set(file.parts) and not file.name.endswith(".part"):
            found.update(f"{file.relative_to(path)} {digest(file)}\n".encode())
    return found.hexdigest()


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def process_of(engine: psutil.Process, job: Job) -> psutil.Process | None:
    """The stage's own process below the engine, once it is there."""
    try:
        for child in engine.children(recursive=True):
            if child.cmdline()[1:] == job.words:
                return child
    except psutil.Error:
        pass
    return None


def members(session: int) -> list[psutil.Process]:
    """The living processes of a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end_session(session: int) -> None:
    for process in members(session):
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue
