"""A question and its answer as plain values, the same on the command line and over HTTP."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from kith.errors import UnanswerableError
from kith.search.run import Run

MOST_TERMS = 8  # that are added and subtracted
NEAR = 200  # nearest items that facets count apart


class Term(NamedTuple):
    """What is added to a query or subtracted from it: a text, or an item by its id."""

    kind: Literal["text", "item"]
    value: str


@dataclass(frozen=True)
class Query:
    """One of text, image (an encoded picture) and item (an id), and what is wanted.

    invert: of a picture, see `kith.search.pictures.read`. side: what is compared with, "image" or "text"; None
    takes images where there are any. count: of results. one_per_group: of each group only the nearest item.
    plus, minus: terms whose unit vectors are added to the query's and subtracted from it (Kiros et al. 2014,
    arXiv:1411.2539). where: (facet, value) that items have to have, see `kith.search.facets`. offset: of the first
    result. facets: whether the answer counts the values of facets.
    """

    text: str | None = None
    image: bytes | None = None
    item: str | None = None
    invert: bool | None = None
    side: str | None = None
    count: int = 24
    one_per_group: bool = False
    plus: tuple[Term, ...] = ()
    minus: tuple[Term, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    offset: int = 0
    facets: bool = False


def answer(run: Run, query: Query) -> dict[str, Any]:
    """{"run", "side", "among", "total", "unknown_words", "suggestion", "cut", "results": [{"rank", "similarity",
    "row", "id", "split", "label", "texts", "columns"}]}, and "facets" where they are wanted.

    among: what was searched, in words; total: how many results there are in all. cut: [read, all] words of a text that
    is longer than the model reads, else None. suggestion: the text as it may have been meant, else None.
    Raises UnanswerableError for what the run cannot be asked, and unless exactly one of text, image and item is given.
    """
    _check(query)
    named = [query.item, *(term.value for term in (*query.plus, *query.minus) if term.kind == "item")]
    without = [run.data.row(name) for name in named if name is not None]
    side = query.side or run.sides[0]
    searched = run.searched(side, query.where, without)
    vector = _vector(run, query)
    wanted = query.offset + query.count
    near = run.nearest(
        vector, side, max(wanted, NEAR) if query.facets else wanted, one_per_group=query.one_per_group, allowed=searched
    )
    found = near[query.offset : wanted]
    results = [
        {"rank": rank, "similarity": similarity, "row": row, **run.shown.describe(row)}
        for rank, (row, similarity) in enumerate(found, start=query.offset + 1)
    ]
    told = {"run": run.name, "side": side, "among": run.among(side), "total": run.count(searched, query.one_per_group)}
    told |= _of_texts(run, query) | {"results": results}
    if not query.facets:
        return told
    rows = np.array([row for row, _ in near[:NEAR]], dtype=np.int64)
    return told | {"facets": run.facets.told(run.searched(side, (), without), rows, query.where)}


def _check(query: Query) -> None:
    if not isinstance(query.count, int) or query.count < 1:
        raise UnanswerableError(f"count: a search gives at least 1 result, not {query.count}")
    if not isinstance(query.offset, int) or query.offset < 0:
        raise UnanswerableError(f"offset: the first result is 0, not {query.offset}")
    if sum(each is not None for each in (query.text, query.image, query.item)) != 1:
        raise UnanswerableError("a search takes one of a text, an image and an item")
    if len(query.plus) + len(query.minus) > MOST_TERMS:
        raise UnanswerableError(f"plus, minus: at most {MOST_TERMS} terms in all, not more")


def _of_texts(run: Run, query: Query) -> dict[str, Any]:
    """What is to be said of the words of a query."""
    texts = [] if query.text is None else [query.text]
    texts += [term.value for term in (*query.plus, *query.minus) if term.kind == "text"]
    unknown = dict.fromkeys(word for text in texts for word in run.unknown_words(text))
    suggestion, cut = (None, None) if query.text is None else (run.suggestion(query.text), run.cut(query.text))
    return {"unknown_words": list(unknown), "suggestion": suggestion, "cut": cut and list(cut)}


def _vector(run: Run, query: Query) -> np.ndarray:
    first = _first(run, query)
    if not (query.plus or query.minus):
        return first
    return combined([first, *(_of(run, term) for term in query.plus)], [_of(run, term) for term in query.minus])


def combined(plus: list[np.ndarray], minus: list[np.ndarray]) -> np.ndarray:
    """(d,) float64 unit vector: the sum of the unit vectors of `plus` less that of `minus`.

    Raises UnanswerableError where nothing is left, and for several vectors an item, (K, d): which of one belongs to
    which of another is not known.

    >>> combined([np.array([2.0, 0.0])], [np.array([0.0, 3.0])]).round(3).tolist()
    [0.707, -0.707]
    """
    if plus[0].ndim > 1:
        raise UnanswerableError("this run has several vectors an item, which cannot be added; search without it")
    total = sum(map(_unit, plus)) - sum(map(_unit, minus), np.zeros(1))
    length = float(np.linalg.norm(total))
    if length < 1e-6:
        raise UnanswerableError("what is added and what is subtracted cancel each other out; take one of them away")
    return np.asarray(total) / length


def _unit(vector: np.ndarray) -> np.ndarray:
    vector = np.asarray(vector, dtype=np.float64)
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _of(run: Run, term: Term) -> np.ndarray:
    return run.text_vector(term.value) if term.kind == "text" else run.item_vector(run.data.row(term.value))


def _first(run: Run, query: Query) -> np.ndarray:
    if query.text is not None:
        return run.text_vector(query.text)
    if query.image is not None:
        return run.picture_vector(query.image, query.invert)
    assert query.item is not None
    return run.item_vector(run.data.row(query.item))
