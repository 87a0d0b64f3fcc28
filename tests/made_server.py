"""A local web server that misbehaves as real ones do."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; answers are looked up by path, one after the other, and the last one stays."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            server.seen[self.path].append(self.headers.get("Range"))
            answers = server.answers.get(self.path, [status(404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)

    def log_message(self, *_: object) -> None:
        pass

    def head(self, code: int, length: int | None, **headers: str) -> None:
        self.send_response(code)
        if length is None:
            self.close_connection = True
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def give(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def drop(self) -> None:
        self.close_connection = True
        self.connection.close()


def status(code: int, **headers: str) -> Answer:
    return lambda request: request.head(code, 0, **headers)


def whole(data: bytes, ranges: bool = True, etag: str = "", kind: str = "application/octet-stream") -> Answer:
    """Everything, or what Range asks for if the server knows ranges and If-Range, if given, is its ETag."""

    def answer(request: Request) -> None:
        asked, only_if = request.headers.get("Range"), request.headers.get("If-Range")
        headers = {"Content_Type": kind} | ({"ETag": etag} if etag else {})
        if ranges and asked and only_if in (None, etag):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                request.head(416, 0, Content_Range=f"bytes */{len(data)}")
                return
            span = f"bytes {start}-{len(data) - 1}/{len(data)}"
            request.head(206, len(data) - start, Content_Range=span, **headers)
            request.give(data[start:])
        else:
            request.head(200, len(data), **headers)
            request.give(data)

    return answer


def broken(data: bytes, share: float = 0.5, ranges: bool = True, etag: str = "") -> Answer:
    """The connection is dropped after `share` of what was asked for."""

    def answer(request: Request) -> None:
        asked = request.headers.get("Range") if ranges else None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        rest = data[start:]
        headers = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if asked else {}
        request.head(206 if asked else 200, len(rest), **headers, **({"ETag": etag} if etag else {}))
        request.give(rest[: int(len(rest) * share)])
        request.drop()

    return answer


def from_the_start(data: bytes) -> Answer:
    """As many bytes as were asked for, and it says so, but from the start."""

    def answer(request: Request) -> None:
        part = data[: -int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))]
        request.head(206, len(part), Content_Range=f"bytes 0-{len(part) - 1}/{len(data)}")
        request.give(part)

    return answer


def unmeasured(data: bytes) -> Answer:
    """Something, without saying how much it should be."""

    def answer(request: Request) -> None:
        request.head(200, None)
        request.give(data)

    return answer


def stalled(data: bytes, seconds: float) -> Answer:
    """Half of it, then nothing for a while."""

    def answer(request: Request) -> None:
        request.head(200, len(data))
        request.give(data[: len(data) // 2])
        request.server.closing.wait(seconds)
        request.drop()

    return answer


def slow(data: bytes, together: threading.Barrier) -> Answer:
    """Waits until as many requests as `together` says are there at one time."""

    def answer(request: Request) -> None:
        together.wait(20)
        whole(data)(request)

    return answer


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.answers: dict[str, list[Answer]] = {}
        self.seen: dict[str, list[str | None]] = defaultdict(list)
        self.lock, self.closing = threading.Lock(), threading.Event()

    def on(self, path: str, *answers: Answer) -> str:
        """Answer requests of `path` so; returns the address."""
        self.answers[path] = list(answers)
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what some tests want."""


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
