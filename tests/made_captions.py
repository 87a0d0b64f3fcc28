"""Small made-up data sets of pictures and captions in the official layouts."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kith.data import captioned, sources
from kith.data.store import ImageWriter
from kith.errors import KithError


def build(source: str, path: Path, own: dict | None = None, size: int = 8, **options):
    """Items, pictures, the Dataset and the listing."""
    listing = sources.find(source).listing(path, own or {})
    file = path.parent / "images.npy"
    with ImageWriter(file, size, "RGB") as pictures:
        dataset = captioned.build(path, listing, pictures, **options)
    return dataset.items.to_pandas(), np.load(file), dataset, listing


def fault(source: str, path: Path, own: dict | None = None, **options) -> str:
    with pytest.raises(KithError) as caught:
        build(source, path, own, **options)
    return str(caught.value)


def picture(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 8), (level % 256, 255 - level % 256, 7)).save(
        path, "PNG" if path.suffix == ".png" else "JPEG"
    )


def write(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write(path, json.dumps(value))


def edit_json(path: Path, change) -> None:
    value = json.loads(path.read_text())
    change(value)
    write_json(path, value)


FLICKR_SPLITS = {"train": range(4), "dev": range(4, 6), "test": range(6, 8)}


def flickr8k(path: Path) -> Path:
    """Eight pictures in three lists, and one that is in none."""
    for i in range(8):
        picture(path / "Flicker8k_Dataset" / f"{i}_a.jpg", 20 * i)
    captions = [f"{i}_a.jpg#{j}\tA dog , number {i} , told {j} times ." for i in range(8) for j in range(5)]
    write(path / "Flickr8k.token.txt", *captions, "9_b.jpg.1#0\tNobody listed it .")
    for split, members in FLICKR_SPLITS.items():
        write(path / f"Flickr_8k.{split}Images.txt", *(f"{i}_a.jpg" for i in reversed(members)))
    return path


def karpathy(names: list[str], splits: list[str], **more: list) -> dict:
    images = [
        {
            **{"filename": name, "split": split, "imgid": i, "sentids": [i]},
            "sentences": [{"raw": f"Caption {j} of {name}.", "tokens": ["caption"], "imgid": i} for j in range(2)],
            **{key: values[i] for key, values in more.items()},
        }
        for i, (name, split) in enumerate(zip(names, splits, strict=True))
    ]
    return {"images": images, "dataset": "made"}


def flickr30k(path: Path) -> Path:
    for i in range(10):
        picture(path / "flickr30k-images" / f"{i}.jpg", 20 * i)
    captions = [f"{i}.jpg#{j}\tA cat , number {i} , told {j} times ." for i in range(10) for j in range(5)]
    write(path / "results_20130124.token", *captions)
    return path


def coco(path: Path, year: int) -> Path:
    """Six pictures to train on and three to validate; of the last one there is no caption."""
    prefixes = {part: f"COCO_{part}{year}_" if year == 2014 else "" for part in ("train", "val")}
    for part, ids in (("train", range(1, 7)), ("val", range(11, 14))):
        images = [{"id": i, "file_name": f"{prefixes[part]}{i:012d}.jpg", "height": 8, "width": 12} for i in ids]
        for image in images:
            picture(path / f"{part}{year}" / image["file_name"], 10 * image["id"])
        told = [
            {"image_id": i, "id": 100 * j + i, "caption": f"Told {j}: {i}."} for j in range(3) for i in ids if i < 13
        ]
        content = {"info": {}, "licenses": [], "images": images, "annotations": told}
        write_json(path / "annotations" / f"captions_{part}{year}.json", content)
    return path


def coco_karpathy(path: Path) -> None:
    ids = [1, 2, 3, 4, 5, 6, 11, 12, 13]
    parts = ["train"] * 6 + ["val"] * 3
    names = [f"COCO_{part}2014_{i:012d}.jpg" for i, part in zip(ids, parts, strict=True)]
    splits = ["train"] * 6 + ["restval", "val", "test"]
    content = karpathy(names, splits, cocoid=ids, filepath=[f"{part}2014" for part in parts])
    write_json(path / "dataset_coco.json", content)


def politics(path: Path, protocol: int | None = None) -> Path:
    """Two sides, two issues, four pictures of three articles each; a picture is filed under both issues."""
    content: dict[str, Any] = {}
    for number, side in enumerate(("left", "right")):
        content[side] = {}
        for offset, issue in enumerate(("taxes", "climate")):
            items = []
            for i in range(4):
                name = f"{side}/{issue}/{i}.jpg"
                picture(path / name, 100 * number + 40 * offset + i)
                text = f"{side} writes on {issue}. Article {min(i, 2)}."
                items.append({"local_path": f"./{name}", "content_text": text, "url": "http://x"})
            content[side][issue] = items
        content[side]["climate"].append(content[side]["taxes"][0])
    if protocol is None:
        write_json(path / "complete_db.json", content)
    else:
        (path / "complete_db.pickle").write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def goodnews(path: Path) -> Path:
    content, splits = {}, {}
    for i in range(6):
        key = f"4fd{i}"
        content[key] = {
            "images": {str(j): f"Caption {j} of {key}" for j in range(2)},
            **{
                "article": f"Article {key}. It is long.",
                "headline": {"main": f"Headline {key}"},
                "article_url": "http://x",
            },
        }
        for j in range(2):
            splits[f"{key}_{j}"] = "val" if i == 4 else "test" if i == 5 else "train"
            picture(path / "resized" / f"{key}_{j}.jpg", 30 * i + j)
    write_json(path / "captioning_dataset.json", content)
    write_json(path / "img_splits.json", splits)
    return path


def conceptual(path: Path) -> Path:
    """Of ten rows in training the third has no picture; names have zeros or not."""
    write(path / "Train_GCC-training.tsv", *(f"a picture of number {i}\thttp://x/{i}.jpg" for i in range(10)))
    write(path / "Validation_GCC-1.1.0-Validation.tsv", *(f"a view of number {i}\thttp://x/{i}" for i in range(4)))
    for i in range(10):
        if i != 2:
            picture(path / "train" / (f"{i:08d}.jpg" if i % 2 else f"{i}.png"), 20 * i)
    for i in range(3):
        picture(path / "val" / f"{i}.jpg", 200 + 10 * i)
    return path
