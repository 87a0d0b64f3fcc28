"""The sources of captions: every layout, and everything that may be wrong with one."""

import json
import os
import pickle
import shutil

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from kith.data import sources
from kith.errors import KithError
from tests import made_captions as made
from tests.made_captions import build, fault

# Flickr


def test_flickr8k(tmp_path):
    items, images, _, listing = build("flickr8k", made.flickr8k(tmp_path / "mine"))
    assert items["split"].tolist() == ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    assert items["id"].tolist() == [f"{i}_a.jpg" for i in (3, 2, 1, 0, 5, 4, 7, 6)]
    assert list(items["texts"][0]) == [f"A dog , number 3 , told {j} times ." for j in range(5)]
    assert (items["label"] == -1).all()
    assert (items["group"] == items["id"]).all()
    assert abs(images[items["image_row"][0], 4, 4].astype(int) - [60, 195, 7]).max() <= 2
    assert listing.left_out == {"pictures in no split": 1}


def test_flickr8k_as_its_archives_unpack_by_themselves(tmp_path):
    path = made.flickr8k(tmp_path / "mine")
    (path / "Flickr8k_text").mkdir()
    for file in path.glob("*.txt"):
        file.rename(path / "Flickr8k_text" / file.name)
    (path / "Flickr8k_Dataset").mkdir()
    (path / "Flicker8k_Dataset").rename(path / "Flickr8k_Dataset" / "Flicker8k_Dataset")
    assert len(build("flickr8k", path)[0]) == 8
    (path / "Flickr8k_Dataset" / "Flicker8k_Dataset").rename(tmp_path / "photos")
    assert len(build("flickr8k", path, {"image_root": tmp_path / "photos"})[0]) == 8


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("Flickr8k.token.txt", "0_a.jpg#0\t", "0_a.jpg ", "token.txt: line 1: expected <picture>#<number>, a tab"),
        ("Flickr8k.token.txt", "0_a.jpg#1", "0_a.jpg#0", "line 2: '0_a.jpg#0' is already in line 1; keep one"),
        ("Flickr8k.token.txt", "5_a.jpg", "x_a.jpg", "Flickr_8k.devImages.txt: line 1: '5_a.jpg' has no caption"),
        ("Flickr_8k.devImages.txt", "4_a", "0_a",
         "line 2: '0_a.jpg' is already listed in Flickr_8k.trainImages.txt, line 4"),
        ("Flickr8k.token.txt", "A dog , number 0 , told 0 times .", "",
         "Flickr_8k.trainImages.txt, line 4 (id '0_a.jpg'), column 'texts': text 0 is empty; supply a text, or skip"),
    ],
)  # fmt: skip
def test_faults_of_flickr8k(tmp_path, file, old, new, message):
    path = made.flickr8k(tmp_path / "mine")
    (path / file).write_text((path / file).read_text().replace(old, new))
    assert message in fault("flickr8k", path)


def test_files_of_flickr8k_that_are_missing(tmp_path):
    path = made.flickr8k(tmp_path / "mine")
    os.remove(path / "Flicker8k_Dataset" / "1_a.jpg")
    (path / "Flicker8k_Dataset" / "2_a.jpg").write_bytes(b"no picture")
    told = fault("flickr8k", path)
    assert "Flickr_8k.trainImages.txt, line 3 (id '1_a.jpg')" in told
    assert "Flicker8k_Dataset/1_a.jpg' cannot be opened" in told
    assert "cannot be decoded" in told
    items, _, dataset, _ = build("flickr8k", path, skip=["missing_image", "undecodable_image"])
    assert len(items) == 6
    assert [problem.id for problem in dataset.skipped] == ["2_a.jpg", "1_a.jpg"]
    shutil.rmtree(path / "Flicker8k_Dataset")
    assert "Flicker8k_Dataset: no such folder of pictures; add it, or name another in fetch.image_root" in fault(
        "flickr8k", path
    )
    os.remove(path / "Flickr_8k.testImages.txt")
    assert "Flickr_8k.testImages.txt: cannot be opened" in fault("flickr8k", path)
    assert "nowhere: no such folder; mend fetch.path" in fault("flickr8k", tmp_path / "nowhere")


def test_an_empty_text_is_left_out_and_an_item_without_any(tmp_path):
    path = made.flickr8k(tmp_path / "mine")
    token = path / "Flickr8k.token.txt"
    token.write_text(token.read_text().replace("A dog , number 0 , told 0 times .", ""))
    lines = [line.split("\t")[0] + "\t" if line.startswith("1_a") else line for line in token.read_text().split("\n")]
    token.write_text("\n".join(lines))
    items, _, dataset, _ = build("flickr8k", path, skip=["empty_text"])
    assert len(items["texts"][items["id"] == "0_a.jpg"].item()) == 4
    assert "1_a.jpg" not in items["id"].tolist()
    assert len(dataset.skipped) == 6


def test_flickr30k_without_and_with_karpathys_split(tmp_path):
    path = made.flickr30k(tmp_path / "mine")
    items, *_ = build("flickr30k", path, val=0.2, test=0.3)
    assert set(items["split"]) == {"train", "val", "test"}
    assert len(items["texts"][0]) == 5
    splits = ["train"] * 6 + ["val", "val", "test", "test"]
    made.write_json(path / "dataset_flickr30k.json", made.karpathy([f"{i}.jpg" for i in range(10)], splits))
    items, *_ = build("flickr30k", path)
    assert items["split"].tolist() == splits
    assert list(items["texts"][9]) == ["Caption 0 of 9.jpg.", "Caption 1 of 9.jpg."]
    items, *_ = build("flickr30k", path, {"karpathy_split": False})
    assert len(items["texts"][0]) == 5
    os.remove(path / "dataset_flickr30k.json")
    assert "dataset_flickr30k.json: cannot be opened" in fault("flickr30k", path, {"karpathy_split": True})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), "dataset_flickr30k.json: no list 'images'"),
        (lambda c: c["images"][3].pop("split"), "images: row 3: no 'split'"),
        (lambda c: c["images"][3].update(filename=None), "images: row 3: 'filename' is None, not an id or a name"),
        (lambda c: c["images"][3].update(sentences="x"), "images: row 3: no list 'sentences'"),
        (lambda c: c["images"][3]["sentences"][1].pop("raw"), "images: row 3: sentences: row 1: no 'raw'"),
        (
            lambda c: c["images"][3]["sentences"][1].update(raw=" "),
            "images, row 3 (id '3.jpg'), column 'texts': text 1",
        ),
        (lambda c: c["images"][3]["sentences"][1].update(raw=7), "text 1 is 7, not a text; mend it"),
        (lambda c: c["images"][3]["sentences"][1].update(raw="\ud800"), "text 1 is not valid Unicode; mend it"),
        (lambda c: c["images"][3].update(filename="\ud800"), "'\\ud800' is not valid Unicode; rename it"),
        (lambda c: c["images"][3].update(sentences=[]), "(id '3.jpg'), column 'texts': there is none"),
        (lambda c: c["images"][3].update(split="held"), "row 3: unknown split 'held'; splits are train, val"),
        (lambda c: c["images"][3].update(filename="2.jpg"), "already used by row 2; ids must be unique"),
    ],
)
def test_faults_of_karpathys_files(tmp_path, change, message):
    path = made.flickr30k(tmp_path / "mine")
    content = made.karpathy([f"{i}.jpg" for i in range(10)], ["train"] * 10)
    change(content)
    made.write_json(path / "dataset_flickr30k.json", content)
    assert message in fault("flickr30k", path)


# COCO


@pytest.mark.parametrize("year", [2014, 2017])
def test_coco_in_its_official_parts(tmp_path, year):
    items, _, _, listing = build(f"coco{year}", made.coco(tmp_path / "mine", year), val=0.3)
    assert sorted(items["split"]) == ["test"] * 2 + ["train"] * 4 + ["val"] * 2
    assert items["id"].tolist() == ["1", "2", "3", "4", "5", "6", "11", "12"]
    assert list(items["texts"][1]) == ["Told 0: 2.", "Told 1: 2.", "Told 2: 2."]
    assert listing.left_out == {"pictures without captions": 1}


@pytest.mark.parametrize("year", [2014, 2017])
def test_coco_in_karpathys_split(tmp_path, year):
    path = made.coco(tmp_path / "mine", year)
    made.coco_karpathy(path)
    items, *_ = build(f"coco{year}", path)
    assert items["split"].tolist() == ["train"] * 7 + ["val", "test"]
    assert items["id"].tolist() == ["1", "2", "3", "4", "5", "6", "11", "12", "13"]
    items, *_ = build(f"coco{year}", path, split_names={"restval": "ignore"})
    assert items["split"].tolist() == ["train"] * 6 + ["val", "test"]
    items, *_ = build(f"coco{year}", path, {"karpathy_split": False})
    assert len(items) == 8
    for name in ("train", "val"):
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        (path / f"{name}{year}").rename(tmp_path / "elsewhere" / f"{name}{year}")
    assert len(build(f"coco{year}", path, {"image_root": tmp_path / "elsewhere"})[0]) == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("annotations"), "captions_val2017.json: no list 'annotations'"),
        (lambda c: c["images"][1].pop("file_name"), "captions_val2017.json: images: row 1: no 'file_name'"),
        (lambda c: c["images"][1].update(id=11), "images: row 1: id 11 is already in row 0; keep one"),
        (lambda c: c["annotations"][4].pop("caption"), "annotations: row 4: no 'caption'"),
        (lambda c: c["annotations"][4].update(image_id=99), "annotations: row 4: no image has the image_id 99"),
        (lambda c: c["annotations"][4].update(caption=""), "captions_val2017.json, images, row 0 (id '11')"),
    ],
)
def test_faults_of_coco(tmp_path, change, message):
    path = made.coco(tmp_path / "mine", 2017)
    made.edit_json(path / "annotations" / "captions_val2017.json", change)
    assert message in fault("coco2017", path)


def test_files_of_coco_that_do_not_fit(tmp_path):
    path = made.coco(tmp_path / "mine", 2017)
    made.coco_karpathy(path)
    made.edit_json(path / "dataset_coco.json", lambda c: c["images"][2].update(cocoid=77))
    assert "dataset_coco.json: images: row 2: cocoid 77 is in no list of" in fault("coco2017", path)
    (path / "dataset_coco.json").write_text("{")
    assert "dataset_coco.json: not valid JSON" in fault("coco2017", path)


# News


@pytest.mark.parametrize("protocol", [None, 2, 4])
def test_politics(tmp_path, protocol):
    path = made.politics(tmp_path / "mine", protocol)
    items, _, _, listing = build("politics", path, val=0.2, test=0.2)
    assert len(items) == 16
    assert listing.left_out == {"pictures filed again": 2}
    assert items.groupby("label_name")["label"].first().to_dict() == {"left": 0, "right": 1}
    assert items["id"][0] == "left/taxes/0.jpg"
    assert list(items["texts"][0]) == ["left writes on taxes. Article 0."]
    assert items["group"].nunique() == 12
    assert items.groupby("group")["split"].nunique().max() == 1
    assert set(items["split"]) == {"train", "val", "test"}


def test_politics_with_splits_and_pictures_elsewhere(tmp_path):
    path = made.politics(tmp_path / "mine")
    names = [
        f"{side}/{issue}/{i}.jpg" for side in ("left", "right") for issue in ("taxes", "climate") for i in range(4)
    ]
    made.write_json(path / "splits.json", {name: "test" if "/0" in name else "train" for name in names})
    (tmp_path / "photos").mkdir()
    for side in ("left", "right"):
        (path / side).rename(tmp_path / "photos" / side)
    items, *_ = build("politics", path, {"image_root": tmp_path / "photos"}, val=0)
    assert (items["split"] == "test").tolist() == ["/0" in name for name in items["id"]]
    made.edit_json(path / "splits.json", lambda c: c.pop("right/taxes/3.jpg"))
    assert "splits.json: no split of 'right/taxes/3.jpg'; add it" in fault("politics", path)
    made.edit_json(path / "splits.json", lambda c: c.update({"right/taxes/3.jpg": 3}))
    assert "splits.json: 'right/taxes/3.jpg': the split is 3, not a name" in fault("politics", path)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("suffix", ["", "_imgs"])
def test_politics_with_the_authors_split(tmp_path, protocol, suffix):
    path = made.politics(tmp_path / "mine", protocol)
    train = [f"left/climate/{i}.jpg" for i in range(4)]
    content = {f"train{suffix}": train, f"test{suffix}": ["./left/taxes/0.jpg", "right/climate/2.jpg"]}
    file = path / "train_test_paths.pickle"
    file.write_bytes(pickle.dumps(content, protocol=protocol))
    items, _, _, listing = build("politics", path, val=0)
    assert dict(zip(items["id"], items["split"], strict=True)) == {
        "left/taxes/0.jpg": "test",
        "right/climate/2.jpg": "test",
        **dict.fromkeys(train, "train"),
    }
    assert listing.left_out == {"pictures filed again": 1, "pictures in no split": 11}
    os.remove(file)
    names = build("politics", path, val=0.2, test=0.2)[0]["id"]
    file.write_bytes(pickle.dumps(content, protocol=protocol))
    made.write_json(path / "splits.json", dict.fromkeys(names, "train") | {names[0]: "test"})
    items, *_ = build("politics", path, val=0)
    assert (items["split"] == "test").sum() == 1  # Kith's own file comes first


def test_articles_that_are_short_are_left_out_and_long_ones_cut(tmp_path):
    path = made.politics(tmp_path / "mine")
    told = {"left/taxes/0.jpg": "x" * 500, "left/taxes/1.jpg": "x" * 501, "right/climate/3.jpg": "y" * 12_000}

    def change(content):
        for item in (each for side in content.values() for items in side.values() for each in items):
            item["content_text"] = told.get(item["local_path"].removeprefix("./"), item["content_text"])

    made.edit_json(path / "complete_db.json", change)
    items, _, _, listing = build("politics", path, {"min_characters": 501, "max_characters": 10_000}, val=0, test=0)
    assert dict(zip(items["id"], (text[0] for text in items["texts"]), strict=True)) == {
        "left/taxes/1.jpg": "x" * 501,
        "right/climate/3.jpg": "y" * 10_000,
    }
    short = "pictures whose text has fewer than 501 characters"
    assert listing.left_out == {"pictures filed again": 2, short: 14}


def test_news_by_their_length_and_by_what_is_no_text(tmp_path):
    path = made.goodnews(tmp_path / "mine")
    options = {"text": "article", "max_characters": 7}
    assert {texts[0] for texts in build("goodnews", path, options)[0]["texts"]} == {"Article"}
    message = "lists no picture to use; left out: 12 pictures whose text has fewer than 27 characters"
    assert message in fault("goodnews", path, {"text": "article", "min_characters": 27})
    made.edit_json(path / "captioning_dataset.json", lambda c: c["4fd3"]["images"].update({"1": 5}))
    assert "is 5, not a text" in fault("goodnews", path, {"min_characters": 3, "max_characters": 9})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": ["left/a.jpg"], "test": ["left/b.jpg"]}, "names none of the pictures of complete_db.json"),
        ({"train": ["left/a.jpg"], "test": ["./left/a.jpg"]}, "'left/a.jpg' is in train and in test; take it out"),
        ({"train": "left/a.jpg"}, "expected an object with the lists 'train' and 'test' of paths"),
        ([], "expected an object with the lists 'train' and 'test' of paths"),
        (os.getcwd, "cannot be read (refused: it names 'posix.getcwd'"),
    ],
)
def test_faults_of_the_authors_split(tmp_path, content, message):
    path = made.politics(tmp_path / "mine")
    (path / "train_test_paths.pickle").write_bytes(pickle.dumps(content))
    assert f"train_test_paths.pickle: {message}" in fault("politics", path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(middle={}), "expected an object with 'left' and 'right', found left, right, middle"),
        (lambda c: c.update(left=[]), "'left': expected an object of issues"),
        (lambda c: c["left"].update(taxes={}), "'left', issue 'taxes': expected a list of items"),
        (lambda c: c["left"]["taxes"].append(3), "'left', issue 'taxes', row 4: expected an object with local_path"),
        (lambda c: c["left"]["taxes"][1].pop("local_path"), "'left', issue 'taxes', row 1: no text 'local_path'"),
        (lambda c: c["left"]["taxes"][1].update(content_text=3), "row 1: no text 'content_text'"),
        (lambda c: c["left"]["taxes"][1].update(content_text=""), "issue 'taxes', row 1 (id 'left/taxes/1.jpg')"),
        (lambda c: c["left"]["taxes"].append(c["right"]["taxes"][3]),
         "'right', issue 'taxes', row 3: 'right/taxes/3.jpg' is right here and left before"),
    ],
)  # fmt: skip
def test_faults_of_politics(tmp_path, change, message):
    path = made.politics(tmp_path / "mine")
    made.edit_json(path / "complete_db.json", change)
    assert message in fault("politics", path)


def test_pickles_run_nothing(tmp_path):
    path = made.politics(tmp_path / "mine", 2)
    (path / "complete_db.pickle").write_bytes(pickle.dumps({"left": os.getcwd}))
    assert "complete_db.pickle: cannot be read (refused: it names 'posix.getcwd'" in fault("politics", path)
    (path / "complete_db.pickle").write_bytes(b"\x80\x02}")
    assert "complete_db.pickle: cannot be read" in fault("politics", path)
    os.remove(path / "complete_db.pickle")
    assert "complete_db.pickle: no such file; mend fetch.path, or add the file" in fault("politics", path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("caption", "Caption 0 of 4fd0"), ("article", "Article 4fd0. It is long."), ("headline", "Headline 4fd0")],
)
def test_goodnews(tmp_path, text, expected):
    items, _, _, listing = build("goodnews", made.goodnews(tmp_path / "mine"), {"text": text})
    assert items["split"].tolist() == ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    assert items["id"].tolist()[:2] == ["4fd0_0", "4fd0_1"]
    assert list(items["texts"][0]) == [expected]
    assert listing.left_out == {}


def test_goodnews_with_and_without_splits(tmp_path):
    path = made.goodnews(tmp_path / "mine")
    made.edit_json(path / "img_splits.json", lambda c: c.pop("4fd0_1"))
    items, _, _, listing = build("goodnews", path)
    assert len(items) == 11
    assert listing.left_out == {"pictures in no split": 1}
    os.remove(path / "img_splits.json")
    items, *_ = build("goodnews", path, val=0.2, test=0.2)
    assert items["group"].nunique() == 6
    assert items.groupby("group")["split"].nunique().max() == 1


@pytest.mark.parametrize(
    ("own", "change", "message"),
    [
        ({}, lambda c: c["4fd3"].pop("images"), "captioning_dataset.json: article '4fd3': no object 'images'"),
        (
            {},
            lambda c: c["4fd3"]["images"].update({"1": ""}),
            "article '4fd3', image '1' (id '4fd3_1'), column 'texts'",
        ),
        ({}, lambda c: c["4fd3"]["images"].update({"1": 5}), "(id '4fd3_1'), column 'texts': is 5, not a text"),
        (
            {"text": "headline"},
            lambda c: c["4fd3"].pop("headline"),
            "image '0' (id '4fd3_0'), column 'texts': is empty",
        ),
        ({"text": "article"}, lambda c: c["4fd3"].update(article=[]), "article '4fd3': 'article' is not a text"),
    ],
)
def test_faults_of_goodnews(tmp_path, own, change, message):
    path = made.goodnews(tmp_path / "mine")
    made.edit_json(path / "captioning_dataset.json", change)
    assert message in fault("goodnews", path, own)


# Conceptual Captions


def test_conceptual_captions(tmp_path):
    path = made.conceptual(tmp_path / "mine")
    items, images, _, listing = build("conceptual_captions", path, val=0.2)
    assert listing.left_out == {"rows without a picture": 2}
    assert items["id"].tolist() == [f"train/{i}" for i in range(10) if i != 2] + [f"val/{i}" for i in range(3)]
    assert items["split"].value_counts()[["train", "val", "test"]].sum() == 12
    assert [list(texts) for texts in items["texts"][2:4]] == [["a picture of number 3"], ["a picture of number 4"]]
    assert images[items["image_row"][3], 4, 4].tolist() == [80, 175, 7]
    for name in ("train", "val"):
        (tmp_path / "web").mkdir(exist_ok=True)
        (path / name).rename(tmp_path / "web" / name)
    assert len(build("conceptual_captions", path, {"image_root": tmp_path / "web"})[0]) == 12


def test_faults_of_conceptual_captions(tmp_path):
    path = made.conceptual(tmp_path / "mine")
    made.picture(path / "train" / "3.png", 1)
    assert "train: '00000003.jpg' and '3.png' are of the same row; keep one" in fault("conceptual_captions", path)
    os.remove(path / "train" / "3.png")
    listed = path / "Train_GCC-training.tsv"
    listed.write_text(listed.read_text().replace("number 5\t", "number 5 "))
    assert "Train_GCC-training.tsv: line 6: expected a caption, a tab and an address" in fault(
        "conceptual_captions", path
    )
    shutil.copy(listed, path / "Train2.tsv")
    assert "expected one file Train*.tsv, found Train2.tsv and Train_GCC-training.tsv" in fault(
        "conceptual_captions", path
    )
    os.remove(path / "Train2.tsv")
    shutil.rmtree(path / "train")
    assert "train: no such folder of pictures" in fault("conceptual_captions", path)
    os.remove(listed)
    assert "expected one file Train*.tsv, found none" in fault("conceptual_captions", path)


def test_no_picture_at_all(tmp_path):
    path = made.conceptual(tmp_path / "mine")
    for file in [*path.glob("train/*"), *path.glob("val/*")]:
        os.remove(file)
    assert "mine: lists no picture to use; left out: 14 rows without a picture" in fault("conceptual_captions", path)


# Together


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[]), max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize(
    ("source", "make", "name"),
    [
        ("coco2017", lambda path: made.coco(path, 2017), "annotations/captions_train2017.json"),
        ("politics", made.politics, "complete_db.json"),
        ("goodnews", made.goodnews, "captioning_dataset.json"),
        ("goodnews", made.goodnews, "img_splits.json"),
        ("coco2014", lambda path: [made.coco(path, 2014), made.coco_karpathy(path)], "dataset_coco.json"),
    ],
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_file_the_user_gets_a_message(tmp_path_factory, source, make, name, data):
    """One value, anywhere in the file, is replaced by another one."""
    path = tmp_path_factory.mktemp("fuzz") / "mine"
    make(path)
    content = json.loads((path / name).read_text())
    place = content
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 3)) == 0:
            break
        place = place[key]
    place[key] = data.draw(json_values)
    (path / name).write_text(json.dumps(content))
    try:
        items, *_ = build(source, path)
        assert items["texts"].map(len).min() > 0
    except KithError as error:
        told = str(error)
        event("an error" if str(path) in told else pytest.fail(told))


def test_splits_do_not_depend_on_anything_but_the_seed(tmp_path):
    path = made.flickr30k(tmp_path / "mine")
    first, again, other = (build("flickr30k", path, seed=seed)[0]["split"].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_share_of_nothing_leaves_the_training_part_whole(tmp_path):
    items, *_ = build("flickr30k", made.flickr30k(tmp_path / "mine"), val=0, test=0)
    assert set(items["split"]) == {"train"}


def test_names_of_splits(tmp_path):
    path = made.flickr8k(tmp_path / "mine")
    items, *_ = build("flickr8k", path, split_names={"test": "ignore", "val": "test"}, val=0.25)
    assert items["split"].value_counts().to_dict() == {"train": 3, "val": 1, "test": 2}
    assert "fetch.splits: 'test' is mapped to 'probe'" in fault("flickr8k", path, split_names={"test": "probe"})
    ignored = dict.fromkeys(("train", "val", "test"), "ignore")
    assert "no picture is left to use" in fault("flickr8k", path, split_names=ignored)


def test_a_digest_sees_lists_and_pictures(tmp_path):
    path = made.coco(tmp_path / "mine", 2014)
    before = sources.find("coco2014").digest(path)
    file = path / "annotations" / "captions_val2014.json"
    file.write_text(json.dumps(json.loads(file.read_text())).replace("Told", "Sold") + "\n")
    assert sources.find("coco2014").digest(path)[0] != before[0]
    assert sources.find("coco2014").digest(path)[1] == before[1]
