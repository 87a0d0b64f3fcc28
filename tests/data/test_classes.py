"""The sources of labelled pictures: every layout, and everything that may be wrong with one."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.data import duplicates, labelled, sources
from kith.data.labels import read_names, readable
from kith.data.listing import Entry, Listing
from kith.data.splits import draw_per_class, some_of_each_class, split_by_class
from kith.data.store import ImageWriter
from kith.errors import KithError
from tests import made_classes as made
from tests.made_classes import build, fault

# Folders


def test_one_folder_of_classes_is_split_by_class(tmp_path):
    path = made.class_folders(tmp_path / "mine", ("cat", "dog", "eel"), 10)
    made.write(path / "cat" / "notes.txt", "no picture")
    made.picture(path / "dog" / "more" / "x.JPEG", 99)
    items, images, _ = build("image_folder", path, val=0.2, test=0.1)
    counts = items.groupby(["label_name", "split"]).size().unstack()
    assert counts.loc["cat"].to_dict() == counts.loc["eel"].to_dict() == {"test": 1, "train": 7, "val": 2}
    assert items["id"].tolist()[:2] == ["cat/0.png", "cat/1.png"]
    assert "dog/more/x.JPEG" in items["id"].tolist()
    assert items.groupby("label_name")["label"].first().to_dict() == {"cat": 0, "dog": 1, "eel": 2}
    assert images.shape == (31, 8, 8, 3)
    assert images[items["image_row"][items["id"] == "eel/3.png"], 0, 0].tolist() == [[43, 212, 7]]


@pytest.mark.parametrize(
    ("folders", "meant", "expected"),
    [
        (("train", "val", "test"), {}, {"train": 10, "val": 10, "test": 10}),
        (("train", "val"), {}, {"train": 8, "val": 2, "test": 10}),
        (("train", "test"), {}, {"train": 8, "val": 2, "test": 10}),
        (("train",), {}, {"train": 6, "val": 2, "test": 2}),
        (("training", "holdout", "junk"), {"training": "train", "holdout": "test", "junk": "ignore"},
         {"train": 8, "val": 2, "test": 10}),
        (("train", "test", "test_hard"), {}, {"train": 8, "val": 2, "test": 10, "test_hard": 10}),
    ],
)  # fmt: skip
def test_folders_of_splits(tmp_path, folders, meant, expected):
    for name in folders:
        made.class_folders(tmp_path / "mine" / name, suffix=".bmp")
    items, _, _ = build("image_folder", tmp_path / "mine", {"splits": meant}, val=0.2, test=0.2)
    assert items["split"].value_counts().to_dict() == expected


def test_equal_pictures_are_in_one_split_where_all_are_drawn(tmp_path):
    for i in range(20):
        for name in ("a", "b", "c"):
            made.picture(tmp_path / "mine" / ("cat" if i % 2 else "dog") / f"{i}{name}.png", 5 * i)
    items, _, dataset = build("image_folder", tmp_path / "mine", val=0.2, test=0.2)
    assert (items.groupby("image_row")["split"].nunique() == 1).all()
    assert items["split"].nunique() == 3
    assert duplicates.remarks(dataset.items, table=False) == [
        "20 pictures are there several times (such as cat/11a.png)"
    ]
    made.class_folders(tmp_path / "given" / "train")
    made.class_folders(tmp_path / "given" / "test")
    items, _, dataset = build("image_folder", tmp_path / "given", val=0)
    told = duplicates.remarks(dataset.items, table=False)
    assert told == ["10 pictures are there several times (such as train/cat/0.png), 10 of them in several splits"]


def test_faults_of_folders(tmp_path):
    assert "nowhere: no such folder; mend fetch.path" in fault("image_folder", tmp_path / "nowhere")
    (tmp_path / "mine").mkdir()
    assert "mine: no folders of classes in it" in fault("image_folder", tmp_path / "mine")
    made.class_folders(tmp_path / "mine" / "train")
    made.class_folders(tmp_path / "mine" / "validation")
    told = fault("image_folder", tmp_path / "mine")
    assert "folder 'validation' beside train is no split" in told
    assert "fetch.splits: {'validation': val}" in told
    (tmp_path / "mine" / "train" / "eel").mkdir()
    told = fault("image_folder", tmp_path / "mine", {"splits": {"validation": "val"}})
    assert f"{tmp_path / 'mine' / 'train' / 'eel'}: no picture in this class folder" in told
    (tmp_path / "mine/train/eel/photo").write_bytes(b"x")
    told = fault("image_folder", tmp_path / "mine", {"splits": {"validation": "val"}})
    assert "in this class folder (there are 1 files without a suffix, which are not taken for pictures); rename" in told
    made.class_folders(tmp_path / "other" / "training")
    made.class_folders(tmp_path / "other" / "testing")
    told = fault("image_folder", tmp_path / "other")
    assert "fetch.splits: {'testing': test, 'training': train}" in told
    made.class_folders(tmp_path / "few", each=1)
    told = fault("image_folder", tmp_path / "few", test=0)
    assert "few: no class has pictures enough to give some to val; set prepare.val to 0" in told


def test_folders_of_splits_may_have_capitals(tmp_path):
    for name in ("Train", "VAL", "Test"):
        made.class_folders(tmp_path / "mine" / name)
    items, _, _ = build("image_folder", tmp_path / "mine")
    assert items["split"].value_counts().to_dict() == {"train": 10, "val": 10, "test": 10}
    # With other classes beside it, Train is a class.
    made.class_folders(tmp_path / "vehicles", ("Car", "Plane", "Train"), 10)
    items, _, _ = build("image_folder", tmp_path / "vehicles")
    assert set(items["label_name"]) == {"Car", "Plane", "Train"}


def test_a_single_folder_is_no_data_set_of_classes(tmp_path):
    made.class_folders(tmp_path / "unzipped" / "dataset" / "train")
    told = fault("image_folder", tmp_path / "unzipped")
    assert (
        f"one folder alone, 'dataset', which would be the only class; did you mean {tmp_path}/unzipped/dataset?" in told
    )
    made.class_folders(tmp_path / "one", ("cat",), 5)
    assert "a folder for each of at least two classes is needed" in fault("image_folder", tmp_path / "one")
    (tmp_path / "deep").mkdir()
    (tmp_path / "unzipped").rename(tmp_path / "deep" / "unzipped")
    assert f"did you mean {tmp_path}/deep/unzipped/dataset?" in fault("image_folder", tmp_path / "deep")


def test_a_folder_too_many_within_splits_is_no_class(tmp_path):
    for split in ("train", "test"):
        made.class_folders(tmp_path / "twice" / split / split)
    told = fault("image_folder", tmp_path / "twice")
    assert (
        f"twice/train: there is one folder alone, 'train', which would be the only class; did you mean {tmp_path}"
        in told
    )


def test_splits_below_classes_are_no_pictures_of_one_split(tmp_path):
    for name in ("cat", "dog"):
        made.class_folders(tmp_path / "mine" / name, ("train", "test"))
    told = fault("image_folder", tmp_path / "mine")
    assert "the folders of classes hold folders of splits (test, train)" in told
    assert "put the classes into the splits: train/cat, not cat/train" in told


def test_hidden_folders_are_left_out_and_other_files_counted(tmp_path, capsys):
    path = made.class_folders(tmp_path / "mine", ("cat", "dog"), 10)
    made.picture(path / "cat" / ".ipynb_checkpoints" / "0-checkpoint.png", 3)
    (path / "cat" / "0.png").rename(path / "cat" / "0.jfif")
    (path / "cat" / "1.png").rename(path / "cat" / "1.HEIC")
    made.write(path / "dog" / "README", "no picture")
    made.class_folders(path / "__MACOSX")
    made.class_folders(path / "dog" / "@eaDir")
    items, _, _ = build("image_folder", path)
    assert len(items) == 19
    assert "cat/0.jfif" in set(items["id"])
    assert not items["id"].str.contains("ipynb").any()
    looked = sources.find("image_folder").look({"path": path, "splits": {}, "taxonomy": None, "class_names": None})
    assert looked == {"rows": 19, "left_out": {"files without a suffix": 1, "files that end in '.heic'": 1}}
    assert "fetch: left out: 1 files that end in '.heic'" in capsys.readouterr().err


def test_ilsvrc(tmp_path):
    wnids = ("n02119789", "n01440764")
    made.ilsvrc(tmp_path / "in", wnids)
    made.write(tmp_path / "tree.txt", *(f"n00001740 {wnid}" for wnid in wnids))
    (tmp_path / "index.json").write_text(json.dumps({"0": [wnids[1], "tench"], "1": [wnids[0], "tench"]}))
    items, _, dataset = build(
        "ilsvrc", tmp_path / "in", val=0.2, taxonomy=tmp_path / "tree.txt", class_names=tmp_path / "index.json"
    )
    assert items["split"].value_counts().to_dict() == {"train": 8, "val": 2, "test": 4}
    assert items.groupby("label_name")["label"].first().to_dict() == {"n01440764": 0, "n02119789": 1}
    assert dataset.taxonomy["name"].to_pylist() == ["tench", "tench"]
    items, _, _ = build("ilsvrc", tmp_path / "in", val=0.2, class_names=tmp_path / "index.json")
    assert set(items["label_name"]) == {"tench (n01440764)", "tench (n02119789)"}
    (tmp_path / "in" / "ILSVRC2012_img_val").rename(tmp_path / "in" / "val")
    assert "ILSVRC2012_img_val: no such folder" in fault("ilsvrc", tmp_path / "in")


@pytest.mark.parametrize("source", ["mit67", "ucmerced", "resisc45", "image_lists"])
@pytest.mark.parametrize("layout", [{}, {"root": "Images", "names": ("TrainImages.txt", "TestImages.txt")}])
def test_class_folders_with_lists(tmp_path, source, layout):
    items, images, _ = build(source, made.image_lists(tmp_path / "data", **layout), val=0.25)
    assert items["split"].value_counts().to_dict() == {"train": 6, "val": 2, "test": 2}
    assert items["id"].tolist()[:2] == ["airport/0.tif", "airport/1.tif"]
    assert images[items["image_row"], 0, 0, 0].tolist() == [0, 1, 2, 3, 20, 21, 22, 23, 4, 24]


def test_faults_of_lists(tmp_path):
    path = made.image_lists(tmp_path / "data")
    made.write(path / "test.txt", "airport/4.tif", "", "airport/0.tif")
    told = fault("mit67", path)
    assert f"{path / 'test.txt'}: line 3: 'airport/0.tif' is already listed in train.txt, line 1" in told
    made.write(path / "test.txt", "4.tif")
    assert "test.txt: line 1: expected <class>/<picture>, found '4.tif'" in fault("mit67", path)
    made.write(path / "test.txt", "airport/4.tif", "airport/5.tif")
    told = fault("mit67", path)
    assert (
        f"{path}: test.txt, line 2 (id 'airport/5.tif'), column 'image': '{path / 'airport/5.tif'}' cannot be" in told
    )
    assert "supply the picture, or skip such rows with prepare.skip: [missing_image]" in told
    assert "Rows are counted" not in told
    made.picture(tmp_path / "secret.tif")
    for name in ("airport/../../secret.tif", str(tmp_path / "secret.tif")):
        made.write(path / "test.txt", name)
        told = fault("mit67", path)
        assert f"test.txt, line 1 (id '{name}'), column 'image': '{name}' lies outside of {path}; mend the list" in told
    made.write(path / "test.txt", "airport/../airport/4.tif")
    assert "airport/../airport/4.tif" in build("mit67", path)[0]["id"].tolist()
    (path / "test.txt").unlink()
    assert "test.txt: cannot be opened (No such file or directory)" in fault("mit67", path)
    made.write(path / "test.txt", "")
    assert "test.txt: is empty" in fault("mit67", path)


# Birds, cars, flowers, species


def test_birds(tmp_path):
    items, images, _ = build("cub", made.birds(tmp_path / "CUB_200_2011"), val=0.25)
    assert items.groupby(["label", "split"]).size().to_dict() == {
        (label, split): count for label in (1, 2) for split, count in (("test", 2), ("train", 3), ("val", 1))
    }
    assert items["id"].tolist() == [str(i) for i in range(1, 13)]
    assert items["label_name"].tolist() == ["001.Bird_1"] * 6 + ["002.Bird_2"] * 6
    reds = images[items["image_row"], 4, 4, 0].astype(int)
    assert np.abs(reds - [10 * c + i for c in (1, 2) for i in range(6)]).max() <= 2


def test_nab_with_its_own_hierarchy(tmp_path):
    path = made.birds(tmp_path / "nabirds", (817, 818))
    with (path / "classes.txt").open("a") as file:
        file.write("0 Birds\n1 Ducks, Geese, and Swans\n")
    labels = (path / "image_class_labels.txt").read_text().replace(" 817", " 0817")
    (path / "image_class_labels.txt").write_text(labels)
    made.write(path / "hierarchy.txt", "1 0", "817 1", "818 1")
    items, _, dataset = build("nab", path, taxonomy=path / "hierarchy.txt", taxonomy_order="child-parent")
    assert items.groupby("label")["label_name"].first().to_dict() == {817: "817", 818: "818"}
    edges = [tuple(edge.values()) for edge in dataset.taxonomy.to_pylist()]
    assert edges == [("0", "1", "Ducks, Geese, and Swans"), ("1", "817", "817.Bird_817"), ("1", "818", "818.Bird_818")]
    made.write(path / "hierarchy.txt", "1 0", "817 1")
    told = fault("nab", path, taxonomy=path / "hierarchy.txt", taxonomy_order="child-parent")
    assert "column 'label': '818' is not in the taxonomy" in told


@pytest.mark.parametrize(
    ("file", "line", "change", "told"),
    [
        ("images.txt", 2, None, "image_class_labels.txt: line 3: id '3' is not in images.txt"),
        ("image_class_labels.txt", 2, None, "image_class_labels.txt: no line for id '3', line 3 of images.txt"),
        ("image_class_labels.txt", 2, "3 9", "image_class_labels.txt: line 3: class '9' is not in classes.txt"),
        ("image_class_labels.txt", 2, "3 x", "image_class_labels.txt: line 3: class 'x' is not a whole number"),
        ("image_class_labels.txt", 2, "2 1", "image_class_labels.txt: line 3: id '2' is already in line 2"),
        ("image_class_labels.txt", 2, "3", "image_class_labels.txt: line 3: expected an id and a value, found '3'"),
        ("train_test_split.txt", 2, None, "train_test_split.txt: no line for id '3', line 3 of images.txt"),
        ("train_test_split.txt", 2, "3 yes", "train_test_split.txt: line 3: 'yes' is neither 1 (training) nor 0"),
        ("train_test_split.txt", 2, "99 1", "train_test_split.txt: line 3: id '99' is not in images.txt"),
        ("classes.txt", 0, "one Bird", "classes.txt: line 1: class 'one' is not a whole number"),
        ("images.txt", 2, "3 a/b.jpg", "images.txt, line 3 (id '3'), column 'image':"),
    ],
)
def test_faults_of_birds(tmp_path, file, line, change, told):
    path = made.birds(tmp_path / "cub")
    rows = (path / file).read_text().splitlines()
    rows[line : line + 1] = [change] if change else []
    made.write(path / file, *rows)
    assert told in fault("cub", path)


def test_broken_pictures_can_be_left_out(tmp_path):
    path = made.birds(tmp_path / "cub")
    (path / "images" / "001.Bird_1" / "0.jpg").write_bytes(b"\xff\xd8 broken")
    told = fault("cub", path)
    assert "images.txt, line 1 (id '1'), column 'image': cannot be decoded" in told
    items, _, dataset = build("cub", path, skip=["undecodable_image"])
    assert len(items) == 11
    assert [(problem.kind, problem.row, problem.id) for problem in dataset.skipped] == [("undecodable_image", 0, "1")]


def test_cub_sub_keeps_the_test_set_and_takes_val_from_what_is_left_over(tmp_path):
    path = made.birds(tmp_path / "cub", (1, 2, 3), each=8)
    whole, _, _ = build("cub", path, val=0.3)
    items, images, _ = build("cub", path, val=0.3, train_per_class=2)
    assert items.groupby(["label", "split"]).size().unstack().drop_duplicates().to_dict("list") == {
        "test": [2], "train": [2], "val": [2],
    }  # fmt: skip
    assert len(images) == items["image_row"].nunique()
    merged = items.merge(whole, on="id")
    assert (merged["split_x"] == merged["split_y"]).all()
    again, _, _ = build("cub", path, val=0.3, train_per_class=2)
    pd.testing.assert_frame_equal(items, again)
    other, _, _ = build("cub", path, val=0.3, train_per_class=2, seed=1)
    assert items["id"].tolist() != other["id"].tolist()


def test_cars(tmp_path):
    items, _, _ = build("cars", made.cars(tmp_path / "cars"), val=0)
    assert items["label"].tolist() == [1, 2, 1, 2, 1, 2]
    assert items["label_name"].tolist()[:2] == ["AM General", "BMW"]
    assert items["split"].tolist() == ["train"] * 4 + ["test"] * 2
    assert items["id"].iloc[0] == "car_ims/000001.jpg"
    told = fault("cars", made.cars(tmp_path / "more", labels=(1, 2, 3)))
    assert "cars_annos.mat: row 2, field 'class': is 3, expected 1…2" in told
    (tmp_path / "cars" / "cars_annos.mat").write_bytes(b"MATLAB 5.0" * 30)
    assert "cars_annos.mat: cannot be read as a MATLAB file" in fault("cars", tmp_path / "cars")
    assert "cars_annos.mat: no such file" in fault("cars", tmp_path)


def test_flowers(tmp_path):
    from scipy.io import savemat

    path = made.flowers(tmp_path / "flowers")
    items, _, _ = build("flowers102", path, val=0)
    assert items.groupby("split")["id"].apply(lambda ids: [i[-5] for i in ids]).to_dict() == {
        "train": ["1", "2", "4", "5"], "test": ["3", "6", "7", "8"],
    }  # fmt: skip
    assert items["label"].tolist() == [77, 77, 77, 1, 1, 1, 1, 77]
    savemat(path / "setid.mat", {"trnid": [[1, 9]], "valid": [[2]], "tstid": [[3]]})
    assert "setid.mat: row 1, field 'trnid': is 9, expected 1…8" in fault("flowers102", path)
    savemat(path / "setid.mat", {"trnid": [[1, 4]], "valid": [[2]], "tstid": [[4]]})
    assert "setid.mat: row 0 of 'tstid': picture 4 is in two sets" in fault("flowers102", path)
    savemat(path / "setid.mat", {"trnid": [[1, 4]], "valid": [[2]]})
    assert "setid.mat: no variable 'tstid'; there are: trnid, valid" in fault("flowers102", path)


@pytest.mark.parametrize("year", [2018, 2019])
def test_inat(tmp_path, year):
    path = made.inat(tmp_path / "inat", year)
    items, _, _ = build(f"inat{year}", path, val=0.25)
    assert items["split"].value_counts().to_dict() == {"train": 6, "val": 2, "test": 4}
    assert items["label"].tolist()[:3] == [3, 12, 3]
    assert items["label_name"].tolist()[:2] == ["species 3", "species 12"]
    birds, _, _ = build(f"inat{year}", path, {"supercategory": "Aves"})
    assert set(birds["label"]) == {3}
    told = fault(f"inat{year}", path, {"supercategory": "Birds"})
    assert "no picture of the supercategory 'Birds'; there are: Aves, Insecta" in told


def test_inat_without_supercategories_takes_them_from_the_folders_and_names_from_a_file(tmp_path):
    path = made.inat(tmp_path / "inat")
    for part in ("train", "val"):
        content = json.loads((path / f"{part}2018.json").read_text())
        content["categories"] = [{"id": 3, "name": "3"}, {"id": 12, "name": "12"}]
        (path / f"{part}2018.json").write_text(json.dumps(content))
    (path / "categories.json").write_text(json.dumps([{"id": 12, "name": "Bombus"}]))
    items, _, _ = build("inat2018", path, {"supercategory": "Insecta"})
    assert set(items["label_name"]) == {"Bombus"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c["annotations"].pop(0), "train2018.json: images: row 7: no annotation has the image_id 7"),
        (lambda c: c["annotations"][1].update(image_id=99), "annotations: row 1: no image has the image_id 99"),
        (lambda c: c["annotations"][1].update(category_id=4), "annotations: row 1: no category has the category_id 4"),
        (lambda c: c["annotations"][1].update(image_id=7), "annotations: row 1: image 7 has a second category, 3"),
        (lambda c: c["images"][2].pop("file_name"), "images: row 2: no 'file_name'"),
        (lambda c: c["images"][2].update(id=[2]), r"images: row 2: 'id' is [2], not an id or a name"),
        (lambda c: c.pop("categories"), "train2018.json: no list 'categories'"),
        (
            lambda c: c["images"][2].update(file_name="x.jpg"),
            "train2018.json, images, row 2 (id 'x.jpg'), column 'image'",
        ),
    ],
)
def test_faults_of_inat(tmp_path, change, told):
    path = made.inat(tmp_path / "inat")
    content = json.loads((path / "train2018.json").read_text())
    change(content)
    (path / "train2018.json").write_text(json.dumps(content))
    assert told in fault("inat2018", path)


# What all share


def test_pictures_are_not_kept_in_memory(tmp_path):
    """Only as many as are decoded at once have been loaded and not yet written."""
    entries = [Entry(str(i), "train", i, "", str(i % 3)) for i in range(500)]
    ahead = []
    with ImageWriter(tmp_path / "images.npy", 8, "RGB") as pictures:

        def load(wanted):
            for number, entry in enumerate(wanted):
                ahead.append(number - pictures.count)
                yield np.full((8, 8, 3), entry.image % 256, np.uint8) ^ np.uint8([[[0, entry.image // 256, 0]]])

        labelled.build(tmp_path, Listing(entries, tmp_path, load=load), pictures, val=0, test=0)
    assert pictures.count == 500
    assert max(ahead) <= labelled.AT_ONCE


def test_class_names_in_all_forms(tmp_path):
    made.write(tmp_path / "a.txt", "0 Birds", "1 Ducks, Geese, and Swans", "")
    (tmp_path / "b.json").write_text('{"n1": "goldfish, Carassius auratus"}')
    (tmp_path / "c.json").write_text('{"315": [771, "Western Tanager"]}')
    assert read_names(tmp_path / "a.txt") == {"0": "Birds", "1": "Ducks, Geese, and Swans"}
    assert read_names(tmp_path / "b.json") == {"n1": "goldfish, Carassius auratus"}
    assert read_names(tmp_path / "c.json") == {"771": "Western Tanager"}
    assert readable(["1", "2", "3"], {"1": "crane", "2": "crane"}) == {
        "1": "crane (1)", "2": "crane (2)", "3": "3",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", "0 Birds\n1\n", "line 2: expected an id and a name, found '1'"),
        ("a.txt", "0 Birds\n0 Fish\n", "line 2: '0' has two names, 'Birds' and 'Fish'"),
        ("a.txt", "\n", "has no names"),
        ("a.json", "[1]", "expected an object"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", '{"0": ["a", "b", "c"]}', "key '0': expected a name, or a list"),
        ("b.txt", None, r"cannot be opened .*; mend fetch\.class_names"),
    ],
)
def test_faults_of_class_names(tmp_path, name, content, told):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(KithError, match=rf"{name}: {told}"):
        read_names(tmp_path / name)


many_labels = st.lists(st.integers(0, 5), min_size=1, max_size=60)


@settings(max_examples=50)
@given(labels=many_labels, val=st.floats(0, 0.5), test=st.floats(0, 0.5), seed=st.integers(0, 9))
def test_split_by_class(labels, val, test, seed):
    labels, keys = np.array(labels), [f"k{i}" for i in range(len(labels))]
    found = split_by_class(labels, keys, val, test, seed)
    for label in np.unique(labels):
        n = int((labels == label).sum())
        of_test = min(max(1, round(test * n)) if test else 0, n - 1)
        of_val = min(max(1, round(val * n)) if val else 0, n - 1 - of_test)
        mine = found[labels == label].tolist()
        assert [mine.count(name) for name in ("val", "test", "train")] == [of_val, of_test, n - of_val - of_test]
    np.testing.assert_array_equal(split_by_class(labels[::-1], keys[::-1], val, test, seed)[::-1], found)


def test_items_keep_their_split_when_others_of_their_class_come():
    labels, keys = np.arange(4000) % 4, [f"k{i}" for i in range(4000)]
    before = split_by_class(labels, keys, 0.1, 0.2, 0)
    after = split_by_class(np.append(labels, [0, 9]), [*keys, "new", "other"], 0.1, 0.2, 0)
    assert set(np.flatnonzero(before != after[:-2]) % 4) <= {0}
    assert (before != after[:-2]).sum() <= 2  # at most one of each split
    some = split_by_class(np.append(labels, np.arange(400) % 4), [*keys, *(f"n{i}" for i in range(400))], 0.1, 0.2, 0)
    assert np.mean(before != some[:4000]) < 0.03
    drawn = draw_per_class(labels, keys, 500, 100, 0.1, 0)
    more = draw_per_class(np.append(labels, 0), [*keys, "new"], 500, 100, 0.1, 0)
    assert (more[:-1] != drawn).sum() <= 3  # at most one of each split


@settings(max_examples=50)
@given(labels=many_labels, count=st.integers(1, 12), seed=st.integers(0, 9))
def test_some_of_each_class(labels, count, seed):
    labels, keys = np.array(labels), [f"k{i}" for i in range(len(labels))]
    kept = some_of_each_class(labels, keys, count, seed)
    sizes = np.bincount(labels)
    np.testing.assert_array_equal(np.bincount(labels[kept], minlength=len(sizes)), np.minimum(sizes, count))
    np.testing.assert_array_equal(some_of_each_class(labels[::-1], keys[::-1], count, seed)[::-1], kept)
