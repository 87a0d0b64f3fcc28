"""COCO captions, 2014 and 2017. Lin et al., "Microsoft COCO", ECCV 2014; Chen et al., arXiv 1504.00325, 2015."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kith.data.captions import karpathy
from kith.data.captions.listing import Entry, Listing, picture_folder
from kith.data.jsonfiles import field, lists
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
    return Listing(entries, root, {"pictures without captions": silent} if silent else {})


def _part(file: Path, folder: str, split: str) -> Iterator[Entry]:
    """`images` (id, file_name) with all `annotations` (image_id, caption) of each, in the file's order."""
    content = lists(file, "images", "annotations")
    captions: dict[Any, list[str]] = {}
    names: dict[Any, tuple[int, str]] = {}
    for row, each in enumerate(content["images"]):
        key, name = (field(file, "images", row, each, part) for part in ("id", "file_name"))
        if key in names:
            raise KithError(f"{file}: images: row {row}: id {key!r} is already in row {names[key][0]}; keep one")
        names[key], captions[key] = (row, str(name)), []
    for row, each in enumerate(content["annotations"]):
        key, caption = (field(file, "annotations", row, each, part) for part in ("image_id", "caption"))
        if key not in captions:
            raise KithError(f"{file}: annotations: row {row}: no image has the image_id {key!r}")
        captions[key].append(str(caption))
    for key, (row, name) in names.items():
        yield Entry(str(key), split, captions[key], f"{folder}/{name}", f"{file.name}, images, row {row}")


def _karpathy(path: Path, file: Path, year: int) -> list[Entry]:
    """Pictures are named as in 2014; those of 2017 lie elsewhere, where the official lists say."""
    elsewhere: dict[str, str] = {}
    if year != 2014:
        for part in (f"train{year}", f"val{year}"):
            found = _part(path / "annotations" / f"captions_{part}.json", part, "")
            elsewhere |= {entry.id: entry.image for entry in found}

    def named(row: int, each: dict[str, Any]) -> tuple[str, str]:
        key = str(field(file, "images", row, each, "cocoid"))
        if year == 2014:
            folder, name = (field(file, "images", row, each, part) for part in ("filepath", "filename"))
            return key, f"{folder}/{name}"
        if key not in elsewhere:
            raise KithError(f"{file}: images: row {row}: cocoid {key} is in no list of {path / 'annotations'}")
        return key, elsewhere[key]

    return karpathy.entries(file, named)
