"""Miniatures of data sets whose pictures have several labels each, in their official layouts."""

from collections.abc import Iterator
from itertools import combinations, cycle
from pathlib import Path

from tests.made_captions import picture, write, write_json

FRONT = "/home/someone/data/"  # of who made the lists


def label_lists(path: Path, labels: int = 21, each: int = 30, front: str = FRONT) -> Path:
    """`each` pictures in the database, a third of these also for training, and a fifth beside them for test; every
    picture has two labels."""
    pairs = cycle(combinations(range(labels), 2))
    names = [f"images/{number}_{level}.jpg" for number, level in enumerate(range(each + each // 5))]
    lines = []
    for number, name in enumerate(names):
        picture(path / name, 5 * number % 250)
        own = next(pairs)
        lines.append(" ".join([f"{front}{name}", *("1" if label in own else "0" for label in range(labels))]))
    write(path / "database.txt", *lines[:each])
    write(path / "train.txt", *lines[: each // 3])
    write(path / "test.txt", *lines[each:])
    return path


def instances(path: Path, year: int = 2014, train: int = 24, val: int = 9) -> Path:
    """COCO with categories 1, 3 and 18, of which a picture has one or two; the last of each part has nothing."""
    ids: Iterator[int] = iter(range(1, 1000))
    categories = [{"id": each, "name": name} for each, name in ((1, "person"), (3, "car"), (18, "dog"))]
    boxes = iter(range(1, 10_000))
    for part, count in (("train", train), ("val", val)):
        images = [{"id": (key := next(ids)), "file_name": f"COCO_{part}{year}_{key:012d}.jpg"} for _ in range(count)]
        told = []
        for image in images:
            picture(path / f"{part}{year}" / image["file_name"], 6 * image["id"] % 250)
        for image in images[:-1]:
            for category in {1 + 2 * (image["id"] % 2), (1, 3, 18)[image["id"] % 3]}:
                box = {"bbox": [0, 0, 2, 2], "category_id": category}
                told += [{"id": next(boxes), "image_id": image["id"], **box} for _ in range(2)]  # two things of a kind
        content = {"info": {}, "images": images, "annotations": told, "categories": categories}
        write_json(path / "annotations" / f"instances_{part}{year}.json", content)
    return path
