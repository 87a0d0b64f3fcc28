"""Flickr8k and Flickr30k: five captions a picture.

Hodosh, Young and Hockenmaier, "Framing Image Description as a Ranking Task", JAIR 2013; Young et al., "From image
descriptions to visual denotations", TACL 2014. Karpathy's splits: Karpathy and Fei-Fei, CVPR 2015.
"""

import re
from pathlib import Path

from kith.data.kinds import Captioned
from kith.data.listing import Entry, Listing, first_there, picture_folder
from kith.data.lists import json_field, lines
from kith.data.source import File, Recipe
from kith.data.sources import karpathy
from kith.errors import KithError

KEY = re.compile(r"(\S+)#\d+")
PARTS = {"train": "trainImages", "val": "devImages", "test": "testImages"}


def flickr8k(path: Path, *, image_root: Path | None = None) -> Listing:
    """Flickr8k.token.txt, Flickr_8k.trainImages.txt, …devImages.txt and …testImages.txt, in `path` or its folder
    Flickr8k_text, and the pictures in Flicker8k_Dataset/. Pictures that no list names are left out."""
    texts = path if (path / "Flickr8k.token.txt").is_file() else first_there(path, "Flickr8k_text", "text", ".")
    captions = _captions(texts / "Flickr8k.token.txt")
    entries, since = [], dict[str, str]()
    for split, part in PARTS.items():
        file = texts / f"Flickr_8k.{part}.txt"
        for number, name in lines(file):
            place = f"{file.name}, line {number}"
            if name in since:
                raise KithError(f"{file}: line {number}: '{name}' is already listed in {since[name]}; keep one")
            if name not in captions:
                raise KithError(f"{file}: line {number}: '{name}' has no caption in Flickr8k.token.txt")
            since[name] = place
            entries.append(Entry(name, split, name, place, texts=captions[name]))
    root = picture_folder(
        path, image_root, "Flicker8k_Dataset", "Flickr8k_Dataset/Flicker8k_Dataset", "Flickr8k_Dataset", "Images"
    )
    unlisted = len(captions.keys() - since.keys())
    return Listing(entries, root, left_out={"pictures in no split": unlisted} if unlisted else {})


def flickr30k(path: Path, *, image_root: Path | None = None, karpathy_split: bool | None = None) -> Listing:
    """dataset_flickr30k.json (Karpathy's split, with captions), or else results_20130124.token without splits, and
    the pictures in flickr30k-images/. `karpathy_split`: insist on the one or the other."""
    root = picture_folder(path, image_root, "flickr30k-images", "flickr30k_images", "images")
    file = path / "dataset_flickr30k.json"
    if karpathy.wanted(file, karpathy_split):
        names = karpathy.entries(file, lambda row, each: (json_field(file, "images", row, each, "filename"),) * 2)
        return Listing(names, root)
    token = first_there(path, "results_20130124.token", "flickr30k/results_20130124.token")
    numbered = enumerate(_captions(token).items(), start=1)
    return Listing(
        [Entry(name, "", name, f"{token.name}, picture {i}", texts=texts) for i, (name, texts) in numbered], root
    )


def _captions(file: Path) -> dict[str, list[str]]:
    """{picture: captions} of lines "<picture>#<number><tab><caption>"."""
    found: dict[str, list[str]] = {}
    seen: dict[str, int] = {}
    for number, line in lines(file):
        key, _, caption = line.partition("\t")
        if not (match := KEY.fullmatch(key)):
            raise KithError(f"{file}: line {number}: expected <picture>#<number>, a tab and a caption, found '{line}'")
        if key in seen:
            raise KithError(f"{file}: line {number}: '{key}' is already in line {seen[key]}; keep one")
        seen[key] = number
        found.setdefault(match[1], []).append(caption)
    return found


FILES = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/"
SOURCES = (
    Captioned(
        name="flickr8k",
        read=flickr8k,
        lists=("*.txt",),
        layout="`Flickr8k.token.txt`, `Flickr_8k.{trainImages,devImages,testImages}.txt`, `Flicker8k_Dataset/`",
        recipe=Recipe(
            "non-commercial research and education (Hodosh, Young and Hockenmaier 2013)",
            "https://github.com/jbrownlee/Datasets/releases/tag/Flickr8k",
            (
                File(f"{FILES}Flickr8k_Dataset.zip", "md5:f18a1e2920de5bd84dae7cf08ec78978"),
                File(f"{FILES}Flickr8k_text.zip", "md5:bf6c1abcb8e4a833b7f922104de18627"),
            ),
        ),
    ),
    Captioned(
        name="flickr30k",
        read=flickr30k,
        lists=("*.token", "*.json"),
        layout="`dataset_flickr30k.json` or `results_20130124.token`, `flickr30k-images/`",
        recipe=Recipe(
            "non-commercial research and education, by agreement (University of Illinois)",
            "https://shannon.cs.illinois.edu/DenotationGraph/",
            by_hand="fill in the form there, and unpack flickr30k-images.tar.gz and flickr30k.tar.gz "
            f"(results_20130124.token); dataset_flickr30k.json, of the usual split, is in {karpathy.ARCHIVE.url}",
        ),
    ),
)
