"""`kith drift` on a trained run: new rows of its own kind, and of others."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kith.drift import cells
from kith.drift.reference import KEPT
from kith.errors import KithError
from kith.inference import given
from stages import drift
from tests.made import COLOURS, SHAPES, picture

RUN = Path("runs/shapes/infonce-0")


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def more_shapes(copies: int = 3) -> pd.DataFrame:
    """Rows as the study's, drawn anew."""
    random = np.random.default_rng(77)
    rows = [
        (f"new-{colour}-{shape}-{copy}", png(picture(colour, shape, random)), [f"A {colour} {shape}."], shape)
        for copy in range(copies)
        for colour in COLOURS
        for shape in SHAPES
    ]
    return pd.DataFrame(rows, columns=["id", "image", "texts", "shape"])


def noise() -> pd.DataFrame:
    random = np.random.default_rng(5)
    rows = [
        (f"noise-{n}", png(random.integers(0, 256, (32, 32, 3), np.uint8)), ["a purple elephant"], "elephant")
        for n in range(60)
    ]
    return pd.DataFrame(rows, columns=["id", "image", "texts", "shape"])


def told(capsys, **given) -> dict:
    drift.main(run=RUN, table=Path("new.parquet"), json=True, **given)
    return json.loads(capsys.readouterr().out)


def test_rows_of_the_same_kind_and_of_another(trained, capsys):
    more_shapes().to_parquet("new.parquet")
    same = told(capsys)
    assert not same["train_again"], same["sentence"]
    assert (same["rows"], same["new"]) == (72, 72)
    noise().to_parquet("new.parquet")
    other = told(capsys)
    assert other["train_again"]
    assert "new pictures can be told from those held out" in other["sentence"]
    assert "have words that the model does not know" in other["sentence"]


def test_rows_that_were_there_in_training_are_not_new(trained, capsys):
    old = pd.read_parquet("shapes.parquet")
    pd.concat([old, more_shapes(1)]).to_parquet("new.parquet")
    found = told(capsys)
    assert (found["rows"], found["new"], found["looked_at"]) == (264, 24, 24)
    old.to_parquet("new.parquet")
    with pytest.raises(KithError, match=r"new.parquet: 0 new rows, of 240; fewer than 20 say nothing, wait for more"):
        told(capsys)


@pytest.mark.parametrize("by", ["pictures", "groups"])
def test_rows_that_show_the_same_are_one(trained, capsys, by):
    table = more_shapes(2)
    again = table.assign(id="again-" + table["id"])
    if by == "groups":
        again["image"] = more_shapes(4)["image"].iloc[-len(again) :].to_list()
    every = pd.concat([table, again], ignore_index=True).assign(product=[*range(len(table))] * 2)
    every.to_parquet("new.parquet")
    found = told(capsys, group="product" if by == "groups" else None)
    assert (found["new"], found["looked_at"]) == (96, 48)
    every.head(60).assign(product=[row % 15 for row in range(60)]).to_parquet("new.parquet")
    with pytest.raises(KithError, match="the 60 new rows are of 15 groups or pictures; fewer than 20 say nothing"):
        told(capsys, group="product")
    with pytest.raises(KithError, match=r"no column 'shelf' \(--group\); the columns are: id, "):
        told(capsys, group="shelf")


def test_a_run_remembers_what_it_was_trained_on(trained, capsys):
    more_shapes().to_parquet("new.parquet")
    first = told(capsys)
    assert (RUN / KEPT).is_file()
    shutil.rmtree("data/shapes/prepared")
    assert told(capsys) == first
    (RUN / KEPT).write_bytes((RUN / KEPT).read_bytes()[:100])
    with pytest.raises(KithError, match="run the prepare stage"):
        told(capsys)


def test_other_data_than_those_of_the_training_are_refused_at_first(trained, capsys):
    more_shapes().to_parquet("new.parquet")
    path = Path("data/shapes/prepared/dataset.json")
    path.write_text(path.read_text() + "\n")
    with pytest.raises(KithError, match="the first `kith drift` of a run needs the data that it was trained on"):
        told(capsys)
    assert not (RUN / KEPT).exists()


def test_a_new_class_is_told_where_the_run_knows_classes(trained, capsys):
    more_shapes().replace({"shape": {"bar": "heptagon"}}).to_parquet("new.parquet")
    drift.main(run=Path("runs/shapes/hierarchy_ce-0"), table=Path("new.parquet"))
    said = capsys.readouterr().out
    assert "1 class that the model does not know (heptagon)" in said
    assert said.splitlines()[-1].startswith("train again: ")


def test_classes_are_read_as_prepare_reads_them(tmp_path):
    path = tmp_path / "table.parquet"
    names = {"info": {"features": {"kind": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = pa.table({"text": ["a", "b", "c"], "kind": pa.array([1, None, 0]), "size": ["2.0", "n/a", "3.0"]})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(names)}), path)
    source = given.GivenInput(path, {"text": "text"})
    assert cells.words(source, "kind") == ["dog", "", "cat"]
    assert cells.words(source, "size") == ["2", "", "3"]


def test_faults_are_counted_and_left_out(trained, capsys):
    more_shapes().to_parquet("new.parquet")
    table = pd.read_parquet("new.parquet")
    table.at[3, "image"] = b"no picture"
    table.to_parquet("new.parquet")
    drift.main(run=RUN, table=Path("new.parquet"))
    said = capsys.readouterr().out
    assert "72 new rows of 72" in said
    assert "1 faults, left out: row 3" in said or "1 fault" in said


def test_of_many_new_rows_a_sample_is_looked_at(trained, capsys, monkeypatch):
    monkeypatch.setattr("kith.drift.new_rows.MOST", 40)
    more_shapes().to_parquet("new.parquet")
    drift.main(run=RUN, table=Path("new.parquet"))
    assert "looked at 40 of them" in capsys.readouterr().out


def test_columns_may_be_named_and_ids_may_be_missing(trained, capsys):
    table = more_shapes().rename(columns={"image": "photo", "texts": "caption"}).drop(columns="id")
    table.to_parquet("new.parquet")
    drift.main(run=RUN, table=Path("new.parquet"), image="photo", text="caption", json=True)
    said = capsys.readouterr()
    assert json.loads(said.out)["new"] == 72
    assert "new.parquet: no column of ids, so every row counts as new" in said.err
    table["caption"] = [texts[0] for texts in table["caption"]]
    table[["caption"]].to_csv("new.csv", index=False)
    drift.main(run=RUN, table=Path("new.csv"), text="caption")
    said = capsys.readouterr().out
    assert "texts told apart" in said
    assert "pictures told apart" not in said
