"""Choosing a study writes params.yaml, whole and checked, or leaves it alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kith.errors import KithError
from stages import params, study

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def target(tmp_path, monkeypatch) -> Path:
    """A params.yaml to be overwritten, and one study: the repository's own params.yaml under another name."""
    studies = tmp_path / "studies"
    studies.mkdir()
    text = (ROOT / "params.yaml").read_text().replace("# Study:", "# Another:", 1)
    (studies / "another.yaml").write_text(text)
    monkeypatch.setattr(study, "STUDIES", studies)
    monkeypatch.setattr(study, "DEFINITION", ROOT / "dvc.yaml")
    (tmp_path / "params.yaml").write_text("old: true\n")
    return tmp_path / "params.yaml"


def test_a_study_is_copied_with_its_comments(target):
    study.choose("another", [], target)
    assert target.read_text() == (study.STUDIES / "another.yaml").read_text()


def test_changes_are_applied_and_the_head_kept(target):
    study.choose("another", ["train.epochs=3", "study.seeds=[0, 1]", "prepare.glyphs.test=7"], target)
    chosen = params.load(target)
    assert (chosen.train.epochs, chosen.study.seeds, chosen.prepare.glyphs.test) == (3, [0, 1], 7)
    assert target.read_text().startswith("# Another:")
    before = yaml.safe_load((study.STUDIES / "another.yaml").read_text())
    assert list(yaml.safe_load(target.read_text())) == list(before)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("anotter", [], "no study 'anotter'; there are:\n  another  Another: "),
        ("another", ["train.epoch=3"], "train.epoch: no such parameter; did you mean 'epochs'"),
        ("another", ["train.epochs=many"], r"another.yaml: train.epochs: .*'many'"),
        ("another", ["train.epochs"], "expected key=value"),
        ("another", ["train.epochs.first=1"], "epochs is a single value"),
        ("another", ["study.methods=[nothing]"], "nothing"),
    ],
)
def test_what_is_wrong_leaves_params_alone(target, name, changes, message):
    with pytest.raises(KithError, match=message):
        study.choose(name, changes, target)
    assert target.read_text() == "old: true\n"
    assert [path.name for path in target.parent.iterdir() if path.name.endswith(".part")] == []


def test_a_section_that_dvc_reads_may_not_be_missing(target):
    path = study.STUDIES / "another.yaml"
    path.write_text(path.read_text().replace("expect: {}", ""))
    with pytest.raises(KithError, match="expect"):
        study.choose("another", [], target)
    assert target.read_text() == "old: true\n"


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_can_be_chosen(path, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    study.choose(path.stem, [], tmp_path / "params.yaml")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "stages.study", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_command_line(target):
    (target.parent / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    assert "  another  Another: glyphs." in run(target.parent).stdout
    unknown = run(target.parent, "nothing")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("error: no study 'nothing'")
    assert run(target.parent, "another", "--set", "train.epochs=3").returncode == 0
    assert params.load(target).train.epochs == 3
