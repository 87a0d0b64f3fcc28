"""What a user brings, as the section `fetch` of a study names it: the sources of kith.data say whether it is theirs."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kith.data import parts, readers, sources
from kith.data.kinds import Captioned, Listed
from kith.data.listing import files_below
from kith.data.sources import karpathy
from kith.data.sources.coco import captions
from kith.data.unpack import is_archive, unpack
from kith.errors import KithError
from stages import files, params
from stages.creating.tables import TABLES

UNPACKED = Path("datasets")
LONGEST = 40  # characters of the name of a column
GENERAL = ("image_lists", "image_folder")  # layouts that are no one data set's, tried last


@dataclass(frozen=True)
class Brought:
    """source: of kith.data.sources; path: where it is, unpacked; told: what it was taken for, a line each."""

    source: str
    path: Path
    image_root: Path | None = None
    told: list[str] = field(default_factory=list)

    @property
    def is_table(self) -> bool:
        return self.source == "table"


def recognise(path: Path, name: str, tables: Path) -> Brought:
    """What there is at `path`: a table, a folder in a layout that Kith reads, a file of captions, or an archive of any
    of these, which is unpacked to datasets/<name>; the table of a file of captions is put into the folder `tables`.

    Raises KithError for a path where there is nothing, for what Kith cannot read, and where datasets/<name> is there
    and of something else.
    """
    if not path.exists() and not parts.is_parted(path):
        raise KithError(f"{path}: no such file or folder; name a table, a folder of pictures, or an archive of them")
    if path.is_dir():
        return _folder(path)
    if is_archive(path.name) and path.suffix.lower() != ".npz":
        _unpacked(path, UNPACKED / name)
        found = recognise(_alone(UNPACKED / name), name, tables)
        return replace(found, told=[f"{path} is unpacked to {UNPACKED / name}", *found.told])
    if path.suffix.lower() == ".json":
        return _captions(path, tables / f"{name}.jsonl")
    readers.columns(path)
    return Brought("table", path)


def stamp(path: Path) -> list[list[Any]]:
    """By what it is seen that a file, one of a table in parts, or one in a folder is another one now: name, bytes, time
    of writing; of a folder one digest of all that is in it and not hidden."""
    there = [path] if path.is_file() else []
    if not there and parts.is_parted(path):
        with suppress(KithError):  # a folder without any
            there = parts.parts(path)
    if not there and path.is_dir():
        return [[path.name, *_listed(path)]]
    return [[each.name, (told := each.stat()).st_size, told.st_mtime_ns] for each in there]


def _listed(folder: Path) -> tuple[int, str]:
    """How many files there are, and SHA-256 of their names, sizes and times."""
    count, total = 0, hashlib.sha256()
    for file in files_below(folder):  # as pictures are listed
        told = _told(file)
        named = b"/" + os.fsencode(file.relative_to(folder))
        total.update(named + f"\0{told.st_size} {told.st_mtime_ns}\n".encode())
        count += 1
    return count, total.hexdigest()


def _told(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except OSError:  # a link to nothing
        return file.lstat()


def _unpacked(path: Path, folder: Path) -> None:
    """Unpack an archive, unless that was done; the file .<name>.json beside the folder says of what it is."""
    note, known = folder.with_name(f".{folder.name}.json"), {"archive": os.path.abspath(path), "stamp": stamp(path)}
    if folder.is_dir():
        if not note.exists() or files.read_json(note, "delete it") != known:
            raise KithError(
                f"{folder}: is there already, and was not unpacked from {path} as that is now; choose another name "
                "with --name, or delete that folder if nothing needs it"
            )
        return
    print(f"unpacking {path} to {folder}", flush=True)
    files.write_json(note, known)
    with files.replacing_folder(folder) as temporary:
        unpack(path, temporary)


def _alone(folder: Path) -> Path:
    """The folder, or what is alone in it."""
    inside = [each for each in folder.iterdir() if not each.name.startswith(".")]
    return _alone(inside[0]) if len(inside) == 1 and inside[0].is_dir() and any(inside[0].iterdir()) else folder


def _folder(path: Path) -> Brought:
    """The first source that lists a picture there; else a table in it, with or without pictures beside it."""
    refusals: dict[str, KithError] = {}
    for name in _layouts():
        try:
            count = len(_listing(name, path).entries)
        except KithError as error:
            refusals[name] = error
            continue
        if name == "image_folder" and (table := _table_in(path)):
            return Brought("table", table, told=[f"{table} names the pictures of {path}"])
        return Brought(name, path, told=[f"{path} has the layout of {name}: {count:,} pictures"])
    if table := _table_in(path):
        return Brought("table", table, told=[f"the table is {table}"])
    raise KithError(f"{path}: {str(refusals['image_folder']).removeprefix(f'{path}: ')}; nor is there one table in it")


def _layouts() -> Iterator[str]:
    """Of pictures with captions, then those of pictures in folders."""
    every = sources.SOURCES.items()
    yield from (name for name, each in every if isinstance(each, Captioned) and name != "conceptual_captions")
    yield from GENERAL


def _listing(name: str, path: Path) -> Any:
    source = sources.find(name)
    assert isinstance(source, Listed)
    return source.listing(path, params.Fetch(source=name, path=path).model_dump())


def _table_in(path: Path) -> Path | None:
    """The one table in a folder; the folder itself where it holds Parquet files."""
    if any(path.rglob("*.parquet")):
        return path
    kinds = {f".{each}" for each in (*readers.SUFFIXES, "tab", "ndjson")}
    here = [each for each in sorted(path.iterdir()) if each.is_file()]
    found = [each for each in here if each.suffix.lower() in kinds]
    # As Kaggle's captions.txt; what is written for people has one column, or a long first line.
    found += [each for each in here if each.suffix.lower() == ".txt" and _is_table(each)]
    return found[0] if len(found) == 1 else None


def _is_table(text: Path) -> bool:
    try:
        names = readers.columns(text)
    except KithError:
        return False
    return len(names) > 1 and max(map(len, names)) <= LONGEST


def _captions(path: Path, table: Path) -> Brought:
    """A file of COCO's or Karpathy's as a table, one row a picture with all its captions."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise KithError(f"{path}: not valid JSON: {error}") from None
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not images:
        raise KithError(f"{path}: no list 'images', as files of captions have; tables are written one object a line")
    if "annotations" in content:
        entries, kind = list(captions(path)), "COCO"
    else:
        entries, kind = karpathy.entries(path, lambda row, each: _named(row, each)), "Karpathy"
    rows = [
        {"id": each.id, "image": each.image, "captions": list(each.texts), "split": each.split}
        for each in entries
        if each.texts
    ]
    if not rows:
        raise KithError(
            f"{path}: none of its {len(images):,} pictures has a caption, so there is nothing to learn from"
        )
    if not any(row["split"] for row in rows):
        rows = [{name: value for name, value in row.items() if name != "split"} for row in rows]
    files.write_text(table, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
    listed = TABLES / table.name
    told = f"{path} is a file of captions as {kind} writes them; its {len(rows):,} pictures are listed in {listed}"
    return Brought("table", table, root_of(path.parent, rows[0]["image"]), [told])


def _named(row: int, each: dict[str, Any]) -> tuple[str, str]:
    name = str(each.get("filename", ""))
    folder = each.get("filepath")
    return name or str(row), f"{folder}/{name}" if folder else name


def root_of(folder: Path, picture: str, above: bool = True) -> Path | None:
    """The folder in or beside `folder` that a picture's path is relative to; None where it is not found, as where the
    text is no path at all. Folders that cannot be read are passed over."""
    near = [folder, *_folders(folder)]
    near += [below for each in near[1:] for below in _folders(each)]
    for place in near:
        with suppress(OSError):  # such as of a name that is too long
            if (place / picture).is_file():
                return place
    return root_of(folder.parent, picture, above=False) if above else None


def _folders(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(each for each in folder.iterdir() if each.is_dir())
    return []
