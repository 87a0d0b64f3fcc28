"""Connections of the search server that end in time, whatever the other side does or leaves undone."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 20.0  # seconds for the head of a request, for a body, and for the other side to take an answer
MOST = 500  # connections at once; of more, each is told that the server is busy


class PatientProtocol(H11Protocol):
    """HTTP as uvicorn speaks it, which by itself waits for ever for the rest of a request, or to be listened to."""

    patience = PATIENCE
    _waiting: asyncio.TimerHandle | None = None
    _unheard: asyncio.TimerHandle | None = None
    _last: Any = None  # the request before the one that is waited for

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def on_response_complete(self) -> None:
        self._wait()  # first: the next request may be there already, and begin
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unheard = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        _cancel(self._unheard)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._waiting)
        _cancel(self._unheard)
        super().connection_lost(exc)

    def _wait(self) -> None:
        _cancel(self._waiting)
        self._last = self.cycle
        self._waiting = self.loop.call_later(self.patience, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is self._last:  # no other request has begun
            self.transport.abort()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
