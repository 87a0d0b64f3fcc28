"""A downloader for pooch that goes on where the last attempt ended."""

import os
import re
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3

from kith.errors import KithError
from kith.progress import Progress

BLOCK = 1 << 16
BUSY = (408, 425, 429)  # client errors that pass
HOPELESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.SSLError,
    requests.exceptions.TooManyRedirects,
)


@dataclass(frozen=True)
class Patience:
    """How long to try. `tries`: at one address without a byte gained; `rounds`: over all addresses. Times are in
    seconds: `first` before the second try, doubled after each one up to `longest`; `connect` and `silence`: how
    long a server may take to answer, and to send something."""

    tries: int = 4
    rounds: int = 2
    first: float = 1.0
    longest: float = 60.0
    connect: float = 15.0
    silence: float = 60.0

    def delay(self, number: int) -> float:
        return min(self.first * 2.0**number, self.longest)


class Refused(Exception):
    """This address does not give the file; another one may."""


class Stopped(Exception):
    """The user ended it."""


class Passing(Exception):
    """A fault that may be gone at the next try, after the given seconds."""

    def __init__(self, message: str, after: float = 0.0):
        super().__init__(message)
        self.after = after


class Resuming:
    """Downloads to the file `part`, which stays when the transfer breaks, and moves it when it is complete.

    A part is continued if the file is `pinned`, because its checksum will tell, or else if the server says by
    ETag or Last-Modified, kept in <part>.from, that the file is the same. `size`: its bytes; 0: not known.
    Raises Refused, Stopped, and KithError where the disk is full.
    """

    def __init__(self, part: Path, *, size: int, pinned: bool, patience: Patience, stop: threading.Event):
        self.part, self.size, self.pinned, self.patience, self.stop = part, size, pinned, patience, stop
        self.origin = part.with_name(f"{part.name}.from")

    def __call__(self, url: str, output_file: Any, pooch: Any = None) -> None:
        """What pooch calls; `output_file` is a path."""
        tries, furthest = 0, self._length()
        while True:
            try:
                self._go_on(url)
                break
            except Passing as fault:
                gained, furthest = self._length() > furthest, max(furthest, self._length())
                tries = 0 if gained else tries + 1
                if tries >= self.patience.tries:
                    raise Refused(str(fault)) from None
                delay = self.patience.delay(max(tries - 1, 0))
                self.stop.wait(max(min(fault.after, self.patience.longest), delay))
            if self.stop.is_set():
                raise Stopped
        os.replace(self.part, output_file)
        self.origin.unlink(missing_ok=True)

    def _go_on(self, url: str) -> None:
        """One request; returns when the part is complete."""
        start, validator = self._start(url)
        if start and start == self.size:
            return
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers |= {"Range": f"bytes={start}-"} | ({"If-Range": validator} if validator else {})
        times = (self.patience.connect, self.patience.silence)
        try:
            with requests.get(url, headers=headers, stream=True, timeout=times) as response:
                if response.status_code == 416:
                    self._finished(response, start)
                    return
                start, total = self._accept(response, start)
                if not start:
                    self.origin.write_text(f"{url}\n{_validator(response)}\n", encoding="utf-8")
                self._save(response, start, total)
        except HOPELESS as error:
            raise Refused(_reason(error)) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise Passing(_reason(error)) from None

    def _start(self, url: str) -> tuple[int, str]:
        """How many bytes are there to go on from, and what the server is to compare."""
        size = self._length()
        if not size or (self.size and size > self.size):
            return 0, ""
        try:
            origin, validator = self.origin.read_text(encoding="utf-8").split("\n")[:2]
        except (OSError, ValueError):
            origin, validator = "", ""
        if origin == url and validator:
            return size, validator
        return (size if self.pinned else 0), ""

    def _accept(self, response: requests.Response, start: int) -> tuple[int, int | None]:
        """From which byte the response begins, and the size of the whole file, if it says."""
        status = response.status_code
        if status >= 500 or status in BUSY:
            after = response.headers.get("Retry-After", "")
            raise Passing(f"{status} {response.reason}", float(after) if after.isdecimal() else 0.0)
        if status not in (200, 206):
            raise Refused(f"{status} {response.reason}")
        if status == 206:
            first, total = _content_range(response)
            if first != start:
                self._forget()
                raise Passing(f"sent byte {first}, asked for {start}")
        else:
            start, length = 0, response.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
        if self.size and total not in (None, self.size):
            raise Refused(f"offers {total:,} bytes, expected {self.size:,}")
        if not self.pinned and "text/html" in response.headers.get("Content-Type", ""):
            raise Refused("sends a web page in place of the file; it may ask for a login or a confirmation")
        return start, total

    def _finished(self, response: requests.Response, start: int) -> None:
        """The server has nothing after `start`: the part is the whole file, or of another one."""
        if response.headers.get("Content-Range", "").endswith(f"*/{start}"):
            return
        self._forget()
        raise Passing("has fewer bytes than are here already")

    def _save(self, response: requests.Response, start: int, total: int | None) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if total is not None and total - start > free:
            raise KithError(f"{self.part}: {total - start:,} more bytes are to come, and {free:,} are free; make room")
        name = self.part.stem
        with (
            self.part.open("ab" if start else "wb") as sink,
            Progress(f"download {name}", total, "bytes", before=start) as progress,
        ):
            for block in response.raw.stream(BLOCK, decode_content=False):
                if self.stop.is_set():
                    raise Stopped
                sink.write(block)
                progress.step(len(block))
        expected, length = total or self.size, self._length()
        if expected and length < expected:
            raise Passing(f"ended after {length:,} of {expected:,} bytes")
        if expected and length > expected:
            self._forget()
            raise Passing(f"sent more than {expected:,} bytes")

    def _length(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.origin.unlink(missing_ok=True)


def _validator(response: requests.Response) -> str:
    """A strong ETag or else the date of the last change."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _content_range(response: requests.Response) -> tuple[int, int | None]:
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if not found:
        return -1, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _reason(error: Exception) -> str:
    """The innermost of what requests and urllib3 wrap into each other, in words."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no answer"
    text = str(error)
    if "timed out" in text.lower():
        return "the server stopped sending"
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate is not accepted ({text})"
    for word, told in (("resolve", "the host is not found; is there a network?"), ("refused", "connection refused")):
        if word in text:
            return told
    return "the connection broke" if "onnection" in text else text
