"""Stanford Online Products: its lists, its super-classes as a taxonomy, and everything that may be wrong with it."""

from pathlib import Path

import pandas as pd
import pytest

from tests import made_classes as made
from tests.made_classes import build, fault
from tests.made_params import write_params
from tests.stages.test_prepare import OUT, RAW, REST, check_contract

CLASSES = {"train": {1: "bicycle", 2: "bicycle", 3: "coffee_maker"}, "test": {4: "coffee_maker", 5: "sofa"}}


def products(path: Path, each: int = 4) -> Path:
    """Five classes of four pictures in three super-classes; none is in both splits."""
    ids = {"bicycle": 1, "coffee_maker": 4, "sofa": 9}
    number = 0
    for split, classes in CLASSES.items():
        rows = ["image_id class_id super_class_id path"]
        for node, above in classes.items():
            for i in range(each):
                number += 1
                rows.append(f"{number} {node} {ids[above]} {above}_final/{node:03d}_{i}.JPG")
                made.picture(path / f"{above}_final/{node:03d}_{i}.JPG", 10 * number)
        made.write(path / f"Ebay_{split}.txt", *rows)
    return path


def test_classes_with_their_super_classes(tmp_path):
    items, images, dataset = build("stanford_online_products", products(tmp_path / "sop"), val=0.25)
    assert items.groupby("split").size().to_dict() == {"train": 9, "val": 3, "test": 8}
    assert items["id"].iloc[0] == "bicycle_final/001_0.JPG"
    assert items.groupby("split")["label"].unique().map(list).to_dict() == {
        "train": [1, 2, 3],
        "val": [1, 2, 3],
        "test": [4, 5],
    }
    assert (items["label_name"] == items["label"].astype(str)).all()
    assert len(images) == 20
    tree = dataset.taxonomy.to_pandas()
    assert dict(zip(tree["child"], tree["parent"], strict=True)) == {
        **dict.fromkeys(("bicycle", "coffee_maker", "sofa"), "product"),
        **{"1": "bicycle", "2": "bicycle", "3": "coffee_maker", "4": "coffee_maker", "5": "sofa"},
    }
    assert dict(zip(tree["child"], tree["name"], strict=True))["3"] == "coffee maker 3"


def test_another_taxonomy_takes_the_place_of_its_own(tmp_path):
    made.write(tmp_path / "tree.txt", *(f"0 {node}" for node in range(1, 6)))
    *_, dataset = build("stanford_online_products", products(tmp_path / "sop"), taxonomy=tmp_path / "tree.txt")
    assert set(dataset.taxonomy["parent"].to_pylist()) == {"0"}


def test_as_far_as_the_contract(tmp_path, monkeypatch):
    from stages import fetch, prepare

    monkeypatch.chdir(tmp_path)
    products(Path("sop"))
    fetching = {"source": "stanford_online_products", "path": "sop"}
    write_params({**REST, "fetch": fetching, "prepare": {"image": {"size": 8}}, "text": {"backend": "none"}})
    fetch.main(out=RAW)
    prepare.main(raw=RAW, out=OUT)
    described = pd.read_json(OUT / "dataset.json", typ="series").to_dict()
    check_contract(described)
    assert described["name"] == "stanford_online_products"
    assert described["licence"].startswith("research only")
    assert len(pd.read_parquet(OUT / "taxonomy.parquet")) == 8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "image_id class_id",
            "id class",
            "Ebay_train.txt: line 1: expected the names image_id class_id super_class_id",
        ),
        ("2 1 1 bicycle_final/001_1.JPG", "2 1 1", "Ebay_train.txt: line 3: expected three whole numbers"),
        ("2 1 1 bicycle_final", "2 a 1 bicycle_final", "line 3: expected three whole numbers and <folder>/<picture>"),
        ("001_1.JPG", "001_0.JPG", "'bicycle_final/001_0.JPG' is already listed in Ebay_train.txt, line 2; keep one"),
        ("bicycle_final/001_1", "sofa_final/001_1", "line 3: class 1 is a sofa here and a bicycle in Ebay_train.txt"),
        ("001_1.JPG", "001_9.JPG", "bicycle_final/001_9.JPG' cannot be opened"),
    ],
)
def test_faults(tmp_path, old, new, message):
    file = products(tmp_path / "sop") / "Ebay_train.txt"
    file.write_text(file.read_text().replace(old, new, 1))
    assert message in fault("stanford_online_products", file.parent)
    file.unlink()
    assert "Ebay_train.txt: cannot be opened" in fault("stanford_online_products", file.parent)
