"""The web page of a search, and its HTTP interface. Nothing is stored, and nothing that was sent is run or shown as
markup."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi import Query as Parameter
from fastapi.exceptions import RequestValidationError, StarletteHTTPException
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kith.data.images import UndecodableImage
from kith.errors import KithError, UnanswerableError, line_of, of_machine
from kith.search.audit import add_audit
from kith.search.connections import MOST, PATIENCE, PatientProtocol
from kith.search.pictures import MAX_BYTES
from kith.search.query import Query, answer
from kith.search.run import Run

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
LOCAL = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
# Of uvicorn, besides where it listens.
OPTIONS: dict[str, Any] = {"http": PatientProtocol, "limit_concurrency": MOST, "server_header": False}
UPLOADS, DECODERS = 8, 2  # pictures in memory, and threads that decode them, at once
UNREADABLE = "the server cannot read its data; what is wrong stands in its log"
PNG = b"\x89PNG"  # what such a file begins with
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}

Text = Annotated[str | None, Parameter(max_length=1000)]
Name = Annotated[str, Parameter(max_length=200)]
Side = Literal["image", "text"] | None
Count = Annotated[int, Parameter(ge=1, le=100)]


def serve(runs: Sequence[Run], host: str, port: int) -> None:
    """Serve until interrupted. A host other than this computer's own name makes the page public there."""
    hosts = LOCAL if host in ("127.0.0.1", "localhost", "::1") else ("*",)
    address = f"[{host}]" if ":" in host else host
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise KithError(
                f"{address}:{port}: cannot be listened on ({error.strerror}); choose another --port"
            ) from None
    print(f"Search {', '.join(run.name for run in runs)}: http://{address}:{port}   (Ctrl+C ends it)", flush=True)
    uvicorn.run(create_app(runs, hosts), host=host, port=port, log_level="warning", **OPTIONS)


def create_app(runs: Sequence[Run], hosts: Sequence[str] = LOCAL) -> FastAPI:
    """The page over `runs`, which share their data.

    GET /api/runs; GET /api/search?run=&text= or &item=, and POST /api/search?run= with an encoded picture as the body
    (both with side, count, one_per_group; pictures with invert); GET /api/sample?run=; GET /api/pictures/{row}.png,
    which is a JPEG where a photograph is stored as such.
    hosts: names that the page may be asked for by, so that no other site can reach it through a name of its own.
    A fault is answered with its status and {"error": message}.
    """
    app = FastAPI(title="Kith", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    _guard(app)
    served = _Served(runs)
    app.get("/api/runs")(served.describe)
    app.get("/api/sample")(served.sample)
    app.get("/api/pictures/{row}.png")(served.picture)
    _add_search(app, served)
    add_audit(app, served.data, served.items)

    @app.get("/")
    def page() -> Response:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC))
    return app


class _Served:
    """The runs over one data set, and what is told of them."""

    def __init__(self, runs: Sequence[Run]):
        self.runs = {run.name: run for run in runs}
        self.data, self.items = runs[0].data, runs[0].shown
        self.uploads = asyncio.Semaphore(UPLOADS)
        self.decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="uploads")

    def named(self, name: str) -> Run:
        if name not in self.runs:
            raise HTTPException(404, f"no run is called '{name}'; there are {', '.join(self.runs)}")
        return self.runs[name]

    def shown(self, result: dict[str, Any]) -> dict[str, Any]:
        address = f"/api/pictures/{result['row']}.png?data={self.data.checksum[:12]}"
        return result | {"picture": address if self.items.has_picture(result["row"]) else None}

    def answered(self, run: Run, query: Query) -> dict[str, Any]:
        found = answer(run, query)
        return found | {"results": [self.shown(result) for result in found["results"]]}

    def describe(self) -> dict[str, Any]:
        runs = self.runs.values()
        return {
            "dataset": self.data.dataset["name"],
            "licence": self.data.dataset["licence"],
            "items": len(self.data),
            "grey": self.items.grey,
            "light_on_dark": self.items.grey and self.items.brightness < 0.5,
            "groups": len(set(self.data.groups)) < len(self.data),
            "max_bytes": MAX_BYTES,
            "runs": [
                {"name": run.name, "asks": run.asks, "sides": run.sides, "items": len(run.items)}
                | {"among": run.among(run.sides[0])}
                for run in runs
            ],
        }

    def sample(self, run: Name, count: Count = 24) -> dict[str, Any]:
        """Items to begin with, spread evenly over all that the run embedded."""
        items = self.named(run).items
        rows = items[:: max(1, len(items) // count)][:count].tolist()
        return {"run": run, "results": [self.shown({"row": row, **self.items.describe(row)}) for row in rows]}

    def picture(self, row: int) -> Response:
        try:
            data = self.items.picture(row)
            kind = "image/png" if data.startswith(PNG) else "image/jpeg"
            return Response(data, media_type=kind, headers=FOREVER)
        except UnanswerableError as error:
            raise HTTPException(404, str(error)) from None


def _add_search(app: FastAPI, served: _Served) -> None:
    """The two ways to ask: by name or text in the address, by a picture in the body."""

    @app.get("/api/search")
    def by_name_or_text(
        run: Name,
        text: Text = None,
        item: Text = None,
        side: Side = None,
        count: Count = 24,
        one_per_group: bool = False,
    ) -> dict[str, Any]:
        query = Query(text=text, item=item, side=side, count=count, one_per_group=one_per_group)
        return served.answered(served.named(run), query)

    @app.post("/api/search")
    async def by_picture(
        request: Request,
        run: Name,
        invert: bool | None = None,
        side: Side = None,
        count: Count = 24,
        one_per_group: bool = False,
    ) -> dict[str, Any]:
        asked = served.named(run)
        async with _turn(served.uploads):
            image = await _body(request)
            query = Query(image=image, invert=invert, side=side, count=count, one_per_group=one_per_group)
            # Threads of their own: pictures that take long to decode leave those that answer all else alone.
            return await asyncio.get_running_loop().run_in_executor(served.decoders, served.answered, asked, query)


def _guard(app: FastAPI) -> None:
    """Safe headers on every answer; every fault as {"error": message}, without what the server's files are called."""
    app.add_middleware(_SafeHeaders)

    @app.exception_handler(UnanswerableError)
    @app.exception_handler(UndecodableImage)
    def refused(request: Request, error: KithError) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    @app.exception_handler(KithError)
    @app.exception_handler(OSError)
    @app.exception_handler(MemoryError)
    def unreadable(request: Request, error: Exception) -> Response:
        log.error("%s: %s", request.url.path, of_machine(error) or line_of(error))
        return JSONResponse({"error": UNREADABLE}, 500)

    @app.exception_handler(StarletteHTTPException)
    def failed(request: Request, error: StarletteHTTPException) -> Response:
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()]
        return JSONResponse({"error": "; ".join(faults)}, 422)


class _SafeHeaders:
    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


@asynccontextmanager
async def _turn(uploads: asyncio.Semaphore) -> AsyncIterator[None]:
    """One of the few pictures that are in memory at once; what is sent meanwhile waits on the way."""
    try:
        async with asyncio.timeout(PATIENCE):
            await uploads.acquire()
    except TimeoutError:
        raise HTTPException(503, "the server is busy with other pictures; try again in a while") from None
    try:
        yield
    finally:
        uploads.release()


async def _body(request: Request) -> bytes:
    """The body, read only as far as a picture may be long, and only as long as one may take to come."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _read(request)
    except TimeoutError:
        raise HTTPException(408, f"the picture did not come within {PATIENCE:g} seconds") from None
    except ClientDisconnect:
        raise HTTPException(400, "the picture broke off") from None  # nobody listens


async def _read(request: Request) -> bytes:
    limit = HTTPException(413, f"the picture is larger than the limit of {MAX_BYTES >> 20} MiB")
    if int(request.headers.get("content-length", 0)) > MAX_BYTES:
        raise limit
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BYTES:
            raise limit
    return bytes(data)
