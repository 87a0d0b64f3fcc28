"""workflow/dag.py against DVC's own reading of dvc.yaml, and against what stages import."""

import ast
from pathlib import Path

import pytest
import yaml
from dvc.dependency import ParamsDependency
from dvc.repo import Repo

from kith.errors import KithError
from stages.study import text_of
from workflow.dag import Dag, Stage

ROOT = Path(__file__).resolve().parents[2]
STUDIES = sorted((ROOT / "studies").glob("*.yaml"))
# What reads, writes and reports, but decides no result: a change there reruns nothing.
PLUMBING = {
    "kith/errors.py",
    "kith/__init__.py",
    "kith/store/provenance.py",  # refuses or passes on
    "kith/data/digests.py",
    "kith/progress.py",  # tells
    "stages/__init__.py",
    *(f"stages/{name}.py" for name in ("check", "cli", "files")),
}
# The schema refuses or passes on, see test_the_schema_refuses_or_passes_on.
PLUMBING_ROOMS = ("stages/params/", "stages/tracking/")


def as_dvc_reads(definition: Path, values: Path, folder: Path) -> dict[str, tuple]:
    for name, source in (("dvc.yaml", definition), ("params.yaml", values)):
        (folder / name).write_text(source.read_text())
    with Repo.init(str(folder), no_scm=True) as repo:
        stages = repo.index.stages
        # Read once for all stages: DVC would parse the whole file anew for each.
        names = sorted({name for stage in stages for dep in _params_of(stage) for name in dep.params})
        known = ParamsDependency(stages[0], "params.yaml", names).read_params()
        return {stage.name: _parts(stage, known) for stage in stages}


def _params_of(stage) -> list[ParamsDependency]:
    return [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]


def _parts(stage, known: dict) -> tuple:
    read = _params_of(stage)
    files = [dep.def_path for dep in stage.deps if dep not in read]
    values = {name: known[name] for dep in read for name in dep.params}
    commands = stage.cmd if isinstance(stage.cmd, list) else [stage.cmd]
    return " && ".join(commands), files, [out.def_path for out in stage.outs], values


def as_we_read(dag: Dag) -> dict[str, tuple]:
    return {
        stage.target(item): (
            stage.fill(stage.cmd, item),
            stage.fill_all(stage.deps, item),
            stage.fill_all(stage.outs, item),
            stage.read_params(item),
        )
        for stage in dag.stages
        for item in stage.items()
    }


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_expands_as_dvc_does(study, tmp_path, monkeypatch):
    """With some of its methods: DVC is slow, and one is expanded as another."""
    methods = yaml.safe_load(study.read_text())["study"]["methods"]
    some = [*methods[:2], *methods[2:][-2:]]
    whole = tmp_path / "study.yaml"
    whole.write_text(text_of(study, [f"study.methods={some}", "study.seeds=[0, 1]", "compare.choose={}", "expect={}"]))
    ours = as_we_read(Dag(ROOT / "dvc.yaml", whole))
    monkeypatch.chdir(tmp_path)  # where the parameters are read
    theirs = as_dvc_reads(ROOT / "dvc.yaml", whole, tmp_path)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name] == theirs[name], name


@pytest.fixture
def dag() -> Dag:
    return Dag(ROOT / "dvc.yaml", ROOT / "params.yaml")


def stage_of(dag: Dag, name: str) -> Stage:
    return next(stage for stage in dag.stages if stage.name == name)


def test_items_become_wildcards_with_constraints(dag):
    train = stage_of(dag, "train")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    outs = train.fill_all(train.outs, train.wildcards())
    assert "runs/glyphs/{method}-{seed}/model.pt" in outs
    assert train.constraints()["method"].split("|") == values["study"]["methods"]
    assert train.log() == "logs/glyphs/train/{method}-{seed}.log"
    assert stage_of(dag, "fetch").log() == "logs/glyphs/fetch.log"


def test_a_directory_stands_for_the_outputs_in_it(dag):
    runs = [out for out in dag.outs if out.startswith("runs/glyphs/")]
    inputs = dag.inputs(stage_of(dag, "compare"), {})
    assert len(runs) >= 6
    assert [path for path in inputs if path.startswith("runs/glyphs/")] == runs
    assert "runs/glyphs" not in inputs


def test_a_file_in_a_directory_output_stands_for_the_directory(dag):
    compare = stage_of(dag, "compare")
    assert "data/glyphs/prepared/dataset.json" in compare.fill_all(compare.deps, {})
    assert "data/glyphs/prepared" in dag.inputs(compare, {})


def test_a_source_directory_stands_for_its_files(dag, monkeypatch):
    monkeypatch.chdir(ROOT)
    train = stage_of(dag, "train")
    inputs = dag.inputs(train, train.items()[0])
    assert "kith/losses/__init__.py" in inputs
    assert not any("__pycache__" in path for path in inputs)


def expand(values: dict, body: dict) -> None:
    stage = Stage("train", {"cmd": "true"} | body, values)
    stage.fill(stage.cmd, {})
    stage.read_params({})


@pytest.mark.parametrize(
    ("values", "body", "message"),
    [
        ({}, {"cmd": "run ${study.name}"}, r"stage train: it reads 'study.name', which params.yaml"),
        ({}, {"cmd": "run ${item.seed}"}, r"stage train: it reads 'item.seed', which the stage's matrix"),
        ({"study": {"name": ["a"]}}, {"cmd": "run ${study.name}"}, r"stage train: .*\['a'\].*one text or number"),
        ({}, {"foreach": ["a"]}, r"stage train: foreach: not known"),
        ({}, {"cmd": [{"one": "two"}]}, r"stage train: \{'one': 'two'\}"),
        ({}, {"params": ["expect"]}, r"stage train: it reads 'expect', which params.yaml"),
        ({}, {"matrix": {"seed": "${study.seeds}"}}, r"stage train: it reads 'study.seeds'"),
    ],
)
def test_what_cannot_be_expanded_is_named(values, body, message):
    with pytest.raises(KithError, match=message):
        expand(values, body)


def test_values_are_written_as_dvc_writes_them(tmp_path, monkeypatch):
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"a": {"on": True, "rate": 1e-5, "share": 0.10, "text": "x y", "n": 3}}))
    definition = tmp_path / "definition.yaml"
    cmd = "run ${a.on} ${a.rate} ${a.share} ${a.text} ${item.n}"
    stage = {"cmd": cmd, "matrix": {"n": [1, "${a.n}", 0.5, True]}, "outs": ["out-${item.n}.txt"]}
    definition.write_text(yaml.safe_dump({"stages": {"one": stage}}))
    ours = as_we_read(Dag(definition, values))
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert ours == as_dvc_reads(definition, values, folder)


@pytest.mark.parametrize("name", ["a;b", "$(b)", "`b`", "a\nb", "a b", "'a", 'a"', "a|b", "a>b", "*", "~", "", "a\\b"])
def test_a_command_holds_plain_names_alone(name):
    stage = Stage("train", {"cmd": ["true", "run ${study.name}"]}, {"study": {"name": name}})
    with pytest.raises(KithError, match=r"stage train: study\.name is .*letters, digits and"):
        stage.command({})
    assert Stage("train", {"cmd": "run ${a}"}, {"a": "a_B-9.x/y,z"}).command({}) == "run a_B-9.x/y,z"


def imported(source: str) -> set[str]:
    """The project's own modules that a source file imports, as paths."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / source).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    own = [name.replace(".", "/") for name in names if name.split(".")[0] in ("kith", "stages")]
    candidates = {path for name in own for path in (f"{name}.py", f"{name}/__init__.py")}
    return {path for path in candidates if (ROOT / path).exists() and not _says_nothing(ROOT / path)}


def _says_nothing(path: Path) -> bool:
    """Whether it is the docstring of a package, and no more: it decides nothing."""
    return path.name == "__init__.py" and len(ast.parse(path.read_text()).body) <= 1


def sources(start: str) -> set[str]:
    """Everything of the project that `start` needs, itself included."""
    found, waiting = set(), [start]
    while waiting:
        source = waiting.pop()
        if source not in found | PLUMBING and not source.startswith(PLUMBING_ROOMS):
            found.add(source)
            waiting += imported(source)
    return found


@pytest.mark.parametrize("name", [stage.name for stage in Dag(ROOT / "dvc.yaml", ROOT / "params.yaml").stages])
def test_a_stage_depends_on_the_sources_it_imports(dag, name, monkeypatch):
    monkeypatch.chdir(ROOT)
    stage = stage_of(dag, name)
    declared = dag.inputs(stage, stage.items()[0])
    assert sources(f"stages/{name}.py") <= set(declared)
