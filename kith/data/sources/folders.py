"""Pictures in one folder a class: any such data set, ILSVRC, and folders with lists of what is in which split."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kith.data import splits
from kith.data.kinds import Labelled
from kith.data.listing import Entry, Listing, hidden, left_out, pictures_below
from kith.data.lists import lines
from kith.data.source import File, Recipe
from kith.data.splits import known
from kith.data.splits import spelled as any_case
from kith.errors import KithError

LISTS = {
    "train": ("train.txt", "TrainImages.txt"),
    "val": ("val.txt",),
    "test": ("test.txt", "TestImages.txt"),
}


def image_folder(path: Path, *, splits: Mapping[str, str] | None = None) -> Listing:
    """<split>/<class>/**/<picture>, or <class>/**/<picture> without splits; class folders name the classes.

    There are splits where a folder in `path` is called train, or means it by `splits` (folder: split or
    "ignore"). Files that are no pictures by their suffix are passed over. A val folder without a test folder
    is the test split.
    """
    folders = _folders(path)
    meant = {name: (splits or {}).get(name, name) for name in folders}
    spelled = {name: any_case(split) for name, split in meant.items()}
    # A class may be called Train: with other classes beside it, it is one.
    meant = spelled if all(split == "ignore" or known(split) for split in spelled.values()) else meant
    if "train" in meant.values():
        split_of = _known(path, meant)
        _refuse_alone(path / next(iter(split_of)))
    else:
        _refuse_likely(path, folders)
        split_of = {}
    passed: Counter[str] = Counter()
    entries = [
        entry
        for folder, split in (split_of or {"": "train"}).items()
        for entry in _classes(path, path / folder, split, passed)
    ]
    return Listing(entries, path, left_out=left_out(passed))


def ilsvrc(path: Path) -> Listing:
    """ILSVRC2012_img_train/<wnid>/ and ILSVRC2012_img_val/<wnid>/; the validation part is the test split."""
    parts = {"ILSVRC2012_img_train": "train", "ILSVRC2012_img_val": "test"}
    passed: Counter[str] = Counter()
    entries = [entry for part, split in parts.items() for entry in _classes(path, path / part, split, passed)]
    return Listing(entries, path, left_out=left_out(passed))


def image_lists(path: Path) -> Listing:
    """<class>/<picture> with train.txt, test.txt and, if there is one, val.txt: one path a line, class folder
    first (MIT67Scenes, UC Merced, RESISC45). The class folders are in `path`, or in its folder Images or images;
    MIT67's own TrainImages.txt and TestImages.txt will do."""
    root = next((name for name in ("Images", "images") if (path / name).is_dir()), ".")
    entries, since = [], dict[str, str]()
    for split, names in LISTS.items():
        file = next((path / name for name in names if (path / name).is_file()), path / names[0])
        if split == "val" and not file.is_file():
            continue
        for number, line in lines(file):
            picture = line.replace("\\", "/").removeprefix("./")
            place = f"{file.name}, line {number}"
            if "/" not in picture:
                raise KithError(f"{file}: line {number}: expected <class>/<picture>, found '{line}'")
            if picture in since:
                raise KithError(f"{file}: line {number}: '{picture}' is already listed in {since[picture]}; keep one")
            since[picture] = place
            entries.append(Entry(picture, split, picture, place, picture.split("/")[0]))
    return Listing(entries, path / root)


def _known(path: Path, meant: Mapping[str, str]) -> dict[str, str]:
    """{folder: split}, train first."""
    for name, split in meant.items():
        if split != "ignore" and not splits.known(split):
            raise KithError(
                f"{path}: folder '{name}' beside train is no split; splits are {splits.NAMES}; say what it is with "
                f"fetch.splits: {{'{name}': {splits.suggestion(name)}}}"
            )
    used = {name: split for name, split in meant.items() if split != "ignore"}
    if "test" not in used.values():
        used = {name: "test" if split == "val" else split for name, split in used.items()}
    return dict(sorted(used.items(), key=lambda pair: (pair[1] != "train", pair[1] != "val", pair)))


def _refuse_likely(path: Path, folders: Sequence[str]) -> None:
    """Folders that look like splits would become classes. One of several may be a class that is called Train."""
    likely = {name: split for name in folders if (split := splits.suggestion(name)) != "ignore"}
    if len(likely) >= min(2, len(folders)) and len(folders) <= 4:
        told = ", ".join(f"'{name}': {split}" for name, split in likely.items())
        raise KithError(
            f"{path}: no folder train, but {', '.join(folders)}; say what they are with fetch.splits: {{{told}}}"
        )
    _refuse_alone(path)
    below = [set(_below(path / name)) for name in folders]
    if all(len(names) > 1 and "train" in names and all(map(splits.known, names)) for names in below):
        raise KithError(
            f"{path}: the folders of classes hold folders of splits ({', '.join(sorted(below[0]))}); put the classes "
            f"into the splits: train/{folders[0]}, not {folders[0]}/train"
        )


def _refuse_alone(path: Path) -> None:
    """A single folder would be the only class."""
    if len(_folders(path)) > 1:
        return
    (name,) = _folders(path)
    inner = path / name
    while len(names := _below(inner)) == 1 and not known(any_case(names[0])):
        inner = inner / names[0]
    said = "a folder for each of at least two classes is needed"
    if names:
        said = f"did you mean {inner}?"
    raise KithError(f"{path}: there is one folder alone, '{name}', which would be the only class; {said}")


def _below(folder: Path) -> list[str]:
    """Names of the folders in a folder, if there are any, sorted."""
    with os.scandir(folder) as found:
        return sorted(each.name for each in found if each.is_dir() and not hidden(each.name))


def _classes(path: Path, folder: Path, split: str, passed: Counter[str]) -> Iterator[Entry]:
    """passed: where the suffixes of files that are passed over are counted."""
    for name in _folders(folder):
        found = [file.relative_to(path).as_posix() for file in pictures_below(folder / name, passed)]
        if not found:
            raise KithError(f"{folder / name}: no picture in this class folder{_instead(folder / name)}")
        yield from (Entry(picture, split, picture, f"file '{picture}'", name) for picture in found)


def _instead(folder: Path) -> str:
    """What is in a folder without pictures, and what to do."""
    passed: Counter[str] = Counter()
    next(pictures_below(folder, passed), None)
    told = ", ".join(f"{count:,} {what}" for what, count in left_out(passed).items())
    return (
        f" (there are {told}, which are not taken for pictures); rename or remove them"
        if told
        else ("; add some, or remove it")
    )


def _folders(path: Path) -> list[str]:
    """Names of the folders in `path`, sorted."""
    if not path.is_dir():
        raise KithError(f"{path}: no such folder; mend fetch.path")
    names = _below(path)
    if not names:
        raise KithError(f"{path}: no folders of classes in it")
    return names


LINES = ("*.txt",)
SOURCES = (
    Labelled(
        name="image_folder",
        read=image_folder,
        named=False,
        layout="a folder a class: [labelled pictures](labelled-pictures.md)",
    ),
    Labelled(
        name="image_lists",
        read=image_lists,
        lists=LINES,
        named=False,
        layout="a folder a class, and lists of the splits: [labelled pictures](labelled-pictures.md)",
    ),
    Labelled(
        name="ilsvrc",
        read=ilsvrc,
        layout="`ILSVRC2012_img_train/<wnid>/`, `ILSVRC2012_img_val/<wnid>/`",
        recipe=Recipe(
            "non-commercial research and education, by agreement (ImageNet terms of access)",
            "https://image-net.org/download.php",
            by_hand="register at image-net.org, agree to the terms, and download ILSVRC2012_img_train.tar and "
            "ILSVRC2012_img_val.tar; unpack them to ILSVRC2012_img_train/<wnid>/ and ILSVRC2012_img_val/<wnid>/ (the "
            "validation part into a folder a class)",
        ),
    ),
    Labelled(
        name="mit67",
        read=image_lists,
        lists=LINES,
        layout="`Images/<class>/`, `TrainImages.txt`, `TestImages.txt`",
        recipe=Recipe(
            "research only",
            "https://web.mit.edu/torralba/www/indoor.html",
            (
                File("http://groups.csail.mit.edu/vision/LabelMe/NewImages/indoorCVPR_09.tar"),
                File("http://web.mit.edu/torralba/www/TrainImages.txt"),
                File("http://web.mit.edu/torralba/www/TestImages.txt"),
            ),
            about=2.4,
        ),
    ),
    Labelled(
        name="ucmerced",
        read=image_lists,
        lists=LINES,
        layout="`Images/<class>/`, `train.txt`, `test.txt`",
        recipe=Recipe(
            "public domain (photographs of the US Geological Survey)",
            "http://weegee.vision.ucmerced.edu/datasets/landuse.html",
            by_hand="download UCMerced_LandUse.zip, unpack it, and put train.txt and test.txt with one "
            "<class>/<picture> a line beside its folder Images; the publisher states no split",
        ),
    ),
    Labelled(
        name="resisc45",
        read=image_lists,
        lists=LINES,
        layout="`<class>/`, `train.txt`, `test.txt`",
        recipe=Recipe(
            "research only",
            "https://gcheng-nwpu.github.io/",
            by_hand="download NWPU-RESISC45 from the publisher's cloud folder, unpack it, and put train.txt and "
            "test.txt with one <class>/<picture> a line beside the class folders; the publisher states no split",
        ),
    ),
)
