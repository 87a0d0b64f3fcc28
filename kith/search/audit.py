"""The page /audit: the findings of `kith audit`, one after another, to be marked."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import FastAPI, HTTPException, Request
from fastapi import Query as Parameter
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from kith.audit.findings import KINDS
from kith.errors import KithError, reading
from kith.search.marks import Mark, MarksFile
from kith.search.shown import ShownItems
from kith.search.uploads import body_of
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, proved

STATIC = Path(__file__).parent / "static"
LARGEST = 1 << 16  # bytes of marks that are sent at once
NOTHING = "there is no audit of these data; run `kith audit`"


class SentMark(BaseModel):
    """A mark as the page sends it."""

    id: Annotated[str, Field(max_length=1000)]
    mark: Literal["", "keep", "exclude", "relabel"]
    label: Annotated[str, Field(max_length=1000)] = ""
    text: Annotated[str, Field(max_length=20_000)] = ""


SENT = TypeAdapter(Annotated[list[SentMark], Field(max_length=100)])


def add_audit(app: FastAPI, data: Prepared, items: ShownItems) -> None:
    """Add the page and what it asks for: GET /audit; GET /api/audit?kind=&start=&count=; POST /api/audit/marks with a
    list of {id, mark, label, text} in JSON, which are written to marks.csv beside the prepared data."""
    pages = _AuditPages(data, items)

    @app.get("/audit")
    def page() -> Response:
        return FileResponse(STATIC / "audit.html")

    @app.get("/api/audit")
    def findings(
        kind: Annotated[str | None, Parameter(max_length=100)] = None,
        start: Annotated[int, Parameter(ge=0)] = 0,
        count: Annotated[int, Parameter(ge=1, le=100)] = 12,
    ) -> dict[str, Any]:
        return pages.page(kind, start, count)

    @app.post("/api/audit/marks")
    async def mark(request: Request) -> dict[str, Any]:
        # A form of another site can send no JSON.
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            raise HTTPException(415, "marks are sent as application/json")
        body = await body_of(request, "the list of marks", LARGEST)
        try:
            sent = SENT.validate_json(body)
        except ValidationError as error:
            raise HTTPException(422, f"no marks: {error.errors()[0]['msg']}") from None
        return {"marks": pages.marks.put([Mark(**each.model_dump()) for each in sent])}


class _AuditPages:
    """The findings, a page at a time, each with what was marked of it."""

    def __init__(self, data: Prepared, items: ShownItems):
        self._data, self._items = data, items
        self._folder = data.folder.parent / "audit"
        self.marks = MarksFile(data.folder.parent / "marks.csv", data)
        self._read: tuple[int, pd.DataFrame] | None = None

    def page(self, kind: str | None, start: int, count: int) -> dict[str, Any]:
        found = self._found()
        numbers = found["kind"].value_counts()
        kinds = [each for each in KINDS if each in numbers]
        chosen = kind or next(iter(kinds), None)
        if kind is not None and kind not in kinds:
            raise HTTPException(404, f"nothing was found of the kind '{kind}'")
        made, moved = self.marks.read()
        marks = {(each.id, each.text): each for each in made}
        part = found[found["kind"] == chosen].iloc[start : start + count]
        return {
            "dataset": self._data.dataset["name"],
            "kinds": [
                {"kind": each, "title": KINDS[each].title, "found": int(numbers[each])}
                | {"means": KINDS[each].means, "advice": KINDS[each].advice}
                for each in kinds
            ],
            "kind": chosen,
            "start": start,
            "labels": self.marks.labels,
            "marks": len(made) + moved,
            "moved": moved,
            "file": self.marks.path.name,
            "findings": [self._shown(row, marks) for row in part.itertuples()],
        }

    def _found(self) -> pd.DataFrame:
        """The table of findings; read again if it was written anew."""
        path = self._folder / "audit.parquet"
        if not path.is_file():
            raise HTTPException(404, NOTHING)
        written = path.stat().st_mtime_ns
        if self._read is None or self._read[0] != written:
            try:
                proved(self._folder / NOTE, [path], "audit", data=self._data)
            except KithError:
                raise HTTPException(404, f"{NOTHING} again: it was made of other data") from None
            with reading(path, "run `kith audit` again"):
                self._read = written, pd.read_parquet(path)
        return self._read[1]

    def _shown(self, row: Any, marks: dict[tuple[str, str], Mark]) -> dict[str, Any]:
        told = {"score": row.score, "leak": bool(row.leak), "detail": row.detail, "suggestion": row.suggestion}
        sides = ((row.row, row.text), (row.other_row, row.other_text))
        return told | {"sides": [self._side(item, text, marks) for item, text in sides if item >= 0]}

    def _side(self, item: int, text: str, marks: dict[tuple[str, str], Mark]) -> dict[str, Any]:
        described = self._items.describe(item)
        address = f"api/pictures/{item}.png?data={self._data.checksum[:12]}"
        of = [marks.get((described["id"], each)) for each in dict.fromkeys((text, ""))]
        mark = next((each for each in of if each is not None), None)
        picture = address if self._items.has_picture(item) else None
        return described | {"text": text, "picture": picture, "mark": None if mark is None else mark._asdict()}
