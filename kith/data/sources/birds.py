"""CUB-200-2011 and NABirds, and any data set with their list files.

Wah et al., "The Caltech-UCSD Birds-200-2011 Dataset", 2011; Van Horn et al., "Building a bird recognition app and
large scale dataset with citizen scientists", CVPR 2015.
"""

from pathlib import Path

from kith.data.kinds import Labelled
from kith.data.listing import Entry, Listing
from kith.data.lists import keyed
from kith.data.source import File, Recipe
from kith.errors import KithError

LISTS = ("images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt")


def birds(path: Path) -> Listing:
    """images.txt (id, path below images/), image_class_labels.txt (id, class), train_test_split.txt (id, 1 for
    training or 0) and classes.txt (class, name; for NABirds of inner nodes too). Ids and classes are theirs:
    1…200 for CUB, the nodes of hierarchy.txt for NABirds."""
    images, labels, parts, names = (keyed(path / name) for name in LISTS)
    for name, table in zip(LISTS[1:3], (labels, parts), strict=True):
        if strange := next((key for key in table if key not in images), None):
            raise KithError(f"{path / name}: line {table[strange][0]}: id '{strange}' is not in images.txt")
    classes = {_whole(path / LISTS[3], number, key): name for key, (number, name) in names.items()}
    entries = []
    for key, (number, picture) in images.items():
        for name, table in zip(LISTS[1:3], (labels, parts), strict=True):
            if key not in table:
                raise KithError(f"{path / name}: no line for id '{key}', line {number} of images.txt; add it")
        line, value = labels[key]
        node = _whole(path / LISTS[1], line, value)
        if node not in classes:
            raise KithError(f"{path / LISTS[1]}: line {line}: class '{value}' is not in classes.txt")
        entries.append(Entry(key, _split(path, *parts[key]), picture, f"images.txt, line {number}", node))
    return Listing(entries, path / "images", classes)


def _whole(file: Path, line: int, value: str) -> str:
    """A class id without the zeros that may be before it."""
    if not value.isdecimal():
        raise KithError(f"{file}: line {line}: class '{value}' is not a whole number")
    return str(int(value))


def _split(path: Path, line: int, value: str) -> str:
    if value not in ("0", "1"):
        raise KithError(f"{path / LISTS[2]}: line {line}: '{value}' is neither 1 (training) nor 0 (test)")
    return "train" if value == "1" else "test"


SOURCES = (
    Labelled(
        name="cub",
        read=birds,
        lists=LISTS,
        layout="`images/`, `images.txt`, `image_class_labels.txt`, `train_test_split.txt`, `classes.txt`",
        recipe=Recipe(
            "non-commercial research and education (photographs of Flickr users)",
            "https://www.vision.caltech.edu/datasets/cub_200_2011/",
            (
                File(
                    "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz?download=1",
                    "md5:97eceeb196236b17998738112f37df78",
                    root="CUB_200_2011",
                ),
            ),
        ),
    ),
    Labelled(
        name="nab",
        read=birds,
        lists=LISTS,
        layout="as `cub`; nodes of `hierarchy.txt` are its classes",
        recipe=Recipe(
            "non-commercial research and education, by agreement (Cornell Lab of Ornithology)",
            "https://dl.allaboutbirds.org/nabirds",
            by_hand="fill in the form there, download nabirds.tar.gz, and unpack it",
        ),
    ),
)
