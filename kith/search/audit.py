"""The page /audit: the findings of `kith audit`, one after another, to be marked."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pandas as pd
from fastapi import FastAPI, HTTPException, Request
from fastapi import Query as Parameter
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from kith.audit.cost import METRICS, costs
from kith.audit.findings import KINDS
from kith.errors import KithError, reading
from kith.search.marks import Mark, MarksFile
from kith.search.run import Run
from kith.search.uploads import body_of
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


DESCRIBED = (
    "A list of {id, mark, label, text} in JSON, at most 64 KiB; mark: keep, exclude, relabel, or nothing to take "
    "one away."
)
BODY = {"requestBody": {"description": DESCRIBED, "content": {"application/json": {}}}}
SENT = TypeAdapter(Annotated[list[SentMark], Field(max_length=100)])


def add_audit(app: FastAPI, runs: Sequence[Run]) -> None:
    """Add the page and what it asks for: GET /audit; GET /api/audit?kind=&start=&count=; POST /api/audit/marks with a
    list of {id, mark, label, text} in JSON, which are written to marks.csv beside the prepared data."""
    pages = _AuditPages(runs)

    @app.get("/audit", include_in_schema=False)
    def page() -> Response:
        return FileResponse(STATIC / "audit.html")

    @app.get("/api/audit", tags=["audit"], summary="Findings of `kith audit`, what they cost, and what was marked")
    def findings(
        kind: Annotated[str | None, Parameter(max_length=100)] = None,
        start: Annotated[int, Parameter(ge=0)] = 0,
        count: Annotated[int, Parameter(ge=1, le=100)] = 12,
    ) -> dict[str, Any]:
        return pages.page(kind, start, count)

    @app.post("/api/audit/marks", tags=["audit"], summary="Mark items", openapi_extra=BODY)
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


class _Audited(NamedTuple):
    """findings: the table; totals: how many there are of each kind, also where not all are listed; costs: of each kind
    one line a run, split and direction."""

    findings: pd.DataFrame
    totals: dict[str, int]
    costs: dict[str, list[dict[str, Any]]]


class _AuditPages:
    """The findings, a page at a time, each with what was marked of it."""

    def __init__(self, runs: Sequence[Run]):
        self._data, self._items = runs[0].data, runs[0].shown
        self._folder = self._data.folder.parent / "audit"
        self.marks = MarksFile(self._data.folder.parent / "marks.csv", self._data)
        self._queries = {run.name: asked for run in runs if (asked := _queries(run)) is not None}
        self._read: tuple[int, _Audited] | None = None

    def page(self, kind: str | None, start: int, count: int) -> dict[str, Any]:
        audited = self._audited()
        found = audited.findings
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
                | {"all": audited.totals.get(each, int(numbers[each]))}
                | {"means": KINDS[each].means, "advice": KINDS[each].advice}
                for each in kinds
            ],
            "kind": chosen,
            "start": start,
            "labels": self.marks.labels,
            "marks": len(made) + moved,
            "moved": moved,
            "file": self.marks.path.name,
            "costs": audited.costs.get(chosen or "", []),
            "findings": [self._shown(row, marks) for row in part.itertuples()],
        }

    def _audited(self) -> _Audited:
        """What the audit found; read again if it was written anew."""
        path, summary = self._folder / "audit.parquet", self._folder / "summary.json"
        if not path.is_file():
            raise HTTPException(404, NOTHING)
        written = path.stat().st_mtime_ns
        if self._read is None or self._read[0] != written:
            try:
                proved(self._folder / NOTE, [path, summary], "audit", data=self._data)
            except KithError:
                raise HTTPException(404, f"{NOTHING} again: it was made of other data") from None
            with reading(path, "run `kith audit` again"):
                found = pd.read_parquet(path)
            with reading(summary, "run `kith audit` again"):
                totals = {kind: each["found"] for kind, each in json.loads(summary.read_text("utf-8")).items()}
            self._read = written, _Audited(found, totals, self._costs(found))
        return self._read[1]

    def _costs(self, found: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
        """Of each kind of finding, what it costs the runs that were evaluated on these data."""
        told: dict[str, list[dict[str, Any]]] = {}
        for name, asked in self._queries.items():
            for row in costs(found, asked).to_dict("records"):
                known = {key: None if pd.isna(value) else value for key, value in row.items()}
                told.setdefault(str(row["kind"]), []).append({"run": name, **known})
        return told

    def _shown(self, row: Any, marks: dict[tuple[str, str], Mark]) -> dict[str, Any]:
        told = {"score": row.score, "leak": bool(row.leak), "detail": row.detail, "suggestion": row.suggestion}
        sides = ((row.row, row.text), (row.other_row, row.other_text))
        return told | {"sides": [self._side(item, text, marks) for item, text in sides if item >= 0]}

    def _side(self, item: int, text: str, marks: dict[tuple[str, str], Mark]) -> dict[str, Any]:
        described = self._items.describe(item)
        address = f"api/thumbnails/{item}?data={self._data.checksum[:12]}"
        of = [marks.get((described["id"], each)) for each in dict.fromkeys((text, ""))]
        mark = next((each for each in of if each is not None), None)
        picture = address if self._items.has_picture(item) else None
        return described | {"text": text, "picture": picture, "mark": None if mark is None else mark._asdict()}


def _queries(run: Run) -> pd.DataFrame | None:
    """What the evaluate stage has measured of a run, one row a query; None where it was not evaluated on these data."""
    path = run.folder / "queries.parquet"
    try:
        proved(run.folder / "evaluated.json", [path], "evaluate", data=run.data)
        with reading(path, "run the evaluate stage again"):
            return pd.read_parquet(path, columns=["split", "direction", "row", *METRICS.values()])
    except KithError:
        return None
