"""The configuration of nginx in docs/search.md: read, and done as it says before a real server."""

import http.client
import json
import re
import urllib.parse

import pytest

from kith.search import Prepared, Run
from kith.search.pictures import MAX_BYTES
from tests import made_search
from tests.documentation import examples

TOKEN = "a-token-of-letters-0123"
NAME = "search.example.org"


def parsed(text: str) -> list[tuple[str, ...]]:
    """Directives with the blocks that they are in: ("server", "location /kith/", "proxy_pass", "http://…")."""
    found, blocks = [], []
    for words, end in re.findall(r"([^;{}]*)([;{}])", text):
        words = " ".join(words.split())
        if end == "{":
            blocks.append(words)
        elif end == ";":
            found.append((*blocks, *words.split(" ", 1)))
        else:
            assert not words
            blocks.pop()
    assert not blocks
    return found


@pytest.fixture(scope="module")
def directives() -> list[tuple[str, ...]]:
    (block,) = (example.text for example in examples("docs/search.md") if example.kind == "nginx")
    return parsed(block)


def proxied(directives: list[tuple[str, ...]]) -> tuple[str, str, dict[str, str]]:
    """The location, where it leads, and the headers that are set."""
    (location,) = {each[1] for each in directives if "proxy_pass" in each}
    inside = [each[2:] for each in directives if each[1] == location]
    target = next(value for name, value in inside if name == "proxy_pass")
    headers = dict(value.split(" ") for name, value in inside if name == "proxy_set_header")
    return location.removeprefix("location "), target, headers


def test_pictures_are_let_through_and_the_slash_is_added(directives):
    (size,) = (each[-1] for each in directives if "client_max_body_size" in each)
    assert int(size.removesuffix("m")) << 20 > MAX_BYTES
    assert ("server", "location = /kith", "return", "301 /kith/") in directives
    assert ("server", "server_name", NAME) in directives


def test_what_nginx_sends_on_is_understood(directives, tmp_path):
    location, target, headers = proxied(directives)
    assert (location, urllib.parse.urlsplit(target).path) == ("/kith/", "/")  # the prefix is taken out
    assert f"127.0.0.1:{8000}" in target
    variables = {"$host": NAME, "$remote_addr": "192.0.2.7", "$scheme": "https"}
    sent = {name: variables.get(value, value) for name, value in headers.items()}
    made_search.make_data(tmp_path)
    run = Run(made_search.make_run(tmp_path, "pairs-0"), Prepared(tmp_path / "data/made/prepared"))
    with made_search.serving([run], hosts=[NAME], token=TOKEN) as address:

        def ask(path: str, method: str = "GET", body: str | None = None, **more: str):
            connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)
            assert path.startswith(location)
            connection.request(method, f"/{path.removeprefix(location)}", body, sent | more)
            return connection.getresponse()

        assert ask("/kith/").getheader("Location") == "/kith/login"
        entered = ask("/kith/login", "POST", f"token={TOKEN}")
        cookie = entered.getheader("Set-Cookie")
        assert entered.getheader("Location") == "/kith/"
        assert "Path=/kith/" in cookie
        assert "Secure" in cookie
        knows = {"Cookie": cookie.split(";")[0]}
        (result,) = json.load(ask("/kith/api/sample?run=pairs-0&count=1", **knows))["results"]
        assert ask(result["thumbnail"], **knows).status == 200
        assert ask("/kith/static/app.js", **knows).status == 200
        assert ask("/kith/api/runs", **knows, Host="evil.example").status == 400
