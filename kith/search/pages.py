"""Pages beside the search: what another room adds to the server, without the server knowing it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fastapi import FastAPI

from kith.search.audit import add_audit
from kith.search.run import Run


class ExtraPage(NamedTuple):
    """A page at `path`, to which the search page links by `title`.

    there: whether these runs have it. install: adds its routes, page and API, to the server; they are behind the same
    login, with the same headers: scripts and styles come from /static alone.
    """

    path: str
    title: str
    there: Callable[[Sequence[Run]], bool]
    install: Callable[[FastAPI, Sequence[Run]], None]


# Whoever has a page adds it here. That of faults says what to type where they were not looked for.
PAGES: list[ExtraPage] = [ExtraPage("/audit", "Faults in the data", lambda runs: True, add_audit)]


def add_pages(app: FastAPI, runs: Sequence[Run]) -> list[dict[str, str]]:
    """Install all pages that these runs have; the links to them, relative to the search page."""
    found = [page for page in PAGES if page.there(runs)]
    for page in found:
        page.install(app, runs)
    return [{"path": page.path.lstrip("/"), "title": page.title} for page in found]
