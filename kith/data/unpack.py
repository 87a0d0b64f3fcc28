"""Archives unpacked into a folder, and nowhere else."""

import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from kith.errors import KithError

BROKEN = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError)
NAMES = re.compile(r"\.(zip|npz|tar|tgz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
JUNK = "__MACOSX"


def is_archive(name: str) -> bool:
    """Whether a file of this name is one that `unpack` takes: .zip, .npz (its arrays become .npy files), .tar, .tgz,
    .tar.gz, .tar.bz2 or .tar.xz.

    >>> is_archive("birds.tar.gz"), is_archive("birds.jpg")
    (True, False)
    """
    return NAMES.search(name) is not None


def unpack(archive: Path, folder: Path, root: str = "") -> int:
    """Unpack a zip or tar archive into `folder`; returns the number of files.

    Only what is below the archive's folder `root` is unpacked, without that part of its path; "" means all.
    Raises KithError where a member would leave `folder`, by its path or by a link, or is a device; where the archive
    is broken; where there is no room; and where nothing is below `root`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        members = (_zip if archive.suffix.lower() in (".zip", ".npz") else _tar)(archive, folder, root)
        count = sum(1 for _ in members)
    except tarfile.FilterError as error:
        raise KithError(f"{archive}: is not safe to unpack ({error}); nothing of it is used") from None
    except BROKEN as error:
        raise KithError(f"{archive}: cannot be unpacked ({error}); fetch it again, or make room") from None
    if not count:
        raise KithError(f"{archive}: no file in it" + (f" below '{root}'" if root else ""))
    return count


def _tar(archive: Path, folder: Path, root: str) -> Iterator[str]:
    """The size of the content is not known beforehand; it is hardly less than the archive's."""
    size, free = archive.stat().st_size, shutil.disk_usage(folder).free
    if size > free:
        raise KithError(f"{archive}: {size:,} bytes or more are to be unpacked, and {free:,} are free; make room")
    with tarfile.open(archive) as content:
        for member in content:
            if member.name.startswith("/"):
                raise tarfile.AbsolutePathError(member)
            tarfile.data_filter(member, str(folder))  # also what is left out has to be safe
            path = _below(member.name, root)
            if path is None:
                continue
            content.extract(member.replace(name=path, deep=False), folder, filter="data")
            if member.isfile():
                yield path


def _zip(archive: Path, folder: Path, root: str) -> Iterator[str]:
    with zipfile.ZipFile(archive) as content:
        members = content.infolist()
        for member in members:
            _check(archive, member)
        wanted = [(member, path) for member in members if (path := _below(member.filename, root))]
        size, free = sum(member.file_size for member, _ in wanted), shutil.disk_usage(folder).free
        if size > free:
            raise KithError(f"{archive}: {size:,} bytes are to be unpacked, and {free:,} are free; make room")
        for member, path in wanted:
            if member.is_dir():
                (folder / path).mkdir(parents=True, exist_ok=True)
                continue
            if member.flag_bits & 1:
                raise KithError(f"{archive}: '{member.filename}' is encrypted; unpack it by hand")
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with content.open(member) as source, (folder / path).open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            yield path


def _check(archive: Path, member: zipfile.ZipInfo) -> None:
    """zipfile would silently put such members elsewhere."""
    name = member.orig_filename
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise KithError(f"{archive}: is not safe to unpack ('{name}' would leave the folder); nothing of it is used")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise KithError(f"{archive}: is not safe to unpack ('{name}' is a link); nothing of it is used")


def _below(name: str, root: str) -> str | None:
    """The path below `root`; None: it is not there, or it is what macOS adds."""
    path = PurePosixPath(name)
    if JUNK in path.parts or not path.is_relative_to(root or "."):
        return None
    below = path.relative_to(root) if root else path
    return str(below) if below.parts else None
