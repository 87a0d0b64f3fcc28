"""Files from the network, whole or not at all: several at once, resumed, retried, from mirrors, checked.

pooch keeps the folder and verifies checksums; `Resuming` is the downloader that it is given.
"""

import shutil
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

import pooch
from filelock import FileLock

from kith.data.resuming import Patience, Refused, Resuming, Stopped
from kith.data.source import File
from kith.errors import KithError


class Fetched(NamedTuple):
    """A file that is there: where, how large, and its checksum, the known one or else the SHA-256 computed here."""

    file: File
    path: Path
    checksum: str
    bytes: int


def fetch(
    files: Sequence[File], folder: Path, *, offline: bool = False, at_once: int = 4, patience: Patience | None = None
) -> list[Fetched]:
    """Bring `files` into `folder`, each under the last part of its URL, and return them in their order.

    A file that is there and has its checksum is used as it is, whoever put it there; one that has another is
    fetched again. Of each file the URL is tried, then its mirrors; of an interrupted transfer the beginning is kept as
    <name>.part and continued. `offline`: nothing is fetched.

    Raises KithError that names, for every file that is not to be had, its address, the reason, and where to put it.
    """
    if doubled := [name for name, count in Counter(file.name for file in files).items() if count > 1]:
        raise ValueError(f"several files are called {doubled[0]}")
    folder.mkdir(parents=True, exist_ok=True)
    if not offline:
        _check_space(files, folder)
    pooch.get_logger().setLevel("ERROR")
    stop = threading.Event()
    with ThreadPoolExecutor(at_once) as pool:
        jobs = [pool.submit(_one, file, folder, offline, patience or Patience(), stop) for file in files]
        try:
            wait(jobs)
        except BaseException:
            stop.set()
            raise
    faults = [error for job in jobs if (error := job.exception())]
    if other := next((error for error in faults if not isinstance(error, KithError)), None):
        raise other
    if faults:
        raise KithError("\n".join(map(str, faults)))
    return [job.result() for job in jobs]


def _one(file: File, folder: Path, offline: bool, patience: Patience, stop: threading.Event) -> Fetched:
    target = folder / file.name
    with FileLock(folder / f".{file.name}.lock"):
        if target.is_file():
            if fits(file, target):
                return _described(file, target)
            if offline:
                raise KithError(f"{target}: is not what {file.url} gives ({_known(file)}); replace it")
            print(f"{target}: is not what {file.url} gives ({_known(file)}); fetching it again", file=sys.stderr)
        if offline:
            raise KithError(f"{target}: no such file, and fetch.offline is set; put there what {file.url} gives")
        _from_anywhere(file, target, patience, stop)
        return _described(file, target)


def _from_anywhere(file: File, target: Path, patience: Patience, stop: threading.Event) -> None:
    """From the first address that gives the right file. After the last one there is another round."""
    reasons: dict[str, str] = {}
    for turn in range(patience.rounds):
        for url in (file.url, *file.mirrors):
            try:
                _retrieve(url, file, target, patience, stop)
                return
            except Refused as error:
                reasons[url] = str(error)
            if stop.is_set():
                raise Stopped
        if turn + 1 < patience.rounds:
            stop.wait(patience.delay(turn))
    told = "".join(f"\n  {url}: {reason}" for url, reason in reasons.items())
    raise KithError(f"{file.name} could not be downloaded:{told}\n  get it some other way and put it at {target}")


def _retrieve(url: str, file: File, target: Path, patience: Patience, stop: threading.Event) -> None:
    downloader = Resuming(
        target.with_name(f"{file.name}.part"), size=file.bytes, pinned=bool(file.checksum), patience=patience, stop=stop
    )
    # pooch would take a file of the right name without looking at its size.
    if not file.checksum:
        target.unlink(missing_ok=True)
    try:
        pooch.retrieve(url, file.checksum or None, fname=file.name, path=target.parent, downloader=downloader)
    except ValueError as error:
        if file.checksum:
            raise Refused(f"gives another file: its checksum is not {file.checksum}") from None
        raise Refused(str(error)) from None
    except OSError as error:
        raise KithError(f"{target}: cannot be written ({error.strerror or error})") from None


def fits(file: File, path: Path) -> bool:
    """Whether the file at `path` has the size and checksum of `file`, as far as they are known."""
    if file.bytes and path.stat().st_size != file.bytes:
        return False
    return not file.checksum or pooch.hashes.hash_matches(str(path), file.checksum)


def _described(file: File, path: Path) -> Fetched:
    return Fetched(file, path, file.checksum or f"sha256:{pooch.file_hash(str(path))}", path.stat().st_size)


def _known(file: File) -> str:
    return file.checksum or f"{file.bytes:,} bytes"


def _check_space(files: Sequence[File], folder: Path) -> None:
    """Raise KithError unless what is still missing, as far as sizes are known, has room."""
    missing = sum(file.bytes - _there(file, folder) for file in files)
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise KithError(
            f"{folder}: {missing:,} bytes are to be downloaded, and {free:,} are free; make room, or name another "
            "folder in fetch.downloads"
        )


def _there(file: File, folder: Path) -> int:
    sizes = [path.stat().st_size for name in (file.name, f"{file.name}.part") if (path := folder / name).is_file()]
    return min(file.bytes, max(sizes, default=0))
