"""What makes a stage run again, and that nothing else does: by both engines, on the project's own DAG.

The commands of dvc.yaml are replaced by ones that only write their outputs, so that all of it runs in seconds.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kith import models
from kith.models import DualEncoder
from kith.text.tokens import Vocabulary
from tests.workflow.test_pipeline import clone
from workflow import yamls

pytestmark = pytest.mark.slow

STUDY = {
    "study": {"name": "two", "methods": ["infonce", "hierarchy_ce"]},
    "fetch": {
        "source": "table",
        "path": "shapes.parquet",
        "columns": {"id": "id", "image": "image", "texts": ["texts"], "label": "shape", "split": "split"},
        "taxonomy": "taxonomy.csv",
    },
    "train": {"epochs": 1},
    "methods": {"hierarchy_ce": {"train": {"start": "start.pt"}}},
}
IMAGE = {"tower": "cnn", "depth": 18, "width": 32, "channels": 3, "size": 32, "fit": "pad"}
IMAGE |= {"mean": [0.5] * 3, "std": [0.5] * 3}
START = {"dim": 8, "image": IMAGE, "text": None, "projection": {"kind": "unit"}}
TRAININGS = ["train@hierarchy_ce-0", "train@infonce-0"]


def python(folder: Path, *command: str) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def choose(folder: Path) -> None:
    """Write params.yaml anew, by the code in `folder`."""
    python(folder, "-c", "from stages.study import choose; choose('two', [])")


def replace_commands(folder: Path) -> None:
    """Let every stage only write its outputs."""
    definition = yamls.read((folder / "dvc.yaml").read_text(), "dvc.yaml")
    for stage in definition["stages"].values():
        body = stage.get("do", stage)
        outs = [out if isinstance(out, str) else next(iter(out)) for out in body["outs"]]
        body["cmd"] = f"python touch.py {' '.join(outs)}"
    (folder / "dvc.yaml").write_text(yamls.write(definition))
    (folder / "touch.py").write_text(
        "import pathlib, sys\n"
        "for out in map(pathlib.Path, sys.argv[1:]):\n"
        "    names = ['.'] if out.suffix else ['dataset.json', 'quality.json']  # what single stages read of a folder\n"
        "    for file in [out / name for name in names]:\n"
        "        file.parent.mkdir(parents=True, exist_ok=True)\n"
        "        file.write_text('the same')\n"
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A clone in which every stage has run, for both engines."""
    folder = clone(tmp_path_factory.mktemp("staleness") / "clone")
    (folder / "studies/two.yaml").write_text(yamls.write(STUDY))
    (folder / "taxonomy.csv").write_text("parent,child\nshape,bar\n")
    (folder / "start.pt").write_bytes(models.save(DualEncoder(START), Vocabulary(["bar"]), 8, {}))
    replace_commands(folder)
    choose(folder)
    python(folder, "-m", "dvc", "repro", "--quiet")
    python(folder, "-m", "stages.cli", "adopt")
    return folder


def edit(before: str, after: str, *places: str) -> Callable[[Path], None]:
    """Replaces a text in the first of `places` that has it."""

    def change(folder: Path) -> None:
        path = next(folder / place for place in places if before in (folder / place).read_text())
        path.write_text(path.read_text().replace(before, after, 1))

    return change


def append(text: str, place: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / place).open("a") as file:
            file.write(text)

    return change


def stale(folder: Path) -> set[str]:
    """The stages that DVC would run because something that they read has changed."""
    return set(json.loads(python(folder, "-m", "dvc", "status", "--json")))


def planned(folder: Path) -> set[str]:
    """The stages that Snakemake would run: those, and all that read what they write."""
    told = python(folder, "-m", "snakemake", "--summary", "--cores", "1")
    found = set()
    for output, _, rule, *_, plan in (line.split("\t") for line in told.splitlines()[1:]):
        run = re.search(r"/(\w+-\d+)/", output)
        if plan != "no update":
            found.add(f"{rule}@{run[1]}" if run else rule)
    return found


CHANGES = {
    "a default": (
        edit(
            "nesterov: bool = True",
            "nesterov: bool = False",
            "kith/training/options.py",
        ),
        {*TRAININGS, "report"},
    ),
    "a preset": (
        edit("info_nce: {}", "info_nce: {temperature: 0.1}", "stages/params/presets.yaml"),
        {"train@infonce-0", "report"},
    ),
    "a taxonomy file": (append("shape,box\n", "taxonomy.csv"), {"fetch", "prepare"}),
    "start weights": (append("changed", "start.pt"), {"train@hierarchy_ce-0"}),
    "a comment in report code": (append("\n# Why.\n", "stages/reporting/page.py"), {"compare", "report"}),
    "a comment and a new one among the presets": (
        append("\n# Why.\nanother:\n  losses:\n    siglip: {}\n", "stages/params/presets.yaml"),
        set(),
    ),
    "a new metric": (
        append("\n", "kith/metrics/hashing.py"),
        {"evaluate@hierarchy_ce-0", "evaluate@infonce-0", "compare", "report"},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reruns_what_it_decides_and_nothing_else(done, tmp_path, change):
    apply, expected = CHANGES[change]
    folder = tmp_path / "copy"
    shutil.copytree(done, folder, symlinks=True)
    apply(folder)
    choose(folder)
    assert stale(folder) == expected
    run = planned(folder)
    assert expected <= run
    if not any(stage.startswith(("fetch", "prepare", "train")) for stage in expected):
        assert not any(stage.startswith(("fetch", "prepare", "train", "embed")) for stage in run)
    if "train@infonce-0" not in expected and "fetch" not in expected:
        assert "train@infonce-0" not in run


def test_nothing_is_stale_at_first(done):
    assert stale(done) == planned(done) == set()
