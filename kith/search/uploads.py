"""What is sent to the server: none too large, none waited for long, and of pictures few in memory at once."""

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
            yield await body_of(request, "the picture", MAX_BYTES)
        finally:
            self.now -= 1
            self._turns.release()


async def body_of(request: Request, what: str, most: int) -> bytes:
    """The body, read only as far as its `most` bytes, and only as long as one may take to come. what: its name, for
    who sent too much or too slowly."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _read(request, what, most)
    except TimeoutError:
        raise HTTPException(408, f"{what} did not come within {PATIENCE:g} seconds") from None
    except ClientDisconnect:
        raise HTTPException(400, f"{what} broke off") from None  # nobody listens


async def _read(request: Request, what: str, most: int) -> bytes:
    told = f"{most >> 20} MiB" if most >> 20 else f"{most >> 10} KiB"
    limit = HTTPException(413, f"{what} is larger than the limit of {told}")
    if int(request.headers.get("content-length", 0)) > most:
        raise limit
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > most:
            raise limit
    return bytes(data)
