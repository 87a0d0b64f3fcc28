"""Tables in several Parquet files, and names of classes that a table notes itself, as Hugging Face's data sets come."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kith.data import readers, sources, table
from kith.data.check import Discarded, check, facts
from kith.data.guess import guess
from kith.data.rows import Columns
from kith.errors import KithError
from stages import params

SHAPES = ["bar", "cross", "ring"]
NOTED = {"info": {"features": {"image": {"_type": "Image"}, "label": {"names": SHAPES, "_type": "ClassLabel"}}}}
LABELLED = Columns(texts=[], label="label")


def picture(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (level, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, numbers, noted=NOTED) -> None:
    rows = [{"image": {"bytes": picture(i), "path": None}, "label": i % 3} for i in numbers]
    made = pa.Table.from_pylist(rows)
    pq.write_table(made.replace_schema_metadata({"huggingface": json.dumps(noted)}) if noted else made, path)


def names(path: Path, columns: Columns = LABELLED, **options) -> list[str]:
    found = table.build(path, columns, Discarded(), val=0.2, test=0.2, **options)
    return found.items["label_name"].to_pylist()


def test_names_of_classes_that_the_table_notes(tmp_path):
    write(tmp_path / "t.parquet", range(9))
    assert names(tmp_path / "t.parquet") == SHAPES * 3
    assert "3 classes, from 'ring' with 3 to 'bar' with 3" in facts(check(tmp_path / "t.parquet", LABELLED).dataset, 64)
    write(tmp_path / "t.parquet", range(9), noted=None)
    assert names(tmp_path / "t.parquet") == ["0", "1", "2"] * 3
    write(tmp_path / "t.parquet", range(9), noted={"info": "nothing"})
    assert names(tmp_path / "t.parquet") == ["0", "1", "2"] * 3


def test_names_of_classes_in_a_file_of_their_own(tmp_path):
    write(tmp_path / "t.parquet", range(9))
    (tmp_path / "names.json").write_text(json.dumps({"0": "rod", "1": "star", "2": "star"}))
    assert names(tmp_path / "t.parquet", class_names=tmp_path / "names.json")[:3] == ["rod", "star (1)", "star (2)"]
    (tmp_path / "t.csv").write_text("text,kind\na,0\nb,1\nc,\nd,5\n")
    found = names(tmp_path / "t.csv", Columns(image=None, label="kind"), class_names=tmp_path / "names.json")
    assert found == ["rod", "star (1)", "", "5"]
    params.Fetch(source="table", path="t.csv", class_names="names.json")


def test_a_folder_of_parts_is_one_table(tmp_path):
    for part in (0, 1):
        write(tmp_path / f"train-0000{part}-of-00002.parquet", range(part * 5, part * 5 + 5))
    assert names(tmp_path) == (SHAPES * 4)[:10]
    assert names(tmp_path / "train-*.parquet") == (SHAPES * 4)[:10]
    assert (readers.count(tmp_path), readers.columns(tmp_path)) == (10, ["image", "label"])
    rows = [where.row for batch in readers.batches(tmp_path, ["label"]) for where, _ in batch.rows()]
    assert rows == list(range(10))
    source = sources.find("table")
    before = source.digest(tmp_path)[0]
    (tmp_path / "README.md").write_text("not of the table")
    assert source.digest(tmp_path)[0] == before
    write(tmp_path / "train-00001-of-00002.parquet", range(6, 11))
    assert source.digest(tmp_path)[0] != before


def test_splits_in_the_names_of_parts_are_a_column(tmp_path):
    for split, numbers in (("train", range(6)), ("validation", range(6, 8)), ("test", range(8, 10))):
        write(tmp_path / f"{split}-00000-of-00001.parquet", numbers)
    assert readers.columns(tmp_path) == ["image", "label", "split"]
    columns, _ = guess(tmp_path, {})
    assert columns.split == "split"
    found = table.build(tmp_path, columns, Discarded(), splits={"validation": "val"})
    assert found.items["split"].to_pylist() == ["test"] * 2 + ["train"] * 6 + ["val"] * 2
    assert found.items["label"].to_pylist() == [2, 0, 0, 1, 2, 0, 1, 2, 0, 1]


def test_faults_of_parts(tmp_path):
    with pytest.raises(KithError, match=r"no \.parquet files there"):
        readers.columns(tmp_path)
    write(tmp_path / "a.parquet", range(2))
    pq.write_table(pa.table({"other": np.arange(3)}), tmp_path / "b.parquet")
    with pytest.raises(KithError, match=r"b\.parquet: has the columns other; a\.parquet has image, label"):
        readers.columns(tmp_path)
    fetch = params.Fetch(source="table", path=tmp_path / "*.parquet", columns={"texts": []}).model_dump()
    with pytest.raises(KithError, match="name the folder of the parts"):
        sources.find("table").look(fetch)
