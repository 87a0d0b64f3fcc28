"""Who may come in: those that know a token, once a server has one. And under which address a proxy shows it."""

import asyncio
import hashlib
import hmac
import re
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs

from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from kith.errors import KithError
from kith.search.connections import PATIENCE

COOKIE = "kith"
SHORTEST = 16  # characters of a token: it is all that a stranger has to guess
OPEN = ("/healthz", "/login", "/static/style.css", "/static/theme.js", "/static/icon.svg")
PAUSE, PAUSED = 1.0, 20  # seconds until a wrong token is answered, and how many may wait for that at once
A_MONTH = 30 * 24 * 3600
LONGEST_FORM = 4096  # bytes
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
LOGIN = Path(__file__).parent / "static" / "login.html"
FORM = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"}  # fmt: skip


def checked(token: str | None) -> str | None:
    """The token, None where there is none. Raises KithError for one that is easily guessed or that no header holds."""
    if token is None:
        return None
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise KithError(
            f"--token: takes at least {SHORTEST} letters, digits and signs without spaces; make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    return token


class Door:
    """Lets in who shows the token: as `Authorization: Bearer …`, or by the cookie that the form /login gives for it.

    The cookie holds a digest of the token, for the browser's eyes alone. What is wrong is answered after a pause, so
    that guessing takes for ever.
    """

    def __init__(self, app: ASGIApp, token: str):
        self.app, self._token, self._waiting = app, token.encode(), 0
        self._pass = hmac.new(self._token, b"kith search", hashlib.sha256).hexdigest().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path == "/login":
            await (await self._login(request))(scope, receive, send)
        elif path in OPEN or self._knows(request.headers):
            await self.app(scope, receive, send)
        else:
            await (await self._refused(request, path))(scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token):
            return True
        cookie = _cookie(headers)
        return cookie is not None and hmac.compare_digest(cookie.encode(), self._pass)

    async def _refused(self, request: Request, path: str) -> Response:
        # A cookie is a guess as well: whoever guesses a token can make the digest of it.
        tried = "authorization" in request.headers or _cookie(request.headers) is not None
        if tried and not await self._paused():
            return _busy()
        if path == "/" or "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"{request.scope.get('root_path', '')}/login", 303)
        told = {"error": "this server asks for its token: send it as Authorization: Bearer, or open the page /login"}
        return JSONResponse(told, 401, headers={"WWW-Authenticate": "Bearer"})

    async def _login(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            return FileResponse(LOGIN, headers=FORM)
        if request.method != "POST":
            return JSONResponse({"error": "method not allowed"}, 405, headers={"Allow": "GET, POST"})
        root = request.scope.get("root_path", "")
        given = await _given_token(request)
        if given is not None and hmac.compare_digest(given.encode(), self._token):
            entered = RedirectResponse(f"{root}/", 303)
            secure = request.url.scheme == "https"
            entered.set_cookie(
                COOKIE, self._pass.decode(), A_MONTH, path=f"{root}/", secure=secure, httponly=True, samesite="strict"
            )
            return entered
        if not await self._paused():
            return _busy()
        return RedirectResponse(f"{root}/login#wrong", 303)

    async def _paused(self) -> bool:
        """False where too many wait already."""
        if self._waiting >= PAUSED:
            return False
        self._waiting += 1
        try:
            await asyncio.sleep(PAUSE)
        finally:
            self._waiting -= 1
        return True


def _cookie(headers: Headers) -> str | None:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def _busy() -> Response:
    return JSONResponse({"error": "too many wrong tokens at once; try again in a while"}, 429)


async def _given_token(request: Request) -> str | None:
    """What the form sent; None where it is none."""
    data = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                data += part
                if len(data) > LONGEST_FORM:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    try:
        return parse_qs(data.decode(), max_num_fields=8).get("token", [None])[0]
    except ValueError:
        return None


class Prefixed:
    """The address below which a proxy shows the server, from its header `X-Forwarded-Prefix`, as ASGI's root_path.

    It may leave the prefix in the path or take it out. It only changes the addresses in the answer to the one who sent
    it; one that is no plain path is as if it were not there.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            prefix = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
            if len(prefix) <= 200 and PREFIX.fullmatch(prefix) and ".." not in prefix:
                path = scope["path"]
                whole = path if path == prefix or path.startswith(f"{prefix}/") else f"{prefix}{path}"
                scope = {**scope, "root_path": prefix, "path": whole}
        await self.app(scope, receive, send)
