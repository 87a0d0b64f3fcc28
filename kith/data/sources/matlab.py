"""Data sets whose lists are MATLAB files: Stanford Cars and Oxford Flowers-102.

Krause et al., "3D Object Representations for Fine-Grained Categorization", 3dRR 2013; Nilsback & Zisserman,
"Automated Flower Classification over a Large Number of Classes", ICVGIP 2008.
"""

from pathlib import Path
from typing import Any

import numpy as np

from kith.data.kinds import Labelled
from kith.data.listing import Entry, Listing
from kith.data.source import File, Recipe
from kith.errors import KithError

FLOWERS = 102


def cars(path: Path) -> Listing:
    """cars_annos.mat: `annotations` with the fields relative_im_path (below `path`), class (from 1) and test (0 or
    1), and `class_names`. Classes and labels are 1…196."""
    file = path / "cars_annos.mat"
    content = _load(file, "annotations", "class_names")
    names = [_text(file, "class_names", i, name) for i, name in enumerate(content["class_names"].ravel())]
    table = content["annotations"].ravel()
    fields = table.dtype.names or ()
    if missing := [name for name in ("relative_im_path", "class", "test") if name not in fields]:
        raise KithError(f"{file}: annotations have no field '{missing[0]}'; there are: {', '.join(fields) or 'none'}")
    entries = []
    for row, each in enumerate(table):
        picture = _text(file, "relative_im_path", row, each["relative_im_path"])
        label = _whole(file, "class", row, each["class"], range(1, len(names) + 1))
        test = _whole(file, "test", row, each["test"], range(2))
        place = f"cars_annos.mat, row {row}"
        entries.append(Entry(picture, "test" if test else "train", picture, place, str(label)))
    return Listing(entries, path, {str(i): name for i, name in enumerate(names, start=1)})


def flowers102(path: Path) -> Listing:
    """jpg/image_00001.jpg …, imagelabels.mat (`labels`, 1…102) and setid.mat (`trnid`, `valid`, `tstid`).

    train is trnid and valid together, 20 pictures a class, which published results are trained on
    (Barz & Denzler, WACV 2020); a val split is then taken from it like from others.
    """
    file = path / "imagelabels.mat"
    labels = _load(file, "labels")["labels"].ravel()
    sets = _load(path / "setid.mat", "trnid", "valid", "tstid")
    split_of: dict[int, str] = {}
    for name, split in (("trnid", "train"), ("valid", "train"), ("tstid", "test")):
        for row, value in enumerate(sets[name].ravel()):
            number = _whole(path / "setid.mat", name, row, value, range(1, len(labels) + 1))
            if number in split_of:
                raise KithError(f"{path / 'setid.mat'}: row {row} of '{name}': picture {number} is in two sets")
            split_of[number] = split
    entries = []
    for number, split in sorted(split_of.items()):
        label = _whole(file, "labels", number - 1, labels[number - 1], range(1, FLOWERS + 1))
        picture = f"jpg/image_{number:05d}.jpg"
        entries.append(Entry(picture, split, picture, f"imagelabels.mat, row {number - 1}", str(label)))
    return Listing(entries, path)


def _load(file: Path, *names: str) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    if not file.is_file():
        raise KithError(f"{file}: no such file; mend fetch.path, or add the file")
    try:
        content = loadmat(file)
    except Exception as error:  # SciPy's reader raises nearly anything on broken data
        raise KithError(f"{file}: cannot be read as a MATLAB file ({error})") from None
    for name in names:
        if name not in content:
            there = ", ".join(key for key in content if not key.startswith("_")) or "none"
            raise KithError(f"{file}: no variable '{name}'; there are: {there}")
    return content


def _text(file: Path, field: str, row: int, value: Any) -> str:
    values = np.asarray(value).ravel()
    if len(values) != 1 or not isinstance(values[0], str):
        raise KithError(f"{file}: row {row}, field '{field}': is not a text")
    return str(values[0])


def _whole(file: Path, field: str, row: int, value: Any, allowed: range) -> int:
    values = np.asarray(value).ravel()
    if len(values) != 1 or values[0] not in allowed:
        told = ", ".join(map(str, values[:3])) or "empty"
        raise KithError(f"{file}: row {row}, field '{field}': is {told}, expected {allowed[0]}…{allowed[-1]}")
    return int(values[0])


FLOWERS_FILES = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
SOURCES = (
    Labelled(
        name="cars",
        read=cars,
        lists=("*.mat",),
        layout="`cars_annos.mat` and the pictures that it names",
        recipe=Recipe(
            "research only (ImageNet terms of access)",
            "https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
            by_hand="the publisher's files are no longer online; bring cars_annos.mat and the folder car_ims from a "
            "copy",
        ),
    ),
    Labelled(
        name="flowers102",
        read=flowers102,
        lists=("*.mat",),
        layout="`jpg/`, `imagelabels.mat`, `setid.mat`",
        recipe=Recipe(
            "no licence stated; cite Nilsback and Zisserman 2008",
            FLOWERS_FILES,
            (
                File(f"{FLOWERS_FILES}102flowers.tgz", "md5:52808999861908f626f3c1f4e79d11fa"),
                File(f"{FLOWERS_FILES}imagelabels.mat", "md5:e0620be6f572b9609742df49c70aed4d"),
                File(f"{FLOWERS_FILES}setid.mat", "md5:a5357ecc9cb78c4bef273ce3793fc85c"),
            ),
        ),
    ),
)
