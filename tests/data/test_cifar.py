"""CIFAR's archives, and the pickles in them, which may run nothing."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kith.data.sources import cifar
from kith.errors import KithError
from kith.unpickle import load
from tests import made_classes as made
from tests.made_classes import build, fault


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cifar")
    made.cifar10(folder / "cifar-10-python.tar.gz")
    made.cifar100(folder / "cifar-100-python.tar.gz")
    return folder


def test_cifar10(archives):
    items, images, _ = build("cifar10", archives / "cifar-10-python.tar.gz", size=32, val=0.1)
    assert items.groupby("split").size().to_dict() == {"train": 180, "val": 20, "test": 40}
    assert items.groupby(["split", "label"]).size().loc["val"].eq(2).all()
    assert items["id"].tolist()[:2] == ["data_batch_1/0", "data_batch_1/1"]
    assert items["id"].iloc[-1] == "test_batch/39"
    assert (items["label_name"] == "class " + items["label"].astype(str)).all()
    assert items["group"].is_unique
    assert items["texts"].map(len).eq(0).all()
    np.testing.assert_array_equal(images[items["image_row"], 5, 7, 0], items["label"])
    expected = made.colours(list(range(10)) * 4, 1).reshape(-1, 3, 32, 32)  # data_batch_1 is the second member
    np.testing.assert_array_equal(images[items["image_row"]][:40], expected.transpose(0, 2, 3, 1))


def test_cifar_unpacked_gives_the_same_items(archives, tmp_path):
    import tarfile

    with tarfile.open(archives / "cifar-10-python.tar.gz") as archive:
        archive.extractall(tmp_path / "here", filter="data")
    packed, packed_images, _ = build("cifar10", archives / "cifar-10-python.tar.gz", size=32)
    for folder in (tmp_path / "here", tmp_path / "here" / "cifar-10-batches-py"):
        items, images, _ = build("cifar10", folder, size=32)
        pd.testing.assert_frame_equal(items, packed)
        np.testing.assert_array_equal(images, packed_images)


def test_cifar_in_another_size_and_grey(archives):
    _, images, _ = build("cifar10", archives / "cifar-10-python.tar.gz", size=16, mode="L")
    assert images.shape == (240, 16, 16, 1)


@pytest.mark.parametrize(
    ("variant", "labels", "nodes"),
    [
        (None, range(100), range(100)),
        ("a", range(50), range(50)),
        ("b", range(50, 100), range(50, 100)),
        ("b-consec", range(50), range(50, 100)),
    ],
)
def test_variants_of_cifar100(archives, tmp_path, variant, labels, nodes):
    path = archives / "cifar-100-python.tar.gz"
    made.write(tmp_path / "tree.txt", *(f"100 {i}" for i in range(100)))
    items, images, _ = build("cifar100", path, {"variant": variant}, 32, val=0, taxonomy=tmp_path / "tree.txt")
    assert sorted(items["label"].unique()) == list(labels)
    assert [int(name) for name in items.drop_duplicates("label").sort_values("label")["label_name"]] == list(nodes)
    assert items["split"].value_counts().to_dict() == {"train": 4 * len(labels), "test": len(labels)}
    np.testing.assert_array_equal(images[items["image_row"], 0, 0, 0], items["label_name"].astype(int))


def test_pickles_of_python_3_and_fortran_order_are_read(tmp_path):
    array = np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    value = {b"data": array, "labels": [0, 1], b"names": [b"a", "b"], "x": (1, None, 2.5)}
    with open(tmp_path / "p", "wb") as file:
        pickle.dump(value, file, protocol=2)
    with open(tmp_path / "p", "rb") as file:
        found = load(file, strings="bytes", kinds="u")
    np.testing.assert_array_equal(found.pop(b"data"), array)
    assert found == {key: each for key, each in value.items() if key != b"data"}


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (pickle.dumps({b"data": Evil()}), "it names 'posix.system', and only plain values"),
        (pickle.dumps({b"data": np.zeros(3)}, protocol=2), "array of"),
        (pickle.dumps({b"data": np.array([Evil()])}, protocol=2), "it names|array of"),
        (pickle.dumps([1, 2]), "holds a list, not a dict"),
        (made.python2_pickle({b"data": b"x" * 300})[:-20], "it ends too early"),
        (b"", "it ends too early"),
        (b"hello world", ""),
        (made.python2_pickle({b"labels": [1]}), "'data' is NoneType"),
        (made.python2_pickle({b"data": np.zeros((2, 5), np.uint8), b"labels": [1, 2]}), r"'data' is \(2, 5\)"),
        (made.python2_pickle({b"data": made.colours([1, 2], 0), b"labels": [1]}), "not a list of 2 labels"),
        (
            made.python2_pickle({b"data": made.colours([1, 2], 0), b"labels": [1, 10]}),
            "row 1 of 'labels' is 10, not 0…9",
        ),
        (made.python2_pickle({b"data": made.colours([1], 0), b"labels": [b"1"]}), "row 0 of 'labels' is b'1'"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_a_corrupt_member_is_named_and_nothing_is_run(tmp_path, monkeypatch, content, told):
    monkeypatch.chdir(tmp_path)
    members = {f"data_batch_{i}": content for i in range(1, 6)}
    path = made.tar(tmp_path / "c.tar.gz", {**members, "test_batch": content}, "cifar-10-batches-py")
    with pytest.raises(KithError, match=rf"c.tar.gz: member 'data_batch_1'.*{told}"):
        cifar.cifar10(path)
    assert not Path("evil").exists()


def test_a_pickle_that_breaks_off_anywhere_is_a_clear_error(tmp_path):
    whole = made.python2_pickle({b"labels": [3], b"data": made.colours([3], 0)})
    for end in [*range(0, 300, 7), *range(300, len(whole), 401)]:
        (tmp_path / "data_batch_1").write_bytes(whole[:end])
        with pytest.raises(KithError, match=r"member 'data_batch_1'"):
            cifar.cifar10(tmp_path)


def test_archives_of_another_kind(archives, tmp_path):
    assert fault("cifar100", archives / "cifar-10-python.tar.gz").endswith(
        "cifar-10-python.tar.gz: no member 'train'; expected what cifar-100-python.tar.gz holds, found batches.meta, "
        "data_batch_1, data_batch_2, data_batch_3, data_batch_4, data_batch_5, readme.html, test_batch"
    )
    (tmp_path / "a.tar.gz").write_bytes(b"not an archive")
    assert "a.tar.gz: cannot be read as a tar archive" in fault("cifar10", tmp_path / "a.tar.gz")
    assert "b.tar.gz: cannot be read as a tar archive (" in fault("cifar10", tmp_path / "b.tar.gz")
    whole = (archives / "cifar-10-python.tar.gz").read_bytes()
    (tmp_path / "c.tar.gz").write_bytes(whole[: len(whole) // 2])
    assert "c.tar.gz: the archive is broken" in fault("cifar10", tmp_path / "c.tar.gz")
    assert "no member 'data_batch_1'" in fault("cifar10", made.class_folders(tmp_path / "folder"))
