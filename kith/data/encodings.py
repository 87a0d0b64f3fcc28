"""Text files as people have them: in which encoding they are, and what to do with one that is no text."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from kith.errors import POINTER, KithError

# How a text begins that says in which encoding it is; the longer marks first.
MARKS = (
    *((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32")),
    *((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")),
)
SHEET = "open it in a spreadsheet program and save the sheet as CSV (UTF-8)"
# How files begin that are called a text and are none.
NO_TEXT = {
    b"PK\x03\x04": f"is an Excel workbook (.xlsx) or another zip archive; {SHEET}",
    b"\xd0\xcf\x11\xe0": f"is an old Excel workbook (.xls); {SHEET}",
    b"PAR1": "is a Parquet file; let its name end in .parquet",
    b"\x1f\x8b": "is compressed by gzip; let its name end in .gz too",
    POINTER: "is a pointer of Git LFS; get the file itself with git lfs pull",
}
PAGE = (b"<!doctype html", b"<html")
BEGINNING = 4096  # bytes that are looked at
# Bytes that the code page of Windows has no character for; it has all those of Latin-1 that are printed.
NOT_WINDOWS = frozenset({0x81, 0x8D, 0x8F, 0x90, 0x9D})
FOREIGN = 0.3  # share of bytes beyond ASCII from which a text is in no western encoding


def opened(path: Path) -> BinaryIO:
    """The bytes of the file at `path`, unpacked where its name ends in .gz."""
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


@contextmanager
def text(path: Path) -> Iterator[TextIO]:
    """The text at `path`, UTF-8 or what its first bytes say, with line ends as they are.

    Raises KithError for what is called a text and is none: a workbook, an archive. Reading raises UnicodeDecodeError.
    """
    with opened(path) as file:
        start = file.read(BEGINNING)
    if told := none(start):
        raise KithError(f"{path}: {told}")
    encoding = next((name for mark, name in MARKS if start.startswith(mark)), "utf-8-sig")
    if encoding == "utf-8-sig" and b"\0" in start:
        order = "UTF-16BE" if start.startswith(b"\0") else "UTF-16LE"
        raise KithError(f"{path}: has bytes of zero; if it is UTF-16 text: {_converts(order)}; else it is no text")
    unpack = gzip.open if path.suffix.lower() == ".gz" else open
    with unpack(path, "rt", encoding=encoding, newline="") as file:
        yield file


def none(start: bytes) -> str:
    """What a file is that begins so, where that is no table; else "".

    >>> none(b"<!DOCTYPE html><html>").split(";")[0], none(b"id,text")
    ('is a web page, not data', '')
    """
    if start.lstrip()[:20].lower().startswith(PAGE):
        return "is a web page, not data; download the file itself"
    return next((told for mark, told in NO_TEXT.items() if start.startswith(mark)), "")


def beginning(path: Path) -> bytes:
    """The first bytes of a file. Raises OSError."""
    with path.open("rb") as file:
        return file.read(BEGINNING)


def fault(path: Path, error: UnicodeDecodeError) -> str:
    """Which line of the text at `path` is not in its encoding, and what is likely to mend that."""
    if error.encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
        return f"its first bytes say {error.encoding[:6].upper()}, and it is not ({error.reason}); save it anew"
    strange: set[int] = set()
    total = beyond = 0
    where = ""
    with opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as broken:
                where = where or f"line {number}: byte 0x{line[broken.start]:02x} is not UTF-8 text; "
                beyond += sum(byte > 0x7F for byte in line)
                strange.update(line)
            total += len(line)
            if total > BEGINNING and where:
                break
    windows = not strange & NOT_WINDOWS
    if beyond > FOREIGN * total or not windows:
        return f"{where}save it as UTF-8: iconv converts, if you know the encoding it is in"
    return f"{where}save it as UTF-8; if it was made by Windows in a western language: {_converts('CP1252')}"


def _converts(encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 OLD > NEW"
