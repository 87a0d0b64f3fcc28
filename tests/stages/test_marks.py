"""prepare heeds what a person has marked: prepare.exclude and prepare.relabel."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kith.audit.looks import left_out
from kith.audit.subject import Subject
from kith.data.check import Discarded
from kith.data.items import Dataset
from kith.data.marks import heed
from kith.data.rows import Columns
from kith.data.table import build
from kith.errors import KithError
from kith.search.marks import Mark, MarksFile
from kith.store.prepared import Prepared
from stages import params
from stages.params.inputs import NONE
from tests.stages.test_prepare import OUT, run, settle, small_table


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def marked(text: str, *, exclude: bool = True, relabel: bool = True, n: int = 12) -> None:
    """The table of tests/stages/test_prepare.py, and marks.csv with this content."""
    Path("marks.csv").write_text(text, encoding="utf-8")
    files = {"exclude": "marks.csv"} if exclude else {}
    small_table(n, val=0.2, test=0.2, **files, **({"relabel": "marks.csv"} if relabel else {}))


def items() -> pd.DataFrame:
    return pd.read_parquet(OUT / "items.parquet").set_index("id")


def test_one_file_of_marks_excludes_and_relabels(capsys):
    small_table(12, val=0.2, test=0.2)
    run()
    before, pictures = items(), (OUT / "images.npy").read_bytes()
    marked("id,mark,label,text\nn3,exclude,,\nn5,relabel,c0,\nn6,keep,,\nn7,exclude,,other 7\n")
    described = run()
    after = items()
    assert list(after.index) == [name for name in before.index if name != "n3"]
    changed = after.loc["n5"]
    assert (before.loc["n5", "label_name"], changed["label_name"]) == ("c2", "c0")
    assert changed["label"] == before.loc["n0", "label"]
    assert list(after.loc["n7", "texts"]) == ["text 7"]
    same = after.drop(index=["n5", "n7"])
    pd.testing.assert_frame_equal(same, before.loc[same.index])  # splits too
    assert (OUT / "images.npy").read_bytes() == pictures
    assert described["skipped"] == [{"row": 3, "id": "n3", "field": "", "problem": "excluded: by marks.csv"}]
    assert "prepare: left out, as is marked: 1 excluded; listed in" in capsys.readouterr().err
    assert not len(next(left_out(Subject(Prepared(OUT), None, {}))))  # it is no fault any more
    assert described["counts"] == after["split"].value_counts().to_dict()


def test_plain_lists_need_no_column_of_marks():
    marked("id\nn3\n\nn4\n", relabel=False)
    run()
    assert not {"n3", "n4"} & set(items().index)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\nn99\n", "marks.csv, line 2: no item has the id 'n99'"),
        ("name\nn1\n", "marks.csv: no column 'id'"),
        ("", "marks.csv: no column 'id'"),
        ("id,mark\nn1,drop\n", "line 2, column 'mark': unknown mark 'drop'; marks are keep, exclude, relabel"),
        ("id,mark\nn1\n", "line 2: 1 fields, and the first line has 2 columns"),
        ("id,text\nn1,no such text\n", "line 2: 'n1' has no such text"),
        ('id,why\nn1,"of\ntwo\nlines"\nn99,\n', "line 5: no item has the id 'n99'"),
        ("id,mark\nn1,\nn2,drop\n", "line 3, column 'mark': unknown mark 'drop'"),
    ],
)
def test_what_cannot_be_excluded_is_told_with_its_line(text, message):
    marked(text, relabel=False)
    with pytest.raises(KithError, match=message):
        run()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,label\nn1,c9\n", "line 2: no item has the label 'c9'"),
        ("id,label\nn1,\n", "line 2, column 'label': is empty"),
        ("id\nn1\n", "no column 'label'"),
        ("id,label\nn1,c0\nn1,c2\n", "line 3: 'n1' gets the label 'c2', and 'c0' in line 2"),
        ("id,label\nn99,c0\n", "line 2: no item has the id 'n99'"),
    ],
)
def test_what_cannot_be_relabelled_is_told_with_its_line(text, message):
    marked(text, exclude=False)
    with pytest.raises(KithError, match=message):
        run()


def test_a_missing_file_is_named():
    small_table(exclude="nowhere.csv")
    with pytest.raises(KithError, match=r"nowhere\.csv: no such file"):
        run()


def test_arrays_are_mended_themselves():
    random = np.random.default_rng(0)
    np.savez("pairs.npz", image=random.normal(size=(20, 3)), text=random.normal(size=(20, 4)))
    Path("marks.csv").write_text("id\n3\n")
    settle({"source": "arrays", "path": "pairs.npz"}, {"exclude": "marks.csv"})
    with pytest.raises(KithError, match="are for pictures and texts"):
        run()


def test_both_engines_see_the_files():
    small_table(exclude="marks.csv")
    settings = params.load()
    assert settings.inputs.exclude == Path("marks.csv")
    assert settings.inputs.relabel == Path(NONE)


def test_what_is_not_given_is_not_in_params_yaml():
    """So that what was prepared before there were marks stays as it is."""
    small_table()
    content = params.parse(Path("params.yaml").read_text())
    assert not {"exclude", "relabel"} & set(content["prepare"])
    assert "audit" not in content


def test_marks_by_numbers_of_rows_are_refused_where_the_rows_are_others(tmp_path):
    """A row that was put in before it: the number is there, and is another item's."""

    def table(texts: list[str]) -> Dataset:
        pd.DataFrame({"text": texts}).to_csv(tmp_path / "t.csv", index=False)
        return build(tmp_path / "t.csv", Columns(image=None), Discarded())

    marks = tmp_path / "marks.csv"
    marks.write_text("id,mark,label,text,of\n3,exclude,,,text 3\n")
    texts = [f"text {number}" for number in range(20)]
    assert heed(table(texts), marks, None).items["texts"].to_pylist() == [[text] for text in texts if text != "text 3"]
    said = (
        r"marks\.csv, line 2: what was marked had the text 'text 3', and row 3 of these data has not \(row 4 has it\)"
    )
    with pytest.raises(KithError, match=said):
        heed(table(["new", *texts]), marks, None)


@pytest.mark.parametrize("store", ["array", "photos"])
def test_pictures_without_texts_are_known_by_their_picture(store, monkeypatch):
    """Marked on the page, prepared again; then a row is put in before it."""
    for i in range(13):
        Image.new("RGB", (8, 8), (i, 10 * i, 255 - i)).save(f"{i}.png")

    def settled(rows: range, **marked: str) -> pd.DataFrame:
        table = pd.DataFrame({"file": [f"{i}.png" for i in rows], "kind": [f"c{i % 2}" for i in rows]})
        table.to_csv("table.csv", index=False)
        columns = {"image": "file", "texts": [], "label": "kind"}
        settle(
            {"source": "table", "path": "table.csv", "columns": columns},
            {"image": {"size": 16, "store": store}, "val": 0.2, "test": 0.2, **marked},
        )
        run()
        return items()

    before = settled(range(12))
    marks = MarksFile(Path("marks.csv"), Prepared(OUT))
    assert marks.put([Mark("3", "exclude"), Mark("4", "relabel", "c1")]) == 2
    named = {"exclude": "marks.csv", "relabel": "marks.csv"}
    after = settled(range(12), **named)
    assert list(after.index) == [name for name in before.index if name != "3"]
    assert (before.at["4", "label_name"], after.at["4", "label_name"]) == ("c0", "c1")
    assert MarksFile(Path("marks.csv"), Prepared(OUT)).read()[1] == 0
    with pytest.raises(KithError, match=r"marks\.csv, line 3: row 4 of these data has another picture"):
        settled(range(-1 + 13, -1, -1), **named)
