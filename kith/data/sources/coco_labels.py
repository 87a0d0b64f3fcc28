"""COCO, with the categories of what is in a picture as its labels. Lin et al., "Microsoft COCO", ECCV 2014."""

from pathlib import Path
from typing import Any

from kith.data.kinds import LabelSets
from kith.data.listing import Entry, Listing, picture_folder
from kith.data.lists import json_field, json_lists
from kith.data.source import Recipe
from kith.data.sources.coco import FILES_2014, FILES_2017, HOME, LICENCE
from kith.errors import KithError

PARTS = (("train", "train"), ("val", "test"))


def coco2014_labels(path: Path, *, image_root: Path | None = None) -> Listing:
    """annotations/instances_train2014.json and …val2014.json, pictures in train2014/ and val2014/; see `_listing`."""
    return _listing(path, 2014, image_root)


def coco2017_labels(path: Path, *, image_root: Path | None = None) -> Listing:
    """annotations/instances_train2017.json and …val2017.json, pictures in train2017/ and val2017/; see `_listing`."""
    return _listing(path, 2017, image_root)


def _listing(path: Path, year: int, image_root: Path | None) -> Listing:
    """The official parts, of which the validation part is the test split; `image_root` holds the folders of the parts.
    Ids are COCO's picture ids, labels its categories; pictures with nothing annotated are left out."""
    root, names = picture_folder(path, image_root, "."), dict[str, str]()
    entries, silent = list[Entry](), 0
    for part, split in PARTS:
        file = path / "annotations" / f"instances_{part}{year}.json"
        content = json_lists(file, "images", "annotations", "categories")
        names |= _categories(file, content["categories"], names)
        labels = _labels(file, content["annotations"], names)
        known: set[str] = set()
        for row, each in enumerate(content["images"]):
            key, name = (str(json_field(file, "images", row, each, field)) for field in ("id", "file_name"))
            if key in known:
                raise KithError(f"{file}: images: row {row}: id {key} comes again; keep one")
            known.add(key)
            if key in labels:
                picture, place = f"{part}{year}/{name}", f"{file.name}, images, row {row}"
                entries.append(Entry(key, split, picture, place, labels=sorted(labels[key], key=int)))
            silent += key not in labels
        if unknown := sorted(labels.keys() - known):
            raise KithError(f"{file}: annotations: no image has the image_id {unknown[0]}")
    return Listing(entries, root, names, left_out={"pictures with nothing annotated": silent} if silent else {})


def _categories(file: Path, content: list[Any], known: dict[str, str]) -> dict[str, str]:
    """{id: name}."""
    found: dict[str, str] = {}
    for row, each in enumerate(content):
        key, name = (str(json_field(file, "categories", row, each, field)) for field in ("id", "name"))
        if not key.isdecimal():
            raise KithError(f"{file}: categories: row {row}: id '{key}' is no whole number")
        if known.get(key, name) != name or key in found:
            raise KithError(f"{file}: categories: row {row}: id {key} has another name, or comes again; mend it")
        found[key] = name
    return found


def _labels(file: Path, content: list[Any], names: dict[str, str]) -> dict[str, set[str]]:
    """Picture → its categories."""
    found: dict[str, set[str]] = {}
    for row, each in enumerate(content):
        picture, label = (str(json_field(file, "annotations", row, each, f)) for f in ("image_id", "category_id"))
        if label not in names:
            raise KithError(f"{file}: annotations: row {row}: no category has the id {label}")
        found.setdefault(picture, set()).add(label)
    return found


def _source(year: int, read: Any, files: Any) -> LabelSets:
    parts = f"`annotations/instances_{{train,val}}{year}.json`, `train{year}/`, `val{year}/`"
    name, lists = f"coco{year}_labels", ("instances_*.json",)
    return LabelSets(name=name, read=read, lists=lists, layout=parts, recipe=Recipe(LICENCE, HOME, files))


SOURCES = (
    _source(2014, coco2014_labels, FILES_2014[:3]),
    _source(2017, coco2017_labels, FILES_2017),
)
