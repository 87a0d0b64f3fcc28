"""What cannot work is known before anything runs: networks, weights, sizes, labels, texts, files, and the data."""

import re
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from kith.networks.resnet import ResNet
from stages import params
from stages.checks import faults

STUDY = """
study: {name: shop, methods: [infonce]}
fetch: {source: table, path: shop.csv, columns: {image: photo, texts: [title]}}
prepare: {image: {size: 32}}
train: {epochs: 1, image: {width: 8}, text: {embedding: 8, hidden: 8}}
methods: {infonce: {}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """With a table, and files that are named by studies."""
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"photo": ["a.png"], "title": ["red"], "kind": ["fox"]}).to_csv("shop.csv", index=False)
    torch.save(ResNet(3, 32, 18, 64).state_dict(), "resnet18.pt")
    for name in ("empty.pt", "junk.pt"):
        (tmp_path / name).write_bytes(b"" if name == "empty.pt" else bytes(100))
    torch.save([1, 2], "list.pt")
    (tmp_path / "junk.json").write_text("{}")
    pd.DataFrame({"word": ["a"], "number": [1]}).to_parquet("words.parquet")


def told(*changes: str, here: bool = False) -> list[str]:
    """The faults of STUDY with changes "a.b=value"."""
    content = yaml.safe_load(STUDY)
    for change in changes:
        key, _, value = change.partition("=")
        *path, last = key.split(".")
        place = content
        for part in path:
            place = place.setdefault(part, {})
        place[last] = yaml.safe_load(value)
    return [str(fault) for fault in faults(params.check(content)) if fault.here == here]


def test_a_study_that_can_work_has_no_faults():
    assert told() == []
    assert told("train.image={tower: resnet, width: 64, weights: resnet18.pt}") == []
    assert told("fetch={source: cifar10, path: shop.csv}", "text.backend=none", "study.methods=[classifier]") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["train.image.tower=foo-1"], r"methods.infonce.train.image: the foo-1 tower does not take pictures"),
        (["train.image.tower=resnet-33"], r"methods.infonce.train.image: there is no resnet-33 here"),
        (["train.image.tower=wrn-29-10"], r"methods.infonce.train.image: .*29"),
        (["train.image.tower=timm:no_such_network"], r"methods.infonce.train.image: .*timm"),
        (["train.image.tower=linear"], r"methods.infonce.train.image: the linear tower does not take pictures"),
        (["train.text.tower=mlp"], r"methods.infonce.train: the mlp tower does not take texts"),
        (
            ["train.image.tower=vgg", "prepare.image.size=8"],
            r"methods.infonce.train.image.tower: vgg takes no pictures of 8 pixels \(prepare.image.size\): ",
        ),
        (
            ["train.image.tower=vgg", "train.augment.crop=12"],
            r"infonce.train.image.tower: vgg takes no pictures of 12 pixels \(train.augment.crop\): ",
        ),
        (["train.augment.crop=40"], "methods.infonce.train: augment.crop: 40 is more than the 32 pixels of a side"),
    ],
)
def test_networks(changes, message):
    (fault,) = told(*changes)
    assert re.search(message, fault), fault


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("{width: 8, weights: resnet18.pt}", "only the resnet tower takes"),
        ("{tower: resnet, width: 32, weights: resnet18.pt}", "do not fit"),
        ("{tower: resnet, width: 64, depth: 34, weights: resnet18.pt}", "do not fit"),
        (
            "{tower: resnet, width: 64, weights: empty.pt}",
            "empty.pt: cannot be read (it is empty); train.image.weights takes a state dict",
        ),
        ("{tower: resnet, width: 64, weights: junk.pt}", "junk.pt: cannot be read"),
        ("{tower: resnet, width: 64, weights: list.pt}", "list.pt: is no state dict"),
        ("{tower: resnet, width: 64, weights: gone.pt}", "gone.pt: no such file; train.image.weights takes"),
    ],
)
def test_weights(image, message):
    (fault,) = told(f"train.image={image}")
    assert fault.startswith("methods.infonce.train.image.weights: ")
    assert message in fault
    assert "\n" not in fault


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        (["train.start=gone.pt"], "methods.infonce.train.start", "no such model"),
        (["train.start=junk.pt"], "methods.infonce.train.start", "not a Kith model"),
        (["train.text.tokenizer=gone.json"], "methods.infonce.train.text.tokenizer", "no such file"),
        (["train.text.tokenizer=junk.json"], "methods.infonce.train.text.tokenizer", "token"),
        (["class_embedding.file=gone.pickle"], "class_embedding.file", "no such file"),
        (["class_embedding.file=junk.json"], "class_embedding.file", "pickle"),
        (["class_embedding.words=gone.parquet"], "class_embedding.words", "no such file"),
        (["class_embedding.words=junk.json"], "class_embedding.words", "cannot be read as Parquet"),
        (["class_embedding.words=words.parquet"], "class_embedding.words", "has no column vector"),
        (["fetch.columns.image=foto"], "fetch.columns", "did you mean 'photo'"),
        (["fetch.columns.label=sort"], "fetch.columns", "no column 'sort'"),
    ],
)
def test_files(changes, key, message):
    (fault,) = told(*changes)
    assert fault.startswith(f"{key}: ")
    assert message in fault


@pytest.mark.parametrize(
    ("changes", "faulty"),
    [
        (["study.methods=[classifier]"], {"methods.classifier.losses"}),
        (["study.methods=[infonce, hierarchy_ce]"], {"methods.hierarchy_ce.losses"}),
        (["fetch.columns.texts=[]", "text.backend=none"], {"methods.infonce.losses"}),
        (["fetch.columns.texts=[]"], {"methods.infonce.losses", "text.backend"}),
        (["fetch.columns.image=null"], {"methods.infonce"}),
        (["study.methods=[neighborhood]", "text.backend=none"], {"methods.neighborhood.losses"}),
        (["text.backend=features"], {"text.backend"}),
        (["train.text.pretrained_words=true", "text.backend=tfidf"], {"methods.infonce.train.text.pretrained_words"}),
        (
            ["study.methods=[devise]", "methods.devise={targets: words}", "fetch.columns.label=kind"],
            {"methods.devise.targets"},
        ),
        (["fetch={source: cifar10, path: shop.csv}", "text.backend=none"], {"methods.infonce.losses"}),
        (["fetch={source: flickr8k, path: shop.csv}", "study.methods=[classifier]"], {"methods.classifier.losses"}),
    ],
)
def test_what_methods_compare_has_to_be_in_the_data(changes, faulty):
    assert {fault.partition(": ")[0] for fault in told(*changes)} == faulty


def test_two_arrays_have_labels_and_texts_where_they_are_named():
    arrays = ["fetch={source: arrays, path: a.npz}", "train.image.tower=mlp", "train.text.tower=mlp"]
    assert told(*arrays, "text.backend=features") == []
    assert told(*arrays) == ["text.backend: doc2vec learns from texts, and the data have none; take features"]
    labelled = [*arrays, "text.backend=features", "study.methods=[classifier]"]
    assert told(*labelled, "fetch.arrays={label: kind}") == []
    (fault,) = told(*labelled)
    assert "fetch.arrays.label gives no labels" in fault
    (fault,) = told(*arrays, "text.backend=features", "train.image.tower=cnn")
    assert "the cnn tower does not take features" in fault


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ({}, "judged: has neither eccv_caption_to_image.json and its pair, nor sits_test.csv of CxC"),
        ({"sits_test.csv": "caption,image,agg_score\n"}, "judged: needs dataset_coco.json or captions_val2014.json"),
        ({"eccv_caption_to_image.json": "{}"}, "judged/eccv_image_to_caption.json: no such file"),
    ],
)
def test_the_folder_of_judgements_is_looked_into(there, message):
    """It is read after all has been trained."""
    Path("judged").mkdir()
    for name, content in there.items():
        Path("judged", name).write_text(content)
    (fault,) = told("evaluate.judged=judged")
    assert fault.startswith("evaluate.judged: ")
    assert message in fault


def test_what_this_computer_lacks_is_another_kind():
    gone = ["fetch.path=gone.csv", "fetch.taxonomy=gone.txt", "fetch.image_root=pictures", "evaluate.judged=gone"]
    assert told(*gone) == []
    assert [fault.partition(": ")[0] for fault in told(*gone, here=True)] == [
        "fetch.path", "fetch.image_root", "fetch.taxonomy", "evaluate.judged"
    ]  # fmt: skip
    if not torch.cuda.is_available():
        assert told("train.device=cuda", here=True)[0].startswith("methods.infonce.train.device: cuda: ")
