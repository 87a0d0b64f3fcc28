"""Pictures that are sent to the server: few in memory at once, none too large, and none waited for long."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from kith.search.connections import PATIENCE
from kith.search.pictures import MAX_BYTES

UPLOADS, DECODERS = 8, 2  # pictures in memory, and threads that decode them, at once


class Uploads:
    """Takes turns. decoders: threads of their own: pictures that take long to decode leave those that answer all else
    alone. now: pictures in memory."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(UPLOADS)
        self.decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="uploads")
        self.now = 0

    @asynccontextmanager
    async def taken(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request, for as long as it is one of the few pictures in memory; what is sent meanwhile waits
        on the way."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turns.acquire()
        except TimeoutError:
            raise HTTPException(503, "the server is busy with other pictures; try again in a while") from None
        self.now += 1
        try:
            yield await _body(request)
        finally:
            self.now -= 1
            self._turns.release()


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
