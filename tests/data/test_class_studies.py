"""The studies of classes that come with Kith: their taxonomies, and fetch and prepare on a miniature of each."""

import hashlib
from pathlib import Path

import pandas as pd
import pytest
import yaml

from kith.data import edges
from kith.data.labels import read_names
from kith.taxonomy import Taxonomy
from stages import fetch, prepare
from tests import made_classes as made
from tests.made_params import write_params

ROOT = Path(__file__).resolve().parents[2]
HIERARCHIES = ROOT / "studies" / "hierarchies"
ORIGINALS = ROOT.parent / "shared" / "hierarchies"
STUDIES = {
    "cifar100": lambda path: made.cifar100(path.with_name("cifar-100-python.tar.gz")),
    "nabirds": lambda path: made.birds(path, (817, 818)),
    "nabirds_large": lambda path: made.birds(path, (817, 818)),
    "cub": made.birds,
    "ilsvrc": made.ilsvrc,
    "inat": made.inat,
    "cars": made.cars,
    "flowers": made.flowers,
}
COUNTS = {  # nodes, classes, height (Barz & Denzler)
    "cifar/cifar.parent-child.txt": (163, 100, 8),
    "cub/cub_flat.parent-child.txt": (368, 200, 4),
    "cub/cub_wikispecies.parent-child.txt": (383, 200, 6),
    "cub/cub_balanced.parent-child.txt": (421, 200, 7),
    "nab/hierarchy.txt": (1011, 555, 4),
    "ilsvrc/wordnet.parent-child.mintree.txt": (1785, 1000, 18),
    "ilsvrc/wordnet.parent-child.pruned.txt.gz": (73473, 57130, 19),
    "inat/hierarchy_inat.txt": (14036, 8142, 7),
    "inat/hierarchy_inat2019.txt": (1190, 1010, 7),
}


def chosen(name: str) -> dict:
    """The study, that of ILSVRC with the smaller of its taxonomies, which is read sooner."""
    text = (ROOT / f"studies/{name}.yaml").read_text()
    return yaml.safe_load(text.replace("child.pruned.txt.gz", "child.mintree.txt"))


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_fetched_and_prepared_in_the_official_layout(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").symlink_to(ROOT / "studies")
    study = chosen(name)
    Path("archives").mkdir()
    assert STUDIES[name](Path("archives") / Path(study["fetch"]["path"]).name) == Path(study["fetch"]["path"])
    study["prepare"]["image"] |= {"size": 8, "store_size": 8} if "store" in study["prepare"]["image"] else {"size": 8}
    write_params(study)
    fetch.main(out=Path("raw"))
    prepare.main(raw=Path("raw"), out=Path("prepared"))
    items = pd.read_parquet("prepared/items.parquet")
    assert set(items["split"]) == {"train", "val", "test"}
    assert items["label"].nunique() >= 2
    nodes = pd.read_parquet("prepared/taxonomy.parquet")
    known = set(nodes["child"])
    assert ("taxonomy" in study["fetch"]) == bool(known)
    assert not known or set(items["label_name"]) <= known


def test_pictures_are_varied_as_in_the_published_program():
    """Which data sets it zooms and erases, and the crops of each."""
    zoomed, erased, large = {"ilsvrc", "nabirds", "inat"}, {"nabirds", "nabirds_large", "cub", "cars", "flowers"}, 448
    for name in set(STUDIES) - {"cifar100"}:
        study = chosen(name)
        augment, image = study["train"]["augment"], study["prepare"]["image"]
        assert augment.get("zoom") == ([256, 480] if name in zoomed else None), name
        assert augment.get("erase", 0) == (0.5 if name in erased else 0), name
        assert augment["crop"] == (224 if name in zoomed else large), name
        assert image["size"] == (256 if name in zoomed else 512), name
        assert image["store_size"] >= max(augment.get("zoom", [512])), name
        assert study["train"]["batch_size"] == (128 if name in zoomed else 96), name
        assert study["train"]["clip_norm"] == 10, name
    assert chosen("cifar100")["train"]["augment"] == {"flip": True, "shift": 0.15}


def test_they_name_the_classes_as_people_read_them(monkeypatch):
    monkeypatch.chdir(ROOT)
    called = {"cub": ("1", "Phoebastria nigripes"), "ilsvrc": ("n01440764", "tench"), "cifar100": ("0", "apple")}
    for name, (node, shown) in called.items():
        fetched = chosen(name)["fetch"]
        table = edges.read(Path(fetched["taxonomy"]), names=read_names(Path(fetched["class_names"])))
        found = {each["child"]: each["name"] for each in table.to_pylist()}
        assert found[node] == shown


@pytest.mark.parametrize("name", COUNTS)
def test_the_hierarchies_are_the_published_ones(name):
    table = edges.read(HIERARCHIES / name, "child-parent" if name.startswith("nab") else "parent-child").to_pandas()
    known = Taxonomy.from_edges(table[["parent", "child"]].to_numpy())
    leaves = set(table["child"]) - set(table["parent"])
    assert (len(known), len(leaves), int(known.heights.max())) == COUNTS[name]


def test_every_study_of_classes_is_tried():
    content = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "studies").glob("*.yaml")}
    published = {name for name, study in content.items() if "hierarchies/" in str(study["fetch"].get("taxonomy"))}
    assert published | {"cars", "flowers"} == set(STUDIES)


def test_the_files_are_those_of_their_authors():
    if not ORIGINALS.is_dir():
        pytest.skip("without the originals")
    for path in HIERARCHIES.glob("*/*"):
        original = ORIGINALS / path.relative_to(HIERARCHIES)
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(original.read_bytes()).digest(), path
    licence = (ORIGINALS / "LICENSE.cvjena-semantic-embeddings").read_text(encoding="utf-8")
    assert (HIERARCHIES / "LICENSE").read_text(encoding="utf-8") == licence
