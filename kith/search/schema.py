"""The shapes of what the server is asked and what it answers, checked, and described in its OpenAPI document."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from kith.errors import UnanswerableError
from kith.search.query import MOST_TERMS, Term

MOST_OFFSET = 10_000
Id = Annotated[str, Field(max_length=1000)]


class AskedSample(BaseModel):
    run: str = Field(max_length=200)
    count: int = Field(24, ge=1, le=100)
    offset: int = Field(0, ge=0, le=MOST_OFFSET, description="Of the first result.")
    where: list[Id] = Field(
        [], max_length=32, description="Filters, facet:value, as the facets of an answer name them."
    )
    facets: bool = Field(False, description="Whether the answer counts the values of facets.")


class AskedSearch(AskedSample):
    plus: list[Id] = Field([], max_length=MOST_TERMS, description="What is added to the query: text:… or item:…")
    minus: list[Id] = Field([], max_length=MOST_TERMS, description="What is subtracted from it.")
    side: Literal["image", "text"] | None = Field(None, description="What is compared with.")
    one_per_group: bool = Field(False, description="Of each group only the nearest item.")

    def wanted(self) -> dict[str, Any]:
        """The arguments of a `kith.search.Query`, but for what is searched by."""
        terms_of = {"plus": terms(self.plus, "plus"), "minus": terms(self.minus, "minus")}
        plain = self.model_dump(include={"count", "offset", "facets", "side", "one_per_group"})
        return plain | terms_of | {"where": filters(self.where)}


class AskedByName(AskedSearch):
    text: str | None = Field(None, max_length=1000)
    item: Id | None = Field(None, description="The id of an item.")


class AskedByPicture(AskedSearch):
    invert: bool | None = Field(None, description="Exchange light and dark; by default where the ground differs.")


class FaultTold(BaseModel):
    error: str
    suggestion: str | None = None


class LinkTold(BaseModel):
    path: str
    title: str


class RunTold(BaseModel):
    name: str
    asks: list[str]
    sides: list[str]
    items: int
    among: str


class AboutTold(BaseModel):
    dataset: str
    licence: str
    items: int
    grey: bool
    light_on_dark: bool
    groups: bool
    max_bytes: int
    max_offset: int
    examples: list[str]
    links: list[LinkTold]
    runs: list[RunTold]


class ItemTold(BaseModel):
    row: int
    id: str
    split: str
    label: str
    texts: list[str]
    columns: dict[str, str]
    picture: str | None
    thumbnail: str | None


class ResultTold(ItemTold):
    rank: int
    similarity: float


class ValueTold(BaseModel):
    value: str
    title: str
    count: int
    near: int | None
    chosen: bool


class FacetTold(BaseModel):
    """kind: list (several values may be chosen) or tree (one; path leads to it, values lie below it)."""

    name: str
    title: str
    kind: str
    path: list[ValueTold]
    values: list[ValueTold]
    more: int


class AnswerTold(BaseModel):
    run: str
    side: str
    among: str
    total: int
    unknown_words: list[str]
    suggestion: str | None
    cut: list[int] | None
    results: list[ResultTold]
    facets: list[FacetTold] | None = None


class SampleTold(BaseModel):
    run: str
    total: int
    results: list[ItemTold]
    facets: list[FacetTold] | None = None


def terms(given: Sequence[str], name: str) -> tuple[Term, ...]:
    """Terms as an address has them, "text:a red car" or "item:A12". Raises UnanswerableError for others.

    >>> terms(["text:a: b", "item:4"], "plus")
    (Term(kind='text', value='a: b'), Term(kind='item', value='4'))
    """
    found = []
    for each in given:
        kind, _, value = each.partition(":")
        if not value or kind not in ("text", "item"):
            raise UnanswerableError(f"{name}: '{each}' is neither text:… nor item:…")
        found.append(Term("text" if kind == "text" else "item", value))
    return tuple(found)


def filters(given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Filters as an address has them: the facet, a colon, and the value. Raises UnanswerableError for others.

    >>> filters(["label:dogs: small"])
    (('label', 'dogs: small'),)
    """
    found = []
    for each in given:
        name, colon, value = each.partition(":")
        if not colon:
            raise UnanswerableError(f"where: '{each}' is no filter; write facet:value")
        found.append((name, value))
    return tuple(found)
