"""The HTTP interface of a search, at a real server on this computer."""

import http.client
import json
import logging
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kith.errors import KithError
from kith.search import Prepared, Query, Run, answer, server, uploads
from kith.search import pictures as server_pictures
from kith.search.pictures import MAX_BYTES
from kith.search.server import LOCAL, serve
from kith.search.shown import ShownItems
from tests import made_search
from tests.made_search import MARKUP
from tests.search.test_search import bomb


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Run]:
    root = tmp_path_factory.mktemp("search")
    made_search.make_data(root)
    folders = [made_search.make_run(root, "pairs-0"), made_search.make_run(root, "classes-0", texts=False)]
    data = Prepared(root / "data/made/prepared")
    return [Run(folder, data) for folder in folders]


def get(address: str, path: str, body: bytes | None = None, **parameters) -> tuple[int, dict, dict]:
    """Status, content and headers."""
    url = f"{address}{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=60) as response:
            return response.status, json.load(response), dict(response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), dict(error.headers)


def test_runs_are_described(address):
    status, content, _ = get(address, "/api/runs")
    assert status == 200
    assert {name: content[name] for name in ("dataset", "licence", "items", "grey", "light_on_dark", "groups")} == {
        **{"dataset": "shapes", "licence": "<i>free</i>", "items": 48},
        **{"grey": True, "light_on_dark": True, "groups": True},
    }
    among = {"among": "24 held-out of 48 items"}
    assert content["runs"] == [
        {"name": "pairs-0", "asks": ["text", "image", "item"], "sides": ["image", "text"], "items": 24} | among,
        {"name": "classes-0", "asks": ["image", "item"], "sides": ["image"], "items": 24} | among,
    ]


def without_address(results: list[dict]) -> list[dict]:
    own = ("picture", "thumbnail")
    return [{name: value for name, value in result.items() if name not in own} for result in results]


def test_a_port_in_use_is_told(runs):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(KithError, match=rf"127\.0\.0\.1:{port}: cannot be listened on .*; choose another --port"):
            serve(runs, "127.0.0.1", port)


@pytest.mark.parametrize(
    "asked",
    [
        {"text": "a red cross"},
        {"text": "The cross is red.", "side": "text", "one_per_group": True},
        {"item": "item/30", "count": 5},
    ],
)
def test_answers_are_those_of_the_library(address, runs, asked):
    status, content, _ = get(address, "/api/search", run="pairs-0", **asked)
    assert status == 200
    expected = answer(runs[0], Query(**asked))
    assert without_address(content.pop("results")) == expected.pop("results")
    assert content == expected


def test_a_picture_is_sent_as_it_is(address, runs):
    data = runs[0].data
    for run in ("pairs-0", "classes-0"):
        status, content, _ = get(address, "/api/search", body=ShownItems(data).picture(33), run=run, count=2)
        assert (status, content["results"][0]["id"]) == (200, "item/33")
    _, inverted, _ = get(address, "/api/search", body=ShownItems(data).picture(33), run="pairs-0", invert=True)
    assert inverted["results"][0]["similarity"] < 0.999


def test_pictures_of_items_are_served(address, runs):
    _, content, _ = get(address, "/api/sample", run="pairs-0", count=6)
    assert [result["row"] for result in content["results"]] == [24, 28, 32, 36, 40, 44]
    with urllib.request.urlopen(address + content["results"][1]["picture"]) as response:
        assert response.headers["Content-Type"] == "image/png"
        assert "immutable" in response.headers["Cache-Control"]
        assert response.read() == runs[0].shown.picture(28)
    for row in (48, -1, 10**30):
        assert get(address, f"/api/pictures/{row}.png")[0] == 404


@pytest.mark.parametrize("path", ["/api/pictures/28.png", "/api/thumbnails/28"])
def test_an_address_of_other_data_shows_nothing_and_one_of_no_data_is_not_kept(address, path):
    """A page that was open before the server began anew over other data."""
    status, told, _ = get(address, path, data="0" * 12)
    assert (status, told["error"]) == (404, "this picture is of data that are no longer here; load the page again")
    with urllib.request.urlopen(address + path) as response:
        assert response.headers["Cache-Control"] == "private, no-cache"


def test_faults_are_told(address):
    search = "/api/search"
    for status, told, parameters in (
        (404, "no run is called 'nobody'; there are pairs-0, classes-0", {"run": "nobody", "text": "red"}),
        (400, "classes-0 cannot be searched by text", {"run": "classes-0", "text": "red"}),
        (400, "one of a text, an image and an item", {"run": "pairs-0"}),
        (400, "no item has the id 'x'", {"run": "pairs-0", "item": "x"}),
        (422, "count: ", {"run": "pairs-0", "text": "red", "count": 101}),
        (422, "text: ", {"run": "pairs-0", "text": "r" * 1001}),
        (422, "side: ", {"run": "pairs-0", "text": "red", "side": "../"}),
        (422, "run: ", {"text": "red"}),
    ):
        found, content, headers = get(address, search, **parameters)
        assert found == status
        assert told in content["error"]
        assert "default-src 'none'" in headers["content-security-policy"]
    assert get(address, "/api/nothing")[0] == 404
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/redoc"):
        assert get(address, path)[0] == 404


def test_pictures_that_harm_are_refused(address):
    for data, told in (
        (b"junk", "not a picture"),
        (bomb(30_000, 30_000), "50,000,000 pixels"),
        (b"%!PS-Adobe", "not a"),
    ):
        status, content, _ = get(address, "/api/search", body=data, run="pairs-0")
        assert status == 400
        assert told in content["error"]


def post(address: str, headers: dict[str, str], parts: list[bytes]) -> tuple[int, dict]:
    """Send a body piece by piece, as far as the server takes it, and read the answer."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)
    connection.putrequest("POST", "/api/search?run=pairs-0")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    try:
        for part in parts:
            connection.send(part)
    except ConnectionError:
        pass
    response = connection.getresponse()
    content = json.load(response)
    connection.close()
    return response.status, content


def test_a_body_is_read_only_as_far_as_a_picture_may_be_long(address):
    too_large = (413, {"error": "the picture is larger than the limit of 16 MiB"})
    assert post(address, {"Content-Length": str(MAX_BYTES + 1)}, []) == too_large
    # Without a length, the server counts: 17 pieces of a MiB are one too many.
    piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    assert post(address, {"Transfer-Encoding": "chunked"}, [piece] * 17) == too_large
    assert post(address, {"Transfer-Encoding": "chunked"}, [piece, b"0\r\n\r\n"])[0] == 400


def test_no_answer_names_a_file_of_the_server(address, runs, monkeypatch, caplog):
    """Neither for what a client asks wrongly, nor for what is wrong with the server's own files."""

    def damaged(error: Exception):
        def fail(*_: object, **__: object) -> None:
            raise error

        return fail

    secret = str(runs[0].data.folder)
    assert secret not in get(address, "/api/search", run="pairs-0", item="x")[1]["error"]
    unreadable = (500, {"error": server.UNREADABLE})
    for error in (
        KithError(f"{secret}/photos.bin: picture 3 is not the one that was stored"),
        FileNotFoundError(2, "No such file or directory", f"{secret}/photos.bin"),
        MemoryError("Unable to allocate 9 GiB"),
    ):
        monkeypatch.setattr(ShownItems, "picture", damaged(error))
        assert get(address, "/api/pictures/28.png")[:2] == unreadable
        monkeypatch.setattr(Run, "nearest", damaged(error))
        assert get(address, "/api/search", run="pairs-0", item="item/30")[:2] == unreadable
    assert f"/api/pictures/28.png: {secret}/photos.bin: picture 3 is not" in caplog.text
    assert "Traceback" not in caplog.text


def test_pictures_that_take_long_stop_nothing_else(address, runs, monkeypatch):
    going, free, most, lock = threading.Event(), threading.Event(), [0, 0], threading.Lock()
    read = server_pictures.read

    def slow(*given: object) -> object:
        with lock:
            most[0] += 1
            most[1] = max(most)
        going.set()
        free.wait(60)
        with lock:
            most[0] -= 1
        return read(*given)

    monkeypatch.setattr(server_pictures, "read", slow)
    picture = runs[0].shown.picture(33)
    with ThreadPoolExecutor(30) as pool:
        sent = [pool.submit(get, address, "/api/search", body=picture, run="pairs-0") for _ in range(30)]
        assert going.wait(30)
        assert get(address, "/api/search", run="pairs-0", text="a red cross")[0] == 200
        assert get(address, "/api/runs")[0] == 200
        free.set()
        assert {each.result()[0] for each in sent} == {200}
    assert most[1] <= uploads.DECODERS


@pytest.fixture
def hasty(runs, monkeypatch):
    """A server that waits for nobody longer than half a second."""
    monkeypatch.setattr(uploads, "PATIENCE", 0.5)
    monkeypatch.setattr(server.PatientProtocol, "patience", 0.5)
    with made_search.serving(runs) as address:
        yield address


def left(address: str, sent: bytes) -> bytes:
    """What comes back of a connection on which no more is sent, until the server ends it."""
    host, _, port = urllib.parse.urlsplit(address).netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(sent)
        found = b""
        try:
            while part := connection.recv(65536):
                found += part
        except ConnectionResetError:
            pass
    return found


MARKS = b"POST /api/audit/marks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
POST = b"POST /api/search?run=pairs-0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHo", b""),
        (POST + b"\r\nabc", b"HTTP/1.1 408"),
        (MARKS + b"Content-Length: 9\r\n\r\n[", b"HTTP/1.1 408"),
        (b"GET /api/runs HTTP/1.1\r\nHost: localhost\r\n\r\nGET /", b"HTTP/1.1 200"),
    ],
)
def test_connections_that_are_left_half_open_end_in_time(hasty, sent, answered):
    began = time.monotonic()
    assert left(hasty, sent)[:12] == answered
    assert time.monotonic() - began < 8


def test_who_hangs_up_leaves_no_traceback(address, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "propagate", True)
    monkeypatch.setattr(logging.getLogger("uvicorn"), "propagate", True)
    host, _, port = urllib.parse.urlsplit(address).netloc.partition(":")
    for sent in (POST + b"\r\nabc", b"GET /api/search?run=pairs-0&text=red HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(sent)
            time.sleep(0.2)
    time.sleep(0.5)
    assert get(address, "/api/runs")[0] == 200
    assert not [each for each in caplog.records if each.levelname in ("ERROR", "CRITICAL")]


def test_only_a_few_pictures_are_in_memory_at_once(hasty, monkeypatch):
    host, _, port = urllib.parse.urlsplit(hasty).netloc.partition(":")
    monkeypatch.setattr(uploads, "PATIENCE", 5)
    slots = [socket.create_connection((host, int(port)), timeout=20) for _ in range(uploads.UPLOADS)]
    for each in slots:
        each.sendall(POST + b"\r\nabc")
    time.sleep(0.5)
    monkeypatch.setattr(uploads, "PATIENCE", 0.2)
    assert left(hasty, POST + b"\r\nabc")[:12] == b"HTTP/1.1 503"
    for each in slots:
        each.close()
    status, content, _ = get(hasty, "/api/search", body=b"junk", run="pairs-0")
    assert (status, content["error"][:13]) == (400, "not a picture")


def test_two_hundred_at_a_time(address, runs):
    picture = runs[0].shown.picture(40)
    kinds = [
        {"path": "/api/search", "run": "pairs-0", "text": "a red cross"},
        {"path": "/api/search", "run": "pairs-0", "item": "item/30", "side": "text"},
        {"path": "/api/search", "run": "classes-0", "body": picture},
        {"path": "/api/sample", "run": "classes-0"},
    ]
    alone = [get(address, **kind)[:2] for kind in kinds]
    assert [status for status, _ in alone] == [200] * 4
    with ThreadPoolExecutor(200) as pool:
        together = list(pool.map(lambda place: get(address, **kinds[place % 4])[:2], range(200)))
    assert together == alone * 50


def test_other_sites_cannot_ask_through_a_name_of_their_own(address):
    def status(host: str) -> int:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)
        connection.request("GET", "/api/runs", headers={"Host": host})
        return connection.getresponse().status

    assert [status(host) for host in ("localhost:8000", "127.0.0.1", "evil.example")] == [200, 200, 400]


def test_only_this_computer_is_served_unless_told_otherwise(runs, monkeypatch, capsys):
    served = []
    monkeypatch.setattr("kith.search.server.uvicorn.run", lambda app, **options: served.append((app, options)))
    serve(runs, "127.0.0.1", 0)
    serve(runs, "0.0.0.0", 0)
    serve(runs, "0.0.0.0", 0, names=["search.example"])  # a container asks itself by its own name whether it is well
    hosts = [
        each.kwargs["allowed_hosts"]
        for app, _ in served
        for each in app.user_middleware
        if "allowed_hosts" in each.kwargs
    ]
    assert hosts == [list(LOCAL), ["*"], [*LOCAL, "search.example"]]
    assert [options["host"] for _, options in served] == ["127.0.0.1", "0.0.0.0", "0.0.0.0"]
    assert "http://127.0.0.1:0" in capsys.readouterr().out


def test_texts_are_data_not_markup(address):
    _, content, headers = get(address, "/api/search", run="pairs-0", text="a red cross", count=100)
    assert headers["content-type"] == "application/json"
    assert [MARKUP] in [result["texts"] for result in content["results"]]
    scripts = [
        path.read_text() for path in (Path(made_search.__file__).parent.parent / "kith/search/static").glob("*.js")
    ]
    assert len(scripts) == 10
    assert not any(name in text for text in scripts for name in ("innerHTML", "outerHTML", "insertAdjacent", "eval("))
