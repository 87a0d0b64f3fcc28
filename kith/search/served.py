"""What the server tells of runs over one data set: the answers, with the addresses of pictures."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import HTTPException

from kith.errors import UnanswerableError
from kith.search.pictures import MAX_BYTES
from kith.search.query import Query, answer
from kith.search.run import Run
from kith.search.schema import MOST_OFFSET, AskedSample, filters
from kith.search.thumbnails import Thumbnails

EXAMPLES, LOOKED_AT = 4, 200  # queries that are proposed, and texts that they are chosen from
SHORTEST, LONGEST = 8, 48  # characters of such a text


class ServedRuns:
    """The runs over one data set, and what is told of them. root: of all addresses, what a proxy puts before them."""

    def __init__(self, runs: Sequence[Run]):
        self.runs = {run.name: run for run in runs}
        self.data, self.items = runs[0].data, runs[0].shown
        beside = self.data.folder.resolve().parent
        self.thumbnails = Thumbnails(self.items, beside / "thumbnails.sqlite" if os.access(beside, os.W_OK) else None)
        self.links: list[dict[str, str]] = []
        self._examples = self._proposed()
        for run in runs:
            run.facets  # noqa: B018  # made before the first one asks
        self._about = self._described()

    def named(self, name: str) -> Run:
        if name not in self.runs:
            raise HTTPException(404, f"no run is called '{name}'; there are {', '.join(self.runs)}")
        return self.runs[name]

    def answered(self, run: Run, query: Query, root: str = "") -> dict[str, Any]:
        found = answer(run, query)
        return found | {"results": [self.shown(result, root) for result in found["results"]]}

    def sample(self, run: Run, asked: AskedSample, root: str) -> dict[str, Any]:
        """Items to begin with, spread evenly over all that the run embedded and that pass the filters."""
        searched, where = np.zeros(len(self.data), dtype=bool), filters(asked.where)
        searched[run.items] = True
        passed = run.facets.mask(where)
        items = np.flatnonzero(searched if passed is None else searched & passed)
        pages, page = max(1, -(-len(items) // asked.count)), asked.offset // asked.count
        rows = items[page::pages].tolist() if page < pages else []
        told = {"run": run.name, "total": len(items)}
        told |= {"results": [self.shown({"row": row, **self.items.describe(row)}, root) for row in rows]}
        return told | ({"facets": run.facets.told(searched, None, where)} if asked.facets else {})

    def item(self, name: str, root: str) -> dict[str, Any]:
        """An item by its id; 404 where there is none."""
        try:
            row = self.data.row(name)
        except UnanswerableError as error:
            raise HTTPException(404, str(error)) from None
        return self.shown({"row": row, **self.items.describe(row)}, root)

    def current(self, version: str | None) -> bool:
        """Whether the address of a picture names these data; 404 where it names others, as in a page opened before."""
        if version is not None and version != self.data.checksum[:12]:
            raise HTTPException(404, "this picture is of data that are no longer here; load the page again")
        return version is not None

    def shown(self, result: dict[str, Any], root: str) -> dict[str, Any]:
        """A result with the addresses of its picture, whole and small."""
        row, version = result["row"], f"?data={self.data.checksum[:12]}"
        if not self.items.has_picture(row):
            return result | {"picture": None, "thumbnail": None}
        picture = f"{root}/api/pictures/{row}.png{version}"
        return result | {"picture": picture, "thumbnail": f"{root}/api/thumbnails/{row}{version}"}

    def about(self) -> dict[str, Any]:
        return self._about | {"links": self.links}

    def _described(self) -> dict[str, Any]:
        runs = self.runs.values()
        return {
            "dataset": self.data.dataset["name"],
            "licence": self.data.dataset["licence"],
            "items": len(self.data),
            "grey": self.items.grey,
            "light_on_dark": self.items.grey and self.items.brightness < 0.5,
            "groups": len(set(self.data.groups)) < len(self.data),
            "max_bytes": MAX_BYTES,
            "max_offset": MOST_OFFSET,
            "examples": self._examples,
            "runs": [
                {"name": run.name, "asks": run.asks, "sides": run.sides, "items": len(run.items)}
                | {"among": run.among(run.sides[0])}
                for run in runs
            ],
        }

    def _proposed(self) -> list[str]:
        """Short texts of the data, of different beginnings, all of whose words the first run that takes texts knows."""
        run = next((run for run in self.runs.values() if "text" in run.asks), None)
        found: dict[str, str] = {}
        if run is None or not self.data.texts:
            return []
        rows = np.linspace(0, len(self.data.texts) - 1, min(LOOKED_AT, len(self.data.texts))).astype(int)
        for row in rows:
            text = " ".join(self.data.texts[row].split()).rstrip(" .")
            new = SHORTEST <= len(text) <= LONGEST and text[:6].casefold() not in found
            if new and not run.unknown_words(text):
                found[text[:6].casefold()] = text
        spread: Any = np.linspace(0, len(found) - 1, min(EXAMPLES, len(found))).astype(int) if found else []
        return [list(found.values())[place] for place in spread]
