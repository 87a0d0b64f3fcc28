"""Items with several labels each: from tables, lists and COCO's instances, and how their splits are drawn."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from kith.data import check, items, sources, splits
from kith.data.items import ITEMS, Dataset
from kith.data.label_sets import label_sets
from kith.data.problems import Problems
from kith.data.rows import Columns
from kith.errors import KithError
from stages import fetch, params, prepare
from stages.checks.study import faults
from tests import made_label_sets as made
from tests.made_captions import edit_json, picture
from tests.made_params import write_params

ROOT = Path(__file__).resolve().parents[2]
REST = {name: {} for name in ("neighbors", "taxonomy", "class_embedding", "embed", "evaluate", "compare", "report")}


def prepared(fetched: dict, **options) -> tuple[pd.DataFrame, dict]:
    """Items and description of what a source gives."""
    content = {"study": {"name": "mine", "methods": ["dpsh"]}, "fetch": fetched, "text": {"backend": "none"}}
    content |= {"prepare": {"image": {"size": 8}, **options}, "train": {"epochs": 1}, "methods": {"dpsh": {}}}
    write_params(content | REST | {"expect": {}})
    fetch.main(out=Path("raw"))
    prepare.main(raw=Path("raw"), out=Path("prepared"))
    return pd.read_parquet("prepared/items.parquet"), json.loads(Path("prepared/dataset.json").read_text())


def table(rows: list[dict], name: str = "mine.parquet", **columns) -> dict:
    """A table whose pictures all differ."""
    for number, row in enumerate(rows):
        picture(Path(f"{number}.png"), 7 * number % 250)
        row |= {"image": f"{number}.png"}
    frame = pd.DataFrame(rows)
    frame.to_parquet(name) if name.endswith("parquet") else frame.to_csv(name, index=False)
    return {"source": "table", "path": name, "columns": {"image": "image", "texts": [], **columns}}


TAGS = [["sky", "sea"], ["sea"], [], ["sky", "sky "], ["dog"], ["sea", "dog"], ["sky"], ["dog", "sky"]]
WANTED = [["sky", "sea"], ["sea"], [], ["sky"], ["dog"], ["sea", "dog"], ["sky"], ["dog", "sky"]]


@pytest.mark.parametrize("kind", ["lists", "cells", "written", "columns"])
def test_tables_of_several_labels(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if kind == "lists":
        fetched = table([{"tags": tags} for tags in TAGS], labels=["tags"])
    elif kind == "cells":
        fetched = table([{"tags": "; ".join(tags)} for tags in TAGS], "mine.csv", labels=["tags"], separator=";")
    elif kind == "written":  # a list as pandas writes it into CSV
        fetched = table([{"tags": str(tags)} for tags in TAGS], "mine.csv", labels=["tags"])
    else:
        rows = [{name: int(name in tags) for name in ("sky", "sea", "dog")} for tags in WANTED]
        fetched = table(rows, "mine.csv", labels=["sky", "sea", "dog"])
    found, described = prepared(fetched)
    order = ("sky", "sea", "dog") if kind == "columns" else None
    wanted = [sorted(tags, key=order.index) if order else tags for tags in WANTED]
    assert [list(each) for each in found["labels"]] == wanted
    assert set(found["label"]) == {-1}
    assert set(found["label_name"]) == {""}
    assert described["labels"] == 3
    assert set(found["split"]) == {"train", "val", "test"}


def test_minus_one_is_no_label_that_items_share(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, described = prepared(table([{"tags": tags} for tags in [[3, 4], [-1], [4], [-1], [3]] * 2], labels=["tags"]))
    assert [list(each) for each in found["labels"][:5]] == [["3", "4"], [], ["4"], [], ["3"]]
    assert described["labels"] == 2


def test_data_with_one_label_have_no_such_column(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, described = prepared(table([{"kind": "ab"[n % 2]} for n in range(12)], label="kind"))
    assert list(found) == ITEMS.names
    assert described["labels"] == 2


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        ([{"tags": "sky; sea"}], {"labels": ["tags"]}, "is a text, not a list; say what stands between two labels"),
        ([{"sky": 2, "sea": 0}], {"labels": ["sky", "sea"]}, "column 'sky': is '2'; a column of one label has 1 or 0"),
        ([{"tags": [["sky"]]}], {"labels": ["tags"]}, "is of type list; expected a single value"),
    ],
    ids=["text", "two", "nested"],
)
def test_faults_of_tables_name_row_and_column(rows, columns, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KithError, match=said):
        prepared(table(rows, **columns))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"labels": ["tags"], "label": "kind"}, "labels are for items with several"),
        ({"labels": ["a", "b"], "separator": ";"}, "separator is for one column of several labels"),
        ({"separator": ";"}, "separator is for one column of several labels"),
    ],
    ids=["both", "columns", "alone"],
)
def test_columns_that_contradict_each_other_are_refused(columns, said):
    content = {"study": {"name": "mine", "methods": ["dpsh"]}, "text": {"backend": "none"}}
    content |= {"fetch": {"source": "table", "path": "x.csv", "columns": {"texts": [], **columns}}}
    with pytest.raises(KithError, match=said):
        params.check(content | {"train": {"epochs": 1}, "methods": {"dpsh": {}}})


def test_the_check_tells_of_several_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table([{"tags": tags} for tags in TAGS])
    found = check.check(Path("mine.parquet"), Columns(image="image", texts=(), labels=("tags",)))
    told = check.facts(found.dataset, 10)
    assert "3 labels, from 'dog' with 3 rows to 'sky' with 4; 1.4 a row" in " ".join(told)
    assert any("1 rows have no label" in line for line in told)


def item_table(sets: list[list[str]], label: int = -1) -> pa.Table:
    ids = [str(row) for row in range(len(sets))]
    columns = {"id": ids, "split": ["train"] * len(sets), "label": [label] * len(sets), "label_name": [""] * len(sets)}
    columns |= {"texts": [[]] * len(sets), "group": ids, "image_row": range(len(sets))}
    return items.with_sets(pa.table(columns, schema=ITEMS), sets)


def test_the_contract_of_items_with_several_labels():
    for found, said in (
        (item_table([["a", "a"]]), "has an empty label, or one twice"),
        (item_table([[""]]), "has an empty label, or one twice"),
        (item_table([["a"]]).set_column(2, ITEMS.field("label"), pa.array([0])), "has a label beside its labels"),
    ):
        problems = Problems("mine")
        items.check(Dataset(found), 1, problems)
        assert said in str(problems.errors[0])


def test_labels_are_numbered_like_single_ones():
    names, sets = label_sets([["10", "9"], ["9"], []])
    assert names == ["9", "10"]
    assert sets.tolist() == [[True, True], [True, False], [False, False]]


def test_splits_are_drawn_label_by_label_the_rarest_first():
    random = np.random.default_rng(0)
    sets = random.random((400, 6)) < np.array([0.5, 0.4, 0.3, 0.2, 0.15, 0.1])
    sets[sets.sum(axis=1) == 0, 0] = True
    keys = [f"picture {row}" for row in range(400)]
    drawn = splits.draw_per_label(sets, keys, train=10, test=4, val=0.1, seed=3)
    chance, expected = splits.chances(keys, 3), np.full(400, "database", dtype=object)
    for split, count in (("test", 4), ("train", 10)):
        for label in sorted(range(6), key=lambda label: sets[:, label].sum()):
            free = [row for row in range(400) if sets[row, label] and expected[row] == "database"]
            expected[sorted(free, key=lambda row: chance[row])[:count]] = split
    held = sorted(np.flatnonzero(expected == "train"), key=lambda row: chance[row])[:6]
    expected[held] = "val"
    assert drawn.tolist() == expected.tolist()
    assert pd.Series(drawn).value_counts().to_dict() == {"database": 316, "train": 54, "test": 24, "val": 6}
    shuffled = random.permutation(400)
    again = splits.draw_per_label(sets[shuffled], [keys[row] for row in shuffled], 10, 4, 0.1, 3)
    assert again.tolist() == drawn[shuffled].tolist()
    with pytest.raises(KithError, match=r"prepare\.per_class: label 5 has .* fewer than the 400 for train"):
        splits.draw_per_label(sets, keys, train=400, test=1, val=0, seed=0)
    with pytest.raises(KithError, match=r"prepare\.counts: 400 items have a label, fewer than 390 for train and 11"):
        splits.draw(keys, 390, 11, 0, 0)


def test_lists_of_labels(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made.label_lists(Path("lists"))
    found, described = prepared({"source": "label_lists", "path": "lists"}, val=0)
    assert found["split"].value_counts().to_dict() == {"database": 20, "train": 10, "test": 6}
    assert "left out: 10 lines of database.txt that another list has too" in capsys.readouterr().err
    assert described["labels"] == len({label for each in found["labels"] for label in each}) > 15
    by_id = found.set_index("id")["labels"]
    assert list(by_id["images/0_0.jpg"]) == ["0", "1"]  # the folders of who made the lists are gone
    Path("names.txt").write_text("".join(f"{n} concept {n}\n" for n in range(21)))
    named, _ = prepared({"source": "label_lists", "path": "lists", "class_names": "names.txt"})
    assert list(named.set_index("id")["labels"]["images/0_0.jpg"]) == ["concept 0", "concept 1"]
    assert (named["split"] == "val").sum() == 1


def test_pictures_of_lists_may_lie_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made.label_lists(Path("lists"))
    Path("lists/images").rename("pictures")
    found, _ = prepared({"source": "label_lists", "path": "lists", "image_root": "pictures"})
    assert found["id"].iloc[0] == "0_0.jpg"
    source = json.loads(Path("raw/source.json").read_text())
    assert source["image_root"]["path"] == "pictures"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda lines: [f"{lines[0]} 1", *lines[1:]],
            r"lines have different numbers of labels: .*22 in train\.txt, line 1",
        ),
        (
            lambda lines: [lines[0].replace(" 1", " 2", 1), *lines[1:]],
            r"train\.txt: line 1: expected a path and a 0 or 1",
        ),
        (
            lambda lines: [*lines, lines[0]],
            r"train\.txt, line 11: '.*0_0\.jpg' is already listed in train\.txt, line 1",
        ),
        (
            lambda lines: [lines[0].replace(" 0", " 1", 1), *lines[1:]],
            r"database\.txt, line 1: '.*0_0\.jpg' has other labels than in train\.txt, line 1",
        ),
        (lambda lines: ["nowhere.jpg" + lines[0][lines[0].index(" ") :]], "has no picture 'nowhere.jpg', nor any end"),
    ],
    ids=["width", "mark", "twice", "other", "nowhere"],
)
def test_faults_of_lists_are_named(change, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = made.label_lists(Path("lists")) / "train.txt"
    file.write_text("\n".join(change(file.read_text().splitlines())))
    with pytest.raises(KithError, match=said):
        sources.find("label_lists").listing(Path("lists"), {"image_root": None})


@pytest.mark.parametrize("year", [2014, 2017])
def test_the_instances_of_coco(year, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made.instances(Path("coco"), year)
    found, _ = prepared({"source": f"coco{year}_labels", "path": "coco"}, val=0)
    assert found["split"].value_counts().to_dict() == {"train": 23, "test": 8}
    assert "2 pictures with nothing annotated" in capsys.readouterr().err
    content = json.loads(Path(f"coco/annotations/instances_val{year}.json").read_text())
    called = {each["id"]: each["name"] for each in content["categories"]}
    wanted: dict[str, set[str]] = {}
    for each in content["annotations"]:
        wanted.setdefault(str(each["image_id"]), set()).add(called[each["category_id"]])
    tested = found[found["split"] == "test"].set_index("id")["labels"]
    assert {key: set(each) for key, each in tested.items()} == wanted
    drawn, _ = prepared({"source": f"coco{year}_labels", "path": "coco"}, counts={"train": 10, "test": 5}, val=0.2)
    assert drawn["split"].value_counts().to_dict() == {"database": 16, "train": 8, "test": 5, "val": 2}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["annotations"][0].update(category_id=9), "annotations: row 0: no category has the id 9"),
        (lambda c: c["annotations"][0].update(image_id=999), "annotations: no image has the image_id 999"),
        (lambda c: c["categories"][0].update(name="cat"), "categories: row 0: id 1 has another name, or comes again"),
        (lambda c: c["images"].append(c["images"][0]), "images: row 9: id 25 comes again"),
    ],
    ids=["category", "image", "name", "twice"],
)
def test_faults_of_instances_are_named(change, said, tmp_path):
    path = made.instances(tmp_path / "coco")
    edit_json(path / "annotations/instances_val2014.json", change)
    with pytest.raises(KithError, match=said):
        sources.find("coco2014_labels").listing(path, {"image_root": None})


@pytest.mark.parametrize(("name", "make"), [("nuswide", made.label_lists), ("coco_labels", made.instances)])
def test_a_study_is_fetched_and_prepared_in_the_official_layout(name, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = yaml.safe_load((ROOT / f"studies/{name}.yaml").read_text())
    make(Path(study["fetch"]["path"]))
    study["prepare"]["image"] |= {"size": 8, "store_size": 8}
    if name == "coco_labels":
        assert study["prepare"]["counts"] == {"train": 10_000, "test": 5_000}
        study["prepare"]["counts"] = {"train": 12, "test": 5}
    study["fetch"].pop("download", None)
    write_params(study)
    of_data = [each for each in faults(params.load()) if not each.here and "encoder" not in each.key]
    assert not [each for each in of_data if "label" in each.message]
    fetch.main(out=Path("raw"))
    prepare.main(raw=Path("raw"), out=Path("prepared"))
    found = pd.read_parquet("prepared/items.parquet")
    assert set(found["split"]) == {"train", "val", "test", "database"}
    assert found["labels"].map(len).min() >= 1
    assert (found["split"] == "test").sum() == (5 if name == "coco_labels" else 6)


def test_the_protocol_of_nus_wide_is_drawn_from_any_lists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made.label_lists(Path("lists"), labels=4, each=60)
    options = {"per_class": {"train": 5, "test": 2}, "val": 0}
    found, _ = prepared({"source": "label_lists", "path": "lists"}, **options)
    assert found["split"].value_counts().to_dict() == {"database": 72 - 28, "train": 20, "test": 8}
