"""A question and its answer as plain values, the same on the command line and over HTTP."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kith.errors import UnanswerableError
from kith.search.run import Run


@dataclass(frozen=True)
class Query:
    """One of text, image (an encoded picture) and item (an id), and what is wanted.

    invert: of a picture, see `kith.search.pictures.read`. side: what is compared with, "image" or "text"; None
    takes images where there are any. count: of results. one_per_group: of each group only the nearest item.
    """

    text: str | None = None
    image: bytes | None = None
    item: str | None = None
    invert: bool | None = None
    side: str | None = None
    count: int = 24
    one_per_group: bool = False


def answer(run: Run, query: Query) -> dict[str, Any]:
    """{"run", "side", "among", "unknown_words", "cut", "results": [{"rank", "similarity", "row", "id", "split",
    "label", "texts"}]}.

    among: what was searched, in words. cut: [read, all] words of a text that is longer than the model reads, else None.
    Raises UnanswerableError for what the run cannot be asked, and unless exactly one of text, image and item is given.
    """
    if not isinstance(query.count, int) or query.count < 1:
        raise UnanswerableError(f"count: a search gives at least 1 result, not {query.count}")
    if sum(each is not None for each in (query.text, query.image, query.item)) != 1:
        raise UnanswerableError("a search takes one of a text, an image and an item")
    item = None if query.item is None else run.data.row(query.item)
    side = query.side or run.sides[0]
    found = run.nearest(_vector(run, query, item), side, query.count, one_per_group=query.one_per_group, without=item)
    results = [
        {"rank": rank, "similarity": similarity, "row": row, **run.shown.describe(row)}
        for rank, (row, similarity) in enumerate(found, start=1)
    ]
    unknown, cut = ([], None) if query.text is None else (run.unknown_words(query.text), run.cut(query.text))
    told = {"run": run.name, "side": side, "among": run.among(side)}
    return told | {"unknown_words": unknown, "cut": cut and list(cut), "results": results}


def _vector(run: Run, query: Query, item: int | None) -> np.ndarray:
    if query.text is not None:
        return run.text_vector(query.text)
    if query.image is not None:
        return run.picture_vector(query.image, query.invert)
    assert item is not None
    return run.item_vector(item)
