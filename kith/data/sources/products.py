"""Stanford Online Products: photographs of things for sale, a class each, in twelve super-classes.

Song, Xiang, Jegelka and Savarese, "Deep Metric Learning via Lifted Structured Feature Embedding", CVPR 2016.
"""

from collections.abc import Iterator
from pathlib import Path

from kith.data.kinds import Labelled
from kith.data.listing import Entry, Listing
from kith.data.lists import lines
from kith.data.source import File, Recipe
from kith.errors import KithError

HEAD = ("image_id", "class_id", "super_class_id", "path")
ROOT = "product"


def products(path: Path) -> Listing:
    """Ebay_train.txt and Ebay_test.txt, lines of image_id, class_id, super_class_id and path below a first line with
    these names, and the pictures <super-class>_final/<name>.JPG. No class is in both splits.

    Labels are the class ids. Their taxonomy is the data set's own: classes in super-classes, which are called like
    their folders, below one root. Raises KithError that names the file and the line.
    """
    entries: list[Entry] = []
    parent: dict[str, tuple[str, str]] = {}
    since: dict[str, str] = {}
    for split in ("train", "test"):
        file = path / f"Ebay_{split}.txt"
        for number, (_, node, _, picture) in _rows(file):
            if picture in since:
                raise KithError(f"{file}: line {number}: '{picture}' is already listed in {since[picture]}; keep one")
            since[picture] = place = f"{file.name}, line {number}"
            folder = picture.split("/")[0].removesuffix("_final")
            known, first = parent.setdefault(node, (folder, place))
            if known != folder:
                raise KithError(f"{file}: line {number}: class {node} is a {folder} here and a {known} in {first}")
            entries.append(Entry(picture, split, picture, place, node))
    above = dict.fromkeys(folder for folder, _ in parent.values())
    taxonomy = [(ROOT, folder) for folder in above] + [(folder, node) for node, (folder, _) in parent.items()]
    names = {folder: folder.replace("_", " ") for folder in above}
    names |= {node: f"{names[folder]} {node}" for node, (folder, _) in parent.items()}
    return Listing(entries, path, names, taxonomy=taxonomy)


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of the rows."""
    for place, (number, line) in enumerate(lines(file)):
        cells = line.split()
        if place == 0:
            if tuple(cells) != HEAD:
                raise KithError(f"{file}: line {number}: expected the names {' '.join(HEAD)}, found '{line}'")
            continue
        if len(cells) != len(HEAD) or not cells[1].isdecimal() or "/" not in cells[3]:
            raise KithError(
                f"{file}: line {number}: expected three whole numbers and <folder>/<picture>, found '{line}'"
            )
        yield number, cells


SOURCES = (
    Labelled(
        name="stanford_online_products",
        read=products,
        lists=("Ebay_*.txt",),
        layout="`Ebay_train.txt`, `Ebay_test.txt`, `<super-class>_final/<picture>.JPG`",
        recipe=Recipe(
            "research only, photographs of eBay's sellers; see LICENSE in the archive (Song et al. 2016)",
            "https://cvgl.stanford.edu/projects/lifted_struct/",
            (
                File(
                    "http://ftp.cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip",
                    "md5:7f73d41a2f44250d4779881525aea32e",
                    root="Stanford_Online_Products",
                ),
            ),
            about=3.1,
        ),
    ),
)
