"""Pictures with several labels each, as lists: one picture a line, and after its path a 0 or 1 for each label.

So the data sets of the literature on hashing are handed on: NUS-WIDE, COCO and MIRFlickr, by HashNet's program (Cao et
al., ICCV 2017) and those that follow it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from kith.data.kinds import LabelSets
from kith.data.listing import Entry, Listing
from kith.data.lists import lines
from kith.data.source import Recipe
from kith.errors import KithError

LISTS = {"train": "train.txt", "val": "val.txt", "test": "test.txt", "database": "database.txt"}
NEEDED = ("train", "test")


def label_lists(path: Path, *, image_root: Path | None = None) -> Listing:
    """train.txt, test.txt and, if they are there, val.txt and database.txt, with lines of a path and a 0 or 1 for each
    label. Labels are called by their places, from 0, or by fetch.class_names.

    Where the training pictures are in the database too, they are in train (`evaluate.database: train` finds them).
    Paths start from `image_root`, by default `path`; the folders in front, of who made the lists, are left out: as many
    as it takes for the first picture to be there. Pictures without any label are left out.
    """
    root = image_root or path
    rows = [(split, *row) for split, file in LISTS.items() for row in _rows(path / file, split in NEEDED)]
    widths = {len(marks): place for _, place, _, marks in reversed(rows)}
    if len(widths) > 1:
        told = " and ".join(f"{width} in {place}" for width, place in widths.items())
        raise KithError(f"{path}: lines have different numbers of labels: {told}; mend the lists")
    folders = _folders_in_front(root, rows[0][2])
    found: dict[str, tuple[Entry, Sequence[str]]] = {}
    again = silent = 0
    for split, place, name, marks in rows:
        picture = PurePosixPath(*PurePosixPath(name).parts[folders:]).as_posix()
        labels = [str(label) for label, mark in enumerate(marks) if mark == "1"]
        if picture in found:
            _check_again(path, found[picture], split, place, labels)
            again += 1
        elif labels:
            found[picture] = Entry(picture, split, picture, place, labels=labels), labels
        else:
            silent += 1
    left = {"lines of database.txt that another list has too": again, "pictures without labels": silent}
    return Listing([entry for entry, _ in found.values()], root, left_out={what: n for what, n in left.items() if n})


def _rows(file: Path, needed: bool) -> Iterator[tuple[str, str, Sequence[str]]]:
    """(place, path, marks) of the lines."""
    if not needed and not file.is_file():
        return
    for number, line in lines(file):
        name, *marks = line.replace("\\", "/").split()
        if not marks or not set(marks) <= {"0", "1"}:
            shown = line if len(line) < 100 else f"{line[:100]}…"
            raise KithError(f"{file}: line {number}: expected a path and a 0 or 1 for each label, found '{shown}'")
        yield f"{file.name}, line {number}", name, marks


def _folders_in_front(root: Path, name: str) -> int:
    """How many parts of the path `name` have to go until it names a file below `root`."""
    parts = PurePosixPath(name).parts
    for left in range(len(parts)):
        if parts[left] != "/" and root.joinpath(*parts[left:]).is_file():
            return left
    raise KithError(f"{root}: has no picture '{name}', nor any end of this path; name their folder: fetch.image_root")


def _check_again(path: Path, known: tuple[Entry, Sequence[str]], split: str, place: str, labels: list[str]) -> None:
    """Training pictures may be in the database too, with the same labels."""
    first, before = known
    if split != "database" or first.split == "database" or first.split == "test":
        raise KithError(f"{path}: {place}: '{first.id}' is already listed in {first.place}; keep one")
    if list(before) != labels:
        raise KithError(f"{path}: {place}: '{first.id}' has other labels than in {first.place}; mend one")


SOURCES = (
    LabelSets(
        name="label_lists",
        read=label_lists,
        lists=("*.txt",),
        named=False,
        layout="`train.txt`, `test.txt`, maybe `val.txt`, `database.txt`: lines of a path and a 0 or 1 for each label",
        recipe=Recipe(
            "that of the data set; NUS-WIDE is for non-commercial research (National University of Singapore)",
            "https://github.com/thuml/HashNet/tree/master/pytorch",
            by_hand="get the pictures and the lists train.txt, test.txt and database.txt of NUS-WIDE, COCO or another "
            "data set from who hands them on, such as the authors of HashNet, and put the lists into one folder; name "
            "the folder of the pictures in fetch.image_root",
        ),
    ),
)
