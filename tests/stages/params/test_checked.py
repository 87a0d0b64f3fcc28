"""What is told of methods comes from a note where they have been checked before, and from nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kith.errors import KithError
from stages import params
from stages.params import checked

ROOT = Path(__file__).parents[3]
QUICK = """
import sys
from stages import params
print(params.load(methods=True).told('infonce')['texts'], 'torch' in sys.modules)
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The default study, in a folder of DVC's."""
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    Path("kith/data").mkdir(parents=True)
    Path("kith/data/glyphs.py").write_bytes((ROOT / "kith/data/glyphs.py").read_bytes())
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return Path("params.yaml")


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_what_is_told_is_what_the_methods_are_and_the_second_time_pytorch_is_not_loaded(study):
    settings = params.load(methods=True)
    for name in settings.methods:
        method = settings.method(name)
        assert settings.told(name)["parameters"] == method.model_dump(mode="json", exclude_none=True)
        assert (settings.told(name)["texts"], settings.told(name)["targets"]) == (
            method.needs.texts,
            method.needs.targets,
        )
    again = json.loads(checked.NOTE.read_text())["methods"]
    assert again == {name: settings.told(name) for name in settings.methods}
    assert list(again["ccal_cont"]["parameters"]["train"]) == list(settings.told("ccal_cont")["parameters"]["train"])
    done = subprocess.run([sys.executable, "-P", "-c", QUICK], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_a_changed_method_is_checked_again(study):
    params.load(methods=True)
    replace(study, "temperature: 0.07", "temperature: 0.09")
    told = params.load(methods=True).told("infonce")
    assert told["parameters"]["losses"]["info_nce"]["temperature"] == 0.09
    replace(study, "temperature: 0.09", "temperatur: 0.07")
    with pytest.raises(KithError, match="temperatur"):
        params.load(methods=True)


def test_changed_code_and_a_damaged_note_count_for_nothing(study, monkeypatch):
    right = params.load(methods=True).told("infonce")
    noted = json.loads(checked.NOTE.read_text())
    noted["methods"]["infonce"] = "of other code"
    checked.NOTE.write_text(json.dumps(noted))
    assert params.load().told("infonce") == "of other code"
    monkeypatch.setattr(checked, "_code", lambda: "changed")
    assert params.load().told("infonce") == right
    checked.NOTE.write_text("[")
    assert params.load().told("infonce") == right


def test_without_dvc_nothing_is_noted(study):
    Path(".dvc").rmdir()
    assert params.load().told("infonce")["texts"]
    assert not Path(".dvc").exists()
