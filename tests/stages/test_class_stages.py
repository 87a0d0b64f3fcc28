"""The stages fetch, prepare and text on labelled pictures, which have no texts."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from kith.data import digests, sources
from kith.errors import KithError
from kith.store.prepared import Prepared
from stages import class_embedding, fetch, prepare, text
from tests import made_classes as made
from tests.made_params import write_params
from tests.stages.test_prepare import OUT, RAW, REST, check_contract

SHARED = Path(__file__).resolve().parents[3] / "shared"
HIERARCHIES = SHARED / "hierarchies"
TINY = SHARED / "data" / "tiny_imagenet200_32px_60k_jpeg.parquet"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.tracking.runs.available", lambda: False)


def run(size: int, preparing: dict | None = None, **fetching) -> dict:
    image = {"size": size, "mode": "RGB", "fit": "crop"}
    content = {**REST, "fetch": fetching, "prepare": {"image": image, **(preparing or {})}, "text": {"backend": "none"}}
    write_params(content)
    fetch.main(out=RAW)
    prepare.main(raw=RAW, out=OUT)
    return json.loads((OUT / "dataset.json").read_text())


def test_cifar100_with_its_taxonomy():
    made.cifar100(Path("cifar-100-python.tar.gz"))
    made.write(Path("tree.txt"), *(f"{100 + i % 20} {i}" for i in range(100)), *(f"120 {100 + i}" for i in range(20)))
    made.write(Path("names.txt"), *(f"{i} kind of thing {i}" for i in range(100, 121)))
    beside = {"taxonomy": "tree.txt", "class_names": "names.txt"}
    described = run(32, {"val": 0.25}, source="cifar100", path="cifar-100-python.tar.gz", variant="a", **beside)
    check_contract(described)
    assert described["name"] == "cifar100-a"
    assert described["counts"] == {"train": 150, "val": 50, "test": 50}
    assert described["labels"] == 50
    assert described["texts"] == 0
    taxonomy, items = pd.read_parquet(OUT / "taxonomy.parquet"), Prepared(OUT).table
    shown = dict(zip(taxonomy["child"], taxonomy["name"], strict=True))
    assert shown["7"] == "class 7"
    assert shown["104"] == "kind of thing 104"
    assert set(items["label_name"]) == {str(i) for i in range(50)}
    source = json.loads((RAW / "source.json").read_text())
    assert source["rows"] == 250
    assert source["bytes"] == Path("cifar-100-python.tar.gz").stat().st_size
    assert source["taxonomy"]["path"] == "tree.txt"
    first = described["checksums"]
    again = run(32, {"val": 0.25}, source="cifar100", path="cifar-100-python.tar.gz", variant="a", **beside)
    assert again["checksums"] == first
    Path("names.txt").write_text("1 other\n")
    with pytest.raises(KithError, match=r"names.txt: is not what the fetch stage saw"):
        prepare.main(raw=RAW, out=OUT)


def test_cub_without_texts_as_far_as_the_text_stage():
    path = made.birds(Path("CUB_200_2011"))
    described = run(16, {"val": 0.25}, source="cub", path=str(path), train_per_class=2, licence="research")
    check_contract(described)
    assert described["name"] == "cub-sub2"
    assert described["counts"] == {"train": 4, "val": 2, "test": 4}
    assert described["image"] == {"height": 16, "width": 16, "channels": 3, "fit": "crop"}
    text.main(data=OUT, out=Path("data/text"))
    assert np.load("data/text/vectors.npy").shape == (10, 1)
    assert json.loads(Path("data/text/summary.json").read_text())["documents"] == 0


def test_changes_of_a_folder_are_seen_without_reading_pictures(monkeypatch):
    path = made.birds(Path("cub"))
    read, real = [], digests.sha256
    monkeypatch.setattr(digests, "sha256", lambda file: read.append(file.name) or real(file))
    before = sources.find("cub").digest(path)
    assert sorted(read) == sorted(sources.find("cub").lists)
    (path / ".DS_Store").write_text("hidden")
    os.utime(path / "images.txt", (1, 1))
    assert sources.find("cub").digest(path) == before
    split = path / "train_test_split.txt"
    split.write_text(split.read_text().replace("1 1\n", "1 0\n", 1))
    changed = sources.find("cub").digest(path)
    assert changed[0] != before[0]
    assert changed[1] == before[1]
    with (path / "images" / "001.Bird_1" / "0.jpg").open("ab") as file:
        file.write(b"more")
    assert sources.find("cub").digest(path)[0] not in (before[0], changed[0])
    made.picture(path / "images" / "001.Bird_1" / "new.jpg")
    assert sources.find("cub").digest(path)[1] > before[1]


def test_a_folder_that_changed_after_fetch():
    path = made.class_folders(Path("mine"))
    run(8, source="image_folder", path="mine")
    (path / "cat" / "0.png").rename(path / "cat" / "zero.png")
    with pytest.raises(KithError, match=r"mine: is not what the fetch stage saw; run the fetch stage again"):
        prepare.main(raw=RAW, out=OUT)


def test_files_that_cannot_be_read_or_named():
    path = made.class_folders(Path("mine"))
    (path / "cat" / "gone.png").symlink_to("nowhere")
    with pytest.raises(KithError, match=r"mine/cat/gone.png: cannot be read \(No such file or directory\)"):
        run(8, source="image_folder", path="mine")
    (path / "cat" / "gone.png").unlink()
    made.picture(path / "cat" / "plain.png")
    os.rename(path / "cat" / "plain.png", os.fsencode(path / "cat") + b"/\xff.png")
    with pytest.raises(KithError, match=r"mine: 'cat/\\udcff.png': the name is not valid Unicode; rename it"):
        run(8, source="image_folder", path="mine")


def test_fetch_finds_faults_of_lists_and_leaves_nothing_behind():
    path = made.birds(Path("cub"))
    (path / "classes.txt").unlink()
    with pytest.raises(KithError, match=r"cub/classes.txt: cannot be opened"):
        run(8, source="cub", path="cub")
    with pytest.raises(KithError, match=r"nowhere: no such file or folder; mend fetch.path"):
        run(8, source="cub", path="nowhere")
    assert not RAW.exists()


@pytest.mark.skipif(not HIERARCHIES.exists(), reason=f"{HIERARCHIES} is not here")
@pytest.mark.parametrize(
    ("source", "make", "tree", "order", "called", "edges", "shown"),
    [
        ("cifar100", lambda path: made.cifar100(path.with_suffix(".tar.gz")), "cifar/cifar.parent-child.txt",
         "parent-child", "cifar/class_names.txt", 162, "apple"),
        ("cub", lambda path: made.birds(path, (1, 200)), "cub/cub_balanced.parent-child.txt",
         "parent-child", "cub/classes_balanced.txt", 420, "Phoebastria nigripes"),
        ("nab", lambda path: made.birds(path, (817, 1010)), "nab/hierarchy.txt",
         "child-parent", "nab/classes.txt", 1010, "Ducks, Geese, and Swans"),
        ("ilsvrc", made.ilsvrc, "ilsvrc/wordnet.parent-child.pruned.txt.gz",
         "parent-child", "ilsvrc/imagenet_class_index.json", None, "tench"),
        ("inat2018", made.inat, "inat/hierarchy_inat.txt",
         "parent-child", "inat/inat_class_index.json", 14035, "Euchlaena serrata"),
    ],
)  # fmt: skip
def test_labels_are_nodes_of_the_published_taxonomies(source, make, tree, order, called, edges, shown):
    path = make(Path("data-set"))
    beside = {"taxonomy": str(HIERARCHIES / tree), "taxonomy_order": order, "class_names": str(HIERARCHIES / called)}
    run(32, {"val": 0.25}, source=source, path=str(path), **beside)
    taxonomy = pd.read_parquet(OUT / "taxonomy.parquet")
    assert edges in (None, len(taxonomy))
    assert shown in set(taxonomy["name"])
    assert set(Prepared(OUT).table["label_name"]) <= set(taxonomy["child"])


@pytest.mark.skipif(not TINY.exists(), reason=f"{TINY} is not here")
def test_tiny_imagenet_as_a_table_with_a_taxonomy_and_without_texts():
    """Real photographs; their classes are leaves of a taxonomy with a head and words."""
    pq.write_table(pq.ParquetFile(TINY).read_row_group(0).slice(0, 600), "tiny.parquet")
    tree = SHARED / "data" / "tiny_imagenet200_hierarchy_mintree.tsv"
    columns = {"id": "id", "image": "image", "texts": [], "label": "wnid", "split": "split"}
    described = run(32, {"val": 0.2}, source="table", path="tiny.parquet", columns=columns, taxonomy=str(tree))
    check_contract(described)
    items, taxonomy = Prepared(OUT).table, pd.read_parquet(OUT / "taxonomy.parquet")
    assert len(taxonomy) == 513
    assert set(items["label_name"]) <= set(taxonomy["child"])
    assert taxonomy.set_index("child")["name"]["n00001930"] == "physical entity"
    assert described["counts"]["val"] == items.groupby("label").size().mul(0.2).round().sum()
    text.main(data=OUT, out=Path("data/text"))


def test_targets_of_words_are_those_of_the_last_level(tmp_path):
    """So they do not change with what else is in the table."""
    words = pd.DataFrame({"word": ["shoes", "hats"], "vector": [[3.0, 4.0], [1.0, 0.0]]})
    words.to_parquet(tmp_path / "words.parquet")
    classes = pd.DataFrame({"name": ["men > shoes", "women > shoes", "hats"]})
    found = class_embedding._words(str(tmp_path / "words.parquet"), classes, tmp_path)
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.6, 0.8], [1, 0]])
