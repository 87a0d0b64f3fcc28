"""The login of the server, its address behind a proxy, and what watches it: at a real server on this computer."""

import http.client
import json
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from kith.errors import KithError
from kith.search import Prepared, Run, access, pages
from kith.search.pages import ExtraPage
from kith.search.server import create_app, serve
from tests import made_search

TOKEN = "a-token-of-letters-0123"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Run]:
    root = tmp_path_factory.mktemp("access")
    made_search.make_data(root)
    return [Run(made_search.make_run(root, "pairs-0"), Prepared(root / "data/made/prepared"))]


@pytest.fixture
def closed(runs, monkeypatch):
    monkeypatch.setattr(access, "PAUSE", 0.3)
    with made_search.serving(runs, token=TOKEN) as address:
        yield address


def ask(address: str, path: str, method: str = "GET", body: str | None = None, **headers: str):
    """Status, headers and body; redirects are not followed."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    response = connection.getresponse()
    found = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return found


def login(address: str, token: str, **headers: str):
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    return ask(address, "/login", "POST", urllib.parse.urlencode({"token": token}), **form, **headers)


def test_without_the_token_nothing_is_told(closed):
    for path in ("/api/runs", "/api/sample?run=pairs-0", "/api/thumbnails/30", "/metrics", "/openapi.json", "/docs"):
        status, headers, body = ask(closed, path)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert b"shapes" not in body
        assert "default-src 'none'" in headers["content-security-policy"]
    status, headers, _ = ask(closed, "/")
    assert (status, headers["location"]) == (303, "/login")
    assert ask(closed, "/docs", Accept="text/html")[1]["location"] == "/login"
    assert ask(closed, "/api/search?run=pairs-0", "POST", "junk")[0] == 401
    for path in ("/healthz", "/login", "/static/style.css", "/static/icon.svg"):
        assert ask(closed, path)[0] == 200
    assert ask(closed, "/static/app.js")[0] == 401
    assert ask(closed, "/login", "PUT")[0] == 405


def test_the_token_opens_as_a_header(closed):
    for header in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
        assert ask(closed, "/api/runs", Authorization=header)[0] == 200
    began = time.monotonic()
    for header in ("Bearer wrong", f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x"):
        assert ask(closed, "/api/runs", Authorization=header)[0] == 401
    assert time.monotonic() - began > 4 * 0.3  # each wrong one waits


def test_guesses_by_cookie_wait_too(closed):
    began = time.monotonic()
    for path in ("/api/runs", "/"):
        assert ask(closed, path, Cookie="kith=" + "0" * 64)[0] in (401, 303)
    assert time.monotonic() - began > 2 * 0.3


def test_the_form_gives_a_cookie_that_is_not_the_token(closed):
    status, headers, _ = login(closed, TOKEN)
    assert (status, headers["location"]) == (303, "/")
    cookie, *options = [part.strip() for part in headers["set-cookie"].split(";")]
    assert {option.lower() for option in options} >= {"httponly", "samesite=strict", "path=/"}
    assert "secure" not in {option.lower() for option in options}
    assert TOKEN not in cookie
    assert ask(closed, "/api/runs", Cookie=f"other=1; {cookie}")[0] == 200
    assert ask(closed, "/", Cookie=cookie)[0] == 200
    for wrong in (cookie[:-1], "kith=", f"kith={TOKEN}", 'kith="\\', "kith=\xe9"):
        assert ask(closed, "/api/runs", Cookie=wrong)[0] == 401
    assert "secure" in login(closed, TOKEN, X_Forwarded_Proto="https")[1]["set-cookie"].lower()


def test_a_wrong_token_is_told_after_a_pause(closed):
    began = time.monotonic()
    status, headers, _ = login(closed, "wrong")
    assert (status, headers["location"], "set-cookie" in headers) == (303, "/login#wrong", False)
    assert time.monotonic() - began > 0.3
    for body in ("", "nothing=1", "token=" + "x" * 5000, "token=%ff", "&" * 100):
        assert ask(closed, "/login", "POST", body)[1].get("set-cookie") is None


def test_who_guesses_many_at_once_is_sent_away(closed, monkeypatch):
    monkeypatch.setattr(access, "PAUSE", 2)
    monkeypatch.setattr(access, "PAUSED", 3)
    with ThreadPoolExecutor(12) as pool:
        found = sorted(status for status, _, _ in pool.map(lambda _: login(closed, "wrong"), range(12)))
    assert found == [303] * 3 + [429] * 9
    assert ask(closed, "/api/runs", Authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize(
    "token", ["", "short", "fifteen-letters", "with a space in it, and long", "ümlauts-and-long-enough"]
)
def test_tokens_that_are_easily_guessed_are_refused(runs, token):
    with pytest.raises(KithError, match="--token: takes at least 16"):
        create_app(runs, token=token)


# Behind a proxy


def test_a_prefix_is_in_all_addresses(address):
    for path in ("/api/sample?run=pairs-0&count=1", "/kith/api/sample?run=pairs-0&count=1"):
        status, _, body = ask(address, path, X_Forwarded_Prefix="/kith")
        (result,) = json.loads(body)["results"]
        assert status == 200
        assert result["picture"].startswith("/kith/api/pictures/24.png?")
        assert result["thumbnail"].startswith("/kith/api/thumbnails/24?")
        assert ask(address, result["thumbnail"].removeprefix("/kith"), X_Forwarded_Prefix="/kith")[0] == 200
    for path in ("/", "/docs", "/static/app.js", "/kith/static/app.js", "/healthz"):
        assert ask(address, path, X_Forwarded_Prefix="/kith/")[0] == 200
    described = json.loads(ask(address, "/openapi.json", X_Forwarded_Prefix="/kith")[2])
    assert described["servers"] == [{"url": "/kith"}]
    assert json.loads(ask(address, "/openapi.json")[2])["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("prefix", ["//evil.example", "/a/../b", "https://evil.example", "/a b", "/é", "/" + "a" * 300])
def test_a_prefix_that_is_no_plain_path_is_ignored(address, prefix):
    status, _, body = ask(address, "/api/sample?run=pairs-0&count=1", X_Forwarded_Prefix=prefix)
    assert status == 200
    assert json.loads(body)["results"][0]["picture"].startswith("/api/pictures/")


def test_the_login_knows_the_prefix(closed):
    under = {"X_Forwarded_Prefix": "/kith"}
    assert ask(closed, "/", **under)[1]["location"] == "/kith/login"
    headers = login(closed, TOKEN, **under)[1]
    assert headers["location"] == "/kith/"
    assert "Path=/kith/" in headers["set-cookie"]
    assert login(closed, "wrong", **under)[1]["location"] == "/kith/login#wrong"


def test_the_page_names_no_address_from_the_root():
    for path in (access.LOGIN.parent).glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert 'href="/' not in text
        assert 'src="/' not in text
        assert "://" not in text
    for path in (access.LOGIN.parent).glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert '"/api' not in text
        assert "`/api" not in text


def test_other_names_are_served_where_they_are_given(runs, monkeypatch):
    served = []
    monkeypatch.setattr("kith.search.server.uvicorn.run", lambda app, **options: served.append(app))
    serve(runs, "127.0.0.1", 0, names=["search.example.org"])
    serve(runs, "0.0.0.0", 0, names=["search.example.org"])
    hosts = [
        each.kwargs["allowed_hosts"] for app in served for each in app.user_middleware if "allowed_hosts" in each.kwargs
    ]
    assert hosts == [["127.0.0.1", "localhost", "[::1]", "search.example.org"]] * 2


# What watches the server


def test_health_and_metrics(address):
    assert ask(address, "/healthz")[2] == b"ok\n"
    for path in (
        "/api/runs",
        "/api/search?run=pairs-0&text=a+red+cross",
        "/api/nothing",
        "/api/other",
        "/api/thumbnails/30",
    ):
        ask(address, path)
    status, headers, body = ask(address, "/metrics")
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/plain")
    lines = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
    assert lines["kith_items"] == "48.0"
    assert lines["kith_runs"] == "1.0"
    assert lines["kith_uploads"] == "0.0"
    assert float(lines['kith_requests_total{route="/api/search",status="200"}']) >= 1
    assert float(lines['kith_requests_total{route="/api/thumbnails/{row}",status="200"}']) >= 1
    assert float(lines['kith_requests_total{route="other",status="404"}']) >= 2
    assert float(lines['kith_request_seconds_bucket{le="+Inf",route="/api/search"}']) >= 1
    assert not any("/api/nothing" in name for name in lines)  # or whoever asks for many could fill the memory


def test_the_interface_is_described(address):
    described = json.loads(ask(address, "/openapi.json")[2])
    assert {path for path in described["paths"] if "audit" not in path} == {
        *("/api/runs", "/api/sample", "/api/item", "/api/search", "/api/pictures/{row}.png", "/api/thumbnails/{row}"),
        *("/healthz", "/metrics"),
    }
    search = described["paths"]["/api/search"]
    named = {each["name"] for each in search["get"]["parameters"]}
    assert named >= {"run", "text", "item", "plus", "minus", "where", "offset", "facets", "count", "side"}
    answered = search["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    fields = described["components"]["schemas"][answered.split("/")[-1]]["properties"]
    content = json.loads(ask(address, "/api/search?run=pairs-0&text=a+red+cross&facets=true")[2])
    assert set(content) == set(fields)


def test_what_is_asked_wrongly_is_told(address):
    search = "/api/search?run=pairs-0&text=red"
    for path, status, told in (
        (f"{search}&plus=red", 400, "plus: 'red' is neither text:… nor item:…"),
        (f"{search}&minus=item:", 400, "minus: 'item:' is neither"),
        (f"{search}&where=label", 400, "where: 'label' is no filter; write facet:value"),
        (f"{search}&where=colour:red", 400, "there is no facet 'colour'; there are label"),
        (f"{search}&offset=-1", 422, "offset: "),
        (f"{search}&offset=10001", 422, "offset: "),
        (search + "&plus=text:red" * 9, 422, "plus: "),
        (search + "&where=label:bar" * 33, 422, "where: "),
        ("/api/item?id=nobody", 404, "no item has the id 'nobody'"),
        ("/api/thumbnails/48", 404, "item 48 has no picture"),
        ("/api/thumbnails/-1", 404, "item -1 has no picture"),
        ("/api/sample?run=nobody", 404, "no run is called 'nobody'"),
    ):
        found, _, body = ask(address, path)
        assert (found, told in json.loads(body)["error"]) == (status, True), path
    unknown = json.loads(ask(address, "/api/search?run=pairs-0&text=croos")[2])
    assert unknown["suggestion"] == "cross"


def test_samples_go_over_all_items_page_by_page(address):
    rows = []
    for offset in range(0, 24, 5):
        content = json.loads(ask(address, f"/api/sample?run=pairs-0&count=5&offset={offset}")[2])
        assert content["total"] == 24
        rows += [result["row"] for result in content["results"]]
    assert sorted(rows) == list(range(24, 48))
    content = json.loads(ask(address, "/api/sample?run=pairs-0&where=label:bar&facets=true")[2])
    assert {result["label"] for result in content["results"]} == {"bar"}
    assert [facet["name"] for facet in content["facets"]] == ["label"]  # all that is searched is of one split


def test_an_item_is_told_by_its_id(address, runs):
    content = json.loads(ask(address, "/api/item?id=item/30")[2])
    expected = runs[0].shown.describe(30)
    assert {name: content[name] for name in expected} == expected
    assert content["row"] == 30


def test_another_room_adds_a_page(runs, monkeypatch):
    def install(app, given):
        assert given is runs

        @app.get("/extra", include_in_schema=False)
        def extra() -> dict:
            return {"extra": True}

    there = [
        ExtraPage("/extra", "Extra", lambda given: True, install),
        ExtraPage("/never", "Never", lambda given: False, install),
    ]
    monkeypatch.setattr(pages, "PAGES", there)
    with made_search.serving(runs, token=TOKEN) as address:
        knows = {"Authorization": f"Bearer {TOKEN}"}
        assert json.loads(ask(address, "/api/runs", **knows)[2])["links"] == [{"path": "extra", "title": "Extra"}]
        assert json.loads(ask(address, "/extra", **knows)[2]) == {"extra": True}
        assert ask(address, "/extra")[0] == 401
        assert ask(address, "/never", **knows)[0] == 404
