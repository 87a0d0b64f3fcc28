"""Conceptual Captions: captions and addresses of pictures. Sharma et al., ACL 2018."""

import os
from collections.abc import Iterator
from pathlib import Path

from kith.data.kinds import Captioned
from kith.data.listing import PICTURES, Entry, Listing, picture_folder
from kith.data.source import Recipe
from kith.errors import KithError

PARTS = {"train": ("Train*.tsv", "train"), "test": ("Validation*.tsv", "val")}


def conceptual_captions(path: Path, *, image_root: Path | None = None) -> Listing:
    """Train….tsv and, if it is there, Validation….tsv (the test split), lines of a caption, a tab and an address; and
    the pictures that are still on the web, train/<row>.jpg and val/<row>.jpg, rows from 0, zeros before them and other
    suffixes allowed. `image_root` holds the folders train and val. Rows without a picture are left out and counted."""
    root = picture_folder(path, image_root, ".")
    entries: list[Entry] = []
    gone = 0
    for split, (pattern, folder) in PARTS.items():
        files = sorted(path.glob(pattern))
        if len(files) > 1 or (not files and split == "train"):
            found = " and ".join(file.name for file in files) or "none"
            raise KithError(f"{path}: expected one file {pattern}, found {found}")
        for file in files:
            pictures = _pictures(root / folder)
            for row, caption in _captions(file):
                if row in pictures:
                    place = f"{file.name}, line {row + 1}"
                    name = f"{folder}/{row}"
                    entries.append(Entry(name, split, f"{folder}/{pictures[row]}", place, texts=[caption]))
                else:
                    gone += 1
    return Listing(entries, root, left_out={"rows without a picture": gone} if gone else {})


def _captions(file: Path) -> Iterator[tuple[int, str]]:
    """(row, caption), read line by line: the list has millions of them."""
    try:
        with file.open(encoding="utf-8", newline="\n") as opened:
            for row, line in enumerate(opened):
                caption, tab, _ = line.rstrip("\r\n").partition("\t")
                if not tab:
                    raise KithError(
                        f"{file}: line {row + 1}: expected a caption, a tab and an address, found '{caption}'"
                    )
                yield row, caption
    except OSError as error:
        raise KithError(f"{file}: cannot be opened ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise KithError(f"{file}: cannot be read as UTF-8 text: {error}") from None


def _pictures(folder: Path) -> dict[int, str]:
    """{row: name of the file}."""
    if not folder.is_dir():
        raise KithError(f"{folder}: no such folder of pictures; add it, or name another in fetch.image_root")
    found: dict[int, str] = {}
    for name in sorted(os.listdir(folder)):
        stem, suffix = os.path.splitext(name)
        if stem.isdecimal() and (suffix.lower() in PICTURES or not suffix):
            if int(stem) in found:
                raise KithError(f"{folder}: '{found[int(stem)]}' and '{name}' are of the same row; keep one")
            found[int(stem)] = name
    return found


SOURCES = (
    Captioned(
        name="conceptual_captions",
        read=conceptual_captions,
        lists=("*.tsv",),
        layout="`Train*.tsv`, `Validation*.tsv`, `train/<row>.jpg`, `val/<row>.jpg`",
        recipe=Recipe(
            "free for any purpose, provided as is (Google); pictures under the terms of their sites",
            "https://ai.google.com/research/ConceptualCaptions/download",
            by_hand="download the lists Train_GCC-training.tsv and Validation_GCC-1.1.0-Validation.tsv and, from the "
            "addresses in them, the pictures as train/<row>.jpg and val/<row>.jpg, rows counted from 0",
        ),
    ),
)
