"""iNaturalist 2018 and 2019: COCO-style JSON. Van Horn et al., "The iNaturalist Species Classification and
Detection Dataset", CVPR 2018."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kith.data.kinds import Labelled
from kith.data.listing import Entry, Listing
from kith.data.lists import json_field, json_lists, read_json
from kith.data.source import File, Recipe
from kith.errors import KithError


def inat2018(path: Path, *, supercategory: str | None = None) -> Listing:
    """train2018.json and val2018.json; see `_listing`."""
    return _listing(path, 2018, supercategory)


def inat2019(path: Path, *, supercategory: str | None = None) -> Listing:
    """train2019.json and val2019.json; see `_listing`."""
    return _listing(path, 2019, supercategory)


def _listing(path: Path, year: int, wanted: str | None) -> Listing:
    """`images` (id, file_name below `path`), `annotations` (image_id, category_id) and `categories` (id, maybe name) of
    both parts; the validation part is the test split. Nodes and labels are category ids. `wanted`: only this
    supercategory ("Insecta"), as categories.json or the categories say, or else the second folder of file names.
    """
    extra = _extra(path / "categories.json")
    names: dict[str, str] = {}
    entries, seen = [], set[str]()
    for part, split in ((f"train{year}.json", "train"), (f"val{year}.json", "test")):
        content = json_lists(path / part, "images", "annotations", "categories")
        own = _categories(path / part, content["categories"])
        known = {key: each | extra.get(key, {}) for key, each in own.items()}
        names |= {key: str(each["name"]) for key, each in known.items() if "name" in each}
        for entry, category in _entries(path / part, content, split, known):
            found = str(category.get("supercategory") or (entry.image.split("/") + ["", ""])[1])
            seen.add(found)
            if wanted is None or found == wanted:
                entries.append(entry)
    if not entries:
        raise KithError(f"{path}: no picture of the supercategory '{wanted}'; there are: {', '.join(sorted(seen))}")
    return Listing(entries, path, names)


Category = dict[str, Any]


def _extra(file: Path) -> dict[str, Category]:
    """What categories.json adds, where it is there: the real names, which the competition kept back."""
    if not file.is_file():
        return {}
    content = read_json(file)
    if not isinstance(content, list):
        raise KithError(f"{file}: is not a list of categories")
    return _categories(file, content)


def _categories(file: Path, found: list[Category]) -> dict[str, Category]:
    return {str(json_field(file, "categories", row, each, "id")): each for row, each in enumerate(found)}


def _entries(
    file: Path, content: dict[str, Any], split: str, known: dict[str, Category]
) -> Iterator[tuple[Entry, Category]]:
    images = {json_field(file, "images", row, each, "id"): (row, each) for row, each in enumerate(content["images"])}
    category_of: dict[Any, str] = {}
    for row, each in enumerate(content["annotations"]):
        image, category = (json_field(file, "annotations", row, each, name) for name in ("image_id", "category_id"))
        if image not in images:
            raise KithError(f"{file}: annotations: row {row}: no image has the image_id {image!r}")
        if str(category) not in known:
            raise KithError(f"{file}: annotations: row {row}: no category has the category_id {category!r}")
        if category_of.setdefault(image, str(category)) != str(category):
            raise KithError(f"{file}: annotations: row {row}: image {image!r} has a second category, {category!r}")
    for image, (row, each) in images.items():
        if image not in category_of:
            raise KithError(f"{file}: images: row {row}: no annotation has the image_id {image!r}; add it")
        name = json_field(file, "images", row, each, "file_name")
        label = category_of[image]
        yield Entry(str(name), split, str(name), f"{file.name}, images, row {row}", label), known[label]


def _recipe(year: int, about: float, pictures: str, train: str, val: str) -> Recipe:
    """The checksums are those of its publishers; of categories.json.tar.gz they state none."""
    files = f"https://ml-inat-competition-datasets.s3.amazonaws.com/{year}/"
    return Recipe(
        "non-commercial research and education, images not to be passed on (iNaturalist competition terms)",
        f"https://github.com/visipedia/inat_comp/tree/master/{year}",
        (
            File(f"{files}train_val{year}.tar.gz", pictures),
            File(f"{files}train{year}.json.tar.gz", train),
            File(f"{files}val{year}.json.tar.gz", val),
            File(f"{files}categories.json.tar.gz"),
        ),
        about=about,
    )


SOURCES = (
    Labelled(
        name="inat2018",
        read=inat2018,
        lists=("*.json",),
        layout="`train2018.json`, `val2018.json`, maybe `categories.json`, `train_val2018/`",
        recipe=_recipe(
            2018,
            120,
            "md5:b1c6952ce38f31868cc50ea72d066cc3",
            "md5:bfa29d89d629cbf04d826a720c0a68b0",
            "md5:f2ed8bfe3e9901cdefceb4e53cd3775d",
        ),
    ),
    Labelled(
        name="inat2019",
        read=inat2019,
        lists=("*.json",),
        layout="`train2019.json`, `val2019.json`, maybe `categories.json`, `train_val2019/`",
        recipe=_recipe(
            2019,
            74,
            "md5:c60a6e2962c9b8ccbd458d12c8582644",
            "md5:b06a6683537867c0d5c7a45f407a306d",
            "md5:5cc5509b0fe495f1c8c1362612448497",
        ),
    ),
)
