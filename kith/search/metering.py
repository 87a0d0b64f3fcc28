"""What the server counts of itself, in the text format of Prometheus."""

import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)  # seconds


class Meters:
    """Requests by route and status, and how long they take; what is served; memory and time of the process."""

    def __init__(self, items: int, runs: int, uploads: Callable[[], int]):
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        about: dict[str, Any] = {"registry": self._registry}
        self._requests = Counter("kith_requests", "Requests answered.", ["route", "status"], **about)
        self._seconds = Histogram(
            "kith_request_seconds",
            "Seconds from a request to the end of its answer.",
            ["route"],
            buckets=BUCKETS,
            **about,
        )
        for name, told, value in (("items", "Items of the data.", items), ("runs", "Runs that are served.", runs)):
            Gauge(f"kith_{name}", told, **about).set(value)
        Gauge("kith_uploads", "Pictures in memory.", **about).set_function(uploads)

    def install(self, app: FastAPI) -> None:
        """GET /metrics; requests are counted by the middleware `_Metered`."""
        app.add_middleware(_Metered, note=self._note)

        @app.get("/metrics", response_class=Response, tags=["server"], summary="Counts, in Prometheus' text format")
        def metrics() -> Response:
            return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    def _note(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class _Metered:
    def __init__(self, app: ASGIApp, note: Callable[[str, int, float], None]):
        self.app, self._note = app, note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            # Of paths that are none all are one, or whoever asks for many could fill the memory.
            route = getattr(scope.get("route"), "path", "other")
            self._note(route, status, time.perf_counter() - began)
