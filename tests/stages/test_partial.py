"""`kith partial`: the others get their leaderboard, and the one that failed is named in it with its reason."""

import json
import os
import shutil
from unittest import mock

import pandas as pd
import pytest

from kith.errors import KithError
from stages import compare, evaluate, files, partial, report, tracking
from tests.made_runs import make_data, make_items, make_run, write_params
from workflow import failed

METHODS = {"good": 0.3, "fair": 0.45, "bad": 2.5}  # name → noise of its embeddings
DRAWN = ("of_methods", "of_classes", "of_codes", "of_taxonomy", "one_run", "all_methods", "draw")
EXPECTED = {"good": {"test/mean/mrr": {"value": 0.99}}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("partial")
    make_data(root, make_items())
    described = root / "data/made/prepared/dataset.json"
    shown = {"source": "made up", "mean": [0.5], "std": [0.2], "skipped": []}
    files.write_json(described, files.read_json(described) | shown)
    write_params(root, study={"methods": list(METHODS)}, expect=EXPECTED)
    silent = mock.patch.multiple(tracking, log_evaluation=mock.DEFAULT)
    with pytest.MonkeyPatch.context() as patch, silent:
        patch.chdir(root)
        for method, noise in METHODS.items():
            evaluate.main(method=method, seed=0, **make_run(root, method, 0, noise))
    return root


@pytest.fixture
def study(made, tmp_path, monkeypatch):
    """A copy of it, as the current directory; nothing is drawn."""
    shutil.copytree(made, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    monkeypatch.setattr(tracking, "log_comparison", lambda *given: None)
    nothing = dict.fromkeys(DRAWN, lambda *given: {}) | {"class_curves.return_value.precision": pd.DataFrame()}
    for name in ("charts", "spaces", "examples"):
        monkeypatch.setattr(report, name, mock.Mock(**nothing))
    return tmp_path / "study"


def fails(said):
    def main(*, model, trained):
        raise said

    return main


def compared(study):
    made_of = {"data": study / "data/made/prepared", "neighbors": study / "data/made/neighbors"}
    compare.main(**made_of, runs=study / "runs/made", out=study / "reports/made")


def test_the_others_are_ranked_and_the_failed_one_is_named_with_its_reason(study, capsys):
    with pytest.raises(KithError):  # what it has reached before does not count
        train = failed.noting(fails(KithError("the loss is nan in epoch 3;\nlower <train.lr>")))
        train(model=study / "runs/made/good-0/model.pt", trained=None)
    (study / "runs/made/bad-0/metrics.json").unlink()
    partial.main()
    out = study / "reports/made/partial"
    page, shown = (out / "leaderboard.md").read_text(), (out / "report.html").read_text()
    reason = "good-0: test_partial failed: the loss is nan in epoch 3; lower &lt;train.lr"
    assert f"| good | {reason}> |" in page
    assert f"<dt>good</dt><dd>{reason}&gt;</dd>" in shown
    assert "| bad | runs/made/bad-0/metrics.json: no such file; make it with `dvc repro evaluate@bad-0`" in page
    assert set(pd.read_csv(out / "leaderboard.csv")["method"]) == {"fair"}
    assert "rank 1 of 3 methods" in capsys.readouterr().out
    assert not (study / "reports/made/leaderboard.md").exists()  # the place of the whole one
    with pytest.raises(KithError, match="bad-0"):
        compared(study)


@pytest.mark.parametrize("later", [True, False])
def test_a_run_that_is_newer_than_the_note_of_a_failure_counts(study, capsys, later):
    """As DVC brings it from its cache of runs, or from another clone; one of before does not."""
    for method in ("good", "bad"):
        with pytest.raises(KithError):
            failed.noting(fails(KithError("too few")))(model=study / f"runs/made/{method}-0/model.pt", trained=None)
    noted = failed.note_of("made", "good-0").stat().st_mtime_ns
    os.utime(study / "runs/made/good-0/evaluated.json", ns=(noted, noted + (1 if later else -1) * 10**9))
    partial.main()
    ranked = set(pd.read_csv(study / "reports/made/partial/leaderboard.csv")["method"])
    assert ranked == ({"good", "fair"} if later else {"fair"})


def test_a_newer_run_of_other_parameters_does_not_count(study):
    with pytest.raises(KithError):
        failed.noting(fails(KithError("too few")))(model=study / "runs/made/good-0/model.pt", trained=None)
    note = study / "runs/made/good-0/evaluated.json"
    content = files.read_json(note)
    note.write_text(json.dumps(content | {"parameters": "of others"}))
    partial.main()
    assert set(pd.read_csv(study / "reports/made/partial/leaderboard.csv")["method"]) == {"fair", "bad"}
    assert (
        "was evaluated with other parameters than params.yaml has"
        in (study / "reports/made/partial/leaderboard.md").read_text()
    )


def test_a_whole_study_and_one_of_which_nothing_has_finished_have_no_partial_leaderboard(study):
    with pytest.raises(KithError, match="every method has finished"):
        partial.main()
    shutil.rmtree(study / "runs")
    with pytest.raises(KithError, match=r"no method has finished\ngood: runs/made/good-0/metrics.json: no such file"):
        partial.main()


def test_a_partial_leaderboard_goes_when_there_is_the_whole_one(study):
    (study / "reports/made/partial").mkdir(parents=True)
    compared(study)
    assert not (study / "reports/made/partial").exists()
    assert "Not ranked" not in (study / "reports/made/leaderboard.md").read_text()
