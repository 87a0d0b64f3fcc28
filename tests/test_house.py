"""Rules of the house: what there is one of, how long a function may be, and what has an example."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stages import cli

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [ROOT / name for name in ("kith", "stages", "workflow")]
LONGEST = 49  # lines of a function, docstring and all: one screen
# In stages/, besides the nodes and the commands: what all of them use.
SHARED = {"__init__", "cli", "files"}
# Rooms and files of the library whose public functions and classes have an example each.
SHOWN = [
    *("cca", "class_embedding", "inference", "losses", "metrics", "mining", "taxonomy", "text"),
    *("codes.py", "neighbors.py", "similarity.py"),
]
# What a function returns or takes: the examples are in those of the functions.
IN_EXAMPLES_OF_OTHERS = {
    "Buckets": "buckets",
    "ClassEmbedding": "pickles.read",
    "GivenRow": "read",
    "GivenSide": "read",
    "Histograms": "histograms",
    "Pairs": "all_pairs",
    "Relevance": "as_relevance",
    "Triplets": "mine_triplets",
    "RankedLists": "ranked_lists",
    "FirstHits": "first_hits",
    "TiedList": "tied_list",
    "Violations": "violations",
}
# The parts of an objective, which params.yaml puts together: the examples are in those of the losses' functions.
PARTS_OF_AN_OBJECTIVE = {"LabelledRows", "Batch", "TrainingStep", "MiningStatistics"}

Definition = ast.FunctionDef | ast.ClassDef


def trees(*places: Path) -> Iterator[tuple[str, ast.Module]]:
    """Sources below the places, by their path from the root."""
    for place in places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_no_class_name_is_defined_twice():
    defined = defaultdict(list)
    for path, tree in trees(*PACKAGES):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                defined[node.name].append(path)
    assert not {name: paths for name, paths in defined.items() if len(paths) > 1}


def test_functions_fit_a_screen():
    long = [
        f"{path}: {node.name}"
        for path, tree in trees(*PACKAGES)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > LONGEST
    ]
    assert not long


def test_stages_are_nodes_and_commands():
    nodes = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    commands = {module.rpartition(".")[2] for module in cli.COMMANDS.values()}
    assert {path.stem for path in (ROOT / "stages").glob("*.py")} <= {*nodes, *commands, *SHARED}


def is_part_of_an_objective(path: str, node: Definition) -> bool:
    """Whether it is a loss as params.yaml knows it, its options, or what it is given."""
    inherits = isinstance(node, ast.ClassDef) and node.name.endswith(("Loss", "Options"))
    return path.startswith("kith/losses/") and (inherits or node.name in PARTS_OF_AN_OBJECTIVE)


def docstrings(node: Definition) -> str:
    """Of a function, or of a class and its methods."""
    methods = (
        [each for each in node.body if isinstance(each, ast.FunctionDef)] if isinstance(node, ast.ClassDef) else []
    )
    return "\n".join(ast.get_docstring(each) or "" for each in (node, *methods))


@pytest.mark.parametrize("place", SHOWN)
def test_public_functions_and_classes_have_an_example(place):
    without = [
        f"{path}: {node.name}"
        for path, tree in trees(ROOT / "kith" / place)
        for node in tree.body
        if isinstance(node, Definition)
        and not node.name.startswith("_")
        and not is_part_of_an_objective(path, node)
        and node.name not in IN_EXAMPLES_OF_OTHERS
        and ">>>" not in docstrings(node)
    ]
    assert not without
