"""`kith cost` on a small trained study: its files, what they are of, and what repeats."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kith.data.digests import sha256
from kith.errors import KithError
from kith.store.prepared import Prepared
from stages import cli, cost, export, search
from stages.reporting import cost as tables
from tests.conftest import PARAMS
from tests.made_params import write_params
from tests.stages.tracking.test_tracking import run_method

TEXTS, CLASSES = Path("runs/shapes/infonce-0"), Path("runs/shapes/hierarchy_ce-0")
OUT = Path("reports/shapes/cost")


@pytest.fixture(scope="module")
def study(trained_study, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cost") / "study"
    shutil.copytree(trained_study, folder)
    with chdir(folder):
        cost.main(run=[TEXTS, CLASSES], size=1000)
    return folder


def test_files_say_what_was_measured(study, monkeypatch):
    monkeypatch.chdir(study)
    data = Prepared(Path("data/shapes/prepared"))
    qualities, times, picture, told = tables.read(OUT, data.checksum)
    assert told["runs"] == {run.name: sha256(run / "model.pt") for run in (TEXTS, CLASSES)}
    assert (told["split"], told["count"], told["items"]) == ("test", 10, len(data.rows_of("test")))
    assert told["fitted"] == len(data) - told["items"]
    assert qualities.groupby("run").size().to_dict() == {"infonce-0": 10, "hierarchy_ce-0": 9}
    assert set(times["vectors"]) == {24, 250, 500, 1000, 10**6, 10**8}
    assert set(times.loc[times["extrapolated"], "vectors"]) == {10**6, 10**8}
    assert Image.open(OUT / "cost.png").size[0] > 500
    assert picture == (OUT / "cost.png").read_bytes()


def test_qualities_are_those_of_the_vectors(study, monkeypatch):
    """MRR@10 of exact float32 from the vectors that the embed stage wrote, in loops."""
    monkeypatch.chdir(study)
    data = Prepared(Path("data/shapes/prepared"))
    rows = np.load(TEXTS / "embedding_rows.npz")
    images, texts = (np.load(TEXTS / f"embeddings_{side}.npy") for side in ("image", "text"))
    inside = [data.splits[rows[f"{side}_rows"]] == "test" for side in ("image", "text")]
    items = [rows[f"{side}_rows"][kept] for side, kept in zip(("image", "text"), inside, strict=True)]
    reciprocal = []
    for vector, item in zip(texts[inside[1]], items[1], strict=True):
        order = items[0][np.argsort(-(images[inside[0]] @ vector), kind="stable")]
        right = [place for place, other in enumerate(order, start=1) if data.groups[other] == data.groups[item]]
        reciprocal.append(1 / right[0] if right[0] <= 10 else 0)
    table = pd.read_csv(OUT / "cost.csv").set_index(["run", "index"])
    assert table.loc[("infonce-0", "float32"), "mrr"].item() == pytest.approx(np.mean(reciprocal), abs=1e-6)
    assert table.loc["hierarchy_ce-0"]["mrr"].isna().all()
    assert table.loc[("hierarchy_ce-0", "float32"), "hp"].item() > 0.5


def test_the_page_has_a_line_an_index_and_marks_what_is_extrapolated(study):
    page = (study / OUT / "cost.md").read_text(encoding="utf-8")
    assert page.count("| float32 |") == 4  # qualities and times, of two runs
    assert "| index | bytes an item | MRR@10 | mAP@10 | class mAP@10 | HP@10 | of the exact | 10⁶ items |" in page
    assert "query, ≈ 10⁸" in page
    assert "≈ 24" not in page
    assert "| signs | 8 |" in page


def test_qualities_repeat_and_times_are_elsewhere(study, tmp_path, monkeypatch):
    monkeypatch.chdir(study)
    cost.main(run=[TEXTS, CLASSES], size=1000, out=tmp_path / "again")
    assert (tmp_path / "again/cost.csv").read_bytes() == (OUT / "cost.csv").read_bytes()
    assert not {"query_ms", "build_s"} & set(pd.read_csv(OUT / "cost.csv"))


def test_a_matryoshka_training_is_measured_at_its_widths(study, tmp_path):
    """Trained, embedded and evaluated as any method; trained.json and the model say the widths."""
    folder = shutil.copytree(study, tmp_path / "study")
    nested = {"preset": "infonce", "losses": {"matryoshka": [3, 6]}}
    write_params(PARAMS | {"methods": PARAMS["methods"] | {"nested": nested}}, folder)
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.tracking.runs.available", lambda: False)
        run_method("nested")
        run, data = Path("runs/shapes/nested-0"), Prepared(Path("data/shapes/prepared"))
        model, _ = cost.of_run(run, data, Path("data/shapes/taxonomy"), "test", 1000)
        assert model == {"codes": False, "widths": [3, 6]}
        assert json.loads((run / "trained.json").read_text())["trained_with"]["losses.matryoshka"] == [3, 6]
        assert (run / "model.pt").read_bytes() != (TEXTS / "model.pt").read_bytes()
        before, after = (pd.read_parquet(each / "history.parquet") for each in (TEXTS, run))
        assert list(before) == list(after)


def test_what_cannot_be_measured_is_refused(study, tmp_path, monkeypatch):
    monkeypatch.chdir(study)
    other = shutil.copytree(TEXTS, tmp_path / "runs/others/infonce-0")
    for options, problem in [
        ({"run": [Path("runs/shapes/none-0")]}, "no such run"),
        ({"run": [TEXTS], "index": ["fast"]}, "no index is called 'fast'"),
        ({"run": [TEXTS], "index": ["float32@99"]}, "float32@99: vectors of 16 numbers have no first 99"),
        ({"run": [TEXTS], "split": "nowhere"}, "--split nowhere: no pictures of it; there are 'test', 'train', 'val'"),
        ({"run": [TEXTS, other]}, "are of different data; measure them apart"),
    ]:
        with pytest.raises(KithError, match=problem):
            cost.main(**options, out=tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_files_of_other_data_are_refused(study, tmp_path):
    copy = shutil.copytree(study / OUT, tmp_path / "cost")
    with pytest.raises(KithError, match="was made of other data"):
        tables.read(copy, "0" * 64)
    (copy / "times.csv").write_text("run\n")
    with pytest.raises(KithError, match=r"times\.csv: is not the file that"):
        tables.read(copy, json.loads((copy / tables.NOTED).read_text())["data"])


def test_the_command_takes_runs_by_place(study, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(study)
    cli.main(["cost", str(TEXTS), "--index", "int8", "--size", "1000", "--out", str(tmp_path / "one")])
    said = capsys.readouterr().out
    assert "| int8 | 16 |" in said
    assert "float16" not in said.partition("Bytes an item")[0]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        *("cost.csv", "cost.md", "cost.png", "made_of.json", "times.csv"),
    ]


def test_without_faiss_the_rest_is_measured_and_it_is_said(study, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(study)
    for place in ("stages.cost.installed", "kith.indexes.cost.installed"):
        monkeypatch.setattr(place, lambda: False)
    cost.main(run=[TEXTS], size=1000, out=tmp_path / "less")
    assert "pip install -r requirements-indexes.txt" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "less/cost.csv")["index"].tolist() == [
        *("float32", "float32@8", "float32@4", "signs", "itq"),
    ]


def test_a_search_by_an_index_says_so(study, monkeypatch, capsys):
    monkeypatch.chdir(study)
    search.main(run=[TEXTS], text="red", count=3, index="int8")
    approximate = capsys.readouterr().out
    search.main(run=[TEXTS], text="red", count=3)
    exact = capsys.readouterr().out
    assert ", approximately, by int8" in approximate.splitlines()[0]
    assert approximate.splitlines()[1:] == exact.splitlines()[1:]
    with pytest.raises(KithError, match="no index is called 'fast'"):
        search.main(run=[TEXTS], text="red", index="fast")


def test_an_index_is_exported_with_ids_and_what_it_is_of(study, monkeypatch, tmp_path):
    from kith.indexes.exported import Exported

    monkeypatch.chdir(study)
    data = Prepared(Path("data/shapes/prepared"))
    vectors, rows = np.load(TEXTS / "embeddings_text.npy"), np.load(TEXTS / "embedding_rows.npz")
    for form in ("faiss", "usearch"):
        export.main(run=TEXTS, format=form, out=tmp_path / form)
        index = Exported(tmp_path / form / f"text.{form}", data)
        ids = index.search(vectors[:5], 2)[0]
        of = data.table["id"].to_numpy()[rows["text_rows"][:5]]
        assert all(item in found for item, found in zip(of, ids, strict=True))
        assert index.note["model"] == sha256(TEXTS / "model.pt")
        assert {path.name for path in (tmp_path / form).iterdir()} == {
            *("image." + form, "image.json", "text." + form, "text.json"),
        }
    with pytest.raises(KithError, match="--index int8: is for --format faiss and usearch"):
        export.main(run=TEXTS, format="npz", out=tmp_path / "npz", index="int8")
