"""Judgements in the layouts of ECCV Caption and CxC, joined with the texts and pictures of a gallery."""

import json

import numpy as np
import pytest

from kith.errors import KithError
from kith.evaluation.gallery import Gallery, GallerySide
from kith.evaluation.judged import Judged, by_judgements, judged_texts
from kith.evaluation.judgements import read_captions, read_judgements

IDS = ["9", "25", "102466"]
TEXTS = [["A cat on a mat."], ["A dog.", "A dog."], ["An oak."]]
CAPTIONS = {
    31: (9, "A cat on a mat. "),
    32: (25, "A dog."),
    33: (25, "A dog."),
    34: (102466, "An oak."),
    35: (7, "Far."),
}
VECTORS = np.array([[1.0, 0.1, 0], [0.9, 1.0, 0], [0, 0.1, 1.0]])


@pytest.fixture
def folder(tmp_path):
    annotations = [{"id": i, "image_id": image, "caption": text} for i, (image, text) in CAPTIONS.items()]
    (tmp_path / "captions_val2014.json").write_text(json.dumps({"images": [], "annotations": annotations}))
    (tmp_path / "eccv_caption_to_image.json").write_text(json.dumps({"31": [9, 25], "99": [9]}))
    (tmp_path / "eccv_image_to_caption.json").write_text(json.dumps({"25": [31, 32, 33]}))
    head = "caption,image,agg_score,sampling_method\n"
    row = "COCO_val2014:sentid:{},COCO_val2014_000000{:06}.jpg,{},c2i_intrasim\n"
    rows = [(34, 9, 3.0), (31, 25, 2.99), (32, 25, 5.0)]
    (tmp_path / "sits_test.csv").write_text(head + "".join(row.format(*each) for each in rows))
    return tmp_path


@pytest.fixture
def gallery():
    items, of_texts, places = np.arange(3), np.array([0, 1, 1, 2]), np.array([0, 0, 1, 0])
    images = GallerySide(VECTORS, items, items, 0 * items)
    return Gallery(images, GallerySide(VECTORS[of_texts], of_texts, of_texts, places), np.zeros((3, 1)))


def judged(folder):
    return Judged(read_judgements(folder), np.array(IDS), judged_texts(IDS, TEXTS, read_captions(folder)))


def values_of(folder, gallery):
    return {
        name: v.tolist()
        for each in by_judgements(gallery, judged(folder), "mean", [1])
        for name, v in each.values.items()
    }


def test_captions_are_known_by_picture_and_words(folder):
    assert judged(folder).captions == {(0, 0): "31", (1, 0): "32", (1, 1): "33", (2, 0): "34"}


def test_files_are_read_as_they_are_published(folder):
    found = read_judgements(folder)
    assert found["eccv"] == ({"31": ["9", "25"], "99": ["9"]}, {"25": ["31", "32", "33"]}, False)
    assert found["cxc"] == ({"34": ["9"], "32": ["25"]}, {"9": ["34"], "25": ["32"]}, True)


def test_karpathys_file_says_the_same(folder):
    images = [
        {"cocoid": image, "sentences": [{"sentid": i, "raw": t} for i, (of, t) in CAPTIONS.items() if of == image]}
        for image in (9, 25, 102466, 7)
    ]
    official = read_captions(folder)
    (folder / "dataset_coco.json").write_text(json.dumps({"images": images}))
    assert read_captions(folder) == official == {str(i): (str(of), text) for i, (of, text) in CAPTIONS.items()}


def test_eccv_caption_asks_what_it_has_judged(folder, gallery):
    found = values_of(folder, gallery)
    # Caption 31 finds picture 9, then 25, both right; picture 25 its two captions, then 31.
    for direction in ("text_to_image", "image_to_text"):
        assert found[f"{direction}_eccv/R@1"] == [100.0]
        assert found[f"{direction}_eccv/r_precision"] == found[f"{direction}_eccv/map@r"] == [1.0]


def test_cxc_adds_to_the_pairs(folder, gallery):
    found = values_of(folder, gallery)
    assert found["text_to_image_cxc/R@1"] == [100.0] * 4
    # Caption 34 of the oak is also right for picture 9, and finds it last.
    assert found["text_to_image_cxc/r_precision"] == [1.0, 1.0, 1.0, 0.5]
    assert found["image_to_text_cxc/r_precision"] == [0.5, 1.0, 1.0]


def test_without_judgements_there_is_nothing(gallery):
    assert by_judgements(gallery, None, "mean", [1]) == []


def test_what_is_not_judged_is_left_out(folder, gallery):
    (folder / "sits_test.csv").unlink()
    (folder / "eccv_image_to_caption.json").write_text("{}")
    assert {name.split("/")[0] for name in values_of(folder, gallery)} == {"text_to_image_eccv"}


def test_other_captions_are_refused(folder):
    with pytest.raises(KithError, match=r"caption 34: item 102466 has no text 'An oak\.'"):
        judged_texts(IDS, [*TEXTS[:2], ["An elm."]], read_captions(folder))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("eccv_image_to_caption.json", None, "no such file; ECCV Caption has two"),
        ("eccv_image_to_caption.json", "[1]", "expected ids with lists of ids"),
        ("eccv_caption_to_image.json", '{"31": 9}', "31: expected a list of ids"),
        ("eccv_caption_to_image.json", "{", "not valid JSON"),
        ("sits_test.csv", "a,b\n1,2\n", "line 2: expected the columns caption, image, agg_score"),
    ],
)
def test_files_of_another_layout_are_refused(folder, name, content, message):
    (folder / name).unlink() if content is None else (folder / name).write_text(content)
    with pytest.raises(KithError, match=message):
        read_judgements(folder)


def test_a_folder_without_them_is_refused(tmp_path):
    with pytest.raises(KithError, match="has neither"):
        read_judgements(tmp_path)
    with pytest.raises(KithError, match=r"needs dataset_coco\.json"):
        read_captions(tmp_path)
