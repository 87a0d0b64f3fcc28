"""Vectors are read with their ids and labels; what does not fit is named by file, row and field."""

import csv
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kith.errors import KithError
from kith.vectors import files
from kith.vectors.labels import LabelFile, labels_of, read_taxonomy
from kith.vectors.measures import Measured
from kith.vectors.table import Measurement, as_csv
from tests.made_vectors import IDS, LABELS, made, write


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_forms_hold_the_same(folder):
    np.save("plain.npy", made())
    with open("by_id.pkl", "wb") as file:
        pickle.dump(dict(zip(IDS, made(), strict=True)), file, protocol=2)
    with open("feat_by_id.pkl", "wb") as file:
        pickle.dump({"feat": dict(zip(IDS, made(), strict=True))}, file)
    with_ids = ("ours.npz", "pairs.npz:image", "pairs.npz:image_vectors", "by_id.pkl", "feat_by_id.pkl")
    for name in (*with_ids, "plain.npy", "features.pickle"):
        found = files.read(name)
        np.testing.assert_array_equal(found.vectors, made())
        assert found.vectors.dtype == np.float32
        assert (None if found.ids is None else found.ids.tolist()) == (IDS if name in with_ids else None)
    assert files.read("ours.npz").labels.tolist() == LABELS.tolist()
    # As `kith embed` writes it.
    pd.DataFrame({"id": IDS, "image_vector": list(made()), "text_vector": list(made(1))}).to_parquet("both.parquet")
    np.testing.assert_array_equal(files.read("both.parquet:text").vectors, made(1))
    with pytest.raises(KithError, match=r"both.parquet: holds 'image_vector', 'text_vector'; say which, such as both"):
        files.read("both.parquet")
    theirs = files.read("theirs.parquet")
    np.testing.assert_array_equal(theirs.vectors, made(1))
    assert (theirs.ids.tolist(), theirs.labels.tolist()) == (IDS, LABELS.tolist())


def test_codes_by_their_type_or_as_asked(folder):
    signs = np.array([[1, -1, 1], [-1, -1, 1]])
    octets = np.packbits(signs > 0, axis=1, bitorder="little")
    forms = {"bool": signs > 0, "int8": signs.astype(np.int8), "int64": signs, "zeros": (signs + 1) // 2}
    for name, array in (forms | {"float": signs * 0.3, "packed": octets}).items():
        np.save(f"{name}.npy", array)
        assert files.read(f"{name}.npy").coded == (name in ("bool", "int8")), name
        found = files.read(f"{name}.npy", binary=True)
        assert found.coded
        assert found.vectors[:, :3].tolist() == signs.tolist(), name
    column = pa.array([row.tobytes() for row in octets], pa.binary())
    pq.write_table(pa.table({"id": ["a", "b"], "image_code": column}), "codes.parquet")
    found = files.read("codes.parquet:image_code")
    assert (found.coded, found.vectors[:, :3].tolist()) == (True, signs.tolist())


def test_splits_have_to_be_chosen(folder):
    table = pd.DataFrame({"id": ["a", "b", "c"], "split": ["test", "val", "test"], "vector": [[1.0], [2.0], [3.0]]})
    table.to_parquet("two.parquet")
    found = files.read("two.parquet")
    assert found.of_split("test").ids.tolist() == ["a", "c"]
    with pytest.raises(
        KithError, match=r"two.parquet: holds the splits 'test', 'val'; choose one, such as --split test"
    ):
        found.of_split(None)
    with pytest.raises(KithError, match=r"two.parquet: has no split 'train'; it holds 'test', 'val'"):
        found.of_split("train")


def bad_files():
    np.savez("two.npz", a_vectors=np.eye(2), b_vectors=np.eye(2))
    np.savez("none.npz", ids=np.array(["a"]))
    np.savez("lengths.npz", vectors=np.eye(2), ids=np.array(["a"]))
    np.savez("nan.npz", vectors=np.array([[1.0], [np.nan]]), ids=np.array(["a", "b"]))
    np.savez("frame.npz", vectors=np.eye(2), ids=np.array(["a", "b"], dtype=object))
    np.save("flat.npy", np.arange(3))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    pd.DataFrame({"id": ["a", "b"], "vector": [[1.0], None]}).to_parquet("empty.parquet")
    pd.DataFrame({"id": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}).to_parquet("ragged.parquet")
    pd.DataFrame({"id": ["a", "b"], "vector": [[1.0, 2.0], [1.0, None]]}).to_parquet("gap.parquet")
    pd.DataFrame({"id": ["a"], "vector": [[1.0]]}).head(0).to_parquet("rows.parquet")
    pd.DataFrame({"id": ["a"], "text": ["x"]}).to_parquet("words.parquet")
    for name, value in (("code", os.getcwd), ("list", [1]), ("ragged", {"a": np.zeros(2), "b": np.zeros(3)})):
        with open(f"{name}.pickle", "wb") as file:
            pickle.dump(value, file)
    Path("cut.npz").write_bytes(b"PK\x03\x04")


def test_what_does_not_fit_is_named(folder):
    bad_files()
    for name, said in {
        "nothing.npz": "nothing.npz: no such file",
        "classes.csv": r"classes.csv: unknown suffix '.csv'; vectors are .npz, .npy",
        "two.npz": r"two.npz: holds 'a_vectors', 'b_vectors'; say which, such as two.npz:a_vectors",
        "two.npz:c": "two.npz: has no 'c'; it holds 'a_vectors', 'b_vectors'",
        "none.npz": r"none.npz: has no \(n, d\) array of numbers; it holds 'ids'",
        "lengths.npz": "lengths.npz: has 2 vectors, but 1 ids",
        "nan.npz": r"nan.npz: row 1 \(id 'b'\): is not finite \(1 such rows\)",
        "frame.npz": r"frame.npz: array 'ids' holds Python objects, which are not read; save texts as np.array",
        "flat.npy": r"flat.npy: expected \(n, d\) numbers, one row a vector, not int64 of \(3,\)",
        "objects.npy": "objects.npy: cannot be read",
        "cut.npz": "cut.npz: cannot be read",
        "empty.parquet": r"empty.parquet: row 1 \(id 'b'\): column 'vector' has no vector",
        "ragged.parquet": r"ragged.parquet: row 1 \(id 'b'\): column 'vector' has 2 numbers in place of 1",
        "gap.parquet": "gap.parquet: row 1.*: ",
        "rows.parquet": r"rows.parquet: has no",
        "words.parquet": "words.parquet: has no column of lists of numbers; it holds 'id', 'text'",
        "code.pickle": "code.pickle: cannot be read as a pickle: refused: it names 'posix.getcwd'",
        "list.pickle": r"list.pickle: expected \{'feat': \(n, d\) array\}, or \{id: vector\}, not list",
        "ragged.pickle": r"ragged.pickle: id 'b': expected a vector of 2 numbers, not \(3,\)",
    }.items():
        with pytest.raises(KithError, match=said):
            files.read(name)


def test_labels_are_joined_by_id_or_not_at_all(folder):
    ours, plain = files.read("ours.npz"), files.read("features.pickle")
    shuffled = pd.read_csv("classes.csv").sample(frac=1, random_state=0)
    shuffled.to_parquet("shuffled.parquet")
    shuffled.head(29).to_csv("short.csv", index=False)
    pd.DataFrame({"id": ["i0", "i0"], "label": ["cat", "dog"]}).to_csv("twice.csv", index=False)
    pd.DataFrame({"id": ["i0"], "kind": ["cat"]}).to_csv("lacks.csv", index=False)
    np.save("few.npy", LABELS[:3])
    assert labels_of(ours, LabelFile(folder / "shuffled.parquet")).tolist() == LABELS.tolist()
    assert labels_of(plain, LabelFile(folder / "labels.npy")).tolist() == LABELS.tolist()
    for vectors, name, said in (
        (ours, "short.csv", r"ours.npz: row \d+ \(id 'i\d+'\): .*short.csv has no label for it \(1 such rows\)"),
        (ours, "twice.csv", r"twice.csv: line 3, column 'label': 'i0' has the label 'dog' here, and 'cat' before"),
        (ours, "lacks.csv", "lacks.csv: no column 'label'; the columns are: id, kind"),
        (ours, "labels.npy", "labels.npy: labels without ids are joined row by row, but ours.npz has ids"),
        (plain, "few.npy", "few.npy: has 3 labels, features.pickle 30 vectors"),
        (plain, "classes.csv", "features.pickle: has no ids, by which .*classes.csv could be joined"),
        (ours, "nothing.csv", "nothing.csv: no such file"),
    ):
        with pytest.raises(KithError, match=said):
            labels_of(vectors, LabelFile(folder / name))
    with pytest.raises(KithError, match=r"features.pickle: has no labels: give --classes"):
        labels_of(plain, None)


def test_a_label_that_the_taxonomy_lacks_is_named(folder):
    assert len(read_taxonomy(folder / "taxonomy.txt", "parent-child", LABELS)) == 5
    (folder / "forest.txt").write_text("animal cat\nanimal dog\nvehicle car\n")
    forest = read_taxonomy(folder / "forest.txt", "parent-child", LABELS)
    assert forest.similarity(["car", "cat", "dog"]).tolist() == [[1, 0, 0], [0, 1, 0.5], [0, 0.5, 1]]
    (folder / "indented.txt").write_text("thing\n-- car\n-- animal\n---- cat\n---- dog\n")
    indented = read_taxonomy(folder / "indented.txt", "parent-child", LABELS)
    assert indented.similarity(["car", "cat", "dog"]).tolist() == forest.similarity(["car", "cat", "dog"]).tolist()
    with pytest.raises(KithError, match=r"taxonomy.txt: has no node for the label 'ox'"):
        read_taxonomy(folder / "taxonomy.txt", "parent-child", np.array(["ox", "cat", ""]))


def test_any_label_comes_again_from_the_table_of_measures():
    labels = ["plain", "one\rtwo", "one\r\ntwo", 'a "b", c']
    text = as_csv([Measurement(label, Measured(2, 3, {"nDCG@10": 0.5})) for label in labels])
    assert text.startswith("label,queries,candidates,nDCG@10\nplain,2,3,0.5\n")
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[0] for row in read] == ["label", *labels]
    assert {len(row) for row in read} == {4}
