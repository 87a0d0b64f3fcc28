"""Flickr8k and Flickr30k: five captions a picture.

Hodosh, Young and Hockenmaier, "Framing Image Description as a Ranking Task", JAIR 2013; Young et al., "From image
descriptions to visual denotations", TACL 2014. Karpathy's splits: Karpathy and Fei-Fei, CVPR 2015.
"""

import re
from pathlib import Path

from kith.data.captions import karpathy
from kith.data.captions.listing import Entry, Listing, first_there, picture_folder
from kith.data.classes.textlists import lines
from kith.data.jsonfiles import field
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
            entries.append(Entry(name, split, captions[name], name, place))
    root = picture_folder(
        path, image_root, "Flicker8k_Dataset", "Flickr8k_Dataset/Flicker8k_Dataset", "Flickr8k_Dataset", "Images"
    )
    unlisted = len(captions.keys() - since.keys())
    return Listing(entries, root, {"pictures in no split": unlisted} if unlisted else {})


def flickr30k(path: Path, *, image_root: Path | None = None, karpathy_split: bool | None = None) -> Listing:
    """dataset_flickr30k.json (Karpathy's split, with captions), or else results_20130124.token without splits, and
    the pictures in flickr30k-images/. `karpathy_split`: insist on the one or the other."""
    root = picture_folder(path, image_root, "flickr30k-images", "flickr30k_images", "images")
    file = path / "dataset_flickr30k.json"
    if karpathy.wanted(file, karpathy_split):
        names = karpathy.entries(file, lambda row, each: (field(file, "images", row, each, "filename"),) * 2)
        return Listing(names, root)
    token = first_there(path, "results_20130124.token", "flickr30k/results_20130124.token")
    numbered = enumerate(_captions(token).items(), start=1)
    return Listing([Entry(name, "", texts, name, f"{token.name}, picture {i}") for i, (name, texts) in numbered], root)


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
