"""What people have judged to be right beside the pairs of a data set: the files of ECCV Caption and of CxC, for COCO.

Chun et al., "ECCV Caption", ECCV 2022; Parekh et al., "Crisscrossed Captions", EACL 2021.
"""

import csv
from pathlib import Path
from typing import NamedTuple

from kith.data.lists import json_field, json_lists, read_json
from kith.errors import KithError, reading

SCORE = 3.0  # of 0 to 5: from here on, a pair of CxC is right (Parekh et al., 2021)
COLUMNS = ("caption", "image", "agg_score")


class Judgements(NamedTuple):
    """Right answers by ids as they are written: of captions the pictures, of pictures the captions. added: beside those
    of the data set; else in their place, and only these queries are asked."""

    text_to_image: dict[str, list[str]]
    image_to_text: dict[str, list[str]]
    added: bool


def read_judgements(folder: Path) -> dict[str, Judgements]:
    """All that `folder` has: "eccv" from eccv_caption_to_image.json and eccv_image_to_caption.json, "cxc" from
    sits_*.csv. Raises KithError where there is neither, or a file does not have its layout."""
    found = {}
    both = [folder / f"eccv_{name}.json" for name in ("caption_to_image", "image_to_caption")]
    if any(path.exists() for path in both):
        found["eccv"] = Judgements(_lists(both[0]), _lists(both[1]), added=False)
    if tables := sorted(folder.glob("sits_*.csv")):
        found["cxc"] = _cxc(tables)
    if not found:
        raise KithError(f"{folder}: has neither eccv_caption_to_image.json and its pair, nor sits_test.csv of CxC")
    return found


def read_captions(folder: Path) -> dict[str, tuple[str, str]]:
    """Id of a caption → id of its picture, and its text: from dataset_coco.json, or from all captions_*.json.

    Raises KithError where there is none, or one lacks a field.
    """
    karpathy, official = folder / "dataset_coco.json", sorted(folder.glob("captions_*.json"))
    found: dict[str, tuple[str, str]] = {}
    if karpathy.exists():
        for row, image in enumerate(json_lists(karpathy, "images")["images"]):
            key = str(json_field(karpathy, "images", row, image, "cocoid"))
            for at, sentence in enumerate(image.get("sentences") or ()):
                place = f"images: row {row}: sentences"
                name, text = (json_field(karpathy, place, at, sentence, part) for part in ("sentid", "raw"))
                found[str(name)] = key, str(text)
        return found
    if not official:
        raise KithError(f"{folder}: needs dataset_coco.json or captions_val2014.json, which say whose the captions are")
    for file in official:
        for row, each in enumerate(json_lists(file, "annotations")["annotations"]):
            name, key, text = (
                json_field(file, "annotations", row, each, part) for part in ("id", "image_id", "caption")
            )
            found[str(name)] = str(key), str(text)
    return found


def _lists(path: Path) -> dict[str, list[str]]:
    if not path.exists():
        raise KithError(f"{path}: no such file; ECCV Caption has two, one a direction")
    content = read_json(path)
    if not isinstance(content, dict):
        raise KithError(f"{path}: expected ids with lists of ids")
    for key, values in content.items():
        if not isinstance(values, list) or not all(isinstance(value, int | str) for value in values):
            raise KithError(f"{path}: {key}: expected a list of ids")
    return {key: [str(value) for value in values] for key, values in content.items()}


def _cxc(paths: list[Path]) -> Judgements:
    """`caption` ends in the caption's id, `image` names the picture's file, which ends in its id."""
    of_captions: dict[str, list[str]] = {}
    of_images: dict[str, list[str]] = {}
    for path in paths:
        with reading(path, "take the file of CxC as it is"), path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for line, row in enumerate(rows, start=2):
            caption, image, score = (row.get(column) for column in COLUMNS)
            try:
                right = float(score or "") >= SCORE
                named = str(int(str(caption).rpartition(":")[2])), str(int(Path(str(image)).stem.rpartition("_")[2]))
            except ValueError:
                raise KithError(f"{path}: line {line}: expected the columns {', '.join(COLUMNS)} of CxC") from None
            if right:
                of_captions.setdefault(named[0], []).append(named[1])
                of_images.setdefault(named[1], []).append(named[0])
    return Judgements(of_captions, of_images, added=True)
