"""Choosing a study writes params.yaml, whole and checked, or leaves it alone."""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kith.errors import KithError
from stages import params, study
from workflow import engine

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.mark.parametrize(
    ("place", "note", "told"),
    [
        (engine.RUNNING, {"pid": os.getppid(), "host": platform.node()}, "Snakemake runs in this folder (process"),
        (engine.BUSY, {"write": {"/a": {"pid": os.getppid(), "cmd": "dvc repro"}}}, "DVC runs in this folder (process"),
    ],
)
def test_a_run_keeps_its_parameters_to_its_end(target, monkeypatch, place, note, told):
    monkeypatch.chdir(target.parent)
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(note))
    with pytest.raises(KithError, match=re.escape(told)):
        study.main(name="another")
    assert target.read_text() == "old: true\n"
    place.write_text(json.dumps(note).replace(str(os.getppid()), str(2**22 + 1)))  # no process has this number
    study.main(name="another")
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


SHORT = """\
# Study: shop. Short.
study: {name: shop, methods: [infonce, hierarchy_ce]}  # two of them
fetch:
  source: table
  path: products.parquet
  columns: {id: sku, image: photo, texts: [title], label: category}
  taxonomy: categories.csv
prepare: {image: {size: 64}}
text:  # of the titles
methods:
  # a change
  infonce: {train: {lr: 0.002}}
train:
  epochs: 10  # few
"""


def test_what_a_short_study_leaves_out_is_filled_in(target):
    (study.STUDIES / "shop.yaml").write_text(SHORT)
    study.choose("shop", [], target)
    chosen, text = params.load(target), target.read_text()
    assert set(yaml.safe_load(text)) == set(params.Params.model_fields) - {"audit"}  # which a study may have
    assert (chosen.study.seeds, chosen.train.threads) == ([0], params.Train(epochs=1).threads)
    assert {name: own["train"] for name, own in chosen.methods.items()} == {
        "infonce": {"lr": 0.002},
        "hierarchy_ce": params.presets()["hierarchy_ce"]["train"],
    }
    for comment in ("# Study: shop. Short.", "# two of them", "# of the titles", "  # a change", "  # few"):
        assert comment in text
    lines = text.splitlines()
    assert "  epochs: 10  # few" in lines
    assert lines[lines.index("  # a change") + 1 :][:2] == ["  infonce:", "    train: {lr: 0.002}"]


@pytest.mark.parametrize(
    "text",
    [
        SHORT.replace("methods:\n  # a change\n  infonce: {train: {lr: 0.002}}\n", ""),
        SHORT.replace("methods:\n  # a change\n  infonce: {train: {lr: 0.002}}\n", "methods: {}\n"),
        SHORT.replace("train:\n  epochs", "train: &shared\n  epochs"),
        SHORT.replace("text:  # of the titles\n", "text: ~\n").rstrip(),
    ],
)
def test_a_short_study_may_be_written_in_many_ways(target, text):
    (study.STUDIES / "shop.yaml").write_text(text)
    study.choose("shop", [], target)
    assert params.load(target).study.methods == ["infonce", "hierarchy_ce"]
    assert target.read_text().startswith("# Study: shop. Short.")


def test_a_short_study_with_changes(target):
    (study.STUDIES / "shop.yaml").write_text(SHORT)
    study.choose("shop", ["study.methods=[vsepp]", "text.backend=tfidf", "neighbors.k=3"], target)
    chosen = params.load(target)
    assert (chosen.text.backend, chosen.neighbors.k, list(chosen.methods)) == ("tfidf", 3, ["infonce", "vsepp"])


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("[infonce, hierarchy_ce]", "[infonec]", "nor a preset; did you mean 'infonce'"),
        ("[infonce, hierarchy_ce]", "infonce", "study.methods: Input should be a valid list"),
        ("study:", "stud:", "study.name: is missing, and has no default"),
        ("train:\n  epochs: 10  # few", "", "train.epochs: is missing, and has no default; give it a value"),
        ("epochs: 10", "epoch: 10", "did you mean 'epochs'"),
        ("prepare: {image", "prepare: {image: {size: 2}, imag", "prepare.image.size"),
    ],
)
def test_faults_of_a_short_study(target, before, after, message):
    (study.STUDIES / "shop.yaml").write_text(SHORT.replace(before, after, 1))
    with pytest.raises(KithError, match=message) as error:
        study.choose("shop", [], target)
    assert str(error.value).startswith(f"{study.STUDIES / 'shop.yaml'}: ")
    assert target.read_text() == "old: true\n"


FROZEN = """study: {name: shop, methods: [%s]}
fetch: {source: glyphs, path: glyphs.yaml}
prepare: {image: {size: 32}}
train: {epochs: 0, image: {encoder: "%s", tower: linear}}
methods: {%s: {}}
"""


def test_an_encoder_that_does_not_exist(target):
    (study.STUDIES / "shop.yaml").write_text(FROZEN % ("as_it_is", "lite9", "as_it_is"))
    with pytest.raises(KithError, match=r"shop.yaml: study.encoders.lite9: there is no encoder 'lite9'; there are"):
        study.choose("shop", [], target)
    assert target.read_text() == "old: true\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FROZEN % ("as_it_is", "minilm", "as_it_is"), r"study.encoders.minilm: .*minilm does not read images"),
        (
            FROZEN.replace("source: glyphs, path: glyphs.yaml", "source: arrays, path: views.npz")
            % ("as_it_is", "lite0", "as_it_is"),
            "the source arrays brings features",
        ),
        (FROZEN.replace('"%s"', "%s") % ("as_it_is", "5", "as_it_is"), "encoder: .*string"),
        (FROZEN.replace("{%s: {}}", "{%s: {train: [1]}}") % ("as_it_is", "lite0", "as_it_is"), "as_it_is"),
    ],
)
def test_an_encoder_that_cannot_be_meant(target, text, message):
    (study.STUDIES / "shop.yaml").write_text(text)
    with pytest.raises(KithError, match=message):
        study.choose("shop", [], target)
    assert target.read_text() == "old: true\n"


def test_a_written_study_with_an_encoder_of_a_folder_is_read_again(target, capsys):
    (study.STUDIES / "shop.yaml").write_text(FROZEN % ("as_it_is", "hf:./clip", "as_it_is"))
    study.choose("shop", [], target)
    (study.STUDIES / "again.yaml").write_text(target.read_text())
    study.choose("again", [], target)
    assert params.load(target).study.encoders["hf_clip"].encoder == "hf:./clip"


def test_an_encoder_whose_file_is_missing_is_said_at_once(target, capsys):
    (study.STUDIES / "shop.yaml").write_text(FROZEN % ("as_it_is", "resnet-50:weights.pth", "as_it_is"))
    study.choose("shop", [], target)
    assert re.match(r"Before you run it: .*weights\.pth", capsys.readouterr().err)


def test_an_encoder_that_is_trained_on_is_looked_for_too(target, capsys):
    content = """study: {name: shop, methods: [dtsh_finetuned]}
fetch: {source: glyphs, path: glyphs.yaml}
prepare: {image: {size: 32}}
train: {epochs: 1}
methods: {dtsh_finetuned: {train: {image: {encoder: "%s"}}}}
"""
    (study.STUDIES / "shop.yaml").write_text(content % "resnet-50:weights.pth")
    study.choose("shop", [], target)
    assert re.match(r"Before you run it: .*weights\.pth", capsys.readouterr().err)
    (study.STUDIES / "shop.yaml").write_text(content % "lite9")
    with pytest.raises(KithError, match=r"methods\.dtsh_finetuned\.train\.image\.encoder: there is no encoder 'lite9'"):
        study.choose("shop", [], target)


def test_what_cannot_work_is_refused_all_at_once(target):
    text = SHORT.replace("label: category", "group: category").replace(
        "epochs: 10", "image: {tower: resnet-33}\n  epochs: 10"
    )
    (study.STUDIES / "shop.yaml").write_text(text)
    with pytest.raises(KithError) as error:
        study.choose("shop", [], target)
    lines = str(error.value).splitlines()
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines] == [
        "methods.infonce.train.image",
        "methods.hierarchy_ce.losses",
        "methods.hierarchy_ce.train.image",
    ]
    assert target.read_text() == "old: true\n"


def test_what_this_computer_lacks_is_told_and_refused_by_check(target, capsys, monkeypatch):
    monkeypatch.chdir(target.parent)
    (study.STUDIES / "shop.yaml").write_text(SHORT)
    study.main(name="shop")
    told = capsys.readouterr().err.splitlines()
    gone = ["Before you run it: fetch.path: products.parquet: ", "Before you run it: fetch.taxonomy: categories.csv: "]
    assert [line[: len(start)] for line, start in zip(told, gone, strict=True)] == gone
    for name in (None, "shop"):
        with pytest.raises(KithError, match=r"params.yaml: fetch.path: |shop.yaml: fetch.path: "):
            study.main(name=name, check_only=True)
    before = target.read_text()
    study.main(name="another", check_only=True)
    assert capsys.readouterr().out.endswith("another.yaml: no problems\n")
    assert target.read_text() == before
    with pytest.raises(KithError, match="none is named"):
        study.main(check_only=True, set=["train.epochs=3"])


def test_runs_that_the_study_has_no_more_are_named(target, capsys, monkeypatch):
    monkeypatch.chdir(target.parent)
    (study.STUDIES / "shop.yaml").write_text(SHORT)
    for run in ("shop/infonce-0", "shop/vsepp-0", "other/vsepp-0"):
        Path("runs", run).mkdir(parents=True)
    study.main(name="shop")
    assert capsys.readouterr().out.splitlines()[1].startswith("'runs/shop/vsepp-0': of methods or seeds that the study")


def test_files_that_are_no_studies(target):
    (study.STUDIES / "list.yaml").write_text("- 1\n")
    with pytest.raises(KithError, match=r"list.yaml: expected sections"):
        study.choose("list", [], target)


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


def test_the_listing_has_whole_sentences_in_lines_that_fit(tmp_path, monkeypatch):
    heads = {
        "a": "# Study: a. One thing (Barz & Denzler et al., WACV 2019), and\n# another thing. What is not listed.\n\n"
    }
    heads["longer"] = "# About words " + "and words " * 12 + "\n\nstudy: {}\n"
    for name, head in heads.items():
        (tmp_path / f"{name}.yaml").write_text(head)
    monkeypatch.setattr(study, "STUDIES", tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    first, second, *more = study.listing().split("\n")
    assert first == "  a       One thing (Barz & Denzler et al., WACV 2019), and another thing."
    assert second.startswith("  longer  About words and words")
    assert all(line.startswith(" " * 10) for line in more)
    assert max(map(len, (second, *more))) <= 80
    assert " ".join(" ".join([second, *more]).split()).count("and words") == 12


def test_a_study_in_another_encoding_is_named_in_the_listing_too(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_bytes("# café\n".encode("latin-1"))
    monkeypatch.setattr(study, "STUDIES", tmp_path)
    with pytest.raises(KithError, match=r"mine\.yaml: line 1: is not UTF-8 text; save the file as UTF-8"):
        study.listing()


def test_another_folder_than_kiths_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KithError, match="studies: no such folder; run it in Kith's folder"):
        study.choose("flickr8k", [])
