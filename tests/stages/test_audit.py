"""The stage audit and `kith audit`: from prepared data to tables, notes and costs."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from kith.audit.cost import costs
from kith.data.digests import sha256
from kith.errors import KithError
from stages import audit, files, params
from stages.study import text_of
from tests import made_audit, made_params
from tests.made_notes import seal_data, seal_run
from tests.made_runs import PARAMS
from tests.workflow.test_dag import ROOT, as_dvc_reads, as_we_read, sources
from workflow.dag import Dag

DATA = Path("data/made/prepared")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made_audit.make_audit_data(tmp_path)
    return tmp_path


def write_queries(checksum: str) -> pd.DataFrame:
    """A run whose queries are the test items, both ways."""
    rows = np.arange(made_audit.TRAIN, made_audit.COUNT)
    ranks = np.where(rows == made_audit.EQUAL_PICTURE[1], 10.0, 2.0)
    asked = {"split": "test", "row": rows, "reciprocal_rank": 1 / ranks, "average_precision": 1 / ranks}
    parts = [pd.DataFrame(asked).assign(direction=way) for way in ("text_to_image", "image_to_text")]
    run = Path("runs/made/good-0")
    files.write_parquet(run / "queries.parquet", pd.concat(parts, ignore_index=True))
    files.write_json(run / "metrics.json", {})
    seal_run(run, checksum)
    return pd.concat(parts, ignore_index=True)


def test_without_params_the_defaults_and_without_runs_no_costs(folder, capsys):
    audit.main(data=DATA)
    out = Path("data/made/audit")
    found = pd.read_parquet(out / "audit.parquet")
    written = pd.read_csv(out / "audit.csv", keep_default_na=False)
    assert written["id"].tolist() == found["id"].tolist()
    summary = files.read_json(out / "summary.json")
    assert summary["near_pictures"] == {"found": 2, "listed": 2, "leaks": 2}
    assert sum(each["listed"] for each in summary.values()) == len(found)
    assert "long_text" not in summary  # nobody says what methods read
    assert not (out / "costs.csv").exists()
    said = capsys.readouterr().out
    assert said.startswith("Pictures compared by pixels, texts by words.\n1 equal pictures; 1 of them between train")
    assert f"All of them: {out / 'audit.csv'}" in said


def test_the_same_bytes_twice(folder):
    for name in ("one", "two"):
        audit.main(data=DATA, out=Path(name))
    for path in Path("one").iterdir():
        assert path.read_bytes() == (Path("two") / path.name).read_bytes(), path


def test_costs_are_of_the_queries_that_are_left(folder, capsys):
    queries = write_queries(sha256(DATA / "dataset.json"))
    audit.main(data=DATA)
    cost = pd.read_csv("data/made/audit/costs.csv")
    (row,) = cost[(cost["kind"] == "exact_pictures") & (cost["direction"] == "text_to_image")].itertuples()
    asked = queries[queries["direction"] == "text_to_image"]
    assert (row.run, row.queries, row.affected) == ("good-0", 60, 1)
    assert row.mrr == pytest.approx(asked["reciprocal_rank"].mean())
    assert row.mrr_without == pytest.approx(0.5)
    assert row.map_without == pytest.approx(0.5)
    assert "equal pictures: 1 of 60 queries (good-0, test, " in capsys.readouterr().out


def test_texts_with_any_line_ends_stay_in_their_cells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = made_audit.make_audit_data(tmp_path)
    items = pd.read_parquet(folder / "items.parquet")
    text = "красная\rполоса\r\nна сером\nполе"
    items["texts"].iat[made_audit.CYRILLIC][0] = text
    files.write_parquet(folder / "items.parquet", items)
    seal_data(folder)
    audit.main(data=DATA)
    with Path("data/made/audit/audit.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = pd.read_parquet("data/made/audit/audit.parquet")
    assert [(row["kind"], row["text"]) for row in rows] == list(zip(found["kind"], found["text"], strict=True))
    assert text in [row["text"] for row in rows]


def test_runs_of_other_data_are_refused(folder):
    write_queries("0" * 64)
    with pytest.raises(KithError, match="was made of other data"):
        audit.main(data=DATA)


def test_kinds_without_queries_cost_nothing_and_none_left_is_nan():
    asked = pd.DataFrame({"split": "test", "direction": "text_to_image", "row": [4, 5]})
    asked = asked.assign(reciprocal_rank=[1.0, 0.5], average_precision=np.nan)
    found = pd.DataFrame(
        {"kind": ["outlier", "odd_picture", "near_pictures"], "row": [9, 4, 4], "other_row": [-1, -1, 5]}
    )
    told = costs(found, asked).set_index("kind")
    assert list(told.index) == ["odd_picture", "near_pictures"]
    assert told.loc["odd_picture", "mrr_without"] == 0.5
    assert np.isnan(told.loc["near_pictures", "mrr_without"])


def test_the_section_is_there_if_a_study_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made_params.write_params({**PARAMS, "audit": {"folds": 3}})
    settings = params.load()
    assert settings.audit.folds == 3
    assert settings.inputs.audited == Path("data/made/audit")
    assert "audit" not in params.complete({**PARAMS})
    with pytest.raises(KithError, match=r"audit\.image names 'lite9', which is not under study\.encoders"):
        made_params.write_params({**PARAMS, "audit": {"image": "lite9"}})


@pytest.fixture
def with_audit(tmp_path) -> Path:
    """The study flickr8k, with an audit."""
    study = yaml.safe_load((ROOT / "studies/flickr8k.yaml").read_text()) | {"audit": {}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    whole = tmp_path / "whole.yaml"
    whole.write_text(text_of(tmp_path / "study.yaml", ["study.methods=[infonce]", "compare.choose={}", "expect={}"]))
    return whole


def test_both_engines_run_it_with_what_the_methods_encode(with_audit, tmp_path, monkeypatch):
    dag = Dag(ROOT / "dvc.yaml", with_audit)
    ours = as_we_read(dag)
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert ours == as_dvc_reads(ROOT / "dvc.yaml", with_audit, folder)
    command, deps, outs, _ = ours["audit@all"]
    assert "--encoded-image data/flickr8k/encoded/lite0 --encoded-text data/flickr8k/encoded/minilm" in command
    assert {"data/flickr8k/encoded/lite0", "data/flickr8k/encoded/minilm"} <= set(deps)
    assert outs == ["data/flickr8k/audit"]
    assert "data/flickr8k/audit" in ours["report"][1]


def test_it_depends_on_the_sources_that_it_imports(with_audit, monkeypatch):
    monkeypatch.chdir(ROOT)
    dag = Dag(ROOT / "dvc.yaml", with_audit)
    stage = next(stage for stage in dag.stages if stage.name == "audit")
    assert sources("stages/audit.py") <= set(dag.inputs(stage, stage.items()[0]))


def test_summary_is_plain_json(folder):
    audit.main(data=DATA, out=Path("out"))
    assert set(json.loads(Path("out/summary.json").read_text())["exact_pictures"]) == {"found", "listed", "leaks"}
