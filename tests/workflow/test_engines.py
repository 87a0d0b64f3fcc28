"""DVC and Snakemake on one DAG, for real: both run a miniature repository with the project's own workflow."""

import shutil

import pytest
import yaml
from PIL import Image

from tests.miniature import ALL, DEFINITION, ROOT, copy

pytestmark = pytest.mark.slow


def test_what_snakemake_ran_is_up_to_date_for_dvc_and_recorded(by_snakemake):
    assert "up to date" in by_snakemake.python("dvc", "status")
    assert by_snakemake.dvc("repro") == []
    assert by_snakemake.run("git", "status", "--porcelain") == ""


def test_two_clones_give_the_same_bytes_whichever_engine_ran(by_dvc, by_snakemake):
    assert (by_dvc.path / "dvc.lock").read_bytes() == (by_snakemake.path / "dvc.lock").read_bytes()
    tracked = by_dvc.run("git", "ls-files")
    assert tracked == by_snakemake.run("git", "ls-files")
    assert "timestamp" not in tracked


def test_second_runs_do_nothing(by_dvc, by_snakemake):
    assert by_dvc.dvc("repro") == []
    assert by_snakemake.snakemake() == []
    assert by_snakemake.run("git", "status", "--porcelain") == ""


def test_what_dvc_ran_is_adopted_with_its_parameters(by_dvc, tmp_path):
    repository = copy(by_dvc, tmp_path)
    repository.python("stages.cli", "adopt")
    assert "Nothing to be done" in repository.planned()
    assert repository.run("git", "status", "--porcelain") == ""
    assert repository.dvc("repro") == []
    repository.edit("compare", digits=3)
    assert repository.snakemake() == ["compare", "draw"]
    assert repository.dvc("repro") == []


def test_a_checkout_is_adopted(by_dvc, tmp_path):
    """As after `git clone` and `dvc pull`: outputs from the cache, in any order, with new modification times."""
    repository = copy(by_dvc, tmp_path)
    for outputs in ("data", "runs"):
        shutil.rmtree(repository.path / outputs)
    repository.python("dvc", "checkout")
    repository.python("stages.cli", "adopt")
    assert repository.snakemake() == []


def test_nothing_stale_is_adopted(by_dvc, tmp_path):
    repository = copy(by_dvc, tmp_path)
    repository.edit("compare", digits=3)
    assert "dvc repro" in repository.python("stages.cli", "adopt", fails=True)


@pytest.mark.parametrize(
    ("section", "values", "expected"),
    [
        ("compare", {"digits": 3}, ["compare", "draw"]),
        ("methods", {"a": {"fails": False, "margin": 1}}, ["train@a-0", "compare", "draw"]),
        ("train", {"epochs": 2}, ["train@a-0", "train@b-0", "compare", "draw"]),
        ("study", {"seeds": [0, 1]}, ["train@a-1", "train@b-1", "compare", "draw"]),
    ],
)
def test_a_changed_parameter_reruns_the_stages_that_read_it(by_dvc, by_snakemake, tmp_path, section, values, expected):
    locks = []
    for origin, engine in ((by_dvc, "dvc"), (by_snakemake, "snakemake")):
        repository = copy(origin, tmp_path / engine)
        repository.edit(section, **values)
        run = [repository.dvc("repro")] if engine == "dvc" else [repository.snakemake(), repository.dvc("repro")]
        assert run == [expected, []][: len(run)]
        locks.append(repository.lock())
    assert locks[0] == locks[1]


def test_a_changed_source_reruns_what_depends_on_it(by_snakemake, tmp_path):
    repository = copy(by_snakemake, tmp_path)
    (repository.path / "source" / "one.txt").write_text("changed\n")
    assert repository.snakemake()[0] == "prepare"
    assert repository.dvc("repro") == []


def test_names_with_braces_and_other_signs_are_read_by_both(origin):
    """As Windows gives pictures: their GUIDs in braces."""
    repository = origin.clone("braces")
    for name in ("{0}.txt", "{a}{{b}}.txt", "[1] *?.txt", "a b$c'.txt", "é.txt"):
        (repository.path / "source" / name).write_text(name)
    assert repository.snakemake() == ALL
    assert repository.snakemake() == repository.dvc("repro") == []
    (repository.path / "source/{0}.txt").write_text("another")
    assert repository.snakemake()[0] == "prepare"


def test_finished_stages_are_recorded_when_another_fails(origin):
    repository = origin.clone("failing")
    repository.edit("methods", b={"fails": True})
    assert repository.snakemake("--keep-going", fails=True) == ["prepare", "train@a-0", "train@b-0"]
    assert sorted(repository.lock()) == ["prepare", "train@a-0"]
    repository.edit("methods", b={"fails": False})
    assert repository.dvc("repro") == ["train@b-0", "compare", "draw"]


def test_what_ends_after_another_has_failed_is_recorded(origin):
    """It is the last job of its run, and Snakemake's own notes of it are behind."""
    repository = origin.clone("later")
    repository.edit("methods", b={"fails": True})
    step = (repository.path / "step.py").read_text()
    waits = 'while "train@b-0" not in open("ran.txt").read():\n        time.sleep(0.1)\n    time.sleep(2)'
    step = step.replace("content = {}", f'if given.name == "train@a-0":\n    {waits}\ncontent = {{}}')
    (repository.path / "step.py").write_text(step)
    assert repository.snakemake(fails=True) == ["prepare", "train@a-0", "train@b-0"]
    assert sorted(repository.lock()) == ["prepare", "train@a-0"]


def test_what_a_failed_stage_has_lost_comes_back_and_it_is_tried_again(by_snakemake, tmp_path):
    """Of DVC see test_former: there the stages themselves do it."""
    repository = copy(by_snakemake, tmp_path)
    model = repository.path / "runs/mini/a-0/model.txt"
    before = model.read_text()
    repository.edit("methods", a={"fails": True})
    assert "put back as before, from DVC's cache: 'runs/mini/a-0/model.txt'" in repository.python(
        "snakemake", "--cores", "2", fails=True
    )
    assert model.read_text() == before
    assert "train@a-0" in repository.snakemake(fails=True)
    assert model.read_text() == before
    repository.edit("methods", a={"fails": False, "margin": 1})
    assert "train@a-0" in repository.snakemake()
    assert model.read_text() != before


@pytest.mark.parametrize("engine", ["dvc", "snakemake"])
def test_another_study_leaves_the_first_as_it_was(by_dvc, by_snakemake, tmp_path, engine):
    """Two studies in one checkout: who switches to the other and back finds all trained, by either engine."""
    repository = copy(by_dvc if engine == "dvc" else by_snakemake, tmp_path)
    first = {path: path.read_bytes() for path in repository.path.glob("*/mini/**/*.txt")}
    repository.edit("study", name="other")
    repository.edit("prepare", rows=5)
    assert getattr(repository, engine)(*["repro"] * (engine == "dvc")) == ALL
    other = {path: path.read_bytes() for path in repository.path.glob("*/other/**/*.txt")}
    assert len(other) == len(first) >= 3
    repository.edit("study", name="mini")
    repository.edit("prepare", rows=3)
    if engine == "snakemake":
        assert repository.snakemake() == repository.dvc("repro") == []
    else:
        assert repository.dvc("repro") == ["compare", "draw"]  # what is not in DVC's cache is made again
    assert all(path.read_bytes() == content for path, content in (first | other).items())


def test_the_log_of_a_failed_stage_is_shown(origin):
    repository = origin.clone("shown")
    repository.edit("prepare", fails=True)
    output = repository.python("snakemake", "--cores", "1", fails=True)
    assert "logs/mini/prepare.log" in output
    assert output.count("broken on purpose") == 1
    assert not (repository.path / "dvc.lock").exists()


def test_only_what_ran_is_recorded(by_snakemake, tmp_path):
    """A stage that is stale for DVC, and that Snakemake was not asked for, stays stale."""
    repository = copy(by_snakemake, tmp_path)
    repository.edit("train", epochs=2)
    assert repository.snakemake("runs/mini/a-0/model.txt") == ["train@a-0"]
    assert repository.dvc("repro") == ["train@b-0", "compare", "draw"]


def test_touching_records_nothing(by_snakemake, tmp_path):
    repository = copy(by_snakemake, tmp_path)
    repository.edit("train", epochs=2)
    repository.snakemake("--touch", "--forceall")
    assert repository.dvc("repro")[:2] == ["train@a-0", "train@b-0"]


def test_parameters_edited_during_a_run_are_not_recorded(origin):
    repository = origin.clone("edited")
    edited = DEFINITION.replace("python step.py draw", "sed -i s/digits/figures/ params.yaml; python step.py draw")
    (repository.path / "dvc.yaml").write_text(edited)
    assert "kith record prepare train@a-0" in repository.python("snakemake", "--cores", "1", fails=True)
    assert not (repository.path / "dvc.lock").exists()


def test_a_typo_in_dvc_yaml_ends_the_run_with_its_stage(origin):
    repository = origin.clone("typo")
    (repository.path / "dvc.yaml").write_text(DEFINITION.replace("${item.seed}", "${item.sed}"))
    assert "stage train: it reads 'item.sed'" in repository.python("snakemake", "--cores", "1", fails=True)


def test_snakemakes_report_shows_figures_with_titles_and_captions_and_needs_no_network(by_snakemake, tmp_path):
    repository = copy(by_snakemake, tmp_path)
    nowhere = "http://127.0.0.1:9"
    repository.environment |= {"http_proxy": nowhere, "https_proxy": nowhere}
    for name in ("tsne_methods", "neighbors", "unheard_of"):
        Image.new("L", (2, 2)).save(repository.path / f"reports/mini/figures/{name}.png")
    repository.python("snakemake", "--report", "all.html")
    page = (repository.path / "all.html").read_text()
    known = yaml.safe_load((ROOT / "workflow/report/figures.yaml").read_text())["tsne_methods"]
    for label in (known["title"], "unheard_of"):
        assert f'"labels": {{"figure": "{label}"}}' in page
    assert known["caption"][:40] in page
    assert "Licence of the data: " in page
    assert "Study <strong>mini</strong>: 2 methods" in page
    assert '"Figures"' in page
    assert "data:image/png" in page


def test_record_wants_names(origin):
    assert "Missing argument" in origin.python("stages.cli", "record", fails=True)
