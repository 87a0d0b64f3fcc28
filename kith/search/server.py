"""The web page of a search, and its HTTP interface. Nothing that is sent is stored but marks (`kith.search.audit`), and
nothing of it is run or shown as markup."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi import Query as Parameter
from fastapi.exceptions import HTTPException, RequestValidationError, StarletteHTTPException
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kith.data.images import UndecodableImage
from kith.errors import KithError, UnanswerableError, line_of, of_machine
from kith.search.access import Door, Prefixed, checked
from kith.search.connections import MOST, PatientProtocol
from kith.search.metering import Meters
from kith.search.pages import add_pages
from kith.search.query import Query
from kith.search.run import Run, UnknownWordsError
from kith.search.schema import (
    AboutTold,
    AnswerTold,
    AskedByName,
    AskedByPicture,
    AskedSample,
    FaultTold,
    Id,
    ItemTold,
    SampleTold,
)
from kith.search.served import ServedRuns
from kith.search.uploads import Uploads

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
UNREADABLE = "the server cannot read its data; what is wrong stands in its log"
PNG = b"\x89PNG"  # what such a file begins with
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
Version = Annotated[
    str | None, Parameter(max_length=64, description="Of which data; a link to others' is answered 404")
]
FAULTS: dict[int | str, dict[str, Any]] = {
    status: {"model": FaultTold, "description": told}
    for status, told in ((400, "What cannot be answered"), (404, "What is not there"), (422, "A parameter is wrong"))
}


def serve(runs: Sequence[Run], host: str, port: int, *, token: str | None = None, names: Sequence[str] = ()) -> None:
    """Serve until interrupted. A host other than this computer's own name makes the page public there.

    token: what visitors have to know. names: other names that the page may be asked for by, behind a proxy.
    """
    # With names too this computer's own: what watches a container asks from inside it.
    hosts = [*LOCAL, *names] if names or host in ("127.0.0.1", "localhost", "::1") else ["*"]
    address = f"[{host}]" if ":" in host else host
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise KithError(
                f"{address}:{port}: cannot be listened on ({error.strerror}); choose another --port"
            ) from None
    app = create_app(runs, hosts, token=token)
    print(f"Search {', '.join(run.name for run in runs)}: http://{address}:{port}   (Ctrl+C ends it)", flush=True)
    uvicorn.run(app, host=host, port=port, log_level="warning", **OPTIONS)


def create_app(runs: Sequence[Run], hosts: Sequence[str] = LOCAL, *, token: str | None = None) -> FastAPI:
    """The page over `runs`, which share their data; its interface is described at /openapi.json and /docs.

    hosts: names that the page may be asked for by, so that no other site can reach it through a name of its own.
    token: what visitors have to know (see `kith.search.access`); None: whoever comes may look.
    A fault is answered with its status and {"error": message}. Raises KithError for a token that is easily guessed.
    """
    token = checked(token)
    app = FastAPI(title="Kith search", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    if token is not None:
        app.add_middleware(Door, token=token)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    uploads, served = Uploads(), ServedRuns(runs)
    Meters(len(served.data), len(runs), lambda: uploads.now).install(app)
    app.add_middleware(Prefixed)
    _guard(app)
    _add_items(app, served)
    _add_search(app, served, uploads)
    _add_pages(app)
    served.links = add_pages(app, runs)
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _root(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root


def _add_items(app: FastAPI, served: ServedRuns) -> None:
    """What there is: runs, items and their pictures."""

    @app.get("/api/runs", response_model=AboutTold, tags=["items"], summary="The data and the runs over them")
    def runs() -> dict[str, Any]:
        return served.about()

    @app.get("/api/sample", **_told(SampleTold, "items", "Items to begin with, spread evenly over those that pass"))
    def sample(request: Request, asked: Annotated[AskedSample, Parameter()]) -> dict[str, Any]:
        return served.sample(served.named(asked.run), asked, _root(request))

    @app.get("/api/item", **_told(ItemTold, "items", "An item by its id"))
    def item(request: Request, id: Id) -> dict[str, Any]:
        return served.item(id, _root(request))

    @app.get("/api/pictures/{row}.png", response_class=Response, tags=["items"], summary="A picture, JPEG or PNG")
    def picture(row: int, data: Version = None) -> Response:
        return _pictured(served.items.picture, row, served.current(data))

    @app.get("/api/thumbnails/{row}", response_class=Response, tags=["items"], summary="A small picture, JPEG or PNG")
    def thumbnail(row: int, data: Version = None) -> Response:
        return _pictured(served.thumbnails.of, row, served.current(data))


def _pictured(picture: Any, row: int, named: bool) -> Response:
    """named: whether the address names the data, so that what it stands for never changes."""
    try:
        data: bytes = picture(row)
    except UnanswerableError as error:
        raise HTTPException(404, str(error)) from None
    kept = FOREVER if named else {"Cache-Control": "private, no-cache"}
    return Response(data, media_type="image/png" if data.startswith(PNG) else "image/jpeg", headers=kept)


def _told(model: Any, tag: str, summary: str) -> dict[str, Any]:
    return {
        **{"response_model": model, "response_model_exclude_unset": True, "tags": [tag], "summary": summary},
        "responses": FAULTS,
    }


def _add_search(app: FastAPI, served: ServedRuns, uploads: Uploads) -> None:
    """The two ways to ask: by name or text in the address, by a picture in the body."""

    @app.get("/api/search", **_told(AnswerTold, "search", "The nearest items to a text, or to an item by its id"))
    def by_name_or_text(request: Request, asked: Annotated[AskedByName, Parameter()]) -> dict[str, Any]:
        query = Query(text=asked.text, item=asked.item, **asked.wanted())
        return served.answered(served.named(asked.run), query, _root(request))

    @app.post("/api/search", **_told(AnswerTold, "search", "The nearest items to a picture, the body of the request"))
    async def by_picture(request: Request, asked: Annotated[AskedByPicture, Parameter()]) -> dict[str, Any]:
        run = served.named(asked.run)
        async with uploads.taken(request) as image:
            query, loop = Query(image=image, invert=asked.invert, **asked.wanted()), asyncio.get_running_loop()
            return await loop.run_in_executor(uploads.decoders, served.answered, run, query, _root(request))


def _add_pages(app: FastAPI) -> None:
    """The page, the description of the interface, and what watches the server asks."""

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return FileResponse(STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return FileResponse(STATIC / "docs.html")

    @app.get("/openapi.json", include_in_schema=False)
    def openapi(request: Request) -> dict[str, Any]:
        return app.openapi() | {"servers": [{"url": _root(request) or "/"}]}

    @app.get("/healthz", response_class=PlainTextResponse, tags=["server"], summary="Whether the server answers")
    def healthz() -> str:
        return "ok\n"


def _guard(app: FastAPI) -> None:
    """Safe headers on every answer; every fault as {"error": message}, without what the server's files are called."""
    app.add_middleware(_SafeHeaders)

    @app.exception_handler(UnknownWordsError)
    def unknown(request: Request, error: UnknownWordsError) -> Response:
        return JSONResponse({"error": str(error), "suggestion": error.suggestion}, 400)

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
