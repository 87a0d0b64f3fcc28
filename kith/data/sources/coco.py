"""COCO captions, 2014 and 2017. Lin et al., "Microsoft COCO", ECCV 2014; Chen et al., arXiv 1504.00325, 2015."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kith.data.kinds import Captioned
from kith.data.listing import Entry, Listing, picture_folder
from kith.data.lists import json_field, json_lists
from kith.data.source import File, Recipe
from kith.data.sources import karpathy
from kith.errors import KithError


def coco2014(path: Path, *, image_root: Path | None = None, karpathy_split: bool | None = None) -> Listing:
    """annotations/captions_train2014.json and …val2014.json, pictures in train2014/ and val2014/; see `_listing`."""
    return _listing(path, 2014, image_root, karpathy_split)


def coco2017(path: Path, *, image_root: Path | None = None, karpathy_split: bool | None = None) -> Listing:
    """annotations/captions_train2017.json and …val2017.json, pictures in train2017/ and val2017/; see `_listing`."""
    return _listing(path, 2017, image_root, karpathy_split)


def _listing(path: Path, year: int, image_root: Path | None, karpathy_split: bool | None) -> Listing:
    """Karpathy's split where dataset_coco.json is in `path` (or `karpathy_split` insists on it), with his captions and
    the parts train, restval, val and test; else the official parts, of which the validation part is the test split.
    `image_root` holds the folders of the parts. Ids are COCO's picture ids; pictures without captions are left out."""
    root = picture_folder(path, image_root, ".")
    file = path / "dataset_coco.json"
    if karpathy.wanted(file, karpathy_split):
        return Listing(_karpathy(path, file, year), root)
    entries, silent = [], 0
    for part, split in (("train", "train"), ("val", "test")):
        for entry in _part(path / "annotations" / f"captions_{part}{year}.json", f"{part}{year}", split):
            if entry.texts:
                entries.append(entry)
            else:
                silent += 1
    return Listing(entries, root, left_out={"pictures without captions": silent} if silent else {})


def captions(file: Path) -> Iterator[Entry]:
    """The pictures of one file of captions, by the names that it gives them, without a split. Raises KithError."""
    return _part(file, ".", "")


def _part(file: Path, folder: str, split: str) -> Iterator[Entry]:
    """`images` (id, file_name) with all `annotations` (image_id, caption) of each, in the file's order."""
    content = json_lists(file, "images", "annotations")
    captions: dict[Any, list[str]] = {}
    names: dict[Any, tuple[int, str]] = {}
    for row, each in enumerate(content["images"]):
        key, name = (json_field(file, "images", row, each, part) for part in ("id", "file_name"))
        if key in names:
            raise KithError(f"{file}: images: row {row}: id {key!r} is already in row {names[key][0]}; keep one")
        names[key], captions[key] = (row, str(name)), []
    for row, each in enumerate(content["annotations"]):
        key, caption = (json_field(file, "annotations", row, each, part) for part in ("image_id", "caption"))
        if key not in captions:
            raise KithError(f"{file}: annotations: row {row}: no image has the image_id {key!r}")
        captions[key].append(str(caption))
    for key, (row, name) in names.items():
        place = f"{file.name}, images, row {row}"
        yield Entry(str(key), split, f"{folder}/{name}", place, texts=captions[key])


def _karpathy(path: Path, file: Path, year: int) -> list[Entry]:
    """Pictures are named as in 2014; those of 2017 lie elsewhere, where the official lists say."""
    elsewhere: dict[str, str] = {}
    if year != 2014:
        for part in (f"train{year}", f"val{year}"):
            found = _part(path / "annotations" / f"captions_{part}.json", part, "")
            elsewhere |= {entry.id: entry.image for entry in found}

    def named(row: int, each: dict[str, Any]) -> tuple[str, str]:
        key = str(json_field(file, "images", row, each, "cocoid"))
        if year == 2014:
            folder, name = (json_field(file, "images", row, each, part) for part in ("filepath", "filename"))
            return key, f"{folder}/{name}"
        if key not in elsewhere:
            raise KithError(f"{file}: images: row {row}: cocoid {key} is in no list of {path / 'annotations'}")
        return key, elsewhere[key]

    return karpathy.entries(file, named)


def _file(path: str, sha256: str, size: int) -> File:
    """The checksums are those that TensorFlow Datasets verifies."""
    mirror = f"https://s3.amazonaws.com/images.cocodataset.org/{path}"
    return File(f"http://images.cocodataset.org/{path}", f"sha256:{sha256}", size, (mirror,))


LICENCE = "annotations CC BY 4.0; photographs under Flickr's terms of use, of their owners"
HOME = "https://cocodataset.org"
FILES_2014 = (
    _file("zips/train2014.zip", "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775", 13_510_573_713),
    _file("zips/val2014.zip", "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0", 6_645_013_297),
    _file(
        "annotations/annotations_trainval2014.zip",
        "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
        252_872_794,
    ),
    karpathy.ARCHIVE,
)
FILES_2017 = (
    _file("zips/train2017.zip", "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929", 19_336_861_798),
    _file("zips/val2017.zip", "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05", 815_585_330),
    _file(
        "annotations/annotations_trainval2017.zip",
        "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
        252_907_541,
    ),
)
SOURCES = (
    Captioned(
        name="coco2014",
        read=coco2014,
        lists=("captions_*.json", "dataset_coco.json"),
        layout="`annotations/captions_{train,val}2014.json`, `train2014/`, `val2014/`, maybe `dataset_coco.json`",
        recipe=Recipe(LICENCE, HOME, FILES_2014),
    ),
    Captioned(
        name="coco2017",
        read=coco2017,
        lists=("captions_*.json", "dataset_coco.json"),
        layout="`annotations/captions_{train,val}2017.json`, `train2017/`, `val2017/`, maybe `dataset_coco.json`",
        recipe=Recipe(LICENCE, HOME, FILES_2017),
    ),
)
