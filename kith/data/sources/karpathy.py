"""Karpathy's splits of Flickr8k, Flickr30k and COCO: dataset_<name>.json, with all captions in it.

Karpathy and Fei-Fei, "Deep Visual-Semantic Alignments for Generating Image Descriptions", CVPR 2015.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kith.data.listing import Entry
from kith.data.lists import json_field, json_lists
from kith.data.source import File
from kith.errors import KithError

ARCHIVE = File(
    "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",
    "sha256:4cfd70132527b80933105e5829dc9034eaab9573482e2e680abbab6130244817",
    36_745_453,
)


def wanted(file: Path, asked: bool | None) -> bool:
    """Whether to use `file`: where it is there, unless the user has said."""
    return file.is_file() if asked is None else asked


Named = Callable[[int, dict[str, Any]], tuple[str, str]]


def entries(file: Path, named: Named) -> list[Entry]:
    """One for each of `images` (filename, split, sentences with `raw`); `named` tells (id, path of the picture) from
    the row and the object. Splits are train, restval (of COCO), val and test."""
    return list(_entries(file, named))


def _entries(file: Path, named: Named) -> Iterator[Entry]:
    for row, each in enumerate(json_lists(file, "images")["images"]):
        split = str(json_field(file, "images", row, each, "split"))
        sentences = each.get("sentences")
        if not isinstance(sentences, list):
            raise KithError(f"{file}: images: row {row}: no list 'sentences'")
        table = f"images: row {row}: sentences"
        texts = [json_field(file, table, i, sentence, "raw") for i, sentence in enumerate(sentences)]
        name, image = named(row, each)
        yield Entry(name, split, image, f"{file.name}, images, row {row}", texts=texts)
