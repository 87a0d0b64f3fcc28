"""A miniature repository with trivial stages and the project's own workflow, for tests of both engines."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
COPIED = [
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitignore",
    "Snakefile",
    "reports/.gitignore",
    "kith/errors.py",
]

DEFINITION = """
stages:
  prepare:
    desc: Make the data
    cmd:
      - python -m workflow.start
      - python step.py prepare --read prepare --out data/${study.name}/prepared
    deps:
      - step.py
      - source
    params:
      - prepare
    outs:
      - data/${study.name}/prepared
    meta: {threads: 1, mem_mb: 100, runtime: 1}
  train:
    matrix:
      method: ${study.methods}
      seed: ${study.seeds}
    cmd:
      - python -m workflow.start
      - >-
        python step.py train@${item.method}-${item.seed} --read train methods.${item.method}
        --needs data/${study.name}/prepared --out runs/${study.name}/${item.method}-${item.seed}/model.txt
    deps:
      - step.py
      - data/${study.name}/prepared
    params:
      - train
      - methods.${item.method}
    outs:
      - runs/${study.name}/${item.method}-${item.seed}/model.txt
    meta: {threads: 1, mem_mb: 100, runtime: 1}
  compare:
    cmd:
      - python -m workflow.start
      - python step.py compare --read compare --needs runs/${study.name} --out reports/${study.name}/metrics.json
    deps:
      - step.py
      - data/${study.name}/prepared/part.txt
      - runs/${study.name}
    params:
      - compare
    outs:
      - reports/${study.name}/metrics.json:
          cache: false
  draw:
    cmd:
      - python -m workflow.start
      - python step.py draw --needs reports/${study.name}/metrics.json --out reports/${study.name}/figures
    deps:
      - step.py
      - reports/${study.name}/metrics.json
    outs:
      - reports/${study.name}/figures:
          cache: false
"""
PARAMS = {
    "study": {"name": "mini", "methods": ["a", "b"], "seeds": [0]},
    "prepare": {"rows": 3},
    "train": {"epochs": 1},
    "methods": {"a": {"fails": False}, "b": {"fails": False}},
    "compare": {"digits": 2},
}
STEP = """
import argparse, json, pathlib, sys, time, yaml
parser = argparse.ArgumentParser()
parser.add_argument("name")
parser.add_argument("--read", nargs="*", default=[])
parser.add_argument("--needs", type=pathlib.Path, nargs="*", default=[])
parser.add_argument("--out", type=pathlib.Path)
given = parser.parse_args()
with open("ran.txt", "a") as ran:
    print(given.name, file=ran)
waits = pathlib.Path(f"wait.{given.name}")
if waits.exists():
    while waits.exists():
        time.sleep(0.1)
    sys.exit("its engine is gone")
content = {}
for key in given.read:
    value = yaml.safe_load(open("params.yaml"))
    for part in key.split("."):
        value = value[part]
    content[key] = value
    if value.get("fails"):
        sys.exit("broken on purpose")
for need in given.needs:
    for file in sorted(need.rglob("*.txt")) if need.is_dir() else [need]:
        content[str(file)] = file.read_text()
file = given.out if given.out.suffix else given.out / "part.txt"
file.parent.mkdir(parents=True, exist_ok=True)
file.write_text(json.dumps(content))
"""
ORDER = ["prepare", "train", "compare", "draw"]
ALL = ["prepare", "train@a-0", "train@b-0", "compare", "draw"]


class Repository:
    """A clone of the miniature repository, with commands to run in it."""

    def __init__(self, path: Path):
        self.path = path
        home = {"XDG_CACHE_HOME": str(path.parent / "cache"), "DVC_SITE_CACHE_DIR": str(path.parent / "dvc")}
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = os.environ | home | {"PATH": binaries, "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}
        self.environment.pop("PYTHONPATH", None)  # its stages stand in for the project's

    def run(self, *command: str, fails: bool = False) -> str:
        done = subprocess.run(
            command, cwd=self.path, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert bool(done.returncode) == fails, f"{' '.join(command)} gave {done.returncode}:\n{done.stdout}"
        return done.stdout

    def python(self, module: str, *options: str, fails: bool = False) -> str:
        return self.run(sys.executable, "-m", module, *options, fails=fails)

    def dvc(self, *options: str, fails: bool = False) -> list[str]:
        """Run DVC and say which stages ran."""
        return self._executed("dvc", options, fails)

    def snakemake(self, *options: str, fails: bool = False) -> list[str]:
        """Run Snakemake and say which stages ran."""
        return self._executed("snakemake", ("--cores", "2", *options), fails)

    def _executed(self, engine: str, options: tuple[str, ...], fails: bool) -> list[str]:
        ran = self.path / "ran.txt"
        ran.unlink(missing_ok=True)
        self.python(engine, *options, fails=fails)
        names = ran.read_text().split() if ran.exists() else []
        return sorted(names, key=lambda name: (ORDER.index(name.split("@")[0]), name))

    def start(self, *command: str) -> subprocess.Popen:
        """Start a module as a process of its own."""
        (self.path / "ran.txt").unlink(missing_ok=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([sys.executable, "-m", *command], cwd=self.path, env=self.environment, **quiet)

    def wait_for(self, stage: str) -> None:
        """Until the stage runs."""
        ran, end = self.path / "ran.txt", time.monotonic() + 120
        while not (ran.exists() and stage in ran.read_text().split()):
            assert time.monotonic() < end, f"{stage} did not start"
            time.sleep(0.1)

    def planned(self) -> str:
        return self.python("snakemake", "--dry-run", "--cores", "1")

    def edit(self, section: str, **values) -> None:
        """Change one section of params.yaml."""
        params = yaml.safe_load((self.path / "params.yaml").read_text())
        params[section] |= values
        (self.path / "params.yaml").write_text(yaml.safe_dump(params))

    def epochs(self) -> list[int]:
        """What the model of the method a and the metrics are of."""
        model = json.loads((self.path / "runs/mini/a-0/model.txt").read_text())
        read = json.loads((self.path / "reports/mini/metrics.json").read_text())
        measured = json.loads(read["runs/mini/a-0/model.txt"])
        return [each["train"]["epochs"] for each in (model, measured)]

    def lock(self) -> dict:
        return yaml.safe_load((self.path / "dvc.lock").read_text())["stages"]

    def clone(self, name: str) -> "Repository":
        other = Repository(self.path.parent / name)
        self.run("git", "clone", "--quiet", str(self.path), str(other.path))
        return other

    def commit(self) -> None:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        self.run("git", "add", "--all")
        self.run("git", *identity, "commit", "--quiet", "--message", "Test")


def build(path: Path) -> Repository:
    """The miniature repository before anything has run, committed."""
    shutil.copytree(ROOT / "workflow", path / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    for name in COPIED:
        (path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, path / name)
    (path / "profiles").symlink_to("workflow/profiles")
    (path / "stages").mkdir()
    (path / "stages" / "params.py").write_text("def load(methods):\n    pass\n")
    (path / "source").mkdir()
    (path / "source" / "one.txt").write_text("source\n")
    (path / "step.py").write_text(STEP)
    (path / "dvc.yaml").write_text(DEFINITION)
    (path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    with (path / ".gitignore").open("a") as ignored:
        ignored.write("/ran.txt\n/wait.*\n")
    repository = Repository(path)
    repository.run("git", "init", "--quiet")
    repository.commit()
    return repository


def copy(repository: Repository, path: Path) -> Repository:
    """An independent copy with modification times, outputs and both engines' notes."""
    shutil.copytree(repository.path, path / "copy", symlinks=True)
    return Repository(path / "copy")
