"""The sources of captions by name: what lists them, which options they take, and their checksum."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kith.data.captions import coco, conceptual, flickr, news
from kith.data.captions.listing import Listing
from kith.data.classes.sources import digest_of
from kith.errors import KithError

COMMON = frozenset({"splits"})  # what `assemble` does for each of them


class Source(NamedTuple):
    """`listing`: (path, **options) -> Listing. `lists`: patterns of the files whose content says what there is."""

    listing: Callable[..., Listing]
    lists: tuple[str, ...]

    @property
    def options(self) -> frozenset[str]:
        """The names of all options: those of its own are the keyword parameters of `listing`."""
        own = inspect.signature(self.listing).parameters.values()
        return COMMON | {each.name for each in own if each.kind is inspect.Parameter.KEYWORD_ONLY}


SOURCES: dict[str, Source] = {
    "flickr8k": Source(flickr.flickr8k, ("*.txt",)),
    "flickr30k": Source(flickr.flickr30k, ("*.token", "*.json")),
    "coco2014": Source(coco.coco2014, ("captions_*.json", "dataset_coco.json")),
    "coco2017": Source(coco.coco2017, ("captions_*.json", "dataset_coco.json")),
    "politics": Source(news.politics, ("*.pickle", "*.json")),
    "goodnews": Source(news.goodnews, ("*.json",)),
    "conceptual_captions": Source(conceptual.conceptual_captions, ("*.tsv",)),
}


def listing(source: str, path: Path, options: Mapping[str, Any]) -> Listing:
    """The pictures and texts of the data set at `path`; of `options` the source takes its own. Raises KithError."""
    if not path.is_dir():
        raise KithError(f"{path}: no such folder; mend fetch.path")
    own = SOURCES[source].options - COMMON
    found = SOURCES[source].listing(path, **{name: value for name, value in options.items() if name in own})
    if not found.entries:
        left = ", ".join(f"{count:,} {what}" for what, count in found.left_out.items())
        raise KithError(f"{path}: lists no picture" + (f" to use; left out: {left}" if left else ""))
    return found


def digest(source: str, path: Path) -> tuple[str, int]:
    """(SHA-256, bytes): names and sizes of all files, and the contents of those that list what there is."""
    return digest_of(path, SOURCES[source].lists)
